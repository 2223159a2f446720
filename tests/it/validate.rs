//! `mcpfleet validate`, as it is called.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output},
};
use tempfile::TempDir;

const APP: &str = "kind: app\nversion: v3\nmetadata: {name: NAME}\nspec: {mcp: {command: x, run_as_host_user: x}}\n";

fn app(name: &str) -> String {
    APP.replace("NAME", name)
}

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

fn validate(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcpfleet"));
    command.arg("validate").args(args).current_dir(folder).env_remove("GITHUB_ACTIONS").output().unwrap()
}

/// The exit code and what was printed.
fn checked(folder: &Path, args: &[&str]) -> (i32, String) {
    let output = validate(folder, args);
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_good_folder_is_summed_up() {
    let folder = folder(&[
        ("apps/a.yaml", &app("a")),
        ("apps/more.yml", &format!("{}---\n{}", app("b"), app("c"))),
        ("README.md", "no resource"),
        (".github/ci.yaml", "on: push"),
    ]);
    assert_eq!(checked(folder.path(), &["."]), (0, "2 files, 3 resources, no errors\n".to_owned()));
    assert_eq!(checked(folder.path(), &["apps/a.yaml"]), (0, "1 file, 1 resource, no errors\n".to_owned()));
    // What is named twice is read once.
    let twice = ["apps", "apps/a.yaml", "./apps/../apps/a.yaml"];
    assert_eq!(checked(folder.path(), &twice), (0, "2 files, 3 resources, no errors\n".to_owned()));
}

#[test]
fn all_mistakes_of_all_files_are_printed_with_paths_from_here() {
    let folder = folder(&[
        ("apps/a.yaml", &app("same")),
        ("apps/b.yaml", &app("same")),
        ("apps/c.yaml", "kind: app\nversion: v3\nmetadata: {name: c}\nspec: {mcp: {comand: x}}\n"),
    ]);
    let (code, text) = checked(folder.path(), &["apps"]);
    assert_eq!(code, 1);
    insta::assert_snapshot!(text, @"
    error[duplicate-resource]: app `same` is defined 2 times
     --> apps/a.yaml:3:18
      |
    3 | metadata: {name: same}
      |                  ^^^^
      = note: `same` is also defined here (apps/b.yaml:3:18)
      = help: a name is unique among the apps of a source, without regard to case

    error[duplicate-resource]: app `same` is defined 2 times
     --> apps/b.yaml:3:18
      |
    3 | metadata: {name: same}
      |                  ^^^^
      = note: `same` is also defined here (apps/a.yaml:3:18)
      = help: a name is unique among the apps of a source, without regard to case

    error[missing-field]: missing field `command` in `spec.mcp`
     --> apps/c.yaml:4:13
      |
    4 | spec: {mcp: {comand: x}}
      |             ^

    error[unknown-field]: unknown field `comand` in `spec.mcp`
     --> apps/c.yaml:4:14
      |
    4 | spec: {mcp: {comand: x}}
      |              ^^^^^^
      = help: did you mean `command`?

    `mcpfleet explain duplicate-resource` says more about a code.

    3 files, 2 resources, 4 errors
    ");
    let (code, text) = checked(folder.path(), &["apps/c.yaml", "apps/a.yaml"]);
    assert_eq!(code, 1);
    assert!(text.contains("--> apps/c.yaml:4:"), "{text}");
    assert!(text.ends_with("2 files, 1 resource, 2 errors\n"), "{text}");
}

#[test]
fn machines_get_an_envelope_with_a_version() {
    let folder = folder(&[("a.yaml", &app("a-")), ("b.yaml", &app("b"))]);
    let (code, text) = checked(folder.path(), &[".", "-o", "json"]);
    assert_eq!(code, 1);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "version": 1, "valid": false, "files": 2, "resources": 1, "errors": 1, "warnings": 0,
            "diagnostics": [{
                "severity": "error", "code": "invalid-name", "message": "`a-` cannot be a name",
                "help": "a name consists of letters, digits, `.`, `_` and `-`, and starts and ends with a letter or digit",
                "path": "a.yaml", "line": 3, "column": 18, "length": 2, "line_text": "metadata: {name: a-}",
                "document": 1, "pointer": "/metadata/name",
            }],
        })
    );
    let (code, text) = checked(folder.path(), &["b.yaml", "-o", "yaml"]);
    assert_eq!(code, 0);
    assert!(text.contains("valid: true\n") && text.contains("version: 1\n"), "{text}");
}

#[test]
fn ignored_files_are_not_read() {
    let folder = folder(&[("a.yaml", &app("a")), ("drafts/b.yaml", "nonsense"), ("charts/c.yaml", "{{ .x }}")]);
    let ignore = ["--ignore", "drafts/**", "--ignore", "charts/*.yaml"];
    assert_eq!(checked(folder.path(), &[".", ignore[0], ignore[1], ignore[2], ignore[3]]).0, 0);
    assert_eq!(checked(folder.path(), &["drafts/b.yaml", "a.yaml", ignore[0], ignore[1]]).0, 0);
    assert_eq!(checked(folder.path(), &["."]).0, 1);
}

