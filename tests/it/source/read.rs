//! What is read of a folder, and what is refused.

use super::{app, revision, write};
use mcpfleet::{
    manifest::FileState,
    source::{Cache, Ignore, ReadError, TreeRead, read_tree},
};
use std::{
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink, net::UnixListener},
    path::Path,
    sync::Arc,
};
use tempfile::TempDir;

fn read(root: &Path) -> TreeRead {
    read_tree(root, &Ignore::none(), &mut Cache::default()).expect("the folder can be read")
}

/// Every path of a tree with `ok` or the code of what is wrong with it.
fn states(read: &TreeRead) -> Vec<String> {
    let state = |(path, state): (&Arc<str>, &FileState)| match state {
        FileState::Parsed(_) => format!("{path} ok"),
        FileState::Unreadable(diagnostic) => {
            assert_eq!(diagnostic.path, **path);
            format!("{path} {}", diagnostic.code)
        }
    };
    read.tree.iter().map(state).collect()
}

#[test]
fn visible_resource_files_of_all_folders() {
    let dir = TempDir::new().expect("temp dir");
    for path in ["b.yaml", "a.yml", "x/y/z.yaml", "x/.hidden.yaml", ".git/config.yaml", "README.md", "c.YAML", "yaml"] {
        write(dir.path(), path, &app("a"));
    }
    assert_eq!(states(&read(dir.path())), ["a.yml ok", "b.yaml ok", "x/y/z.yaml ok"]);
}

#[test]
fn ignored_files_and_folders_are_not_looked_at() {
    let dir = TempDir::new().expect("temp dir");
    for path in ["a.yaml", "drafts/a.yaml", "drafts/x/b.yaml", "x/values.yaml"] {
        write(dir.path(), path, &app("a"));
    }
    symlink("/nowhere", dir.path().join("drafts/dangling.yaml")).expect("symlink");
    let ignore = Ignore::new(&["drafts/**".into(), "**/values.yaml".into()]).expect("globs");
    let read = read_tree(dir.path(), &ignore, &mut Cache::default()).expect("read");
    assert_eq!(states(&read), ["a.yaml ok"]);
}

#[test]
fn the_revision_follows_paths_and_contents_only() {
    let dir = TempDir::new().expect("temp dir");
    write(dir.path(), "a.yaml", &app("a"));
    let first = revision(dir.path());
    fs::File::open(dir.path().join("a.yaml")).and_then(|f| f.set_modified(std::time::UNIX_EPOCH)).expect("touch");
    write(dir.path(), "notes.txt", "not a resource");
    assert_eq!(revision(dir.path()), first, "neither time nor other files count");

    fs::rename(dir.path().join("a.yaml"), dir.path().join("b.yaml")).expect("rename");
    let renamed = revision(dir.path());
    assert_ne!(renamed, first);
    write(dir.path(), "b.yaml", &app("b"));
    assert_ne!(revision(dir.path()), renamed);

    let other = TempDir::new().expect("temp dir");
    write(other.path(), "a.yaml", &app("a"));
    assert_eq!(revision(other.path()), first, "nor does the place of the root");
}

#[test]
fn an_unchanged_file_is_parsed_once() {
    let dir = TempDir::new().expect("temp dir");
    write(dir.path(), "a.yaml", &app("a"));
    write(dir.path(), "b.yaml", &app("b"));
    let mut cache = Cache::default();
    let mut parsed = || {
        let read = read_tree(dir.path(), &Ignore::none(), &mut cache).expect("read");
        ["a.yaml", "b.yaml"].map(|path| match &read.tree[path] {
            FileState::Parsed(parsed) => parsed.clone(),
            FileState::Unreadable(diagnostic) => panic!("{diagnostic:?}"),
        })
    };
    let before = parsed();
    write(dir.path(), "b.yaml", &app("c"));
    let after = parsed();
    assert!(Arc::ptr_eq(&before[0], &after[0]));
    assert!(!Arc::ptr_eq(&before[1], &after[1]));
}

#[test]
fn links_within_the_root_are_followed() {
    let outside = TempDir::new().expect("temp dir");
    let root = outside.path().join("root");
    write(&root, ".store/v1/a.yaml", &app("a"));
    write(&root, ".store/v1/deep/b.yaml", &app("b"));
    symlink(".store/v1", root.join("current")).expect("link to a folder");
    symlink("current/a.yaml", root.join("a.yaml")).expect("link to a file through a link");
    symlink(root.join(".store/v1/deep/b.yaml"), root.join("absolute.yaml")).expect("absolute link");
    let expected = ["a.yaml ok", "absolute.yaml ok", "current/a.yaml ok", "current/deep/b.yaml ok"];
    assert_eq!(states(&read(&root)), expected);

    symlink(&root, outside.path().join("link")).expect("link to the root");
    assert_eq!(states(&read(&outside.path().join("link"))), expected, "also below a root that is a link");
}

