//! Repositories on this machine.

use super::{files, remote};
use crate::support::{Draft, Home, Repo};
use git2::ObjectType;
use mcpfleet::{
    authorize::{ObjectId, Objects},
    git::{Follow, Mirror, Remote, Repository},
};
use std::{fs, os::unix::fs::chown, path::Path};

fn mirror(home: &Home, repo: &Repo) -> Mirror {
    Mirror::open(&home.path().join("mirror"), remote(repo.url())).expect("a mirror")
}

fn file(path: &str, content: &str) -> (String, String) {
    (path.to_owned(), content.to_owned())
}

#[test]
fn each_push_is_seen_and_only_what_is_new_is_copied() {
    let home = Home::new();
    let repo = Repo::new(&home);
    let first = repo.commit(&[], None, &[("apps/a.yaml", Some("a")), ("apps/b.yaml", Some("b"))], "first");
    repo.push(first);
    let mut mirror = mirror(&home, &repo);
    assert_eq!(mirror.look(&Follow::Default).expect("a look"), first);
    mirror.fetch(&Follow::Default, first).expect("a fetch");
    assert_eq!(files(&mirror, first), [file("apps/a.yaml", "a"), file("apps/b.yaml", "b")]);

    let second = repo.commit(&[first], None, &[("apps/a.yaml", Some("changed"))], "second");
    repo.push(second);
    assert_eq!(mirror.look(&Follow::Default).expect("a look"), second);
    mirror.fetch(&Follow::Default, second).expect("a fetch");
    assert_eq!(files(&mirror, second), [file("apps/a.yaml", "changed"), file("apps/b.yaml", "b")]);

    // A commit, two trees and a blob.
    let mut packs: Vec<u32> = packs(&home).iter().map(|path| objects_in(path)).collect();
    packs.sort_unstable();
    assert_eq!(packs, [4, 5]);
}

fn packs(home: &Home) -> Vec<std::path::PathBuf> {
    let folder = home.path().join("mirror/objects/pack");
    let paths = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "pack")).collect()
}

/// The number of objects that the header of a pack gives.
fn objects_in(pack: &Path) -> u32 {
    let bytes = fs::read(pack).expect("a pack");
    u32::from_be_bytes(bytes[8..12].try_into().expect("four bytes"))
}

#[test]
fn a_force_push_is_another_head_and_what_was_there_before_stays() {
    let home = Home::new();
    let repo = Repo::new(&home);
    let first = repo.commit(&[], None, &[("a", Some("1"))], "first");
    repo.push(first);
    let mut mirror = mirror(&home, &repo);
    mirror.fetch(&Follow::Default, first).expect("a fetch");
    let other = repo.commit(&[], None, &[("a", Some("2"))], "other");
    repo.push(other);
    assert_eq!(mirror.look(&Follow::Default).expect("a look"), other);
    mirror.fetch(&Follow::Default, other).expect("a fetch");
    assert_eq!(files(&mirror, other), [file("a", "2")]);
    assert_eq!(files(&mirror, first), [file("a", "1")]);
}

#[test]
fn branches_tags_and_commits_are_followed() {
    let home = Home::new();
    let repo = Repo::new(&home);
    let first = repo.commit(&[], None, &[("a", Some("1"))], "first");
    let second = repo.commit(&[first], None, &[("a", Some("2"))], "second");
    repo.push(second);
    repo.set("refs/heads/team/prod", Some(first));
    let tag = format!("object {first}\ntype commit\ntag v1\ntagger a <a@example.com> 1700000000 +0000\n\nv1\n");
    repo.set("refs/tags/v1", Some(repo.write(ObjectType::Tag, tag.as_bytes())));
    repo.set("refs/tags/light", Some(second));
    let mut mirror = mirror(&home, &repo);
    let table = [
        (Follow::Default, second),
        (Follow::Branch("team/prod".to_owned()), first),
        (Follow::Tag("v1".to_owned()), first),
        (Follow::Tag("light".to_owned()), second),
        (Follow::Commit(first), first),
    ];
    for (follow, expected) in table {
        assert_eq!(mirror.look(&follow).expect("a look"), expected, "{follow:?}");
        mirror.fetch(&follow, expected).expect("a fetch");
        assert!(mirror.repository().commit(expected).is_ok());
    }
    for follow in [Follow::Branch("v1".to_owned()), Follow::Tag("main".to_owned()), Follow::Branch("a..b".to_owned())] {
        let error = mirror.look(&follow).expect_err("no such thing");
        assert_eq!((error.code(), error.is_transient()), ("ref-missing", false), "{error}");
    }
    let nowhere = "0123456789012345678901234567890123456789".parse().expect("an id");
    assert_eq!(mirror.fetch(&Follow::Commit(nowhere), nowhere).expect_err("no such commit").code(), "ref-missing");
}

