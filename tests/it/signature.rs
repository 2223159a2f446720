//! Signed commits, seen by git and by mcpfleet.

use crate::support::{Draft, Files, Home, Key, Repo, app, missing, policy, role, root, user};
use git2::{FileMode, ObjectType};
use mcpfleet::authorize::signature::{Check, Evidence, SigningKey, evidence};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// A program that sees nothing of this machine's set-up.
fn tool(program: &str, home: &Home, arguments: &[&str]) -> Option<Output> {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(home.environment()).current_dir(home.path());
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GNUPGHOME", home.path().join("gnupg")).output().ok()
}

/// What a program that must succeed writes.
fn output(program: &str, home: &Home, arguments: &[&str]) -> Vec<u8> {
    let output = tool(program, home, arguments).expect("it starts");
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Whether all the programs are there.
fn present(test: &str, home: &Home, programs: &[(&str, &str)]) -> bool {
    let all = programs.iter().all(|(program, question)| tool(program, home, &[question]).is_some());
    if !all {
        missing(test, &format!("needed: {programs:?}"));
    }
    all
}

const SSH_KEYGEN: (&str, &str) = ("ssh-keygen", "-?");
const GIT: (&str, &str) = ("git", "version");
const GPG: (&str, &str) = ("gpg", "--version");

/// What `key` says of the signature of a commit.
fn check(commit: &[u8], key: &str) -> Check {
    match evidence(commit) {
        Evidence::Signed(signature) => signature.check(&SigningKey::parse(key).expect("a key")),
        other => panic!("{other:?}"),
    }
}

fn verified_by_git(repo: &Repo, home: &Home, allowed: &Path, revision: &str) -> Option<bool> {
    let signers = format!("gpg.ssh.allowedSignersFile={}", allowed.display());
    let repo = repo.path().to_str().expect("a path in UTF-8");
    tool("git", home, &["-C", repo, "-c", &signers, "verify-commit", revision]).map(|output| output.status.success())
}

#[test]
fn git_agrees_that_the_tests_sign_commits() {
    let home = Home::new();
    if !present("git_agrees_that_the_tests_sign_commits", &home, &[GIT, SSH_KEYGEN]) {
        return;
    }
    let (alice, bob) = (Key::new("alice"), Key::new("bob"));
    let allowed = home.path().join("allowed");
    fs::write(&allowed, format!("alice@example.com {}\n", alice.public())).expect("a file that can be written");

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
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder that can be made");
        fs::write(path, text).expect("a file that can be written");
    }
    let key = alice.write_to(home.path());
    let public = tool("ssh-keygen", &home, &["-y", "-f", key.to_str().expect("UTF-8")]);
    assert!(public.is_none_or(|output| output.stdout == format!("{}\n", alice.public()).as_bytes()));
    let output = Command::new(env!("CARGO_BIN_EXE_mcpfleet"))
        .args(["validate", "fleet"])
        .env_clear()
        .envs(home.environment())
        .current_dir(home.path())
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn what_git_signs_is_verified() {
    let home = Home::new();
    if !present("what_git_signs_is_verified", &home, &[GIT, SSH_KEYGEN, GPG]) {
        return;
    }
    let path = |name: &str| home.path().join(name).to_str().expect("UTF-8").to_owned();
    output("git", &home, &["init", "--quiet", "work"]);
    let commit = |settings: &[&str]| {
        let settings = settings.iter().flat_map(|setting| ["-c", setting]);
        let identity = ["-C", "work", "-c", "user.name=A", "-c", "user.email=a@example.com"];
        let commit = ["commit", "--quiet", "--allow-empty", "--gpg-sign", "--message", "A change\r\n\r\nin a file"];
        output("git", &home, &identity.into_iter().chain(settings).chain(commit).collect::<Vec<_>>());
        output("git", &home, &["-C", "work", "cat-file", "commit", "HEAD"])
    };
    let kinds = [("ed25519", "256"), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521"), ("rsa", "2048")];
    for (kind, bits) in kinds {
        let key = path(&format!("{kind}-{bits}"));
        output("ssh-keygen", &home, &["-q", "-t", kind, "-b", bits, "-N", "", "-f", &key]);
        let commit = commit(&["gpg.format=ssh", &format!("user.signingKey={key}.pub")]);
        let public = fs::read_to_string(format!("{key}.pub")).expect("a key");
        assert_eq!(check(&commit, &public), Check::Good, "{kind} {bits}");
        assert_eq!(check(&commit, &Key::new("bob").public()), Check::OtherKey, "{kind} {bits}");
    }
    fs::create_dir(home.path().join("gnupg")).expect("a folder that can be made");
    for kind in ["ed25519", "rsa2048"] {
        let common = ["--batch", "--quiet", "--passphrase", "", "--quick-generate-key"];
        let user = format!("{kind} <{kind}@example.com>");
        output("gpg", &home, &[&common[..], &[&user, kind, "sign", "never"]].concat());
        let key = output("gpg", &home, &["--armor", "--export", &user]);
        let commit = commit(&[&format!("user.signingKey={user}")]);
        assert_eq!(check(&commit, &String::from_utf8(key).expect("text")), Check::Good, "{kind}");
    }
    output("gpgconf", &home, &["--kill", "all"]);
}

/// Those that were not made by OpenSSH are what it would make.
#[test]
fn openssh_agrees_with_the_fixtures() {
    let home = Home::new();
    if !present("openssh_agrees_with_the_fixtures", &home, &[SSH_KEYGEN]) {
        return;
    }
    let fixture = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/signatures").join(name);
        fs::read_to_string(path).expect("a fixture")
    };
    let verdict = |name: &str| {
        let (commit, key) = (fixture(&format!("{name}.commit")), fixture(&format!("{name}.key")));
        let (before, signature) = commit.split_once("gpgsig ").expect("a signature");
        let (signature, after) = signature.split_once("\n\n").expect("an end of the headers");
        let write = |name: &str, text: &str| fs::write(home.path().join(name), text).expect("it can be written");
        write("allowed", &format!("a {key}"));
        write("signature", &format!("{}\n", signature.replace("\n ", "\n")));
        write("payload", &format!("{before}\n{after}"));
        let verify = "ssh-keygen -Y verify -f allowed -I a -n git -s signature <payload";
        tool("sh", &home, &["-c", verify]).expect("a shell").status.success()
    };
    let good =
        ["ssh-ed25519", "ssh-ed25519-sha256", "ssh-rsa-sha256", "ssh-rsa-sha512", "ssh-sk-ecdsa", "ssh-sk-ed25519"];
    for name in good {
        assert!(verdict(name), "{name}");
        assert_eq!(check(fixture(&format!("{name}.commit")).as_bytes(), &fixture(&format!("{name}.key"))), Check::Good);
    }
    for name in ["ssh-namespace-file", "ssh-rsa-sha1", "ssh-certificate"] {
        assert!(!verdict(name), "{name}");
    }
}
