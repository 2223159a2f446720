//! What runs before a merge: `mcpfleet check`, and the ways in which CI calls it.

mod check;
mod github;
mod gitlab;
mod plan;
mod plan_running;
mod pre_commit;
mod recipes;

use crate::support::{self, Ended, Home, Key, Repo};
use mcpfleet::authorize::ObjectId;
use std::path::PathBuf;

/// A repository with an administrator, `alice`, and `bob`, who may change what is labelled `team: a`. Its configuration
/// names the root of trust.
struct World {
    home: Home,
    repo: Repo,
    alice: Key,
    bob: Key,
    /// Where changes are to be merged.
    base: ObjectId,
}

impl World {
    fn new() -> World {
        let home = Home::new();
        let repo = Repo::new(&home);
        let (alice, bob) = (Key::new("alice"), Key::new("bob"));
        let root = support::root(&repo, &[("alice", &alice, &["admin"]), ("bob", &bob, &["team-a"])]);
        let config = format!("authorization:\n  root: {{commit: {root}}}\n");
        let base = repo.commit(&[root], Some(&alice), &[(".mcpfleet/agent.yaml", Some(&config))], "Name the root");
        repo.push(base);
        World { home, repo, alice, bob, base }
    }

    /// A commit of bob's on the base, with files.
    fn change(&self, changes: &[(&str, Option<&str>)]) -> ObjectId {
        let head = self.repo.commit(&[self.base], Some(&self.bob), changes, "A change");
        self.repo.set("refs/heads/change", Some(head));
        head
    }

    /// A work tree with all branches, in which the change is checked out.
    async fn checkout(&self) -> PathBuf {
        let folder = self.home.path().join("work");
        for arguments in [
            vec!["clone", "--quiet", "--no-local", self.repo.path().to_str().expect("UTF-8"), "work"],
            vec!["-C", "work", "checkout", "--quiet", "--detach", "origin/change"],
        ] {
            let ended = Ended::from(self.home.git(arguments).output().await.expect("git starts"));
            assert_eq!(ended.code, Some(0), "{}", ended.errors);
        }
        folder
    }
}

/// A file of the project.
fn file(path: &str) -> String {
    std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a readable file")
}

/// A PATH on which the binary under test comes first.
pub fn path_with_mcpfleet() -> std::ffi::OsString {
    let folder = PathBuf::from(env!("CARGO_BIN_EXE_mcpfleet")).parent().expect("a folder").to_owned();
    let rest = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths([folder].into_iter().chain(std::env::split_paths(&rest))).expect("a PATH")
}
