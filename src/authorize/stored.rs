//! The accepted state as an agent keeps it between runs: the commit, and where what is accepted is not what it has.

use super::{
    Code, Failure, HeldPath, ObjectId, State,
    content::{Entry, Slot},
    state::{Accepted, Held, Line, Undecided},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The form of a stored state. Only a reader that knows it may use it.
pub const VERSION: u32 = 1;

/// A [`State`] in the form in which it is written to a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    pub version: u32,
    pub commit: ObjectId,
    #[serde(default)]
    held: BTreeMap<Arc<str>, StoredHeld>,
    #[serde(default)]
    undecided: BTreeMap<Arc<str>, StoredUndecided>,
    /// Roles and users of each line, while the lines do not agree on them.
    #[serde(default)]
    lines: Vec<BTreeMap<Arc<str>, Entry>>,
    /// The commits that made accepted contents so.
    #[serde(default)]
    made_by: BTreeMap<Arc<str>, ObjectId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredHeld {
    accepted: Slot,
    head: Slot,
    reason: ObjectId,
    code: Option<Code>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredUndecided {
    candidates: Vec<Slot>,
    applied: Slot,
    reason: ObjectId,
}

impl Stored {
    /// The paths whose accepted content is not what the commit has.
    pub fn held(&self) -> Vec<HeldPath> {
        let held = self.held.iter().map(|(path, held)| HeldPath {
            path: path.to_string(),
            accepted_blob: held.accepted.map(|entry| entry.id),
            head_blob: held.head.map(|entry| entry.id),
            refused_commit: held.reason,
            code: held.code,
        });
        held.collect()
    }

    /// The paths on which merged lines do not agree.
    pub fn undecided(&self) -> Vec<Arc<str>> {
        self.undecided.keys().cloned().collect()
    }

    /// Changes the state in which all of the commit's tree is accepted into the one that was stored.
    pub(super) fn apply(
        &self,
        state: &mut State,
        mut load: impl FnMut(&Arc<str>, Slot) -> Result<Option<Accepted>, Failure>,
    ) -> Result<(), Failure> {
        for (path, held) in &self.held {
            let accepted = load(path, held.accepted)?;
            state.decide(path, accepted, None);
            let writers = BTreeSet::from([held.reason]);
            state.hold(path, Held { reason: held.reason, writers, code: held.code, has: held.head });
        }
        for (path, one) in &self.undecided {
            let mut candidates = BTreeMap::new();
            for slot in &one.candidates {
                candidates.insert(*slot, load(path, *slot)?.map(|accepted| accepted.content));
            }
            let applied = load(path, one.applied)?;
            // What the tree has there is no policy, were it only until the lines are put in place.
            state.decide(path, None, None);
            let writers = BTreeSet::from([one.reason]);
            state.leave_undecided(path, Undecided { candidates, reason: one.reason, writers, applied });
        }
        let mut lines = Vec::with_capacity(self.lines.len());
        for line in &self.lines {
            let mut files = BTreeMap::new();
            for (path, entry) in line {
                if let Some(accepted) = load(path, Some(*entry))? {
                    files.insert(path.clone(), accepted);
                }
            }
            lines.push(Line { files: Arc::new(files), policy: Arc::default(), stale: true });
        }
        if !lines.is_empty() {
            state.lines = lines;
        }
        for (path, commit) in &self.made_by {
            state.made_by.set(path.clone(), Some(*commit));
        }
        state.settle();
        Ok(())
    }
}

impl State {
    /// The form to be stored.
    pub fn stored(&self) -> Stored {
        let held = self.held.iter().map(|(path, held)| {
            let accepted = self.files.get(path).map(|accepted| accepted.entry);
            (path.clone(), StoredHeld { accepted, head: held.has, reason: held.reason, code: held.code })
        });
        let undecided = self.undecided.iter().map(|(path, one)| {
            let stored = StoredUndecided {
                candidates: one.candidates.keys().copied().collect(),
                applied: one.applied.as_ref().map(|accepted| accepted.entry),
                reason: one.reason,
            };
            (path.clone(), stored)
        });
        let lines = match self.lines.as_slice() {
            [] | [_] => vec![],
            lines => lines.iter().map(Line::entries).collect(),
        };
        Stored {
            version: VERSION,
            commit: self.commit,
            held: held.collect(),
            undecided: undecided.collect(),
            lines,
            made_by: self.made_by.iter().map(|(path, commit)| (path.clone(), *commit)).collect(),
        }
    }
}
