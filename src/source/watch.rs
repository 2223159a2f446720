//! Noticing that a directory changed: kernel notifications, or polling where those cannot be had.
//!
//! Each folder of the tree is watched by itself, and is armed before its files are read, so that no change falls
//! between a look and its watch. An event says no more than that a look is due: which file it names, and even whether
//! it names one that matters, differs between file systems and ways to save a file. The only exceptions are events
//! that a reader causes, which would make every look the cause of the next one, and names next to the root, in folders
//! that are not the source's.

use super::{
    guard::{Guard, guards},
    listing::{Folder, Stamp},
    view::{Trigger, WatchMode, WatchSetting},
};
use nix::{errno::Errno, sys::statfs::statfs};
use notify::{
    Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode},
};
use std::{
    collections::{HashMap, HashSet},
    ffi::OsString,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Names that matter in folders of which only some names do.
type Names = HashMap<PathBuf, HashSet<OsString>>;

/// Keeps the watches in step with the folders there are. Blocking.
pub(super) struct Watcher {
    setting: WatchSetting,
    trigger: Trigger,
    backend: Option<RecommendedWatcher>,
    /// By device and inode, because that is what the kernel watches: whatever name it is given, one folder is one
    /// watch.
    armed: HashMap<(u64, u64), Folder>,
    /// The folders of the tree as they were last listed, and the names around it.
    tree: Vec<Folder>,
    guards: Vec<Guard>,
    names: Arc<Mutex<Names>>,
    /// The file system is one that does not tell of all changes.
    silent: bool,
    problem: Option<String>,
}

impl Watcher {
    /// `trigger` is told whenever a look is due, once [`Watcher::restart`] has been called.
    pub fn new(setting: WatchSetting, trigger: Trigger) -> Self {
        Watcher {
            setting,
            trigger,
            backend: None,
            armed: HashMap::new(),
            tree: vec![],
            guards: vec![],
            names: Arc::default(),
            silent: false,
            problem: None,
        }
    }

    /// Whether the caller has to poll.
    pub fn mode(&self) -> WatchMode {
        match self.setting {
            WatchSetting::Poll => WatchMode::Poll,
            WatchSetting::Auto if self.backend.is_none() || self.silent => WatchMode::Poll,
            WatchSetting::Auto | WatchSetting::Native => WatchMode::Native,
        }
    }

    /// Why notifications cannot be had.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Begins anew, with no watch set. The way out when notifications failed or were lost.
    pub fn restart(&mut self) {
        self.backend = None;
        self.armed.clear();
        self.problem = None;
        if self.setting == WatchSetting::Poll {
            return;
        }
        let (trigger, names) = (self.trigger.clone(), Arc::clone(&self.names));
        // On notify's own thread: no more than a look at the event and a `try_send`.
        let on_event = move |event: notify::Result<Event>| {
            match event {
                Ok(event) if !is_news(&event, &lock(&names)) => {}
                // Whoever has just changed it must not be told that what is there is in force.
                Ok(event) if is_of_resources(&event) => trigger.fire(),
                _ => trigger.notice(),
            }
        };
        match RecommendedWatcher::new(on_event, Config::default().with_follow_symlinks(false)) {
            Ok(backend) => self.backend = Some(backend),
            Err(error) => self.fail(&error),
        }
    }

    /// Watches for another root in the place of this one. To be called before the root is looked at.
    pub fn guard(&mut self, root: &Path) {
        // A way that changes while it is being armed is walked again; what is still missed then, the slow re-read
        // finds.
        for _ in 0..4 {
            self.guards = guards(root);
            self.arm();
            if self.guards == guards(root) {
                break;
            }
        }
    }

    /// Watches these folders and the guards, and nothing else. To be called between listing and reading them.
    pub fn folders(&mut self, root: &Path, folders: &[Folder]) {
        self.silent = is_silent(root);
        self.tree = folders.to_vec();
        self.arm();
    }

    fn arm(&mut self) {
        if self.backend.is_none() {
            return;
        }
        let identity = |folder: &Folder| ((folder.stamp.device, folder.stamp.inode), folder.clone());
        let mut wanted: HashMap<_, _> = self.tree.iter().map(identity).collect();
        let mut names = Names::new();
        for guard in &self.guards {
            let Ok(stamp) = Stamp::of(&guard.folder) else { continue };
            let id = (stamp.device, stamp.inode);
            // In a folder of the tree every name matters.
            if wanted.get(&id).is_none_or(|folder| names.contains_key(&folder.path)) {
                wanted.insert(id, Folder { path: guard.folder.clone(), stamp });
                names.entry(guard.folder.clone()).or_default().insert(guard.name.clone());
            }
        }
        *lock(&self.names) = names;
        self.apply(wanted);
    }

    fn apply(&mut self, wanted: HashMap<(u64, u64), Folder>) {
        let Some(backend) = &mut self.backend else { return };
        // A folder with another stamp may be another folder: inode numbers are used again at once. All that goes
        // before all that comes, because notify knows watches by path, and a path may have changed hands.
        self.armed.retain(|id, folder| {
            let keep = wanted.get(id) == Some(folder);
            if !keep {
                // An error means that the folder is gone, and its watch with it.
                let _ = backend.unwatch(&folder.path);
            }
            keep
        });
        for (id, folder) in wanted {
            if self.armed.contains_key(&id) {
                continue;
            }
            match backend.watch(&folder.path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.armed.insert(id, folder);
                }
                Err(error) if is_limit(&error) => return self.fail(&error),
                // Gone again, or not ours to read: the listing says so where it matters.
                Err(error) => tracing::debug!(path = %folder.path.display(), %error, "folder not watched"),
            }
        }
    }

    fn fail(&mut self, error: &notify::Error) {
        if self.setting == WatchSetting::Auto {
            self.backend = None;
            self.armed.clear();
        }
        let then = match self.setting {
            WatchSetting::Auto => "polling instead",
            WatchSetting::Native | WatchSetting::Poll => "changes are found by the slow re-read only",
        };
        let help = match is_limit(error) {
            true => "raise fs.inotify.max_user_watches and fs.inotify.max_user_instances",
            false => "set `watch: poll` if this system has no inotify",
        };
        self.problem = Some(format!("cannot watch for changes ({error}), {then}; {help}"));
    }
}

