//! The directory source: real files, and real notifications about them.

mod edits;
mod faults;
mod mount;
mod read;
mod roots;
mod watching;

use crate::support::PATIENCE;
use mcpfleet::{
    manifest::{Entry, Revision},
    resource::ResourceId,
    source::{self, Cache, DirectorySettings, Ignore, SourceView, Trigger, WatchSetting, read_tree, spawn},
};
use std::{fs, path::Path, sync::Arc, time::Duration};
use tokio::{
    sync::watch::{Receiver, Ref},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A valid resource file with one app.
pub fn app(name: &str) -> String {
    format!("kind: app\nversion: v3\nmetadata:\n  name: {name}\nspec:\n  mcp:\n    command: \"true\"\n")
}

/// Writes a file and the folders that it needs.
pub fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a path below the root")).expect("create the folder");
    fs::write(path, content).expect("write the file");
}

/// The revision that a directory has now.
pub fn revision(root: &Path) -> Revision {
    read_tree(root, &Ignore::none(), &mut Cache::default()).expect("the folder can be read").revision
}

/// Settings in which nothing is found by the slow re-read: what a test sees was noticed.
pub fn settings(root: &Path) -> DirectorySettings {
    DirectorySettings {
        name: "test".into(),
        path: root.into(),
        subpath: None,
        ignore: Ignore::none(),
        watch: WatchSetting::Auto,
        window: Duration::from_millis(50),
        resync: Duration::from_secs(3600),
    }
}

/// A running source. It ends with the test.
pub struct Source {
    view: Receiver<SourceView>,
    pub trigger: Trigger,
    pub task: JoinHandle<()>,
    pub shutdown: DropGuard,
}

impl Source {
    pub fn start(settings: DirectorySettings) -> Self {
        let shutdown = CancellationToken::new();
        let (source::Source { view, trigger, .. }, task) = spawn(settings, shutdown.clone());
        Source { view, trigger, task, shutdown: shutdown.drop_guard() }
    }

    /// Starts to follow a directory and waits until it has been read.
    pub async fn follow(root: &Path) -> Self {
        let mut source = Source::start(settings(root));
        source.has(root).await;
        source
    }

    pub fn view(&self) -> Ref<'_, SourceView> {
        self.view.borrow()
    }

    pub fn views(&self) -> Receiver<SourceView> {
        self.view.clone()
    }

    /// Waits for a view.
    pub async fn until(&mut self, what: &str, condition: impl FnMut(&SourceView) -> bool) -> SourceView {
        let seen = timeout(PATIENCE, self.view.wait_for(condition)).await.map(|view| view.map(|view| view.clone()));
        match seen {
            Ok(view) => view.expect("the source runs"),
            Err(_) => panic!("not seen within {PATIENCE:?}: {what}; instead: {:#?}", self.view.borrow()),
        }
    }

    /// Waits until the source says what the directory says now.
    pub async fn has(&mut self, root: &Path) -> SourceView {
        let wanted = revision(root);
        self.until("the state of the directory", |view| at(view, &wanted) && view.error.is_none()).await
    }
}

/// The resources of a view, with a `!` behind those that are only held.
pub fn resources(view: &SourceView) -> Vec<String> {
    let shown = |(id, entry): (&ResourceId, &Arc<Entry>)| format!("{id}{}", if entry.is_stale() { "!" } else { "" });
    view.snapshot.iter().flat_map(|snapshot| &snapshot.resources).map(shown).collect()
}

pub fn at(view: &SourceView, revision: &Revision) -> bool {
    view.snapshot.as_ref().is_some_and(|snapshot| snapshot.revision == *revision)
}