#[test]
fn wrong_usage_and_what_cannot_be_read_have_their_own_exit_codes() {
    let folder = folder(&[("a.yaml", &app("a"))]);
    for (args, code, message) in [
        (&["missing"][..], 2, "missing does not exist"),
        (&[".", "--ignore", "[a"][..], 2, "`[a` is not a valid glob"),
        (&[][..], 2, "required arguments were not provided"),
    ] {
        let output = validate(folder.path(), args);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(message), "{args:?}: {error}");
        assert_eq!(output.status.code(), Some(code), "{args:?}: {error}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn what_is_no_file_is_an_error_and_never_waited_for() {
    let folder = folder(&[("apps/a.yaml", &app("a")), ("apps/large.yaml", &"#".repeat(1024 * 1024 + 1))]);
    let apps = folder.path().join("apps");
    symlink("/etc/hostname", apps.join("escape.yaml")).unwrap();
    symlink("nowhere.yaml", apps.join("dangling.yaml")).unwrap();
    symlink("loop.yaml", apps.join("loop.yaml")).unwrap();
    nix::unistd::mkfifo(&apps.join("fifo.yaml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let (code, text) = checked(folder.path(), &["apps"]);
    assert_eq!(code, 1);
    let heads: Vec<&str> = text.lines().filter(|l| l.starts_with("error[") || l.contains("--> ")).collect();
    insta::assert_snapshot!(heads.join("\n"), @"
    error[symlink-dangling]: is a symlink to something that does not exist
    --> apps/dangling.yaml
    error[symlink-escapes]: is a symlink that leads out of the source
    --> apps/escape.yaml
    error[special-file]: is not a regular file
    --> apps/fifo.yaml
    error[file-too-large]: has 1048577 bytes, and a resource file may have 1048576
    --> apps/large.yaml
    error[symlink-loop]: is a symlink that leads back to where it came from
    --> apps/loop.yaml
    ");
    assert!(text.ends_with("6 files, 1 resource, 5 errors\n"), "{text}");
}

#[test]
fn hostile_content_comes_to_an_end() {
    let brackets = "[".repeat(100_000);
    let documents = "---\na: 1\n".repeat(10_001);
    let bomb =
        (1..9).fold("a0: &a0 [x, x]\n".to_owned(), |text, i| format!("{text}a{i}: &a{i} [*a{0}, *a{0}]\n", i - 1));
    let full = format!("{}# {}\n", app("full"), "x".repeat(1024 * 1024 - app("full").len() - 3));
    assert_eq!(full.len(), 1024 * 1024);
    for (content, code, expected) in [
        (&brackets, 1, "error[nesting]"),
        (&documents, 1, "error[too-many-documents]"),
        (&bomb, 1, "error[anchor]"),
        (&full, 0, "1 file, 1 resource, no errors"),
        (&format!("{full}#"), 1, "error[file-too-large]"),
    ] {
        let folder = folder(&[("f.yaml", content)]);
        let (found, text) = checked(folder.path(), &["f.yaml"]);
        assert!(text.contains(expected), "{expected}: {text}");
        assert_eq!(found, code, "{text}");
        assert_eq!(checked(folder.path(), &["."]).0, code);
    }
}

#[test]
fn nothing_on_the_terminal_comes_from_a_file_unescaped() {
    let folder = folder(&[("a\u{1b}[31m.yaml", "kind: \"\\e[2J\"\nx: \"\u{200b}\"\n")]);
    for output in ["text", "json", "yaml"] {
        let (code, text) = checked(folder.path(), &[".", "-o", output]);
        assert_eq!(code, 1);
        assert!(!text.contains(['\u{1b}', '\u{200b}']), "{text:?}");
    }
}

#[test]
fn risks_are_warned_of_unless_they_are_allowed() {
    let text = "kind: app\nversion: v3\nmetadata: {name: a}\nspec: {mcp: {command: npx, args: [-y, server]}}\n";
    let folder = folder(&[("a.yaml", text)]);
    for args in [&["."][..], &["a.yaml"]] {
        let (code, printed) = checked(folder.path(), args);
        assert_eq!(code, 0, "{printed}");
        assert!(
            printed.contains("warning[no-host-user]") && printed.contains("warning[unpinned-package]"),
            "{printed}"
        );
    }
    let strict = [".", "--warnings-as-errors", "--allow", "no-host-user"];
    let (code, printed) = checked(folder.path(), &strict);
    assert!(code == 1 && !printed.contains("no-host-user") && printed.contains("unpinned-package"), "{printed}");
    let all = [&strict[..], &["--allow", "unpinned-package"]].concat();
    assert_eq!(checked(folder.path(), &all), (0, "1 file, 1 resource, no errors\n".to_owned()));
    assert_eq!(checked(folder.path(), &[".", "--allow", "nonsense"]).0, 2);
    // Errors cannot be allowed.
    fs::write(folder.path().join("a.yaml"), "kind: ap\n").unwrap();
    assert_eq!(checked(folder.path(), &[".", "--allow", "unknown-kind"]).0, 1);
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("example-repo");
    let (code, printed) = checked(&example, &["."]);
    assert!(code == 0 && printed.ends_with("no errors\n"), "{printed}");
}