fn lock(names: &Mutex<Names>) -> MutexGuard<'_, Names> {
    names.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether an event is about a file of resources, or the link of a ConfigMap mount, and not about what else may lie, and
/// be written all the time, next to those.
fn is_of_resources(event: &Event) -> bool {
    event.paths.iter().any(|path| {
        let extension = path.extension().unwrap_or_default();
        extension == "yaml" || extension == "yml" || path.file_name().is_some_and(|name| name == "..data")
    })
}

/// Whether an event makes a look due.
fn is_news(event: &Event, names: &Names) -> bool {
    // An event without a path counts: an overflow of the kernel's queue has none.
    let in_view = |path: &PathBuf| match path.parent().and_then(|folder| names.get(folder)) {
        Some(names) => path.file_name().is_some_and(|name| names.contains(name)),
        None => true,
    };
    match event.kind {
        _ if event.need_rescan() => true,
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => event.paths.iter().any(in_view),
        EventKind::Access(_) => false,
        _ => event.paths.is_empty() || event.paths.iter().any(in_view),
    }
}

/// Whether the kernel refuses for want of watches, instances or descriptors. notify has a kind of its own for one of
/// these only.
pub(super) fn is_limit(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::MaxFilesWatch => true,
        notify::ErrorKind::Io(error) => {
            let errno = error.raw_os_error().map(Errno::from_raw);
            matches!(errno, Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOSPC | Errno::ENOMEM))
        }
        _ => false,
    }
}

/// Whether the file system is one where others can change a file without this kernel knowing: NFS, SMB, Ceph, 9p, and
/// FUSE, which is what Docker Desktop shares folders with.
pub(super) fn is_silent(root: &Path) -> bool {
    // The numbers of statfs(2).
    const SILENT: [u32; 7] = [0x6969, 0x517B, 0xFF53_4D42, 0xFE53_4D42, 0x00C3_6400, 0x0102_1997, 0x6573_5546];
    // The number has 32 bits, in a type that differs between platforms and may be signed.
    statfs(root).is_ok_and(|fs| SILENT.contains(&(fs.filesystem_type().0 as u32)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{CreateKind, DataChange, Flag, MetadataKind, ModifyKind, RenameMode};

    #[test]
    fn a_reader_is_no_news() {
        let names = Names::from([("/srv".into(), HashSet::from(["fleet".into()]))]);
        let event = |kind, path: &str| Event::new(kind).add_path(path.into());
        let write = EventKind::Access(AccessKind::Close(AccessMode::Write));
        let rename = EventKind::Modify(ModifyKind::Name(RenameMode::From));
        for (event, expected) in [
            (event(EventKind::Access(AccessKind::Open(AccessMode::Any)), "/srv/fleet/a.yaml"), false),
            (event(EventKind::Access(AccessKind::Close(AccessMode::Read)), "/srv/fleet/a.yaml"), false),
            (event(EventKind::Access(AccessKind::Read), "/srv/fleet/a.yaml"), false),
            (event(write, "/srv/fleet/a.yaml"), true),
            (event(EventKind::Modify(ModifyKind::Data(DataChange::Any)), "/srv/fleet/a.yaml"), true),
            (event(EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any)), "/srv/fleet/x"), true),
            (event(EventKind::Create(CreateKind::Folder), "/srv/fleet/..2026_11_23"), true),
            (event(EventKind::Create(CreateKind::Folder), "/srv/fleet"), true),
            (event(rename, "/srv/fleet"), true),
            (event(rename, "/srv/another"), false),
            (event(write, "/srv/log"), false),
            (Event::new(EventKind::Other).set_flag(Flag::Rescan), true),
            (Event::new(EventKind::Any), true),
        ] {
            assert_eq!(is_news(&event, &names), expected, "{event:?}");
        }
    }

    #[test]
    fn a_folder_of_others_stays_one() {
        let dir = tempfile::tempdir().expect("temp dir");
        let base = dir.path().canonicalize().expect("an absolute path");
        let root = base.join("root");
        let mut watcher = Watcher::new(WatchSetting::Auto, Trigger::new().0);
        watcher.restart();
        let names = |watcher: &Watcher| lock(&watcher.names).get(&base).cloned();
        // While the root is missing, and at every later look.
        for _ in 0..2 {
            watcher.guard(&root);
            assert_eq!(names(&watcher), Some(HashSet::from(["root".into()])));
        }
        std::fs::create_dir(&root).expect("create");
        let folder = Folder { path: root.clone(), stamp: Stamp::of(&root).expect("a stamp") };
        watcher.folders(&root, &[folder]);
        watcher.guard(&root);
        assert_eq!(names(&watcher), Some(HashSet::from(["root".into()])));
        // Until it is a folder of the tree.
        let folder = Folder { path: base.clone(), stamp: Stamp::of(&base).expect("a stamp") };
        watcher.folders(&root, &[folder]);
        assert_eq!(names(&watcher), None);
    }
}
