//! Smart HTTP, with servers that behave and servers that do not.

use super::{
    files, remote,
    servers::http::{Fault, GitHttp},
};
use crate::support::{Home, Repo};
use mcpfleet::{
    authorize::{ObjectId, Objects},
    git::{FetchError, Follow, Mirror, Remote},
};
use std::{
    fs,
    net::TcpListener,
    path::Path,
    time::{Duration, Instant},
};

/// A repository with a commit on `main`.
fn repository(home: &Home) -> (Repo, ObjectId) {
    let repo = Repo::new(home);
    let first = repo.commit(&[], None, &[("apps/a.yaml", Some("a"))], "first");
    repo.push(first);
    (repo, first)
}

fn open(home: &Home, remote: Remote) -> Mirror {
    Mirror::open(&home.path().join("mirror"), remote).expect("a mirror")
}

fn follow(home: &Home, remote: Remote) -> Result<ObjectId, FetchError> {
    let mut mirror = open(home, remote);
    let head = mirror.look(&Follow::Default)?;
    mirror.fetch(&Follow::Default, head)?;
    assert!(mirror.repository().commit(head).is_ok());
    Ok(head)
}

fn code(home: &Home, remote: Remote) -> &'static str {
    follow(home, remote).expect_err("it cannot be followed").code()
}

#[test]
fn pushes_are_followed_whatever_version_the_server_speaks() {
    for fault in [Fault::None, Fault::Old] {
        let home = Home::new();
        let (repo, first) = repository(&home);
        let server = GitHttp::start(home.path());
        server.fault(fault);
        let mut mirror = open(&home, remote(server.url("repository.git")));
        let mut head = first;
        let mut heads = Vec::new();
        for number in 0..5 {
            assert_eq!(mirror.look(&Follow::Default).expect("a look"), head);
            mirror.fetch(&Follow::Default, head).expect("a fetch");
            heads.push(head);
            let path = format!("apps/{number}.yaml");
            head = repo.commit(&[head], None, &[(&path, Some("new"))], "next");
            repo.push(head);
        }
        assert_eq!(files(&mirror, heads[4]).len(), 5);
        // The history was rewritten: a common ancestor is found, and nothing that was there is gone.
        let other = repo.commit(&[heads[1]], None, &[("apps/b.yaml", Some("b"))], "other");
        repo.push(other);
        assert_eq!(mirror.look(&Follow::Default).expect("a look"), other);
        mirror.fetch(&Follow::Default, other).expect("a fetch");
        assert_eq!(files(&mirror, other).len(), 3);
        assert_eq!(files(&mirror, heads[4]).len(), 5);
    }
}

#[test]
fn branches_tags_and_commits_are_followed() {
    for fault in [Fault::None, Fault::Old] {
        let home = Home::new();
        let (repo, first) = repository(&home);
        let second = repo.commit(&[first], None, &[("a", Some("2"))], "second");
        let third = repo.commit(&[second], None, &[("a", Some("3"))], "third");
        repo.push(third);
        repo.set("refs/heads/team/prod", Some(second));
        let tag = format!("object {first}\ntype commit\ntag v1\ntagger a <a@example.com> 1700000000 +0000\n\nv1\n");
        repo.set("refs/tags/v1", Some(repo.write(git2::ObjectType::Tag, tag.as_bytes())));
        let server = GitHttp::start(home.path());
        server.fault(fault);
        let table = [
            (Follow::Tag("v1".to_owned()), first),
            (Follow::Branch("team/prod".to_owned()), second),
            (Follow::Commit(second), second),
            (Follow::Default, third),
        ];
        for (follow, expected) in &table {
            let home = Home::new();
            let mut mirror = open(&home, remote(server.url("repository.git")));
            assert_eq!(mirror.look(follow).expect("a look"), *expected, "{follow:?}");
            mirror.fetch(follow, *expected).expect("a fetch");
            assert!(!files(&mirror, *expected).is_empty());
        }
        let mut mirror = open(&home, remote(server.url("repository.git")));
        for follow in [Follow::Branch("other".to_owned()), Follow::Tag("main".to_owned())] {
            assert_eq!(mirror.look(&follow).expect_err("no such thing").code(), "ref-missing", "{follow:?}");
        }
        repo.set("refs/heads/team/prod", None);
        let vanished = mirror.look(&Follow::Branch("team/prod".to_owned())).expect_err("it has vanished");
        assert_eq!(vanished.code(), "ref-missing");
        let nowhere = "0123456789012345678901234567890123456789".parse().expect("an id");
        let error = mirror.fetch(&Follow::Commit(nowhere), nowhere).expect_err("no such commit");
        assert_eq!(error.code(), "ref-missing", "{error}");
    }
}

