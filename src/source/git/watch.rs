//! Noticing a push into a repository of this machine: its references are files.

use crate::source::{
    view::{Trigger, WatchMode},
    watch::{is_limit, is_silent},
};
use notify::{
    Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode},
};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Keeps a watch on the references of a repository. Whatever it misses, the next poll finds.
pub(super) struct RefWatch {
    /// Where the repository is; `None`: not on this machine.
    path: Option<PathBuf>,
    notice: Trigger,
    armed: Option<Armed>,
    problem: Option<String>,
}

/// A watch, and the folders that it is on. What takes the place of one of them is not watched by it.
struct Armed {
    folders: Vec<(PathBuf, Identity)>,
    /// The file system is one that does not tell of all changes.
    silent: bool,
    _backend: RecommendedWatcher,
}

/// Device and inode.
type Identity = (u64, u64);

fn identity(folder: &Path) -> Option<Identity> {
    fs::metadata(folder).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

impl RefWatch {
    /// `notice` is told when a reference may have changed, once [`RefWatch::arm`] has been called.
    pub fn new(path: Option<PathBuf>, notice: Trigger) -> Self {
        RefWatch { path, notice, armed: None, problem: None }
    }

    pub fn mode(&self) -> WatchMode {
        match &self.armed {
            Some(armed) if !armed.silent => WatchMode::Native,
            _ => WatchMode::Poll,
        }
    }

    /// Why a push is noticed later than it could be.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Sets the watch, unless it is set. To be called before each look, so that no push falls between the two.
    pub fn arm(&mut self) {
        let Some(path) = &self.path else { return };
        let is_set = |armed: &Armed| armed.folders.iter().all(|(folder, was)| identity(folder) == Some(*was));
        if self.armed.as_ref().is_some_and(is_set) {
            return;
        }
        (self.armed, self.problem) = (None, None);
        match watch(path, self.notice.clone()) {
            Ok(armed) => self.armed = Some(armed),
            // A look will say so.
            Err(notify::Error { kind: notify::ErrorKind::PathNotFound, .. }) => {}
            Err(error) => {
                let help = match is_limit(&error) {
                    true => "raise fs.inotify.max_user_watches and fs.inotify.max_user_instances",
                    false => "pushes are found by polling only",
                };
                self.problem = Some(format!("cannot watch the repository for pushes ({error}); {help}"));
            }
        }
    }
}

fn watch(path: &Path, notice: Trigger) -> notify::Result<Armed> {
    let (own, common) = git_folders(path);
    let refs = common.join("refs");
    let folders: Vec<_> =
        [&own, &common, &refs].into_iter().filter_map(|folder| Some((folder.clone(), identity(folder)?))).collect();
    if folders.len() < 3 {
        return Err(notify::Error::path_not_found());
    }
    let below = refs.clone();
    // On notify's own thread: no more than a look at the event and a word.
    let on_event = move |event: notify::Result<Event>| {
        if !event.is_ok_and(|event| !is_news(&event, &below)) {
            notice.notice();
        }
    };
    let mut backend = RecommendedWatcher::new(on_event, Config::default().with_follow_symlinks(false))?;
    backend.watch(&refs, RecursiveMode::Recursive)?;
    backend.watch(&common, RecursiveMode::NonRecursive)?;
    if own != common {
        backend.watch(&own, RecursiveMode::NonRecursive)?;
    }
    Ok(Armed { folders, silent: is_silent(path), _backend: backend })
}

/// The folder with the HEAD of what is at a path, and the one with its references: the same but in a linked work tree.
fn git_folders(path: &Path) -> (PathBuf, PathBuf) {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let dot_git = path.join(".git");
    let named = |file: &Path| fs::read_to_string(file).ok().map(|text| text.trim().to_owned());
    let own = match named(&dot_git).as_deref().and_then(|text| text.strip_prefix("gitdir:")) {
        Some(folder) => path.join(folder.trim()),
        None if dot_git.is_dir() => dot_git,
        None => path,
    };
    let common = named(&own.join("commondir")).map_or_else(|| own.clone(), |folder| own.join(folder));
    (own, common)
}

/// Whether an event makes a look due: one in a folder of references, or about the files next to it that name commits.
fn is_news(event: &Event, refs: &Path) -> bool {
    let names = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        // What is written before it is renamed.
        let lock = path.extension().is_some_and(|extension| extension == "lock");
        !lock && (path.starts_with(refs) || name == "HEAD" || name == "packed-refs")
    };
    match event.kind {
        _ if event.need_rescan() => true,
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => event.paths.iter().any(names),
        // A look opens and reads: it must not be the cause of the next one.
        EventKind::Access(_) => false,
        _ => event.paths.is_empty() || event.paths.iter().any(names),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{CreateKind, DataChange, Flag, ModifyKind, RenameMode};

    #[test]
    fn what_moves_a_reference_is_news() {
        let refs = Path::new("/srv/fleet.git/refs");
        let event = |kind, path: &str| Event::new(kind).add_path(path.into());
        let renamed = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        let create = EventKind::Create(CreateKind::File);
        for (event, expected) in [
            (event(renamed, "/srv/fleet.git/refs/heads/main"), true),
            (event(create, "/srv/fleet.git/refs/heads/main.lock"), false),
            (event(EventKind::Create(CreateKind::Folder), "/srv/fleet.git/refs/heads/team"), true),
            (event(renamed, "/srv/fleet.git/packed-refs"), true),
            (event(renamed, "/srv/fleet.git/HEAD"), true),
            (event(EventKind::Modify(ModifyKind::Data(DataChange::Any)), "/srv/fleet.git/FETCH_HEAD"), false),
            (event(EventKind::Access(AccessKind::Open(AccessMode::Any)), "/srv/fleet.git/HEAD"), false),
            (event(EventKind::Access(AccessKind::Close(AccessMode::Write)), "/srv/fleet.git/HEAD"), true),
            (Event::new(EventKind::Other).set_flag(Flag::Rescan), true),
        ] {
            assert_eq!(is_news(&event, refs), expected, "{event:?}");
        }
    }

    #[test]
    fn a_repository_is_found_where_git_finds_it() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let base = dir.path().canonicalize().expect("an absolute path");
        let make = |path: &str| fs::create_dir_all(base.join(path)).expect("a folder");
        make("bare.git");
        make("tree/.git/worktrees/linked");
        make("linked");
        fs::write(base.join("linked/.git"), "gitdir: ../tree/.git/worktrees/linked\n").expect("written");
        fs::write(base.join("tree/.git/worktrees/linked/commondir"), "../..\n").expect("written");
        let found = |path: &str| {
            let (own, common) = git_folders(&base.join(path));
            let shown = |path: PathBuf| path.canonicalize().expect("a folder").strip_prefix(&base).map(Path::to_owned);
            (shown(own).expect("below"), shown(common).expect("below"))
        };
        assert_eq!(found("bare.git"), ("bare.git".into(), "bare.git".into()));
        assert_eq!(found("tree"), ("tree/.git".into(), "tree/.git".into()));
        assert_eq!(found("linked"), ("tree/.git/worktrees/linked".into(), "tree/.git".into()));
    }
}
