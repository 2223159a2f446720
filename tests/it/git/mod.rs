//! Mirrors of real repositories, by every way there is to reach one.

mod beside;
mod daemon;
mod damage;
mod http;
mod local;
pub mod servers;
mod ssh;

use crate::support::Repo;
use git2::ObjectType;
use mcpfleet::{
    authorize::{ObjectError, ObjectId, Objects},
    git::{Follow, Mirror, Remote},
};
use std::{path::Path, time::Duration};

/// A remote with nothing set besides where it is.
fn remote(url: impl Into<String>) -> Remote {
    Remote {
        url: url.into(),
        timeout: Duration::from_secs(30),
        username_file: None,
        password_file: None,
        ssh_key_file: None,
        ssh_passphrase_file: None,
        known_hosts_file: None,
        ca_file: None,
        proxy: None,
        max_bytes: 1 << 30,
    }
}

/// A commit that is too large to be read, on another one, pushed.
fn push_unreadable(repo: &Repo, parent: ObjectId) -> ObjectId {
    let git = git2::Repository::open_bare(repo.path()).expect("a repository");
    let parent_id = git2::Oid::from_str(&parent.to_string()).expect("an id");
    let tree = git.find_commit(parent_id).expect("a commit").tree_id();
    let who = "a <a@b> 1 +0000";
    let message = "x".repeat(17 << 20);
    let text = format!("tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n\n{message}\n");
    let head = repo.write(ObjectType::Commit, text.as_bytes());
    repo.push(head);
    head
}

/// Whether a mirror takes in such a commit once and for all.
fn takes_in_what_nobody_can_read(folder: &Path, remote: &Remote, head: ObjectId) {
    let mut mirror = Mirror::open(folder, remote.clone()).expect("a mirror");
    mirror.fetch(&Follow::Default, head).expect("a fetch");
    let error = mirror.repository().commit(head).expect_err("it is too large");
    assert!(matches!(error, ObjectError::TooLarge { .. }), "{error}");
    drop(mirror);
    // Neither is the mirror taken for damaged, nor is it fetched again: there is nobody to fetch it from.
    let mut mirror = Mirror::open(folder, remote.clone()).expect("a mirror");
    let nowhere = Follow::Branch("nowhere".to_owned());
    mirror.fetch(&nowhere, head).expect("no fetch");
    assert_eq!(mirror.repository().commit(head), Err(error));
}

/// All paths and contents at a commit, read from the mirror.
fn files(mirror: &Mirror, commit: ObjectId) -> Vec<(String, String)> {
    let git = mirror.repository().git();
    let id = git2::Oid::from_str(&commit.to_string()).expect("an id");
    let tree = git.find_commit(id).and_then(|commit| commit.tree()).expect("a tree");
    let mut files = Vec::new();
    tree.walk(git2::TreeWalkMode::PreOrder, |folder, entry| {
        if entry.kind() == Some(ObjectType::Blob) {
            let blob = git.find_blob(entry.id()).expect("a blob");
            let path = format!("{folder}{}", entry.name().expect("a name"));
            files.push((path, String::from_utf8_lossy(blob.content()).into_owned()));
        }
        git2::TreeWalkResult::Ok
    })
    .expect("a whole tree");
    files
}