#[test]
fn an_empty_repository_and_an_unborn_branch_are_told_apart() {
    for fault in [Fault::None, Fault::Old] {
        let home = Home::new();
        let repo = Repo::new(&home);
        let server = GitHttp::start(home.path());
        server.fault(fault);
        let remote = || remote(server.url("repository.git"));
        assert_eq!(code(&home, remote()), "empty");
        let first = repo.commit(&[], None, &[("a", Some("1"))], "first");
        repo.set("refs/heads/trunk", Some(first));
        assert_eq!(code(&home, remote()), "ref-missing");
        fs::write(repo.path().join("HEAD"), "ref: refs/heads/trunk\n").expect("a new default branch");
        assert_eq!(follow(&home, remote()).expect("a fetch"), first);
    }
}

#[test]
fn fifty_thousand_references_are_not_listed_to_a_client_that_follows_one() {
    let home = Home::new();
    let (repo, first) = repository(&home);
    let mut packed = String::from("# pack-refs with: peeled fully-peeled sorted \n");
    for number in 0..50_000 {
        packed.push_str(&format!("{first} refs/heads/b{number:05}\n"));
    }
    fs::write(repo.path().join("packed-refs"), packed).expect("packed references");
    let server = GitHttp::start(home.path());
    // What one fetch may bring bounds a listing too.
    let small = Remote { max_bytes: 10_000, ..remote(server.url("repository.git")) };
    assert_eq!(follow(&home, small.clone()).expect("a fetch"), first);
    server.fault(Fault::Old);
    assert_eq!(code(&home, small), "too-large");
    assert_eq!(follow(&home, remote(server.url("repository.git"))).expect("a fetch"), first);
}

#[test]
fn credentials_are_read_anew_and_never_shown() {
    let home = Home::new();
    let (_, first) = repository(&home);
    let server = GitHttp::start(home.path());
    server.require("bot:first-secret");
    let [user, password] = ["user", "password"].map(|name| home.path().join(name));
    fs::write(&user, "bot\n").expect("a file");
    fs::write(&password, "first-secret\n").expect("a file");
    let with = Remote {
        username_file: Some(user),
        password_file: Some(password.clone()),
        ..remote(server.url("repository.git"))
    };
    let mut mirror = open(&home, with.clone());
    assert_eq!(mirror.look(&Follow::Default).expect("a look"), first);

    server.require("bot:second-secret");
    server.seen();
    let error = mirror.look(&Follow::Default).expect_err("it was changed on the server");
    assert_eq!((error.code(), error.is_transient()), ("unauthorized", false), "{error}");
    assert_eq!(server.seen().len(), 1, "each is tried once");
    assert!(!format!("{error} {error:?} {with:?}").contains("secret"));
    fs::write(&password, "second-secret").expect("a file");
    assert_eq!(mirror.look(&Follow::Default).expect("a look"), first);
    mirror.fetch(&Follow::Default, first).expect("a fetch");

    fs::remove_file(&password).expect("removed");
    let error = mirror.look(&Follow::Default).expect_err("there is no password");
    assert_eq!(error.code(), "credential-file");
    assert_eq!(code(&home, remote(server.url("repository.git"))), "unauthorized");
}

#[test]
fn a_token_is_the_password_of_any_user() {
    let home = Home::new();
    let (_, first) = repository(&home);
    let server = GitHttp::start(home.path());
    server.require("git:token");
    let token = home.path().join("token");
    fs::write(&token, "token\n").expect("a file");
    let with = Remote { password_file: Some(token), ..remote(server.url("repository.git")) };
    assert_eq!(follow(&home, with).expect("a fetch"), first);
}

