//! What a git source lets others see of it, besides what every source does.

use super::{Mode, refused::RefusedChange};
use crate::authorize::ObjectId;
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};

/// The published state of a git source.
#[derive(Clone, Debug)]
pub struct GitView {
    /// What is followed, for people: `branch main`.
    pub follows: String,
    pub mode: Mode,
    /// Between two polls.
    pub interval: Duration,
    /// What the followed reference was when it was last looked at.
    pub seen: Option<ObjectId>,
    /// When that commit says it was made.
    pub newest: Option<Timestamp>,
    /// The commit up to which the history has been judged, and that is applied except for what was refused.
    pub accepted: Option<ObjectId>,
    /// When that commit says it was made.
    pub accepted_time: Option<Timestamp>,
    /// How many commits the followed reference had more at the last look. `None`: nobody knows, or the history is another one.
    pub behind: Option<usize>,
    /// The commit since which changes are judged, once there is one.
    pub root: Option<ObjectId>,
    /// What was refused and is not restored, newest first. In audit mode it takes effect all the same.
    pub refused: Arc<[RefusedChange]>,
    /// What was judged last in this life of the agent, newest first.
    pub judged: Arc<[JudgedCommit]>,
    /// What somebody should know of how this source is set up, or of its state.
    pub warnings: Vec<String>,
}

/// A commit that was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedCommit {
    pub commit: ObjectId,
    /// The first change of it that is to blame for its refusal, whether or not it has been restored since.
    pub refused: Option<RefusedChange>,
    /// How many of its changes were.
    pub refusals: usize,
}

/// How many judged commits are listed.
const MAX_JUDGED: usize = 200;

/// The list with what was judged just now, in the order of the judgement, and what was refused of that.
pub(super) fn judged(
    before: &[JudgedCommit],
    commits: impl DoubleEndedIterator<Item = ObjectId>,
    refused: &[RefusedChange],
) -> Arc<[JudgedCommit]> {
    let new = commits.rev().map(|commit| {
        let changes: Vec<_> = refused.iter().filter(|change| change.commit == commit).collect();
        let first = changes.iter().find(|change| change.is_to_blame()).or(changes.first());
        JudgedCommit { commit, refused: first.map(|change| RefusedChange::clone(change)), refusals: changes.len() }
    });
    new.take(MAX_JUDGED).chain(before.iter().cloned()).take(MAX_JUDGED).collect()
}
