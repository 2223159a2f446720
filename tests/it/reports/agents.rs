//! `mcpfleet validate --config`: what the agents would make of the apps.

use super::{ended, folder, validate};
use std::{path::Path, process::Command};

const PROD: &str = "version: v1\nsources: [{name: here, directory: {path: .}}]\napp_service:\n  \
                    resources: [{labels: {env: prod}}]\n  secrets: {}\n  host_users: {}\n  \
                    apps: [{metadata: {name: taken}, spec: {mcp: {command: mcpfleet}}}]\n";

fn app(name: &str, env: &str, spec: &str) -> String {
    format!(
        "kind: app\nversion: v3\nmetadata: {{name: {name}, labels: {{env: {env}}}}}\nspec: {{mcp: {{command: mcpfleet{spec}}}}}\n"
    )
}

/// The exit code, and each finding as `PATH:LINE:COLUMN CODE MESSAGE`.
fn found(folder: &Path, arguments: &[&str]) -> (i32, Vec<String>) {
    let mut command = validate(folder, &[&[".", "-o", "json"], arguments].concat());
    let (code, printed, errors) = ended(command.output().expect("it starts"));
    let report: serde_json::Value = serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{e}: {errors}"));
    let word = |finding: &serde_json::Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let line = |finding: &serde_json::Value| {
        let place = format!("{}:{}:{}", word(finding, "path"), finding["line"], finding["column"]);
        format!("{place} {} {}", word(finding, "code"), word(finding, "message"))
    };
    (code, report["diagnostics"].as_array().expect("a list").iter().map(line).collect())
}

#[test]
fn apps_that_no_agent_runs_or_that_one_refuses_are_told() {
    let folder = folder(&[
        (".agents/prod.yaml", PROD),
        (
            ".agents/test.yaml",
            "version: v1\nsources: [{name: here, directory: {path: .}}]\napp_service: {resources: [{labels: {env: test}}]}\n",
        ),
        ("a.yaml", &app("a", "prod", "")),
        ("b.yaml", &app("b", "test", "")),
        ("c.yaml", &app("c", "pord", "")),
        ("d.yaml", &app("d", "prod", ", env: {TOKEN: {secret: d-token}, URL: {from_agent: SITE}}")),
        ("e.yaml", &app("e", "prod", ", run_as_host_user: postgres")),
        ("taken.yaml", &app("Taken", "prod", "")),
    ]);
    // Without agents nothing is said of them.
    assert_eq!(found(folder.path(), &[]), (0, Vec::new()));

    let prod = ["--config", ".agents/prod.yaml"];
    let (code, with_one) = found(folder.path(), &prod);
    let place = |path: &str| with_one.iter().filter(|finding| finding.starts_with(path)).cloned().collect::<Vec<_>>();
    assert_eq!(code, 0);
    assert_eq!(place("a.yaml"), [""; 0]);
    assert_eq!(
        place("b.yaml"),
        ["b.yaml:3:18 unselected no agent runs the app: .agents/prod.yaml: no selector matches its labels"]
    );
    let d = place("d.yaml");
    assert!(d.len() == 2 && d.iter().all(|finding| finding.contains("refused-by-agent")), "{d:?}");
    assert!(d.iter().any(|finding| finding.contains("secret `d-token` is not granted")), "{d:?}");
    assert!(d.iter().any(|finding| finding.contains("does not list `SITE`")), "{d:?}");
    assert!(place("e.yaml").concat().contains("host user `postgres` is not granted"), "{with_one:?}");
    assert!(place("taken.yaml").concat().contains("shadowed by `taken` of the agent's configuration"), "{with_one:?}");
    assert_eq!(with_one.len(), 6, "{with_one:#?}");

    // Another agent has the one, and none the other.
    let both = [&prod[..], &["--config", ".agents/test.yaml"]].concat();
    let (_, with_both) = found(folder.path(), &both);
    assert_eq!(with_both.iter().filter(|finding| finding.contains(" unselected ")).count(), 1, "{with_both:#?}");
    assert!(with_both.iter().any(|finding| finding.starts_with("c.yaml") && finding.contains(".agents/test.yaml")));

    // They can be errors, or accepted.
    let strict = [&prod[..], &["--warnings-as-errors"]].concat();
    assert_eq!(found(folder.path(), &strict).0, 1);
    let accepted = [&strict[..], &["--allow", "unselected", "--allow", "refused-by-agent"]].concat();
    assert_eq!(found(folder.path(), &accepted), (0, Vec::new()));
}

#[test]
fn a_configuration_may_be_that_of_a_commit_and_must_be_one() {
    let folder = folder(&[("agent.conf", PROD), ("b.yaml", &app("b", "test", ""))]);
    for arguments in [
        &["init", "-q"][..],
        &["add", "agent.conf"],
        &[
            "-c",
            "user.name=G",
            "-c",
            "user.email=g@example.com",
            "-c",
            "commit.gpgsign=false",
            "commit",
            "-qm",
            "agent",
        ],
    ] {
        assert!(Command::new("git").args(arguments).current_dir(folder.path()).status().expect("git").success());
    }
    std::fs::remove_file(folder.path().join("agent.conf")).expect("it is there");
    let (_, findings) = found(folder.path(), &["--config", "HEAD:agent.conf"]);
    assert!(findings.len() == 1 && findings.concat().contains("unselected"), "{findings:?}");

    std::fs::write(folder.path().join("wrong.conf"), "version: v1\nsource: []\n").expect("a file");
    for (place, part) in
        [("agent.conf", "cannot read agent.conf"), ("HEAD:no", "no file no"), ("wrong.conf", "unknown-field")]
    {
        let mut command = validate(folder.path(), &[".", "--config", place]);
        let (code, _, errors) = ended(command.output().expect("it starts"));
        assert!(code == 2 && errors.contains(part), "{code}: {errors}");
    }
}