#[test]
fn a_certificate_must_be_from_an_authority_that_the_source_trusts() {
    let home = Home::new();
    let (_, first) = repository(&home);
    let server = GitHttp::start_tls(home.path());
    let other = GitHttp::start_tls(home.path());
    let authority = home.path().join("ca.pem");
    let url = server.url("repository.git");
    let with = Remote { ca_file: Some(authority.clone()), ..remote(&url) };

    let error = follow(&home, remote(&url)).expect_err("nobody knows the authority");
    assert_eq!((error.code(), error.is_transient()), ("certificate", false), "{error}");
    assert!(error.to_string().contains("`ca_file`"), "{error}");
    assert_eq!(code(&home, with.clone()), "credential-file", "there is no such file");
    fs::write(&authority, "no certificate").expect("a file");
    assert_eq!(code(&home, with.clone()), "credential-file");
    fs::write(&authority, other.authority()).expect("a file");
    let mut mirror = open(&home, with.clone());
    assert_eq!(mirror.look(&Follow::Default).expect_err("another authority").code(), "certificate");
    // Two of them, which is how one is replaced by the next; seen without a new start.
    fs::write(&authority, format!("{}{}", other.authority(), server.authority())).expect("a file");
    assert_eq!(mirror.look(&Follow::Default).expect("a look"), first);
    mirror.fetch(&Follow::Default, first).expect("a fetch");

    let elsewhere = Remote { url: url.replace("localhost", "127.0.0.1"), ..with };
    assert_eq!(code(&home, elsewhere), "certificate", "the certificate is for another name");
}

#[test]
fn a_proxy_is_gone_through() {
    let home = Home::new();
    let (_, first) = repository(&home);
    let server = GitHttp::start_tls(home.path());
    let proxy = GitHttp::start(home.path());
    let authority = home.path().join("ca.pem");
    fs::write(&authority, server.authority()).expect("a file");
    let with = Remote {
        ca_file: Some(authority),
        proxy: Some(format!("http://127.0.0.1:{}", proxy.port())),
        ..remote(server.url("repository.git"))
    };
    assert_eq!(follow(&home, with.clone()).expect("a fetch"), first);
    let asked: Vec<String> = proxy.seen().into_iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect();
    assert!(!asked.is_empty() && asked.iter().all(|asked| *asked == format!("CONNECT localhost:{}", server.port())));
    let gone = Remote { proxy: Some("http://127.0.0.1:1".to_owned()), ..with };
    assert_eq!(code(&home, gone), "unreachable");
}

#[test]
fn each_refusal_is_told_apart() {
    let home = Home::new();
    repository(&home);
    let server = GitHttp::start(home.path());
    let remote = || remote(server.url("repository.git"));
    let table = [
        (401, vec![], "unauthorized", false),
        (403, vec![], "forbidden", false),
        (404, vec![], "not-found", false),
        (429, vec![("retry-after", "120".to_owned())], "rate-limited", true),
        (500, vec![], "server-error", true),
        (503, vec![], "server-error", true),
    ];
    for (status, headers, code, transient) in table {
        server.fault(Fault::Status(status, headers));
        let error = follow(&home, remote()).expect_err("it is refused");
        assert_eq!((error.code(), error.is_transient()), (code, transient), "{error}");
        assert!(error.to_string().contains(&server.url("repository.git")), "{error}");
        assert_eq!(error.retry_after(), (status == 429).then_some(Duration::from_secs(120)));
    }
    server.fault(Fault::Page);
    assert_eq!(code(&home, remote()), "not-git");
    server.fault(Fault::None);
    assert_eq!(code(&home, Remote { url: server.url("other.git"), ..remote() }), "not-found");
    assert_eq!(code(&home, Remote { url: "http://127.0.0.1:1/a".to_owned(), ..remote() }), "unreachable");
    let nowhere = Remote { url: "http://nowhere.invalid/a".to_owned(), ..remote() };
    assert_eq!(code(&home, nowhere), "unreachable");
}

#[test]
fn a_redirect_is_followed_on_the_same_host_only_and_credentials_never_leave_it() {
    let home = Home::new();
    let (_, first) = repository(&home);
    let [server, other] = [(); 2].map(|()| GitHttp::start(home.path()));
    let password = home.path().join("password");
    fs::write(&password, "secret").expect("a file");
    let with = Remote { password_file: Some(password), ..remote(server.url("repository.git")) };
    let query = "/info/refs?service=git-upload-pack";
    for (status, location) in [(301, "repository.git"), (302, "other.git"), (307, "other.git"), (308, "other.git")] {
        let location = format!("{}{query}", other.url(location));
        server.fault(Fault::Status(status, vec![("location", location)]));
        let error = follow(&home, with.clone()).expect_err("it leads to another host");
        assert_eq!((error.code(), error.is_transient()), ("redirect", false), "{error}");
        assert!(error.to_string().contains(&other.url("")), "{error}");
    }
    assert!(other.seen().is_empty());
    server.fault(Fault::Status(302, vec![("location", format!("/repository.git{query}"))]));
    server.seen();
    assert_eq!(code(&home, with.clone()), "redirect", "it never ends");
    assert!(server.seen().len() < 10);
    // A name that was changed, as forges have it.
    let moved = GitHttp::start(home.path());
    moved.moved("old.git", "repository.git");
    let with = Remote { url: moved.url("old.git"), ..with };
    assert_eq!(follow(&home, with).expect("a fetch"), first);
    assert!(moved.seen().iter().all(|seen| seen.authorization.is_some()));
}

