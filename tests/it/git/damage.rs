//! Mirrors that were killed, cut short, or never were ours.

use super::remote;
use crate::support::{Home, Repo};
use mcpfleet::{
    authorize::{ObjectId, Objects},
    git::{Follow, Mirror},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A repository with one commit, and a mirror that has it.
fn fetched(home: &Home) -> (Repo, ObjectId, PathBuf) {
    let repo = Repo::new(home);
    let first = repo.commit(&[], None, &[("a", Some("1"))], "first");
    repo.push(first);
    let folder = home.path().join("mirror");
    follow(&folder, &repo, first);
    (repo, first, folder)
}

fn follow(folder: &Path, repo: &Repo, head: ObjectId) -> Mirror {
    let mut mirror = Mirror::open(folder, remote(repo.url())).expect("a mirror");
    assert_eq!(mirror.look(&Follow::Default).expect("a look"), head);
    mirror.fetch(&Follow::Default, head).expect("a fetch");
    assert!(mirror.repository().commit(head).is_ok());
    mirror
}

fn only(folder: &Path, extension: &str) -> PathBuf {
    let paths = fs::read_dir(folder.join("objects/pack")).expect("a folder").map(|entry| entry.expect("one").path());
    let mut found = paths.filter(|path| path.extension().is_some_and(|found| found == extension));
    let only = found.next().expect("one");
    assert_eq!(found.next(), None);
    only
}

/// Writes into a file that is read-only.
fn overwrite(path: &Path, content: &[u8]) {
    let _ = fs::remove_file(path);
    fs::write(path, content).expect("a file");
}

#[test]
fn a_damaged_mirror_is_made_anew() {
    type Damage = fn(&Path);
    let table: [(&str, Damage); 7] = [
        ("a pack that ends early", |folder| {
            let pack = only(folder, "pack");
            let content = fs::read(&pack).expect("a pack");
            overwrite(&pack, &content[..content.len() - 25]);
        }),
        ("an empty pack", |folder| overwrite(&only(folder, "pack"), b"")),
        ("a pack that is gone", |folder| fs::remove_file(only(folder, "pack")).expect("removed")),
        ("an index that is gone", |folder| fs::remove_file(only(folder, "idx")).expect("removed")),
        ("a HEAD of garbage", |folder| overwrite(&folder.join("HEAD"), b"\0\0\0")),
        ("a reference of garbage", |folder| overwrite(&folder.join("refs/mcpfleet/fetched"), b"what?\n")),
        ("a configuration of garbage", |folder| overwrite(&folder.join("config"), b"[core\n")),
    ];
    for (what, damage) in table {
        let home = Home::new();
        let (repo, first, folder) = fetched(&home);
        damage(&folder);
        follow(&folder, &repo, first);
        // Once more: it is whole again.
        let mirror = Mirror::open(&folder, remote(repo.url())).expect("a mirror");
        assert!(mirror.repository().commit(first).is_ok(), "{what}");
    }
}

#[test]
fn damage_that_only_reading_finds_is_got_rid_of_by_a_reset() {
    let home = Home::new();
    let (repo, first, folder) = fetched(&home);
    let pack = only(&folder, "pack");
    let mut content = fs::read(&pack).expect("a pack");
    let middle = content.len() / 2;
    content[12..middle].fill(0xaa);
    overwrite(&pack, &content);
    let mut mirror = match Mirror::open(&folder, remote(repo.url())) {
        Ok(mirror) => mirror,
        Err(error) => panic!("{error}"),
    };
    mirror.reset().expect("a reset");
    assert!(mirror.repository().commit(first).is_err());
    mirror.fetch(&Follow::Default, first).expect("a fetch");
    assert!(mirror.repository().commit(first).is_ok());
}

#[test]
fn what_a_killed_process_leaves_is_removed() {
    let home = Home::new();
    let (repo, first, folder) = fetched(&home);
    let litter = [
        "objects/pack/pack_git2_abcdef",
        "objects/pack/pack-0123456789012345678901234567890123456789.pack",
        "refs/mcpfleet/fetched.lock",
        "HEAD.lock",
    ];
    for path in litter {
        fs::write(folder.join(path), "half").expect("a file");
    }
    let beside = ["mirror.new", "mirror.old"].map(|name| home.path().join(name));
    for folder in &beside {
        fs::create_dir(folder).expect("a folder");
    }
    let second = repo.commit(&[first], None, &[("a", Some("2"))], "second");
    repo.push(second);
    let mirror = follow(&folder, &repo, second);
    assert!(mirror.repository().commit(first).is_ok(), "nothing had to be fetched again");
    for path in litter.map(|path| folder.join(path)).iter().chain(&beside) {
        assert!(!path.exists(), "{}", path.display());
    }
}

#[test]
fn another_url_is_another_mirror_and_the_folder_of_somebody_else_is_left_alone() {
    let home = Home::new();
    let (_, first, folder) = fetched(&home);
    let other = Repo::at(&home.path().join("other.git"));
    let head = other.commit(&[], None, &[("b", Some("1"))], "other");
    other.push(head);
    let mirror = follow(&folder, &other, head);
    assert!(mirror.repository().commit(first).is_err());

    let foreign = home.path().join("documents");
    fs::create_dir(&foreign).expect("a folder");
    fs::write(foreign.join("thesis"), "years of work").expect("a file");
    let error = Mirror::open(&foreign, remote(other.url())).err().expect("it is not ours");
    assert_eq!((error.code(), error.is_transient()), ("storage", false), "{error}");
    assert!(foreign.join("thesis").exists());
}

#[test]
fn a_full_disk_is_an_error_and_what_was_there_stays() {
    let home = Home::new();
    let repo = Repo::new(&home);
    let disk = home.path().join("disk");
    fs::create_dir(&disk).expect("a folder");
    let Some(_disk) = Disk::mount(&disk, "size=300k") else {
        return crate::support::missing("git::damage::a_full_disk", "only root can mount, and not everywhere");
    };
    let first = repo.commit(&[], None, &[("a", Some("1"))], "first");
    repo.push(first);
    let folder = disk.join("mirror");
    let mut mirror = follow(&folder, &repo, first);
    let noise: String = (0..40_000_u64).map(|n| format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let second = repo.commit(&[first], None, &[("noise", Some(&noise))], "second");
    repo.push(second);
    let error = mirror.fetch(&Follow::Default, second).expect_err("there is no room");
    assert_eq!((error.code(), error.is_transient()), ("storage", false), "{error}");
    assert!(mirror.repository().commit(first).is_ok());
    let third = repo.commit(&[first], None, &[("a", Some("3"))], "third");
    repo.push(third);
    mirror.fetch(&Follow::Default, third).expect("there is room again");
}

/// A small file system in memory.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path, options: &str) -> Option<Disk> {
        nix::mount::mount(None::<&str>, at, Some("tmpfs"), nix::mount::MsFlags::empty(), Some(options)).ok()?;
        Some(Disk(at.to_owned()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = nix::mount::umount2(&self.0, nix::mount::MntFlags::MNT_DETACH);
    }
}

#[test]
fn many_small_packs_become_one_and_nothing_is_lost() {
    let home = Home::new();
    let (repo, first, folder) = fetched(&home);
    let mut commits = vec![first];
    let mut mirror = Mirror::open(&folder, remote(repo.url())).expect("a mirror");
    for number in 0..60 {
        // Every tenth is a force push: no reference leads to the one before any more.
        let parents = if number % 10 == 0 { vec![] } else { vec![commits[commits.len() - 1]] };
        let commit = repo.commit(&parents, None, &[("a", Some(&format!("{number}")))], "next");
        repo.push(commit);
        mirror.fetch(&Follow::Default, commit).expect("a fetch");
        mirror.tidy().expect("a mirror that can be opened again");
        commits.push(commit);
    }
    let packs = fs::read_dir(folder.join("objects/pack")).expect("a folder").count() / 2;
    assert!(packs <= 50, "{packs} packs");
    drop(mirror);
    let mirror = Mirror::open(&folder, remote(repo.url())).expect("a mirror");
    for commit in commits {
        assert!(mirror.repository().commit(commit).is_ok(), "{commit}");
    }
}
