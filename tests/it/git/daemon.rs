//! Git's own protocol, with a real `git daemon`.

use super::{files, remote, servers::GitDaemon};
use crate::support::{Home, Repo};
use mcpfleet::git::{Follow, Mirror};

#[test]
fn pushes_to_a_git_daemon_are_followed() {
    let home = Home::new();
    let repo = Repo::new(&home);
    let first = repo.commit(&[], None, &[("a", Some("1"))], "first");
    repo.push(first);
    let daemon = GitDaemon::start(home.path());
    let mut mirror = Mirror::open(&home.path().join("mirror"), remote(daemon.url("repository.git"))).expect("a mirror");
    assert_eq!(mirror.look(&Follow::Default).expect("a look"), first);
    mirror.fetch(&Follow::Default, first).expect("a fetch");
    let second = repo.commit(&[first], None, &[("a", Some("2"))], "second");
    repo.push(second);
    assert_eq!(mirror.look(&Follow::Default).expect("a look"), second);
    mirror.fetch(&Follow::Default, second).expect("a fetch");
    assert_eq!(files(&mirror, second), [("a".to_owned(), "2".to_owned())]);

    let mut nowhere = Mirror::open(&home.path().join("other"), remote(daemon.url("nowhere.git"))).expect("a mirror");
    let error = nowhere.look(&Follow::Default).expect_err("it is not there");
    assert_eq!((error.code(), error.is_transient()), ("not-found", false), "{error}");
}
