//! Every fixture has the resources that it becomes written down, with all that is said about it.
//!
//! `UPDATE_GOLDEN=1 cargo nextest run import::golden` writes them anew: look at the difference before it is committed.

use mcpfleet::{
    author::{
        AuthorError,
        import::{Existing, Format, Options, import, report},
    },
    config::{Config, Environment},
    manifest::{cross_check, parse_file, render},
    resource::Resource,
};
use std::{fs, path::Path};

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/import")
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).expect("the fixture")
}

fn options(name: &str) -> Options {
    let labels = if name == "tctl.yaml" { vec![] } else { vec![("team".to_owned(), "platform".to_owned())] };
    Options { labels: labels.into_iter().collect(), ..Options::default() }
}

/// All that comes of a file, as text.
fn outcome(name: &str) -> String {
    match import(name, &fixture(name), &options(name)) {
        Ok(imported) => {
            let documents: Vec<&str> = imported.apps.iter().map(|app| app.text.as_str()).collect();
            let documents = documents.join("---\n");
            let file = parse_file("apps.yaml", documents.as_bytes());
            assert!(file.diagnostics.is_empty(), "{name}: {:?}", file.diagnostics);
            assert_eq!(cross_check(&file.resources), [], "{name}");
            let said = report(&imported, name, &Existing::new(), None);
            assert_grants(&said);
            format!("{:?}\n{documents}=====\n{said}", imported.format)
        }
        Err(AuthorError::Invalid(diagnostics)) => {
            assert!(diagnostics.iter().all(|diagnostic| diagnostic.line_text.is_none()), "a line is shown");
            let text: String = diagnostics.iter().map(render::text).collect();
            anstream::adapter::strip_str(&text).to_string()
        }
        Err(error) => panic!("{name}: {error}"),
    }
}

/// What is to be pasted into an agent's configuration is valid there.
fn assert_grants(report: &str) {
    let Some((_, rest)) = report.split_once("\napp_service:\n") else { return };
    let lines = rest.lines().take_while(|line| line.starts_with(' '));
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    let text = format!("version: v1\nsources: [{{name: a, directory: {{path: /a}}}}]\napp_service:\n{text}");
    let environment = Environment { root: true, base: "/etc/mcpfleet".into(), ..Environment::default() };
    let diagnostics = Config::read("agent.yaml", text.as_bytes(), &[], &environment).diagnostics;
    assert!(diagnostics.is_empty(), "{text}\n{diagnostics:?}");
}

