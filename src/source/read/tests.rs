//! What changes between the listing of a tree and the reading of its files: the callback between the two is the moment
//! at which these tests interfere.

use super::*;
use std::{fs, os::unix::fs::symlink};
use tempfile::TempDir;

/// A folder with `a.yaml` and `sub/b.yaml`.
fn folder() -> TempDir {
    let dir = tempfile::tempdir().expect("temp dir");
    fs::create_dir(dir.path().join("sub")).expect("folder");
    fs::write(dir.path().join("a.yaml"), "a").expect("write");
    fs::write(dir.path().join("sub/b.yaml"), "b").expect("write");
    dir
}

/// Reads, with an interference after each listing, which gets the number of the attempt.
fn read(root: &Path, mut interfere: impl FnMut(usize)) -> Result<TreeRead, ReadError> {
    let mut attempt = 0;
    read_bounded(root, &Ignore::none(), &mut Cache::default(), Bounds::DEFAULT, |_| {
        attempt += 1;
        interfere(attempt);
    })
}

/// The paths of a tree, with a `!` behind those that cannot be read.
fn paths(read: &TreeRead) -> Vec<String> {
    let shown = |(path, state): (&Arc<str>, &FileState)| match state {
        FileState::Parsed(_) => path.to_string(),
        FileState::Unreadable(_) => format!("{path}!"),
    };
    read.tree.iter().map(shown).collect()
}

#[test]
fn a_file_that_goes_is_gone_in_the_next_attempt() {
    let dir = folder();
    let read = read(dir.path(), |n| {
        if n == 1 {
            fs::remove_file(dir.path().join("a.yaml")).expect("remove")
        }
    });
    let read = read.expect("read");
    assert_eq!((paths(&read), read.settled), (vec!["sub/b.yaml".into()], true));
}

#[test]
fn a_file_that_is_moved_is_not_lost() {
    let dir = folder();
    let (from, to) = (dir.path().join("a.yaml"), dir.path().join("sub/a.yaml"));
    let read = read(dir.path(), |n| {
        if n == 1 {
            fs::rename(&from, &to).expect("rename")
        }
    })
    .expect("read");
    assert_eq!((paths(&read), read.settled), (vec!["sub/a.yaml".into(), "sub/b.yaml".into()], true));
}

#[test]
fn what_comes_is_seen() {
    let dir = folder();
    let create = |n: usize| {
        if n == 1 {
            fs::create_dir(dir.path().join("new")).expect("folder");
            fs::write(dir.path().join("new/c.yaml"), "c").expect("write");
        }
    };
    let read = read(dir.path(), create).expect("read");
    assert_eq!((paths(&read), read.settled), (vec!["a.yaml".into(), "new/c.yaml".into(), "sub/b.yaml".into()], true));
}

#[test]
fn a_tree_that_never_holds_still_is_taken_as_it_is() {
    let dir = folder();
    let create = |n: usize| fs::write(dir.path().join(format!("c{n}.yaml")), "c").expect("write");
    let unsettled = read(dir.path(), create).expect("read");
    assert!(!unsettled.settled);
    assert!(unsettled.tree.len() > 2);

    let dir = folder();
    let irrelevant = |n: usize| fs::write(dir.path().join(format!("c{n}.log")), "c").expect("write");
    assert!(read(dir.path(), irrelevant).expect("read").settled, "other files do not matter");
}

#[test]
fn a_link_or_fifo_in_the_place_of_a_file_is_not_read() {
    let secret = tempfile::tempdir().expect("temp dir");
    fs::write(secret.path().join("b.yaml"), "secret").expect("write");
    let dir = folder();
    let path = dir.path().join("a.yaml");
    let link = |n: usize| {
        if n == 1 {
            fs::remove_file(&path).expect("remove");
            symlink(secret.path().join("b.yaml"), &path).expect("symlink");
            // And a folder on the way.
            fs::rename(dir.path().join("sub"), dir.path().join(".sub")).expect("rename");
            symlink(secret.path(), dir.path().join("sub")).expect("symlink");
        }
    };
    assert_eq!(paths(&read(dir.path(), link).expect("read")), ["a.yaml!", "sub!"]);

    let dir = folder();
    let path = dir.path().join("a.yaml");
    let fifo = |n: usize| {
        if n == 1 {
            fs::remove_file(&path).expect("remove");
            nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("mkfifo");
        }
    };
    assert_eq!(paths(&read(dir.path(), fifo).expect("read")), ["a.yaml!", "sub/b.yaml"]);
}

