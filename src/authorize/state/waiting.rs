//! What is not accepted, and whose fault that is.

use super::{Held, State};
use crate::authorize::ObjectId;
use std::{collections::BTreeSet, sync::Arc};

impl State {
    /// What waits for a commit by somebody with the right, held or undecided, and the commits to blame.
    pub(in crate::authorize) fn waiting(&self) -> impl Iterator<Item = (&Arc<str>, ObjectId)> {
        let held = self.held.iter().map(|(path, held)| (path, held.reason));
        held.chain(self.undecided.iter().map(|(path, undecided)| (path, undecided.reason)))
    }

    /// Which commit is to blame for a path that waits.
    pub(in crate::authorize) fn reason(&self, path: &str) -> Option<ObjectId> {
        let undecided = || self.undecided.get(path).map(|undecided| undecided.reason);
        self.held.get(path).map(|held| held.reason).or_else(undecided)
    }

    /// The refused commits that wrote what the commit has at a path that waits.
    pub(in crate::authorize) fn writers(&self, path: &str) -> Option<&BTreeSet<ObjectId>> {
        let undecided = || self.undecided.get(path).map(|undecided| &undecided.writers);
        self.held.get(path).map(|held| &held.writers).or_else(undecided)
    }

    pub(in crate::authorize) fn hold(&mut self, path: &Arc<str>, held: Held) {
        Arc::make_mut(&mut self.held).insert(path.clone(), held);
    }

    pub(in crate::authorize) fn release(&mut self, path: &Arc<str>) {
        if self.held.contains_key(path) {
            Arc::make_mut(&mut self.held).remove(path);
        }
    }

    /// Makes a commit the reason for which a path is undecided, and says who wrote what the commit has there.
    pub(in crate::authorize) fn blame(&mut self, path: &Arc<str>, reason: ObjectId, writers: BTreeSet<ObjectId>) {
        if let Some(undecided) = Arc::make_mut(&mut self.undecided).get_mut(path) {
            undecided.reason = reason;
            undecided.writers = writers;
        }
    }
}
