//! `--changed-since`: only what a change is to blame for.

use super::{app, ended, folder, validate, write};
use std::{fs, path::Path, process::Command};
use tempfile::TempDir;

const ROLE: &str = "kind: role\nversion: v8\nmetadata: {name: dev}\nspec: {}\n";
const USER: &str = "kind: user\nversion: v2\nmetadata: {name: grace}\nspec: {roles: [dev]}\n";

fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]);
    command.args(arguments).current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let output = command.output().expect("git starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A repository on whose `main` an old file is wrong, and on a branch off it.
fn repository() -> TempDir {
    let folder = folder(&[
        ("apps/old.yaml", &app("o-")),
        ("apps/a.yaml", &app("a")),
        ("roles.yaml", ROLE),
        ("users.yaml", USER),
    ]);
    git(folder.path(), &["init", "--quiet", "--initial-branch", "main"]);
    git(folder.path(), &["add", "."]);
    git(folder.path(), &["commit", "--quiet", "--message", "one"]);
    git(folder.path(), &["checkout", "--quiet", "-b", "change"]);
    folder
}

/// The paths of the findings that a change is to blame for.
fn blamed(folder: &Path, arguments: &[&str]) -> Vec<String> {
    let arguments = [arguments, &["--changed-since", "main", "-o", "json"]].concat();
    let (code, printed, errors) = ended(validate(folder, &arguments).output().expect("it starts"));
    let report: serde_json::Value = serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{e}: {errors}"));
    let found = report["diagnostics"].as_array().expect("a list");
    assert_eq!(code, i32::from(!found.is_empty()));
    found.iter().map(|d| d["path"].as_str().expect("a path").to_owned()).collect()
}

#[test]
fn what_was_wrong_before_is_not_reported() {
    let folder = repository();
    assert_eq!(blamed(folder.path(), &["."]), [""; 0]);
    // Committed, staged, written, and not even added.
    write(folder.path(), "apps/committed.yaml", &app("c-"));
    git(folder.path(), &["add", "."]);
    git(folder.path(), &["commit", "--quiet", "--message", "two"]);
    write(folder.path(), "apps/staged.yaml", &app("s-"));
    git(folder.path(), &["add", "."]);
    write(folder.path(), "apps/a.yaml", &app("a-"));
    write(folder.path(), "new/untracked.yaml", &app("u-"));
    let all = ["apps/a.yaml", "apps/committed.yaml", "apps/staged.yaml", "new/untracked.yaml"];
    assert_eq!(blamed(folder.path(), &["."]), all);
    // From another folder, and by absolute paths.
    let here: Vec<String> = blamed(&folder.path().join("apps"), &["."]);
    assert_eq!(here, ["a.yaml", "committed.yaml", "staged.yaml"]);
    let absolute = blamed(Path::new("/"), &[folder.path().to_str().expect("UTF-8")]);
    assert_eq!(absolute.len(), all.len());
    // What main does meanwhile is not the branch's.
    git(folder.path(), &["stash", "--quiet", "--include-untracked"]);
    git(folder.path(), &["checkout", "--quiet", "main"]);
    write(folder.path(), "apps/main.yaml", &app("m-"));
    git(folder.path(), &["add", "."]);
    git(folder.path(), &["commit", "--quiet", "--message", "three"]);
    git(folder.path(), &["checkout", "--quiet", "change"]);
    assert_eq!(blamed(folder.path(), &["."]), ["apps/committed.yaml"]);
}

#[test]
fn what_a_change_breaks_elsewhere_is_reported() {
    let folder = repository();
    // The twin of a file that did not change.
    write(folder.path(), "apps/twin.yaml", &app("a"));
    assert_eq!(blamed(folder.path(), &["."]), ["apps/a.yaml", "apps/twin.yaml"]);
    fs::remove_file(folder.path().join("apps/twin.yaml")).expect("a file to remove");
    // A user who did not change has a role that is gone.
    fs::remove_file(folder.path().join("roles.yaml")).expect("a file to remove");
    assert_eq!(blamed(folder.path(), &["."]), ["users.yaml"]);
}

#[test]
fn without_a_repository_or_a_commit_it_is_wrong_usage() {
    let plain = folder(&[("a.yaml", &app("a"))]);
    let repository = repository();
    for (folder, revision, message) in
        [(plain.path(), "main", "is not a git repository"), (repository.path(), "nowhere", "nowhere is not a commit")]
    {
        let mut command = validate(folder, &[".", "--changed-since", revision]);
        command.env("GIT_CEILING_DIRECTORIES", "/");
        let (code, _, errors) = ended(command.output().expect("it starts"));
        assert_eq!(code, 2, "{errors}");
        assert!(errors.contains(message), "{errors}");
    }
}
