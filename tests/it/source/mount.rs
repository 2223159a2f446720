//! Kubernetes mounts, written the way kubelet writes them.

use super::{Source, app, revision, settings, write};
use mcpfleet::{
    manifest::Revision,
    source::{Cache, Ignore, read_tree},
};
use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;

/// A ConfigMap or Secret volume: `key -> ..data/key`, `..data -> ..<version>`.
struct Mount {
    root: PathBuf,
    version: usize,
}

impl Mount {
    fn new(root: &Path) -> Self {
        fs::create_dir_all(root).expect("create");
        Mount { root: root.into(), version: 0 }
    }

    /// Publishes these keys, in the order of kubelet's atomic writer: a new folder, the switch, links for new keys, an
    /// end to the links of old keys, an end to the old folder.
    fn publish(&mut self, keys: &[(String, String)]) {
        let old = self.root.join("..data").read_link().ok();
        self.version += 1;
        let folder = format!("..2026_11_23_00_00_00.{}", self.version);
        for (key, content) in keys {
            write(&self.root.join(&folder), key, content);
        }
        symlink(&folder, self.root.join("..data_tmp")).expect("symlink");
        fs::rename(self.root.join("..data_tmp"), self.root.join("..data")).expect("switch");
        let top = |key: &str| key.split('/').next().unwrap_or(key).to_owned();
        let wanted: BTreeSet<String> = keys.iter().map(|(key, _)| top(key)).collect();
        for key in &wanted {
            match symlink(format!("..data/{key}"), self.root.join(key)) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => panic!("{error}"),
                _ => {}
            }
        }
        self.remove_links(|key| wanted.contains(key));
        if let Some(old) = old {
            fs::remove_dir_all(self.root.join(old)).expect("remove");
        }
    }

    fn remove_links(&self, keep: impl Fn(&str) -> bool) {
        for entry in fs::read_dir(&self.root).expect("list") {
            let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
            if !name.starts_with("..") && !keep(&name) {
                fs::remove_file(self.root.join(name)).expect("remove");
            }
        }
    }
}

/// Twenty keys that all carry the version.
fn keys(version: usize) -> Vec<(String, String)> {
    let key = |n| match n {
        0..15 => format!("key{n}.yaml"),
        _ => format!("folder/key{n}.yaml"),
    };
    (0..20).map(|n| (key(n), app(&format!("key{n}-v{version}")))).collect()
}

/// The revision that such keys have.
fn expected(keys: &[(String, String)]) -> Revision {
    let plain = TempDir::new().expect("temp dir");
    for (key, content) in keys {
        write(plain.path(), key, content);
    }
    revision(plain.path())
}

#[test]
fn a_mount_reads_like_a_folder() {
    let dir = TempDir::new().expect("temp dir");
    Mount::new(dir.path()).publish(&keys(1));
    assert_eq!(revision(dir.path()), expected(&keys(1)));
}

/// Whatever moment a reader hits, it sees one version.
#[test]
fn no_reader_sees_a_mixture() {
    let dir = TempDir::new().expect("temp dir");
    // One level down, next to a plain file, as with several mounts below one root.
    write(dir.path(), "plain.yaml", &app("plain"));
    let mut mount = Mount::new(&dir.path().join("mount"));
    mount.publish(&keys(0));
    let with_plain = |version| {
        let mut all: Vec<_> = keys(version).into_iter().map(|(k, c)| (format!("mount/{k}"), c)).collect();
        all.push(("plain.yaml".into(), app("plain")));
        expected(&all)
    };
    let versions = 60;
    let possible: BTreeSet<Revision> = (0..=versions).map(with_plain).collect();
    let root = dir.path();
    let seen = std::thread::scope(|scope| {
        let writer = scope.spawn(move || (1..=versions).for_each(|version| mount.publish(&keys(version))));
        let mut cache = Cache::default();
        let mut seen = BTreeSet::new();
        loop {
            let last = writer.is_finished();
            match read_tree(root, &Ignore::none(), &mut cache) {
                Ok(read) if read.settled => {
                    assert!(possible.contains(&read.revision), "a mixture");
                    seen.insert(read.revision);
                }
                Ok(read) => assert_eq!(read.tree.len(), 21, "nothing goes missing"),
                Err(error) => assert!(error.is_transient(), "{error}"),
            }
            if last {
                break seen;
            }
        }
    });
    assert!(seen.contains(&with_plain(versions)), "the last version in any case");
}

#[tokio::test]
async fn many_updates_in_a_row() {
    let dir = TempDir::new().expect("temp dir");
    let mut mount = Mount::new(dir.path());
    mount.publish(&keys(0));
    let mut settings = settings(dir.path());
    settings.window = Duration::from_millis(1);
    let mut source = Source::start(settings);
    source.has(dir.path()).await;

    let versions = 50;
    let possible: BTreeSet<Revision> = (0..=versions).map(|version| expected(&keys(version))).collect();
    let mut views = source.views();
    let watcher = tokio::spawn(async move {
        let mut seen = 0;
        while views.changed().await.is_ok() {
            let snapshot = views.borrow_and_update().snapshot.clone().expect("read before");
            assert!(possible.contains(&snapshot.revision), "a mixture: {:#?}", snapshot.diagnostics);
            assert_eq!(snapshot.files, 20);
            seen += 1;
        }
        seen
    });
    let writer = tokio::task::spawn_blocking(move || {
        for version in 1..=versions {
            mount.publish(&keys(version));
            // A different moment of the reader's work each time.
            std::thread::sleep(Duration::from_micros(version as u64 * 150));
        }
    });
    writer.await.expect("all published");
    source.has(dir.path()).await;
    drop(source);
    assert!(watcher.await.expect("only whole versions") > 1, "some of them were seen");
}

#[tokio::test]
async fn keys_come_and_go() {
    let dir = TempDir::new().expect("temp dir");
    let mut mount = Mount::new(dir.path());
    let key = |name: &str| (format!("{name}.yaml"), app(name));
    mount.publish(&[key("a"), key("b")]);
    let mut source = Source::follow(dir.path()).await;
    for keys in [vec![key("a")], vec![key("a"), key("c")], vec![key("d")], vec![key("a"), key("b")]] {
        mount.publish(&keys);
        let view = source.has(dir.path()).await;
        assert_eq!(view.snapshot.map(|s| s.files), Some(keys.len()));
    }
}

/// Between the switch and the end of an old key's link, that link leads nowhere.
#[test]
fn a_link_that_is_about_to_go_counts_as_gone() {
    let dir = TempDir::new().expect("temp dir");
    Mount::new(dir.path()).publish(&keys(1));
    let before = revision(dir.path());
    symlink("..data/deleted.yaml", dir.path().join("deleted.yaml")).expect("symlink");
    assert_eq!(revision(dir.path()), before);

    // Without what `..data` leads to, nothing is known about any key.
    fs::remove_file(dir.path().join("..data")).expect("remove");
    let read = read_tree(dir.path(), &Ignore::none(), &mut Cache::default()).expect("the root is there");
    let unreadable = |state: &_| matches!(state, mcpfleet::manifest::FileState::Unreadable(_));
    assert!(read.tree.values().all(unreadable));
    assert_eq!(read.tree.len(), 17, "fifteen keys, a folder, and the deleted one");
}