#[test]
fn the_default_branch_is_what_the_remote_says_now() {
    let home = Home::new();
    let repo = Repo::new(&home);
    let mut mirror = mirror(&home, &repo);
    assert_eq!(mirror.look(&Follow::Default).expect_err("an empty repository").code(), "empty");
    let first = repo.commit(&[], None, &[("a", Some("1"))], "first");
    let second = repo.commit(&[first], None, &[("a", Some("2"))], "second");
    repo.set("refs/heads/trunk", Some(second));
    // HEAD names `main`, which nobody has pushed.
    let error = mirror.look(&Follow::Default).expect_err("an unborn branch");
    assert_eq!(error.code(), "ref-missing");
    repo.push(first);
    assert_eq!(mirror.look(&Follow::Default).expect("a look"), first);
    fs::write(repo.path().join("HEAD"), "ref: refs/heads/trunk\n").expect("a new default branch");
    assert_eq!(mirror.look(&Follow::Default).expect("a look"), second);
    repo.set("refs/heads/trunk", None);
    assert_eq!(mirror.look(&Follow::Default).expect_err("it has vanished").code(), "ref-missing");
}

#[test]
fn a_work_tree_and_a_path_will_do_and_their_alternates_are_followed() {
    let home = Home::new();
    let repo = Repo::new(&home);
    let first = repo.commit(&[], None, &[("a", Some("1"))], "first");
    repo.push(first);
    // A work tree whose objects are all in another repository.
    let tree = home.path().join("tree");
    let git = git2::Repository::init(&tree).expect("a work tree");
    let objects = format!("{}\n", repo.path().join("objects").display());
    fs::write(git.path().join("objects/info/alternates"), objects).expect("alternates");
    let id = git2::Oid::from_str(&first.to_string()).expect("an id");
    drop(git);
    let git = git2::Repository::open(&tree).expect("the work tree");
    git.reference("refs/heads/prod", id, true, "").expect("a branch");
    let follow = Follow::Branch("prod".to_owned());
    let mut mirror = Mirror::open(&home.path().join("mirror"), remote(tree.to_string_lossy())).expect("a mirror");
    assert_eq!(mirror.look(&follow).expect("a look"), first);
    mirror.fetch(&follow, first).expect("a fetch");
    assert_eq!(files(&mirror, first), [file("a", "1")]);
}

#[test]
fn a_repository_of_somebody_else_is_read() {
    if !nix::unistd::geteuid().is_root() {
        return crate::support::missing("a_repository_of_somebody_else_is_read", "only root can give files away");
    }
    let home = Home::new();
    let repo = Repo::new(&home);
    let first = repo.commit(&[], None, &[("a", Some("1"))], "first");
    repo.push(first);
    for entry in walkdir::WalkDir::new(repo.path()) {
        chown(entry.expect("an entry").path(), Some(65534), Some(65534)).expect("root may");
    }
    let mut mirror = mirror(&home, &repo);
    assert_eq!(mirror.look(&Follow::Default).expect("a look"), first);
    mirror.fetch(&Follow::Default, first).expect("a fetch");
    assert_eq!(files(&mirror, first), [file("a", "1")]);
    assert!(Repository::discover(repo.path()).is_ok());
}