#[test]
fn every_format_becomes_what_is_written_down() {
    let mut different = Vec::new();
    let mut seen = 0;
    let mut files: Vec<_> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for path in files.iter().filter(|path| path.extension().is_some_and(|e| e != "txt")) {
        seen += 1;
        let name = path.file_name().unwrap().to_str().unwrap();
        let actual = outcome(name);
        let golden = folder().join(format!("{name}.txt"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, &actual).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if expected != actual {
            different.push(format!("{name}: expected\n{expected}\nfound\n{actual}"));
        }
        for secret in ["FIXTURE", "k-3141592653589", "k-2718281828459045"] {
            assert!(!actual.contains(secret), "{name} shows a secret:\n{actual}");
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert!(seen >= 9, "only {seen} fixtures were found");
}

/// The reference system's documented resource; see `reference.rs`.
const REFERENCE: &str = r#"kind: app
version: v3
metadata:
  name: everything
  description: The Everything MCP server
  labels:
    env: dev
spec:
  mcp:
    command: "docker"
    args: ["run", "-i", "--rm", "mcp/everything"]
    run_as_host_user: "docker"
"#;

#[test]
fn the_reference_resource_comes_back_unchanged() {
    let reference = parse_file("reference.yaml", REFERENCE.as_bytes());
    let Resource::App(expected) = &reference.resources[0].resource else { panic!("an app") };
    for name in ["tctl.yaml", "tctl.json"] {
        let imported = import(name, &fixture(name), &Options::default()).expect("valid");
        assert_eq!(imported.format, Format::Tctl);
        let app = imported.apps.iter().find(|app| app.name() == "everything").expect("the app");
        assert_eq!(app.app(), expected, "{name}");
        // Not only in meaning: every line is one of the original, but for quotes.
        let plain = |text: &str| text.replace('"', "");
        assert_eq!(plain(&app.text), plain(REFERENCE), "{name}");
    }
}

#[test]
fn what_the_user_says_fills_in_what_is_missing() {
    let name = "server-package.json";
    let with = |way: &str, vars: &[(&str, &str)]| {
        let vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let options = Options { way: Some(way.to_owned()), vars, ..Options::default() };
        import(name, &fixture(name), &options)
    };
    let text = with("packages.1", &[("port", "5432"), ("db_type", "mysql")]).expect("valid").apps[0].text.clone();
    assert!(text.contains("--port=5432") && text.contains("DB_TYPE=mysql"), "{text}");
    let text = with("packages.2", &[]).expect("valid").apps[0].text.clone();
    assert!(text.contains("command: npx\n") && text.contains("@example/database-manager@3.1.0"), "{text}");
    let text = with("remotes.0", &[]).expect("valid").apps[0].text.clone();
    assert!(text.contains("uri: mcp+https://db.example.com/mcp"), "{text}");
    assert!(matches!(with("remotes.1", &[]), Err(AuthorError::Invalid(_))));
    assert!(matches!(with("packages.2", &[("prot", "1")]), Err(AuthorError::Usage(_))));
}

#[test]
fn what_only_looks_like_a_secret_can_be_kept() {
    let file = br#"{"mcpServers": {"a": {"command": "x", "args": ["--key", "abc-1"], "env": {"MODE_KEY": "abc-2"}}}}"#;
    let options = |kept: &[&str]| {
        let not_secret = kept.iter().map(|id| (*id).to_owned()).collect();
        Options { not_secret, ..Options::default() }
    };
    assert!(matches!(import("f", file, &options(&[])), Err(AuthorError::Invalid(_))));
    let imported = import("f", file, &options(&["a.args[1]", "a.env.MODE_KEY"])).expect("valid");
    assert!(imported.secrets.is_empty() && imported.apps[0].text.contains("abc-2"), "{imported:?}");
    let imported = import("f", file, &options(&["a.args[1]"])).expect("valid");
    assert!(!imported.apps[0].text.contains("abc-2"), "{imported:?}");
    assert!(matches!(import("f", file, &options(&["a.args[1]", "a.env.NO"])), Err(AuthorError::Usage(_))));
}

#[test]
fn the_example_of_the_documentation_becomes_what_it_says() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/import.md")).unwrap();
    let block = |language: &str| {
        let rest = page.split_once(&format!("```{language}\n")).expect("the block").1;
        rest.split_once("```").expect("its end").0.to_owned()
    };
    let imported = import("mcp.json", block("json").as_bytes(), &Options::default()).expect("valid");
    let documents: Vec<&str> = imported.apps.iter().map(|app| app.text.as_str()).collect();
    assert_eq!(documents.join("---\n"), block("yaml"));
    // The table of references.
    let file = br#"{"inputs": [{"id": "k", "password": true}, {"id": "d", "default": "x"}, {"id": "host"}], "servers": {"a": {"command": "c",
        "env": {"A": "${TOKEN}", "B": "${env:REGION}", "C": "${REGION:-eu}", "D": "a ${TOKEN}", "E": "${input:k}", "F": "${input:d}", "G": "${input:host}"}},
        "b": {"url": "https://example.com", "headers": {"A": "${TOKEN}", "B": "${REGION}", "E": "${input:k}"}}}}"#;
    let imported = import("mcp.json", file, &Options::default()).expect("valid");
    let text: String = imported.apps.iter().map(|app| app.text.clone()).collect();
    for line in [
        "A: {secret: token}",
        "B: {from_agent: REGION}",
        "C: eu",
        "D: {secret: a-d}",
        "E: {secret: k}",
        "F: x",
        "G: {secret: host}",
        "name: B\n        value: {secret: region}",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    for (args, fine) in [
        ("${TOKEN:-x}", true),
        ("${TOKEN}", false),
        ("${input:k}", false),
        ("${input:d}", true),
        ("${userHome}", false),
    ] {
        let file = format!(
            r#"{{"inputs": [{{"id": "k", "password": true}}, {{"id": "d", "default": "x"}}], "servers": {{"a": {{"command": "c", "args": ["{args}"]}}}}}}"#
        );
        assert_eq!(import("mcp.json", file.as_bytes(), &Options::default()).is_ok(), fine, "{args}");
    }
}
