//! What a pipeline asks for: annotations, files besides the console, exit codes, stdin.

use super::{app, ended, folder, mistakes, validate};
use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

const INSECURE: &str = "kind: app\nversion: v3\nmetadata: {name: far}\nspec:\n  uri: mcp+https://example.com/mcp\n  \
                        insecure_skip_verify: true\n";

fn run(command: &mut Command) -> (i32, String, String) {
    ended(command.output().expect("it starts"))
}

#[test]
fn annotations_come_by_themselves_on_a_runner() {
    let folder = mistakes();
    let annotated = |arguments: &[&str]| {
        let (code, printed, _) = run(validate(folder.path(), arguments).env("GITHUB_ACTIONS", "true"));
        assert_eq!(code, 1);
        printed
    };
    let printed = annotated(&["."]);
    assert!(printed.starts_with("error[duplicate-resource]: app `same`"), "{printed}");
    let levels: Vec<&str> =
        printed.lines().filter(|line| line.starts_with("::")).filter_map(|l| l.split(' ').next()).collect();
    assert_eq!(levels, [["::error"; 8].as_slice(), &["::warning"]].concat(), "the worst come first");
    // A file besides changes nothing of it, another form on stdout does.
    assert_eq!(annotated(&[".", "-o", "junit=report.xml"]), printed);
    assert!(fs::read_to_string(folder.path().join("report.xml")).is_ok_and(|report| report.contains("<testsuite ")));
    assert!(!annotated(&[".", "-o", "text"]).contains("\n::"));
    let (_, elsewhere, _) = run(validate(folder.path(), &["."]).env("GITHUB_ACTIONS", "false"));
    assert!(!elsewhere.contains("\n::"), "{elsewhere}");
    let (_, wide, _) = run(&mut validate(folder.path(), &["."]));
    assert!(wide.contains("`mcpfleet explain duplicate-resource` says more about a code."), "{wide}");
    assert_eq!(wide.matches("mcpfleet explain").count(), 1);
}

#[test]
fn warnings_count_as_errors_when_they_are_to() {
    let folder = folder(&[("far.yaml", INSECURE)]);
    assert_eq!(run(&mut validate(folder.path(), &["."])).0, 0);
    let (code, printed, _) = run(&mut validate(folder.path(), &[".", "--warnings-as-errors"]));
    assert_eq!(code, 1);
    assert!(printed.ends_with("1 file, 1 resource, no errors, 1 warning\n"), "{printed}");
    let (_, junit, _) = run(&mut validate(folder.path(), &[".", "--warnings-as-errors", "-o", "junit"]));
    assert!(junit.contains("<failure type=\"insecure-tls\""), "{junit}");
}

/// With this on stdin.
fn fed(folder: &Path, arguments: &[&str], text: &[u8]) -> (i32, String, String) {
    let mut command = validate(folder, arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    // That it reads only as much as it needs is no failure.
    let _ = child.stdin.take().expect("it is piped").write_all(text);
    ended(child.wait_with_output().expect("it ends"))
}

#[test]
fn stdin_is_a_file_like_others() {
    let folder = folder(&[("apps/a.yaml", &app("a")), ("apps/b.yaml", &app("b"))]);
    let (code, printed, _) = fed(folder.path(), &["-"], app("a-").as_bytes());
    assert_eq!(code, 1);
    assert!(printed.contains("--> <stdin>:3:18"), "{printed}");
    // Beside the others: names are unique among all of them.
    let (code, printed, _) = fed(folder.path(), &["apps", "-"], app("a").as_bytes());
    assert_eq!(code, 1);
    assert!(printed.contains("`a` is also defined here (<stdin>:3:18)"), "{printed}");
    // In the place of one of them, as an editor has it that has not saved yet.
    let (code, printed, _) = fed(folder.path(), &["apps", "-", "--stdin-name", "apps/a.yaml"], app("a").as_bytes());
    assert_eq!((code, printed.as_str()), (0, "2 files, 2 resources, no errors\n"));
    let (code, printed, _) = fed(folder.path(), &["-"], "#".repeat(3 << 20).as_bytes());
    assert_eq!(code, 1);
    assert!(printed.contains("error[file-too-large]"), "{printed}");
    let (code, _, errors) = run(&mut validate(folder.path(), &["apps", "--stdin-name", "x"]));
    assert_eq!(code, 2, "{errors}");
}

#[test]
fn outputs_that_cannot_be_are_wrong_usage() {
    let folder = folder(&[("a.yaml", &app("a"))]);
    for (arguments, message) in [
        (&["-o", "json", "-o", "text"][..], "stdout: only one output"),
        (&["-o", "json=x", "-o", "text=x"], "x: only one output"),
        (&["-o", "xml"], "the formats are"),
    ] {
        let (code, printed, errors) = run(&mut validate(folder.path(), &[&["."], arguments].concat()));
        assert_eq!((code, printed.as_str()), (2, ""), "{errors}");
        assert!(errors.contains(message), "{errors}");
    }
    let (code, _, errors) = run(&mut validate(folder.path(), &[".", "-o", "json=no/such/folder"]));
    assert_eq!(code, 3);
    assert!(errors.contains("cannot write no/such/folder"), "{errors}");
}

#[test]
fn findings_say_which_value_they_are_about() {
    let text = "kind: app\nversion: v3\nmetadata: {name: a}\nspec:\n  mcp:\n    command: server\n    args: [a, 1]\n\
                ---\nkind: app\nversion: v3\nmetadata: {name: b}\nspec: {mcp: {command: x, a/b: 1}}\n";
    let folder = folder(&[("a.yaml", text)]);
    let (_, printed, _) = run(&mut validate(folder.path(), &[".", "-o", "json"]));
    let report: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
    let places: Vec<_> = report["diagnostics"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|d| (d["document"].as_u64(), d["pointer"].as_str()))
        .collect();
    assert_eq!(places, [(Some(1), Some("/spec/mcp/args/1")), (Some(2), Some("/spec/mcp/a~1b"))], "{printed}");
}
