//! Signed commits, seen by git and by mcpfleet.

use crate::support::{Draft, Files, Home, Key, Repo, app, missing, policy, role, root, user};
use git2::{FileMode, ObjectType};
use std::{path::Path, process::Command};

/// A program that sees nothing of this machine's set-up.
fn tool(program: &str, home: &Home, arguments: &[&str]) -> Option<std::process::Output> {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(home.environment()).current_dir(home.path());
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GNUPGHOME", home.path().join("gnupg")).output().ok()
}

fn verified_by_git(repo: &Repo, home: &Home, allowed: &Path, revision: &str) -> Option<bool> {
    let signers = format!("gpg.ssh.allowedSignersFile={}", allowed.display());
    let repo = repo.path().to_str().expect("a path in UTF-8");
    tool("git", home, &["-C", repo, "-c", &signers, "verify-commit", revision]).map(|output| output.status.success())
}

#[test]
fn git_agrees_that_the_tests_sign_commits() {
    let home = Home::new();
    if tool("git", &home, &["version"]).is_none() || tool("ssh-keygen", &home, &["-?"]).is_none() {
        return missing("git_agrees_that_the_tests_sign_commits", "git and ssh-keygen are needed");
    }
    let (alice, bob) = (Key::new("alice"), Key::new("bob"));
    let allowed = home.path().join("allowed");
    std::fs::write(&allowed, format!("alice@example.com {}\n", alice.public())).expect("a file that can be written");

    let repo = Repo::new(&home);
    let first = root(&repo, &[("alice", &alice, &["admin"]), ("bob", &bob, &["team-a"])]);
    assert_eq!(repo.main(), Some(first));
    assert!(repo.url().ends_with("repository.git/"), "{}", repo.url());
    assert_eq!(verified_by_git(&repo, &home, &allowed, "main"), Some(true));

    let by_bob = repo.commit(&[first], Some(&bob), &[("apps/a.yaml", Some(&app("a", "a", "1")))], "Add a");
    assert_eq!(verified_by_git(&repo, &home, &allowed, &by_bob.to_string()), Some(false));
    let merged = repo.commit(&[by_bob, first], Some(&alice), &[("apps/a.yaml", None)], "Merge\n\nAnd more.");
    assert_eq!(verified_by_git(&repo, &home, &allowed, &merged.to_string()), Some(true));

    let link = repo.write(ObjectType::Blob, b"roles/admin.yaml");
    let link = repo.commit_draft(&Draft {
        parents: &[merged],
        signer: None,
        author: "Mallory <m@example.com>",
        changes: &[],
        entries: &[("apps/link.yaml", FileMode::Link, link)],
        message: "Add a link",
    });
    assert_eq!(verified_by_git(&repo, &home, &allowed, &link.to_string()), Some(false));
    repo.set("refs/heads/side", Some(link));
    assert_eq!(verified_by_git(&repo, &home, &allowed, "side"), Some(false));
    repo.set("refs/heads/side", None);
    repo.set("refs/heads/side", None);
    let log = tool("git", &home, &["-C", repo.path().to_str().expect("UTF-8"), "fsck", "--strict"]).expect("git runs");
    assert!(log.status.success(), "{log:?}");
}

#[test]
fn the_usual_policy_is_valid() {
    let alice = Key::new("alice");
    let Files(mut files) = policy(&[("alice", &alice, &["admin", "folder-a"])]);
    files.push(("users/nobody.yaml".to_owned(), user("nobody", &[], &[])));
    files.push(("roles/none.yaml".to_owned(), role("none", &[], &["{resources: [app], verbs: [delete]}"])));
    files.push(("apps/a.yaml".to_owned(), app("a", "a", "1")));
    let home = Home::new();
    for (path, text) in &files {
        let path = home.path().join("fleet").join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder that can be made");
        std::fs::write(path, text).expect("a file that can be written");
    }
    let key = alice.write_to(home.path());
    let public = tool("ssh-keygen", &home, &["-y", "-f", key.to_str().expect("UTF-8")]);
    assert!(public.is_none_or(|output| output.stdout == format!("{}\n", alice.public()).as_bytes()));
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_mcpfleet"))
        .args(["validate", "fleet"])
        .env_clear()
        .envs(home.environment())
        .current_dir(home.path())
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{output:?}");
}
