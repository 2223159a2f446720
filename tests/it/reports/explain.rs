//! `mcpfleet explain`, and that its examples are true: each is read or run.

use super::{ended, folder, validate};
use crate::support::missing;
use mcpfleet::{
    config::{Config, Environment},
    manifest::{
        Code,
        explain::{Explanation, Language, explain},
    },
};
use std::{path::Path, process::Command};

fn run(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcpfleet"));
    ended(command.arg("explain").args(arguments).output().expect("it starts"))
}

#[test]
fn a_code_is_explained() {
    let (code, text, _) = run(&["error[unquoted]"]);
    assert_eq!(code, 0);
    insta::assert_snapshot!(text, @r#"
    unquoted: A string is expected, and what is written is a number, a boolean or null unless it is quoted.

    Readers of YAML turn `1.10` into 1.1, `0123` into 83 and `no` into false, each in its own way.
    Quotes make it the text that is meant.

    Wrong:

        kind: app
        version: v3
        metadata: {name: web}
        spec:
          mcp:
            command: server
            env: {PORT: 8080}

    Right:

        kind: app
        version: v3
        metadata: {name: web}
        spec:
          mcp:
            command: server
            env: {PORT: "8080"}
    "#);
}

#[test]
fn codes_are_listed_and_found_by_programs() {
    let (code, text, _) = run(&[]);
    assert_eq!(code, 0);
    for code in Code::ALL {
        assert!(text.lines().any(|line| line.split(' ').next() == Some(&code.to_string())), "{code}: {text}");
    }
    let (_, json, _) = run(&["unsigned", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["version"], &json["codes"][0]["origin"]), (&1.into(), &"authorize".into()));
    let (code, text, errors) = run(&["unkown-field"]);
    assert_eq!((code, text.as_str()), (2, ""));
    assert_eq!(errors, "error: there is no code `unkown-field`: did you mean `unknown-field`?\n");
}

/// The codes that a folder gets.
fn codes_of(folder: &Path) -> Vec<String> {
    let agent = ".mcpfleet/agent.yaml";
    let given = if folder.join(agent).exists() { &["--config", agent][..] } else { &[] };
    let mut command = validate(folder, &[&[".", "-o", "json"], given].concat());
    if nix::unistd::geteuid().is_root() {
        // Root may read everything, but for this.
        let program = command.get_program().to_owned();
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        command = Command::new("setpriv");
        command.arg("--bounding-set=-dac_override,-dac_read_search").arg(program).args(arguments);
        command.current_dir(folder).env_remove("GITHUB_ACTIONS");
    }
    let (_, printed, errors) = ended(command.output().expect("it starts"));
    let report: serde_json::Value = serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{e}: {errors}"));
    let found = report["diagnostics"].as_array().expect("a list");
    found.iter().map(|diagnostic| diagnostic["code"].as_str().expect("a code").to_owned()).collect()
}

#[test]
fn the_examples_of_commands_make_what_they_say() {
    if Command::new("setpriv").arg("--version").output().is_err() {
        return missing("examples of `mcpfleet explain`", "there is no setpriv");
    }
    let mut seen = 0;
    for code in Code::ALL {
        let Explanation { language, wrong, right, .. } = explain(*code);
        if language != Language::Sh {
            continue;
        }
        seen += 1;
        for (example, expected) in [(wrong, true), (right, false)] {
            let folder = folder(&[]);
            let made = Command::new("sh").args(["-euc", example]).current_dir(folder.path()).output().expect("a shell");
            assert!(made.status.success(), "{code}: {}", String::from_utf8_lossy(&made.stderr));
            let codes = codes_of(folder.path());
            assert_eq!(codes.contains(&code.to_string()), expected, "{code}: {codes:?}\n{example}");
            // The apps of examples need nobody: who runs them is another example's business.
            let others = codes.iter().filter(|other| *other != "no-host-user");
            assert!(expected || others.count() == 0, "{code}: {codes:?}\n{example}");
        }
    }
    assert!(seen > 8, "only {seen} examples are commands");
}

#[test]
fn the_examples_of_configurations_are_what_they_say() {
    let environment = Environment { root: true, base: "/etc/mcpfleet".into(), ..Environment::default() };
    let codes = |text: &str| -> Vec<Code> {
        let read = Config::read("agent.yaml", text.as_bytes(), &[], &environment);
        read.diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
    };
    let mut seen = 0;
    for code in Code::ALL {
        let Explanation { language, wrong, right, .. } = explain(*code);
        if language == Language::Yaml && !wrong.lines().any(|line| line.starts_with("kind:")) {
            seen += 1;
            assert!(codes(wrong).contains(code), "{code}: {:?}\n{wrong}", codes(wrong));
            assert_eq!(codes(right), [], "{code}:\n{right}");
        }
    }
    assert!(seen >= 4, "only {seen} examples are configurations");
}