#[test]
fn what_cannot_be_followed_is_named() {
    let home = Home::new();
    let open = |url: &Path| Mirror::open(&home.path().join("mirror"), remote(url.to_string_lossy())).expect("a mirror");
    let code = |url: &Path| open(url).look(&Follow::Default).expect_err("it cannot be followed").code();

    assert_eq!(code(&home.path().join("nowhere")), "not-found");
    fs::create_dir(home.path().join("folder")).expect("a folder");
    assert_eq!(code(&home.path().join("folder")), "not-git");

    let sha256 = Repo::at(&home.path().join("sha256.git"));
    let config = "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectformat = sha256\n";
    fs::write(sha256.path().join("config"), config).expect("a configuration");
    assert_eq!(code(sha256.path()), "sha256");

    let shallow = Repo::at(&home.path().join("shallow.git"));
    let absent: ObjectId = "0123456789012345678901234567890123456789".parse().expect("an id");
    let tree = shallow.write(ObjectType::Tree, b"");
    let text = format!("tree {tree}\nparent {absent}\nauthor a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\n\nx\n");
    let tip = shallow.write(ObjectType::Commit, text.as_bytes());
    shallow.push(tip);
    let mut mirror = open(shallow.path());
    let damaged = mirror.fetch(&Follow::Default, tip).expect_err("its parent is missing");
    assert_eq!(damaged.code(), "truncated", "{damaged}");
    fs::write(shallow.path().join("shallow"), format!("{tip}\n")).expect("a shallow clone");
    let error = mirror.fetch(&Follow::Default, tip).expect_err("its history is not there");
    assert_eq!(error.code(), "shallow");
    assert!(error.to_string().contains("git fetch --unshallow"), "{error}");
    assert!(mirror.repository().commit(tip).is_err(), "half a history must not get into the mirror");
}

