//! Mirrors of real repositories, by every way there is to reach one.

mod daemon;
mod damage;
mod http;
mod local;
mod servers;
mod ssh;

use git2::ObjectType;
use mcpfleet::{
    authorize::ObjectId,
    git::{Mirror, Remote},
};
use std::time::Duration;

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
