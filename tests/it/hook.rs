//! The hooks, called by git: real pushes and commits.

use crate::support::{self, Home, Key, Repo};
use mcpfleet::authorize::ObjectId;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

/// A repository on a server, with the hook, and a clone of it.
struct World {
    home: Home,
    repo: Repo,
    alice: Key,
    bob: Key,
    root: ObjectId,
    clone: PathBuf,
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

impl World {
    async fn new() -> World {
        let home = Home::new();
        let repo = Repo::new(&home);
        let (alice, bob) = (Key::new("alice"), Key::new("bob"));
        let root = support::root(&repo, &[("alice", &alice, &["admin"]), ("bob", &bob, &["team-a"])]);
        let clone = home.path().join("clone");
        let world = World { home, repo, alice, bob, root, clone };
        let cloned = world.home.git(["clone", "--quiet", &world.repo.url(), "clone"]).status().await;
        assert!(cloned.expect("git starts").success());
        world
    }

    async fn installed() -> World {
        let world = World::new().await;
        let output = world.mcpfleet(&["hook", "install", "--pre-receive", "--root", "main"]).await;
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        world
    }

    /// A command about the server's repository.
    async fn mcpfleet(&self, arguments: &[&str]) -> Output {
        let repo = self.repo.path().to_str().expect("a path in UTF-8");
        self.home.mcpfleet([arguments, &["--repo", repo]].concat()).output().await.expect("the binary starts")
    }

    /// Git in the clone.
    async fn git(&self, arguments: &[&str]) -> Output {
        self.home.git(arguments).current_dir(&self.clone).output().await.expect("git starts")
    }

    /// Makes a commit in the clone, signed by git itself.
    async fn commit(&self, key: &Key, name: &str, team: &str, argument: &str) -> ObjectId {
        let path = self.clone.join("apps").join(format!("{name}.yaml"));
        fs::create_dir_all(path.parent().expect("a folder")).expect("a new folder");
        fs::write(path, support::app(name, team, argument)).expect("a file that can be written");
        self.commit_all(key).await
    }

    async fn commit_all(&self, key: &Key) -> ObjectId {
        let signing = format!("user.signingkey={}", key.write_to(self.home.path()).display());
        let output = self.git(&["add", "--all"]).await;
        assert!(output.status.success(), "{}", text(&output));
        let options = ["-c", "gpg.format=ssh", "-c", &signing, "-c", "user.name=x", "-c", "user.email=x@example.com"];
        let output = self.git(&[&options[..], &["commit", "--quiet", "-S", "-m", "Change"]].concat()).await;
        assert!(output.status.success(), "{}", text(&output));
        let head = self.git(&["rev-parse", "HEAD"]).await;
        text(&head).trim().parse().expect("an id")
    }

    async fn push(&self, arguments: &[&str]) -> Output {
        self.git(&[&["push", "--quiet", "origin"], arguments].concat()).await
    }

