//! What a commit says of itself, and a walk from one to older ones.

use super::super::attribution::said;
use crate::{
    authorize::{ObjectError, ObjectId, Objects as _, text::Said},
    git::{Repository, parents},
};
use jiff::Timestamp;
use std::collections::{BinaryHeap, HashSet};

/// What a commit says of itself. Nothing of it is proven.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// `Name <mail>`.
    pub author: String,
    /// When it was committed.
    pub time: Option<Timestamp>,
    /// The first line of its message.
    pub subject: String,
}

impl Told {
    /// Of a commit as git stores it, whatever it is.
    pub(super) fn of(commit: &[u8]) -> Told {
        let (said, text) = (said(commit), Said::of(commit));
        Told { author: said.author, time: said.time, subject: text.subject }
    }

    /// Of a commit that may not be there any more.
    pub(super) fn by(repository: &Repository, commit: ObjectId) -> Told {
        repository.commit(commit).map(|bytes| Told::of(&bytes)).unwrap_or_default()
    }
}

/// Commits from some on, newest first by what they say.
pub(super) struct Newest<'r> {
    repository: &'r Repository,
    heap: BinaryHeap<(Option<Timestamp>, ObjectId)>,
    seen: HashSet<ObjectId>,
}

impl<'r> Newest<'r> {
    /// From one on. Those in `without` and what only they lead to are left out.
    pub fn from(
        repository: &'r Repository,
        commit: ObjectId,
        without: impl IntoIterator<Item = ObjectId>,
    ) -> Result<Newest<'r>, ObjectError> {
        let mut newest = Newest { repository, heap: BinaryHeap::new(), seen: without.into_iter().collect() };
        newest.push(commit)?;
        Ok(newest)
    }

    fn push(&mut self, commit: ObjectId) -> Result<(), ObjectError> {
        if self.seen.insert(commit) {
            self.heap.push((said(&self.repository.commit(commit)?).time, commit));
        }
        Ok(())
    }

    /// The next one, with its first parent and how many it has.
    pub fn next(&mut self) -> Result<Option<Step>, ObjectError> {
        let Some((_, id)) = self.heap.pop() else { return Ok(None) };
        let bytes = self.repository.commit(id)?;
        let parents: Vec<ObjectId> = parents(&bytes).collect();
        for parent in &parents {
            match self.push(*parent) {
                // Where history was cut off, or a commit cannot be understood, nothing leads on.
                Err(error) if error.is_about_content() || matches!(error, ObjectError::Missing(_)) => {}
                result => result?,
            }
        }
        Ok(Some(Step { id, told: Told::of(&bytes), parents }))
    }
}

/// A commit of a walk.
pub(super) struct Step {
    pub id: ObjectId,
    pub told: Told,
    pub parents: Vec<ObjectId>,
}
