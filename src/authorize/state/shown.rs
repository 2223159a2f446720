//! What others see of a state.

use super::{Accepted, State, names_of};
use crate::{
    authorize::{AcceptedPath, HeldPath, ObjectId, content::Content},
    manifest::{Code as Mistake, Diagnostic, FileState, Tree},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

impl State {
    /// The content in force, as a source reads it: of a path that is undecided, what was in force before.
    pub fn tree(&self) -> Tree {
        let decided = self.files.iter();
        let undecided = self.undecided.keys().filter_map(|path| Some((path, self.still_applied(path)?)));
        decided.chain(undecided).map(|(path, accepted)| (path.clone(), accepted.state(path))).collect()
    }

    /// The same of one path.
    pub fn file(&self, path: &str) -> Option<FileState> {
        self.files.get(path).or_else(|| self.still_applied(path)).map(|accepted| accepted.state(path))
    }

    /// What stays in force of an undecided path: unless somebody has taken a name of it meanwhile.
    fn still_applied(&self, path: &str) -> Option<&Accepted> {
        let applied = self.undecided.get(path)?.applied.as_ref()?;
        let is_free = |name| self.names.get(&name).into_iter().flatten().all(|path| self.files.get(path).is_none());
        names_of(&applied.content).all(is_free).then_some(applied)
    }

    /// The paths of which the content in force, or what made it so, may be another than in a state before or after this
    /// one. `None`: any.
    pub fn differences(&self, other: &State) -> Option<BTreeSet<Arc<str>>> {
        let (files, made_by) = (self.files.differences(&other.files)?, self.made_by.differences(&other.made_by)?);
        let undecided = self.undecided.keys().chain(other.undecided.keys());
        Some(files.chain(made_by).chain(undecided).cloned().collect())
    }

    /// The commit that made a path's accepted content so; `None`: it was so at the root.
    pub fn made_by(&self, path: &str) -> Option<ObjectId> {
        self.made_by.get(path).copied()
    }

    pub fn held(&self) -> Vec<HeldPath> {
        let held = self.held.iter().map(|(path, held)| HeldPath {
            path: path.to_string(),
            accepted_blob: self.files.get(path).map(|accepted| accepted.entry.id),
            head_blob: held.has.map(|entry| entry.id),
            refused_commit: held.reason,
            code: held.code,
        });
        held.collect()
    }

    /// The paths on which merged lines do not agree, each with the merge that left it so.
    pub fn undecided(&self) -> impl Iterator<Item = (&Arc<str>, ObjectId)> {
        self.undecided.iter().map(|(path, undecided)| (path, undecided.reason))
    }

    /// Every path with what is accepted of it, those among them that are held as absent.
    pub(in crate::authorize) fn accepted_paths(&self) -> BTreeMap<Arc<str>, AcceptedPath> {
        let of = |path: &Arc<str>, blob| (path.clone(), AcceptedPath { blob, commit: self.made_by(path) });
        let files = self.files.iter().map(|(path, accepted)| of(path, Some(accepted.entry.id)));
        let absent = self.held.keys().filter(|path| self.files.get(&***path).is_none()).map(|path| of(path, None));
        files.chain(absent).collect()
    }
}

impl Accepted {
    fn state(&self, path: &str) -> FileState {
        match &*self.content {
            Content::File(file) => FileState::Parsed(file.clone()),
            Content::Forbidden(why) => {
                FileState::Unreadable(Box::new(Diagnostic::about_file(Mistake::SpecialFile, path, why.clone())))
            }
        }
    }
}