/// A mount with one key, whose versions a test switches.
fn switch(root: &Path, version: usize) {
    let folder = root.join(format!("..{version}"));
    fs::create_dir_all(&folder).expect("folder");
    fs::write(folder.join("a.yaml"), version.to_string()).expect("write");
    symlink(format!("..{version}"), root.join("..next")).expect("symlink");
    fs::rename(root.join("..next"), root.join("..data")).expect("switch");
}

#[test]
fn a_mount_that_is_switched_is_read_again() {
    let dir = tempfile::tempdir().expect("temp dir");
    switch(dir.path(), 0);
    symlink("..data/a.yaml", dir.path().join("a.yaml")).expect("symlink");
    let once = read(dir.path(), |n| {
        if n == 1 {
            switch(dir.path(), n)
        }
    })
    .expect("read");
    assert!(once.settled);
    assert_eq!(once.revision, read(dir.path(), |_| {}).expect("read").revision, "the new version");

    let always = read(dir.path(), |n| switch(dir.path(), n + 1)).expect_err("never one version");
    assert!(always.is_transient());
}

#[test]
fn a_root_that_is_replaced_is_read_again() {
    let dir = tempfile::tempdir().expect("temp dir");
    let root = dir.path().join("root");
    fs::create_dir(&root).expect("folder");
    fs::write(root.join("old.yaml"), "old").expect("write");
    let replace = |n: usize| {
        if n == 1 {
            fs::rename(&root, dir.path().join("old")).expect("rename");
            fs::create_dir(&root).expect("folder");
            fs::write(root.join("new.yaml"), "new").expect("write");
        }
    };
    assert_eq!(paths(&read(&root, replace).expect("read")), ["new.yaml"]);
    let error = read(&root, |_| fs::remove_dir_all(&root).unwrap_or_default()).expect_err("gone");
    assert!(matches!(error, ReadError::Missing { .. }), "{error}");
}

#[test]
fn bounds_of_a_tree() {
    let dir = folder();
    let read = |bounds| read_bounded(dir.path(), &Ignore::none(), &mut Cache::default(), bounds, |_| {});
    let exact = Bounds { depth: 1, entries: 4, files: 2, bytes: 2 };
    assert!(read(exact).is_ok());
    for less in [Bounds { entries: 3, ..exact }, Bounds { files: 1, ..exact }, Bounds { bytes: 1, ..exact }] {
        assert!(matches!(read(less), Err(ReadError::TooMuch { .. })), "{less:?}");
    }
    assert_eq!(paths(&read(Bounds { depth: 0, ..exact }).expect("read")), ["a.yaml", "sub!"]);
}

#[test]
fn a_survey_changes_with_the_tree() {
    let dir = folder();
    let survey = || survey(dir.path(), &Ignore::none(), Bounds::DEFAULT);
    let mut before = survey();
    assert!(before.is_some());
    assert_eq!(survey(), before);
    let changes: [&dyn Fn() -> std::io::Result<()>; 4] = [
        &|| fs::write(dir.path().join("a.yaml"), "longer"),
        &|| fs::write(dir.path().join("sub/new.yaml"), ""),
        &|| fs::remove_file(dir.path().join("sub/b.yaml")),
        &|| fs::remove_dir_all(dir.path()),
    ];
    for change in changes {
        change().expect("changed");
        let after = survey();
        assert_ne!(after, before);
        before = after;
    }
    assert_eq!(before, None);
}
