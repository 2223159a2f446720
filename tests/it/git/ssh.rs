//! SSH, with a real `sshd`.

use super::{
    remote,
    servers::ssh::{Sshd, keygen},
};
use crate::support::{Home, Repo};
use mcpfleet::{
    authorize::{ObjectId, Objects},
    git::{FetchError, Follow, Mirror, Remote},
};
use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    time::{Duration, Instant},
};

struct World {
    home: Home,
    repo: Repo,
    first: ObjectId,
    sshd: Sshd,
}

fn world(test: &str, old: bool) -> Option<World> {
    let home = Home::new();
    let sshd = Sshd::start(test, home.path(), old)?;
    let repo = Repo::new(&home);
    let first = repo.commit(&[], None, &[("a", Some("1"))], "first");
    repo.push(first);
    Some(World { home, repo, first, sshd })
}

impl World {
    fn remote(&self, known_hosts: PathBuf) -> Remote {
        Remote {
            ssh_key_file: Some(self.sshd.file("client")),
            known_hosts_file: Some(known_hosts),
            ..remote(self.sshd.url(self.repo.path()))
        }
    }

    fn follow(&self, remote: Remote) -> Result<ObjectId, FetchError> {
        let mut mirror = Mirror::open(&self.home.path().join("mirror"), remote).expect("a mirror");
        let head = mirror.look(&Follow::Default)?;
        mirror.fetch(&Follow::Default, head)?;
        assert!(mirror.repository().commit(head).is_ok());
        Ok(head)
    }

    fn code(&self, remote: Remote) -> &'static str {
        self.follow(remote).expect_err("it cannot be followed").code()
    }
}

#[test]
fn pushes_are_followed_whatever_version_the_server_speaks() {
    for old in [false, true] {
        let Some(world) = world("ssh::pushes_are_followed_whatever_version_the_server_speaks", old) else { return };
        let known = world.sshd.known_hosts(&world.sshd.host(), "host-ed25519");
        assert_eq!(world.follow(world.remote(known.clone())).expect("a fetch"), world.first);
        let second = world.repo.commit(&[world.first], None, &[("a", Some("2"))], "second");
        world.repo.push(second);
        assert_eq!(world.follow(world.remote(known)).expect("a fetch"), second);
    }
}

#[test]
fn only_a_host_with_a_key_that_is_known_is_talked_to() {
    let Some(world) = world("ssh::only_a_host_with_a_key_that_is_known_is_talked_to", false) else { return };
    let sshd = &world.sshd;
    let host = sshd.host();
    // The server has keys of two types: whichever is known is the one that is asked for.
    for key in ["host-ecdsa", "host-ed25519"] {
        assert_eq!(world.follow(world.remote(sshd.known_hosts(&host, key))).expect("a fetch"), world.first, "{key}");
    }
    let hashed = sshd.known_hosts(&host, "host-ecdsa");
    keygen(&["-H", "-f", &hashed.to_string_lossy()]);
    assert!(fs::read_to_string(&hashed).expect("a file").starts_with("|1|"));
    assert_eq!(world.follow(world.remote(hashed)).expect("a fetch"), world.first);

    let other = world.follow(world.remote(sshd.known_hosts(&host, "stranger"))).expect_err("it is another key");
    assert_eq!((other.code(), other.is_transient()), ("host-key", false), "{other}");
    assert!(other.to_string().contains("SHA256:"), "{other}");
    let unknown = world.follow(world.remote(sshd.known_hosts("example.com", "host-ed25519"))).expect_err("unknown");
    assert_eq!((unknown.code(), unknown.is_transient()), ("host-key", false), "{unknown}");
    // The same host on another port is another server.
    assert_eq!(world.code(world.remote(sshd.known_hosts("127.0.0.1", "host-ed25519"))), "host-key");
    let revoked = sshd.known_hosts(&host, "host-ed25519");
    let line = fs::read_to_string(&revoked).expect("a file");
    fs::write(&revoked, format!("{line}@revoked {line}")).expect("a file");
    assert_eq!(world.code(world.remote(revoked)), "host-key");
    assert_eq!(world.code(world.remote(sshd.file("nowhere"))), "credential-file");
}

#[test]
fn keys_are_tried_once_and_may_have_a_passphrase() {
    let Some(world) = world("ssh::keys_are_tried_once_and_may_have_a_passphrase", false) else { return };
    let sshd = &world.sshd;
    let usual = world.remote(sshd.known_hosts(&sshd.host(), "host-ed25519"));
    let with = |key: &str, passphrase: Option<&str>| {
        let file = passphrase.map(|text| {
            let path = sshd.file("passphrase");
            fs::write(&path, text).expect("a file");
            path
        });
        Remote { ssh_key_file: Some(sshd.file(key)), ssh_passphrase_file: file, ..usual.clone() }
    };
    assert_eq!(world.follow(with("locked", Some("open sesame\n"))).expect("a fetch"), world.first);
    for (key, passphrase) in [("locked", Some("wrong")), ("locked", None), ("client.pub", None), ("nowhere", None)] {
        let error = world.follow(with(key, passphrase)).expect_err("it cannot be used");
        assert_eq!(error.code(), "credential-file", "{key} {passphrase:?}: {error}");
        assert!(!format!("{error:?}").contains("wrong"), "{error:?}");
    }
    let error = world.follow(with("stranger", None)).expect_err("nobody has let it in");
    assert_eq!((error.code(), error.is_transient()), ("unauthorized", false), "{error}");
}

#[test]
fn what_is_not_there_is_named_and_what_hangs_is_given_up() {
    let Some(world) = world("ssh::what_is_not_there_is_named_and_what_hangs_is_given_up", false) else { return };
    let sshd = &world.sshd;
    let usual = world.remote(sshd.known_hosts(&sshd.host(), "host-ed25519"));
    let nowhere = Remote { url: sshd.url(&world.home.path().join("no 'such' thing")), ..usual.clone() };
    let error = world.follow(nowhere).expect_err("it is not there");
    assert_eq!((error.code(), error.is_transient()), ("not-found", false), "{error}");

    let silent = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let hanging = Remote {
        url: format!("ssh://git@127.0.0.1:{port}/a"),
        known_hosts_file: Some(sshd.known_hosts(&format!("[127.0.0.1]:{port}"), "host-ed25519")),
        timeout: Duration::from_secs(1),
        ..usual
    };
    let begun = Instant::now();
    assert_eq!(world.code(hanging), "timeout");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_ne!(sshd.port(), port);
}