#[test]
fn a_remote_that_hangs_is_given_up_in_time() {
    let home = Home::new();
    repository(&home);
    let server = GitHttp::start(home.path());
    // It accepts connections, and nobody ever answers.
    let silent = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let silent = silent.local_addr().expect("an address").port();
    let urls = [
        (Fault::Hang, server.url("repository.git")),
        (Fault::Trickle, server.url("repository.git")),
        (Fault::None, format!("https://127.0.0.1:{silent}/a")),
        (Fault::None, format!("git://127.0.0.1:{silent}/a")),
    ];
    for (fault, url) in urls {
        server.fault(fault);
        let begun = Instant::now();
        let error = follow(&home, Remote { timeout: Duration::from_secs(1), ..remote(&url) }).expect_err("it hangs");
        assert_eq!((error.code(), error.is_transient()), ("timeout", true), "{url}: {error}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{url}: {:?}", begun.elapsed());
    }
}

#[test]
fn a_pack_that_ends_early_or_is_damaged_leaves_the_mirror_as_it_was() {
    let home = Home::new();
    let (repo, first) = repository(&home);
    let noise: String = (0..5000_u64).map(|n| format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let server = GitHttp::start(home.path());
    let mut mirror = open(&home, remote(server.url("repository.git")));
    mirror.fetch(&Follow::Default, first).expect("a fetch");
    let second = repo.commit(&[first], None, &[("noise", Some(&noise))], "second");
    repo.push(second);
    for fault in [Fault::Short(10_000), Fault::Short(40), Fault::Broken(10_000), Fault::Garbled] {
        server.fault(fault);
        let error = mirror.fetch(&Follow::Default, second).expect_err("it is not whole");
        assert_eq!((error.code(), error.is_transient()), ("truncated", true), "{error}");
        assert!(mirror.repository().commit(second).is_err());
        assert!(mirror.repository().commit(first).is_ok());
        assert_eq!(litter(&home.path().join("mirror")), 0);
    }
    server.fault(Fault::None);
    mirror.fetch(&Follow::Default, second).expect("a fetch");
    assert_eq!(files(&mirror, second).len(), 2);
}

#[test]
fn a_server_that_has_only_half_of_a_history_is_not_believed() {
    let home = Home::new();
    let (repo, first) = repository(&home);
    let server = GitHttp::start(home.path());
    let mut mirror = open(&home, remote(server.url("repository.git")));
    mirror.fetch(&Follow::Default, first).expect("a fetch");
    let hidden = repo.commit(&[first], None, &[("a", Some("2"))], "hidden");
    let head = repo.commit(&[hidden], None, &[("a", Some("3"))], "head");
    repo.push(head);
    // To git itself the commit has no parents then, and so none is sent.
    let shallow = repo.path().join("shallow");
    fs::write(&shallow, format!("{head}\n")).expect("a shallow repository");
    for fault in [Fault::None, Fault::Old] {
        server.fault(fault);
        let error = mirror.fetch(&Follow::Default, head).expect_err("its history is not there");
        assert!(matches!(error.code(), "shallow" | "truncated"), "{error}");
        assert!(mirror.repository().commit(head).is_err());
        assert_eq!(mirror.look(&Follow::Commit(first)).expect("a look"), first);
    }
    fs::remove_file(shallow).expect("removed");
    mirror.fetch(&Follow::Default, head).expect("a fetch");
    assert!(mirror.repository().commit(hidden).is_ok());
}

/// Files among the packs that are no packs.
fn litter(mirror: &Path) -> usize {
    let names =
        fs::read_dir(mirror.join("objects/pack")).expect("a folder").map(|entry| entry.expect("one").file_name());
    names.filter(|name| !name.to_string_lossy().starts_with("pack-")).count()
}

#[test]
fn a_commit_that_nobody_can_read_is_brought_once_and_left_to_the_judge() {
    let home = Home::new();
    let (repo, first) = repository(&home);
    let head = super::push_unreadable(&repo, first);
    let server = GitHttp::start(home.path());
    super::takes_in_what_nobody_can_read(&home.path().join("mirror"), &remote(server.url("repository.git")), head);
}