#[test]
fn a_fetch_is_bounded() {
    let home = Home::new();
    let repo = Repo::new(&home);
    let noise: String = (0..20_000_u64).map(|n| format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let first = repo.commit(&[], None, &[("a", Some(&noise))], "first");
    repo.push(first);
    let open = |remote: Remote| Mirror::open(&home.path().join("mirror"), remote).expect("a mirror");
    let mut small = open(Remote { max_bytes: 10_000, ..remote(repo.url()) });
    let error = small.fetch(&Follow::Default, first).expect_err("it is too large");
    assert_eq!((error.code(), error.is_transient()), ("too-large", false), "{error}");
    let mut hasty = open(Remote { timeout: std::time::Duration::from_nanos(1), ..remote(repo.url()) });
    let error = hasty.fetch(&Follow::Default, first).expect_err("it takes longer");
    assert_eq!((error.code(), error.is_transient()), ("timeout", true), "{error}");
    let mut usual = open(remote(repo.url()));
    usual.fetch(&Follow::Default, first).expect("a fetch");
    assert_eq!(files(&usual, first), [file("a", &noise)]);
}

#[test]
fn an_object_that_would_fill_the_memory_is_refused_by_name() {
    let home = Home::new();
    let repo = Repo::new(&home);
    // On the disk it is next to nothing.
    let zeros = repo.write(ObjectType::Blob, &vec![0; (100 << 20) + 1]);
    let first = repo.commit_draft(&Draft {
        parents: &[],
        signer: None,
        author: "a <a@example.com>",
        changes: &[],
        entries: &[("zeros", git2::FileMode::Blob, zeros)],
        message: "first",
    });
    repo.push(first);
    let error = mirror(&home, &repo).fetch(&Follow::Default, first).expect_err("it is too large");
    assert_eq!((error.code(), error.is_transient()), ("too-large", false), "{error}");
    assert!(error.to_string().contains(&zeros.to_string()), "{error}");
}

#[test]
fn what_was_once_taken_for_a_file_is_whole_when_it_is_a_folder() {
    let home = Home::new();
    let repo = Repo::new(&home);
    let file = repo.write(ObjectType::Blob, b"1");
    let tree = |mode: &str, name: &str, id: ObjectId| {
        let bytes = [mode.as_bytes(), b" ", name.as_bytes(), b"\0", id.as_bytes()].concat();
        repo.write(ObjectType::Tree, &bytes)
    };
    let commit = |tree: ObjectId, parent: &str| {
        let who = "a <a@b> 1 +0000";
        let text = format!("tree {tree}\n{parent}author {who}\ncommitter {who}\n\nx\n");
        repo.write(ObjectType::Commit, text.as_bytes())
    };
    let folder = tree("100644", "a", file);
    let first = commit(tree("100644", "apps", folder), "");
    repo.push(first);
    let mut mirror = mirror(&home, &repo);
    mirror.fetch(&Follow::Default, first).expect("a fetch");
    let second = commit(tree("40000", "apps", folder), &format!("parent {first}\n"));
    repo.push(second);
    mirror.fetch(&Follow::Default, second).expect("a fetch");
    assert_eq!(files(&mirror, second), [("apps/a".to_owned(), "1".to_owned())]);
}

#[test]
fn what_is_no_file_is_copied_as_it_is() {
    let home = Home::new();
    let repo = Repo::new(&home);
    let absent: ObjectId = "0123456789012345678901234567890123456789".parse().expect("an id");
    let target = repo.write(ObjectType::Blob, b"/etc/passwd");
    let draft = Draft {
        parents: &[],
        signer: None,
        author: "a <a@example.com>",
        changes: &[("a", Some("1"))],
        entries: &[("link", git2::FileMode::Link, target), ("module", git2::FileMode::Commit, absent)],
        message: "first",
    };
    let first = repo.commit_draft(&draft);
    repo.push(first);
    let mut mirror = mirror(&home, &repo);
    mirror.fetch(&Follow::Default, first).expect("a fetch");
    assert_eq!(files(&mirror, first), [file("a", "1"), file("link", "/etc/passwd")]);
}

#[test]
fn a_poll_of_fifty_thousand_references_that_did_not_change_costs_next_to_nothing() {
    let home = Home::new();
    let repo = Repo::new(&home);
    let first = repo.commit(&[], None, &[("a", Some("1"))], "first");
    repo.push(first);
    let mut packed = String::from("# pack-refs with: peeled fully-peeled sorted \n");
    for number in 0..50_000 {
        packed.push_str(&format!("{first} refs/heads/b{number:05}\n"));
    }
    fs::write(repo.path().join("packed-refs"), packed).expect("packed references");
    let mut mirror = mirror(&home, &repo);
    mirror.fetch(&Follow::Default, first).expect("a fetch");
    let before = cpu();
    for _ in 0..500 {
        assert_eq!(mirror.look(&Follow::Default).expect("a look"), first);
        mirror.fetch(&Follow::Default, first).expect("a fetch");
    }
    let each = (cpu() - before) / 500;
    assert!(each < std::time::Duration::from_millis(5), "a poll takes {each:?} of processor time");
    assert_eq!(mirror.look(&Follow::Branch("b49999".to_owned())).expect("a look"), first);
}

#[test]
fn one_file_of_a_thousand_is_brought_at_once() {
    let home = Home::new();
    let repo = Repo::new(&home);
    let paths: Vec<String> = (0..1000).map(|number| format!("apps/{:02}/{number}.yaml", number % 20)).collect();
    let changes: Vec<(&str, Option<&str>)> = paths.iter().map(|path| (path.as_str(), Some(path.as_str()))).collect();
    let first = repo.commit(&[], None, &changes, "first");
    repo.push(first);
    let mut mirror = mirror(&home, &repo);
    mirror.fetch(&Follow::Default, first).expect("a fetch");
    let second = repo.commit(&[first], None, &[(&paths[0], Some("changed"))], "second");
    repo.push(second);
    let before = cpu();
    assert_eq!(mirror.look(&Follow::Default).expect("a look"), second);
    mirror.fetch(&Follow::Default, second).expect("a fetch");
    let taken = cpu() - before;
    assert!(taken < std::time::Duration::from_millis(20), "it takes {taken:?} of processor time");
    let found = files(&mirror, second);
    assert_eq!((found.len(), found.contains(&file(&paths[0], "changed"))), (1000, true));
}

/// The processor time of this thread, which may be a tick of the kernel's clock late.
fn cpu() -> std::time::Duration {
    let times = fs::read_to_string("/proc/thread-self/schedstat").expect("a file of the kernel");
    let spent = times.split(' ').next().and_then(|spent| spent.parse().ok());
    std::time::Duration::from_nanos(spent.expect("nanoseconds"))
}

#[test]
fn a_commit_that_nobody_can_read_is_brought_once_and_left_to_the_judge() {
    let home = Home::new();
    let repo = Repo::new(&home);
    let first = repo.commit(&[], None, &[("a", Some("1"))], "first");
    let head = super::push_unreadable(&repo, first);
    let folder = home.path().join("mirror");
    super::takes_in_what_nobody_can_read(&folder, &remote(repo.url()), head);
    // Who goes back to what was before it has that.
    repo.push(first);
    let mut mirror = mirror(&home, &repo);
    mirror.fetch(&Follow::Default, first).expect("a fetch");
    assert_eq!(files(&mirror, first), [file("a", "1")]);
}