#[test]
fn links_that_lead_out_or_nowhere_or_back() {
    let outside = TempDir::new().expect("temp dir");
    write(outside.path(), "secret.yaml", &app("secret"));
    write(outside.path(), "folder/secret.yaml", &app("secret"));
    let root = outside.path().join("root");
    write(&root, "a.yaml", &app("a"));
    write(&root, "x/y/b.yaml", &app("b"));
    for (target, link) in [
        ("../secret.yaml", "out.yaml"),
        ("../folder", "out"),
        ("/etc/hostname", "harmless"),
        ("nowhere.yaml", "nowhere.yaml.yaml"),
        ("self.yaml", "self.yaml"),
        ("..", "x/y/up"),
        (".", "x/here"),
    ] {
        symlink(target, root.join(link)).expect("symlink");
    }
    let expected = [
        "a.yaml ok",
        "nowhere.yaml.yaml symlink-dangling",
        "out symlink-escapes",
        "out.yaml symlink-escapes",
        "self.yaml symlink-loop",
        "x/here symlink-loop",
        "x/y/b.yaml ok",
        "x/y/up symlink-loop",
    ];
    assert_eq!(states(&read(&root)), expected);
}

#[test]
fn two_folders_that_link_to_each_other() {
    let dir = TempDir::new().expect("temp dir");
    write(dir.path(), "a/1.yaml", &app("a"));
    write(dir.path(), "b/2.yaml", &app("b"));
    symlink("../b", dir.path().join("a/b")).expect("symlink");
    symlink("../a", dir.path().join("b/a")).expect("symlink");
    let expected =
        ["a/1.yaml ok", "a/b/2.yaml ok", "a/b/a symlink-loop", "b/2.yaml ok", "b/a/1.yaml ok", "b/a/b symlink-loop"];
    assert_eq!(states(&read(dir.path())), expected);
}

#[test]
fn special_files_are_never_opened() {
    let dir = TempDir::new().expect("temp dir");
    let fifo = dir.path().join("fifo.yaml");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("mkfifo");
    symlink("fifo.yaml", dir.path().join("link.yaml")).expect("symlink");
    let _socket = UnixListener::bind(dir.path().join("socket.yaml")).expect("bind");
    nix::unistd::mkfifo(&dir.path().join("other"), nix::sys::stat::Mode::S_IRWXU).expect("mkfifo");
    let expected = ["fifo.yaml special-file", "link.yaml special-file", "socket.yaml special-file"];
    assert_eq!(states(&read(dir.path())), expected);
}

#[test]
fn files_that_are_too_large_or_badly_named() {
    let dir = TempDir::new().expect("temp dir");
    let largest = usize::try_from(mcpfleet::source::MAX_FILE_BYTES).expect("fits");
    write(dir.path(), "largest.yaml", &"#".repeat(largest));
    write(dir.path(), "larger.yaml", &"#".repeat(largest + 1));
    // Sparse: nothing of its terabyte may be read.
    let sparse = fs::File::create(dir.path().join("sparse.yaml")).expect("create");
    sparse.set_len(1 << 40).expect("a sparse file");
    for name in [&b"bad\xff.yaml"[..], b"bad\xff.txt"] {
        fs::write(dir.path().join(std::ffi::OsStr::from_bytes(name)), "").expect("write");
    }
    let expected =
        ["bad\u{fffd}.yaml file-name", "larger.yaml file-too-large", "largest.yaml ok", "sparse.yaml file-too-large"];
    assert_eq!(states(&read(dir.path())), expected);
}

#[test]
fn a_tree_of_any_depth_ends() {
    let dir = TempDir::new().expect("temp dir");
    write(dir.path(), &format!("{}a.yaml", "d/".repeat(64)), &app("a"));
    write(dir.path(), &format!("{}a.yaml", "e/".repeat(65)), &app("a"));
    let expected = [format!("{}a.yaml ok", "d/".repeat(64)), format!("{}e too-deep", "e/".repeat(64))];
    assert_eq!(states(&read(dir.path())), expected);
}

#[test]
fn a_root_that_cannot_be_read_is_an_error() {
    let dir = TempDir::new().expect("temp dir");
    let error = |path: &Path| read_tree(path, &Ignore::none(), &mut Cache::default()).expect_err("no tree");
    assert!(matches!(error(&dir.path().join("missing")), ReadError::Missing { .. }));
    symlink("missing", dir.path().join("dangling")).expect("symlink");
    assert!(matches!(error(&dir.path().join("dangling")), ReadError::Missing { .. }));
    symlink("loop", dir.path().join("loop")).expect("symlink");
    assert!(matches!(error(&dir.path().join("loop")), ReadError::Unreadable { .. }));
    write(dir.path(), "file", "");
    assert!(matches!(error(&dir.path().join("file")), ReadError::NotAFolder { .. }));
    assert!(matches!(error(&dir.path().join("file/x")), ReadError::NotAFolder { .. }));
    assert!(read(TempDir::new().expect("temp dir").path()).tree.is_empty(), "an empty folder is no error");
}
