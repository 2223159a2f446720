//! What goes wrong with a file or folder takes nothing down.

use super::{Source, app, resources, settings, write};
use mcpfleet::{
    manifest::{Code, Snapshot},
    source::{Cache, Ignore, read_tree},
};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};
use tempfile::TempDir;

/// Permissions do not hold root back, so a test that runs as root reads as somebody else: the identity for access to
/// files is a thread's own.
fn as_ordinary_user<T: Send>(read: impl FnOnce() -> T + Send) -> T {
    let become_nobody = |_| {
        if nix::unistd::geteuid().is_root() {
            nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65534));
        }
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).start_handler(become_nobody).build();
    pool.expect("a thread").install(read)
}

/// A directory with the apps `a`, `b` and `c`, the last one in a folder.
fn fleet() -> TempDir {
    let dir = TempDir::new().expect("temp dir");
    for (path, name) in [("a.yaml", "a"), ("b.yaml", "b"), ("folder/c.yaml", "c")] {
        write(dir.path(), path, &app(name));
    }
    dir
}

#[test]
fn permissions_lost() {
    let dir = fleet();
    let allow =
        |path, mode| fs::set_permissions(dir.path().join(path), fs::Permissions::from_mode(mode)).expect("chmod");
    allow(".", 0o755);
    let mut cache = Cache::default();
    let mut snapshot = |previous: Option<&Snapshot>| {
        let read =
            as_ordinary_user(|| read_tree(dir.path(), &Ignore::none(), &mut cache)).expect("the root is readable");
        Snapshot::build(&read.tree, read.revision, previous)
    };
    let before = snapshot(None);
    allow("a.yaml", 0);
    allow("folder", 0);
    let during = snapshot(Some(&before));
    let after = snapshot(Some(&during));
    allow("a.yaml", 0o644);
    allow("folder", 0o755);
    let restored = snapshot(Some(&after));

    let held = |s: &Snapshot| s.resources.values().map(|entry| entry.held_by.join(" ")).collect::<Vec<_>>();
    assert_eq!(held(&before), ["", "", ""]);
    assert_eq!(held(&during), ["a.yaml", "", "folder/c.yaml"]);
    assert_eq!(held(&after), held(&during));
    assert_eq!(held(&restored), held(&before));
    let paths: Vec<_> = during.diagnostics.iter().map(|d| (d.code, d.path.as_str())).collect();
    assert_eq!(paths, [(Code::Unreadable, "a.yaml"), (Code::Unreadable, "folder")]);
    assert!(!during.differs(&after) && during.differs(&before));
}

/// Spoils `b.yaml`, expects its app to be held with this diagnostic, and repairs it.
async fn held(code: Code, spoil: impl FnOnce(&Path)) {
    let dir = fleet();
    let mut source = Source::follow(dir.path()).await;
    let path = dir.path().join("b.yaml");
    spoil(&path);
    let is_held = |names: Vec<String>| names == ["app/a", "app/b!", "app/c"];
    let view = source.until("a held app", |view| is_held(resources(view))).await;
    let snapshot = view.snapshot.expect("read");
    assert_eq!(snapshot.diagnostics.iter().map(|d| (d.code, d.path.as_str())).collect::<Vec<_>>(), [(code, "b.yaml")]);

    write(dir.path(), "a.yaml", &app("new"));
    let goes_on = |names: Vec<String>| names == ["app/b!", "app/c", "app/new"];
    source.until("changes of other files", |view| goes_on(resources(view))).await;

    fs::remove_file(&path).expect("remove");
    write(dir.path(), "b.yaml", &app("b"));
    let is_well = |names: Vec<String>| names == ["app/b", "app/c", "app/new"];
    let view = source.until("the repaired app", |view| is_well(resources(view))).await;
    assert_eq!(view.snapshot.expect("read").diagnostics, []);
}

#[tokio::test]
async fn invalid() {
    held(Code::Syntax, |path| fs::write(path, "kind: app\nversion: [").expect("write")).await;
}

#[tokio::test]
async fn a_fifo() {
    held(Code::SpecialFile, |path| {
        fs::remove_file(path).expect("remove");
        nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).expect("mkfifo");
    })
    .await;
}

#[tokio::test]
async fn too_large() {
    held(Code::FileTooLarge, |path| {
        let file = fs::File::options().append(true).open(path).expect("open");
        file.set_len(1 << 30).expect("a sparse file");
    })
    .await;
}

#[tokio::test]
async fn a_link_out() {
    let elsewhere = fleet();
    held(Code::SymlinkEscapes, |path| {
        fs::remove_file(path).expect("remove");
        symlink(elsewhere.path().join("b.yaml"), path).expect("symlink");
    })
    .await;
}

#[tokio::test]
async fn a_link_to_nowhere() {
    held(Code::SymlinkDangling, |path| {
        fs::remove_file(path).expect("remove");
        symlink("nowhere.yaml", path).expect("symlink");
    })
    .await;
}

#[tokio::test]
async fn a_link_in_a_circle() {
    held(Code::SymlinkLoop, |path| {
        fs::remove_file(path).expect("remove");
        symlink("b.yaml", path).expect("symlink");
    })
    .await;
}

#[tokio::test]
async fn a_folder_that_becomes_a_link_out() {
    let (dir, elsewhere) = (fleet(), fleet());
    let mut source = Source::follow(dir.path()).await;
    fs::rename(dir.path().join("folder"), dir.path().join(".folder")).expect("rename");
    symlink(elsewhere.path(), dir.path().join("folder")).expect("symlink");
    let is_held = |names: Vec<String>| names == ["app/a", "app/b", "app/c!"];
    source.until("a held app", |view| is_held(resources(view))).await;
    fs::remove_file(dir.path().join("folder")).expect("remove");
    let is_gone = |names: Vec<String>| names == ["app/a", "app/b"];
    source.until("its end, when the folder is gone", |view| is_gone(resources(view))).await;
}

#[tokio::test]
async fn a_removal_needs_two_looks() {
    let dir = fleet();
    let mut source = Source::follow(dir.path()).await;
    let before = source.view().reads;
    fs::remove_file(dir.path().join("b.yaml")).expect("remove");
    let view = source.until("the removal", |view| resources(view) == ["app/a", "app/c"]).await;
    assert!(view.reads >= before + 2);
}

#[tokio::test]
async fn apps_of_a_part_only() {
    let dir = fleet();
    let user = "kind: user\nversion: v2\nmetadata:\n  name: alice\nspec:\n  roles: []\n";
    write(dir.path(), "users.yaml", user);
    let mut settings = settings(dir.path());
    settings.subpath = Some("folder".into());
    let mut source = Source::start(settings);
    assert_eq!(resources(&source.has(dir.path()).await), ["app/c", "user/alice"]);
    write(dir.path(), "folder/d.yaml", &app("d"));
    assert_eq!(resources(&source.has(dir.path()).await), ["app/c", "app/d", "user/alice"]);
}
