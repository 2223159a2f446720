//! From what is in force to the snapshot of it, with who made it so.

use super::{GitSettings, attribution::Attribution};
use crate::{
    authorize::{CommitVerdict, ObjectId, Objects, State},
    manifest::{FileState, Maker, Next, Revision, Series, Snapshot, Tree},
    source::Ignore,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// The longest that finding out who made what may keep a push waiting.
const SLICE: Duration = Duration::from_millis(10);

/// What came of finding out more of who made what.
pub(super) enum Work {
    /// There is nothing to be found out.
    Idle,
    /// Not all has been found out yet.
    More,
    /// All has been.
    Done(Option<Arc<Snapshot>>),
}

/// The snapshots of a source.
pub(super) struct Showing {
    ignore: Ignore,
    subpath: Option<String>,
    series: Series,
    /// What the last snapshot was made of, and since which commit who made what is known from having judged it.
    in_force: Option<(State, ObjectId)>,
    attribution: Attribution,
    /// The last snapshot has not been looked through yet for what nobody is known to have made.
    unattributed: bool,
}

impl Showing {
    pub fn new(settings: &GitSettings) -> Showing {
        Showing {
            ignore: settings.ignore.clone(),
            subpath: settings.subpath.clone(),
            series: Series::default(),
            in_force: None,
            attribution: Attribution::default(),
            unattributed: false,
        }
    }

    /// The snapshot of a state. What it does not know the maker of was there at `root` already.
    pub fn show(&mut self, state: &State, root: ObjectId) -> Arc<Snapshot> {
        let before = self.in_force.replace((state.clone(), root));
        let next = match before.and_then(|(before, _)| state.differences(&before)) {
            Some(paths) => {
                let files = paths.into_iter().filter(|path| !self.ignore.file(path));
                Next::Files(files.map(|path| (path.clone(), state.file(&path))).collect())
            }
            None => {
                let mut tree = state.tree();
                tree.retain(|path, _| !self.ignore.file(path));
                if let Some(before) = self.series.tree() {
                    let changed = tree.iter().filter(|(path, file)| !is_same(before, path, file));
                    self.attribution.forget(changed.map(|(path, _)| &**path));
                }
                Next::Tree(tree)
            }
        };
        let (attribution, fallback) = (&self.attribution, maker_of(root));
        let maker = |path: &str| attribution.of(path, state.made_by(path)).unwrap_or(&fallback);
        let snapshot = self.series.next(next, Revision::from(state.commit().to_string()), maker);
        self.unattributed = true;
        self.narrowed(snapshot)
    }

    /// Takes note of who made commits that were judged.
    pub fn note(&mut self, objects: &dyn Objects, verdicts: &[CommitVerdict]) {
        for verdict in verdicts {
            self.attribution.read(objects, verdict.id, verdict.signer.as_ref());
        }
    }

    /// Forgets who made what was not judged: another root has other makers.
    pub fn forget(&mut self) {
        self.attribution.forget_traced();
    }

    /// Finds out more of who made what, for a moment.
    pub fn work<'s>(&mut self, objects: &dyn Objects, signer: impl Fn(ObjectId) -> Option<&'s String>) -> Work {
        let (Some((state, root)), Some(snapshot)) = (&self.in_force, self.series.last()) else { return Work::Idle };
        if std::mem::take(&mut self.unattributed) {
            let current = snapshot.resources.values().filter(|entry| !entry.is_stale());
            let entries = current.map(|entry| (&entry.located.path, state.made_by(&entry.located.path)));
            self.attribution.want(*root, entries);
        }
        if !self.attribution.is_waiting() {
            return Work::Idle;
        }
        self.attribution.work(objects, Instant::now() + SLICE, signer);
        if self.attribution.is_waiting() {
            return Work::More;
        }
        let (attribution, fallback) = (&self.attribution, maker_of(*root));
        let maker = |path: &str| Some(attribution.of(path, state.made_by(path)).unwrap_or(&fallback));
        let snapshot = self.series.attribute(maker);
        Work::Done(snapshot.map(|snapshot| self.narrowed(snapshot)))
    }

    fn narrowed(&self, snapshot: Arc<Snapshot>) -> Arc<Snapshot> {
        match &self.subpath {
            Some(folder) => Arc::new(snapshot.narrowed(folder)),
            None => snapshot,
        }
    }
}

/// The maker of an entry of which no more is known than that it is in this commit.
fn maker_of(commit: ObjectId) -> Maker {
    Maker { revision: Revision::from(commit.to_string()), author: None }
}

/// Whether a file is as it was in the tree before.
fn is_same(before: &Tree, path: &str, now: &FileState) -> bool {
    match (before.get(path), now) {
        (Some(FileState::Parsed(before)), FileState::Parsed(now)) => Arc::ptr_eq(before, now),
        _ => false,
    }
}