    fn trusted(&self) -> Option<serde_json::Value> {
        let bytes = fs::read(self.repo.path().join("mcpfleet/trust.json")).ok()?;
        Some(serde_json::from_slice(&bytes).expect("JSON"))
    }
}

#[tokio::test]
async fn a_push_of_what_is_allowed_goes_through() {
    let world = World::installed().await;
    let first = world.commit(&world.bob, "pay", "a", "one").await;
    let output = world.push(&["HEAD:main"]).await;
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(world.repo.main(), Some(first));
    // What is kept follows the branch, one push behind: it has been seen to move.
    assert_eq!(world.trusted().expect("a file")["state"]["commit"], world.root.to_string());
    let second = world.commit(&world.alice, "other", "b", "one").await;
    let output = world.push(&["HEAD:main"]).await;
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(world.repo.main(), Some(second));
    assert_eq!(world.trusted().expect("a file")["state"]["commit"], first.to_string());
}

#[tokio::test]
async fn a_push_of_what_is_not_allowed_is_refused_and_says_why() {
    let world = World::installed().await;
    let refused = world.commit(&world.bob, "pay", "b", "one").await;
    let output = world.push(&["HEAD:main"]).await;
    assert!(!output.status.success());
    let shown = text(&output);
    for part in [
        &format!("remote: refused  {refused}  Change"),
        "remote:   signer  bob",
        "remote:   apps/pay.yaml: create of app pay [not-allowed]",
        "remote:     no rule of the roles of user `bob` (team-a) allows to create app `pay`",
        "remote: mcpfleet: the push to refs/heads/main is refused",
        "pre-receive hook declined",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert!(!shown.contains('\u{1b}'), "{shown}");
    assert_eq!(world.repo.main(), Some(world.root));
    assert_eq!(world.trusted().expect("a file")["state"]["commit"], world.root.to_string());
    // Nor under another name,
    let alias = ["--git-dir", "repository.git", "symbolic-ref", "refs/heads/alias", "refs/heads/main"];
    assert!(world.home.git(alias).status().await.expect("git starts").success());
    let output = world.push(&["HEAD:refs/heads/alias"]).await;
    assert!(!output.status.success() && text(&output).contains("[not-allowed]"), "{}", text(&output));
    assert_eq!(world.repo.main(), Some(world.root));
    // Other branches are nobody's business here, and what restores it makes the whole history good.
    assert!(world.push(&["HEAD:refs/heads/draft"]).await.status.success());
    fs::remove_file(world.clone.join("apps/pay.yaml")).expect("a file that can be removed");
    let restored = world.commit_all(&world.bob).await;
    let output = world.push(&["HEAD:main"]).await;
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(world.repo.main(), Some(restored));
}

#[tokio::test]
async fn the_branch_cannot_be_deleted_or_rewritten() {
    let world = World::installed().await;
    let first = world.commit(&world.bob, "pay", "a", "one").await;
    assert!(world.push(&["HEAD:main"]).await.status.success());
    let output = world.push(&["--delete", "main"]).await;
    assert!(!output.status.success() && text(&output).contains("cannot be deleted"), "{}", text(&output));
    assert!(world.git(&["reset", "--quiet", "--hard", "HEAD~1"]).await.status.success());
    world.commit(&world.bob, "pay", "a", "two").await;
    let output = world.push(&["--force", "HEAD:main"]).await;
    assert!(!output.status.success() && text(&output).contains("does not descend"), "{}", text(&output));
    assert_eq!(world.repo.main(), Some(first));
}

#[tokio::test]
async fn what_was_held_before_the_hook_blocks_nobody() {
    let world = World::new().await;
    let root = world.root.to_string();
    world.commit(&world.bob, "pay", "b", "one").await;
    assert!(world.push(&["HEAD:main"]).await.status.success());
    let output = world.mcpfleet(&["hook", "install", "--pre-receive", "--root", &root]).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let own = world.commit(&world.bob, "own", "a", "one").await;
    let output = world.push(&["HEAD:main"]).await;
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(world.repo.main(), Some(own));
    // But nobody builds on it unknowingly.
    world.commit(&world.alice, "pay", "b", "two").await;
    let output = world.push(&["HEAD:main"]).await;
    assert!(!output.status.success() && text(&output).contains("[held-underneath]"), "{}", text(&output));
}

#[tokio::test]
async fn without_a_root_of_trust_nothing_passes() {
    let world = World::new().await;
    let output = world.mcpfleet(&["hook", "install", "--pre-receive"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("mcpfleet/agent.yaml"), "{}", text(&output));
    world.commit(&world.alice, "pay", "a", "one").await;
    assert!(!world.push(&["HEAD:main"]).await.status.success());
    let folder = world.repo.path().join("mcpfleet");
    fs::create_dir_all(&folder).expect("a new folder");
    let configure = |text: &str| fs::write(folder.join("agent.yaml"), text).expect("a file that can be written");
    configure("authorization: {}\n");
    let output = world.push(&["HEAD:main"]).await;
    assert!(!output.status.success() && text(&output).contains("there is no root of trust"), "{}", text(&output));
    // The branch that is followed may be named.
    configure("sources: [{name: a, git: {url: /a, branch: other}, authorization: {trust_on_first_use: true}}]\n");
    assert!(world.push(&["HEAD:main"]).await.status.success());
}

#[tokio::test]
async fn hooks_of_others_are_left_alone() {
    let world = World::new().await;
    let hook = world.clone.join(".git/hooks/pre-commit");
    fs::create_dir_all(hook.parent().expect("a folder")).expect("a new folder");
    fs::write(&hook, "#!/bin/sh\nexit 0\n").expect("a file that can be written");
    let install = async |arguments: &[&str]| {
        let arguments = [&["hook", "install", "--pre-commit", "--pre-push", "--repo", "clone"], arguments].concat();
        world.home.mcpfleet(arguments).output().await.expect("the binary starts")
    };
    let output = install(&[]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("--force"), "{}", text(&output));
    assert_eq!(fs::read_to_string(&hook).expect("a hook"), "#!/bin/sh\nexit 0\n");
    assert!(!Path::exists(&world.clone.join(".git/hooks/pre-push")), "nothing is done by halves");
    assert_eq!(install(&["--force"]).await.status.code(), Some(0));
    assert!(fs::read_to_string(&hook).expect("a hook").contains("hook pre-commit"));
    assert_eq!(install(&[]).await.status.code(), Some(0), "its own it takes over");
}

#[tokio::test]
async fn hooks_go_where_git_looks_for_them() {
    let world = World::new().await;
    let install = async |arguments: &[&str]| {
        let arguments = [&["hook", "install", "--pre-commit", "--repo", "clone"], arguments].concat();
        world.home.mcpfleet(arguments).output().await.expect("the binary starts")
    };
    assert!(world.git(&["config", "core.hooksPath", "hooks"]).await.status.success());
    let output = install(&[]).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(world.clone.join("hooks/pre-commit").is_file() && !world.home.path().join("hooks").exists());

    // Others may use a folder that is not the repository's.
    let shared = world.home.path().join("shared");
    let setting = ["config", "--global", "core.hooksPath", shared.to_str().expect("UTF-8")];
    assert!(world.git(&["config", "--unset", "core.hooksPath"]).await.status.success());
    assert!(world.git(&setting).await.status.success());
    let output = install(&[]).await;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("outside of it") && text(&output).contains("--force"), "{}", text(&output));
    assert!(!shared.exists());
    let output = install(&["--force"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(shared.join("pre-commit").is_file());
}

#[tokio::test]
async fn only_managed_files_are_checked_before_a_commit() {
    let world = World::new().await;
    let write = |path: &str, text: &str| {
        let path = world.clone.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a new folder");
        fs::write(path, text).expect("a file that can be written");
    };
    write(".mcpfleet/agent.yaml", "authorization: {managed: [\"{apps,roles,users}/*.yaml\"]}\n");
    world.commit_all(&world.alice).await;
    let install = ["hook", "install", "--pre-commit", "--repo", "clone"];
    assert_eq!(world.home.mcpfleet(install).status().await.expect("the binary starts").code(), Some(0));
    write("deploy/values.yaml", "no: resource\n");
    world.commit_all(&world.alice).await;
    write("apps/values.yaml", "no: resource\n");
    assert!(world.git(&["add", "--all"]).await.status.success());
    let output = world.git(&["-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-m", "Change"]).await;
    assert!(!output.status.success());
    let shown = text(&output);
    assert!(shown.contains("apps/values.yaml") && !shown.contains("deploy/values.yaml"), "{shown}");
}

#[tokio::test]
async fn what_is_staged_is_checked_before_a_commit() {
    let world = World::new().await;
    let install = ["hook", "install", "--pre-commit", "--repo", "clone"];
    assert_eq!(world.home.mcpfleet(install).status().await.expect("the binary starts").code(), Some(0));
    let file = world.clone.join("apps/pay.yaml");
    fs::create_dir_all(file.parent().expect("a folder")).expect("a new folder");
    fs::write(&file, "kind: app\nversion: v3\nmetadata: {name: pay}\nspec: {mcp: {comand: x}}\n").expect("written");
    assert!(world.git(&["add", "--all"]).await.status.success());
    // What is in the work tree by now does not matter.
    fs::write(&file, support::app("pay", "a", "one")).expect("written");
    let commit = ["-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "--quiet", "-m", "Change"];
    let output = world.git(&commit).await;
    assert!(!output.status.success());
    assert!(text(&output).contains("did you mean `command`?"), "{}", text(&output));
    // With `-a` git checks another index than the usual one.
    let output = world.git(&[&commit[..], &["-a"]].concat()).await;
    assert!(output.status.success(), "{}", text(&output));
}

#[tokio::test]
async fn a_push_is_judged_before_it_leaves() {
    let world = World::new().await;
    let install = ["hook", "install", "--pre-push", "--repo", "clone"];
    assert_eq!(world.home.mcpfleet(install).status().await.expect("the binary starts").code(), Some(0));
    let good = world.commit(&world.bob, "pay", "a", "one").await;
    let output = world.push(&["HEAD:main"]).await;
    assert!(output.status.success(), "{}", text(&output));
    let refused = world.commit(&world.bob, "pay", "b", "one").await;
    let output = world.push(&["HEAD:main"]).await;
    assert!(!output.status.success());
    assert!(text(&output).contains(&format!("refused  {refused}")), "{}", text(&output));
    assert_eq!(world.repo.main(), Some(good));
    // Work that is not done yet may be shown to others.
    assert!(world.push(&["HEAD:refs/heads/draft"]).await.status.success());
    assert!(world.push(&["--no-verify", "HEAD:main"]).await.status.success());
}
