//! A mirror beside another one: it has what the other has, and what it fetches is its own.

use super::{files, remote, servers::http::GitHttp};
use crate::support::{Home, Repo};
use mcpfleet::{
    authorize::Objects,
    git::{Follow, Mirror, Remote},
};
use std::fs;

#[test]
fn a_branch_is_fetched_beside_the_mirror_and_leaves_nothing_in_it() {
    let home = Home::new();
    let repo = Repo::new(&home);
    let large = "x\n".repeat(10_000);
    let first = repo.commit(&[], None, &[("a", Some("1")), ("large", Some(&*large))], "first");
    repo.push(first);
    let server = GitHttp::start(home.path());
    server.require("agent:secret");
    let secret = |name: &str, text: &str| {
        let path = home.path().join(name);
        fs::write(&path, text).expect("a file");
        Some(path)
    };
    let remote = Remote {
        username_file: secret("user", "agent"),
        password_file: secret("password", "secret"),
        ..remote(server.url("repository.git"))
    };
    let mut mirror = Mirror::open(&home.path().join("mirror"), remote.clone()).expect("a mirror");
    mirror.fetch(&Follow::Default, first).expect("a fetch");

    let second = repo.commit(&[first], None, &[("a", Some("2"))], "second");
    repo.set("refs/heads/next", Some(second));
    let folder = home.path().join("beside");
    // What a killed process has left there is in nobody's way.
    fs::create_dir(&folder).and_then(|()| fs::write(folder.join("x"), "x")).expect("a folder");
    let mut beside = Mirror::beside(&folder, &home.path().join("mirror"), remote).expect("a mirror");
    assert!(beside.repository().commit(first).is_ok(), "it has what the other has");
    let next = Follow::Branch("next".to_owned());
    assert_eq!(beside.look(&next).expect("a look"), second);
    beside.fetch(&next, second).expect("a fetch");
    assert_eq!(files(&beside, second), [("a".to_owned(), "2".to_owned()), ("large".to_owned(), large)]);
    // Only what the other one has not was sent.
    let packs = fs::read_dir(folder.join("objects/pack")).expect("packs");
    let bytes: u64 = packs.map(|pack| pack.and_then(|pack| pack.metadata()).expect("a file").len()).sum();
    assert!(bytes < 4_000, "{bytes}");
    beside.remove().expect("removed");
    assert!(!folder.exists() && mirror.repository().commit(second).is_err());
    let main = repo.commit(&[second], None, &[("a", Some("3"))], "third");
    repo.push(main);
    mirror.fetch(&Follow::Default, main).expect("the mirror goes on by itself");
    assert_eq!(files(&mirror, main).first(), Some(&("a".to_owned(), "3".to_owned())));
}
