//! What was refused and still is: which changes, whose, and why. Pure.

use crate::{
    authorize::{Answer, ChangeVerb, ChangeVerdict, Code, CommitVerdict, HeldPath, ObjectId},
    resource::Kind,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// Of how many changes the details are kept; of those beyond it only what the accepted state itself knows.
pub(super) const MAX_DETAILED: usize = 500;

/// A change that takes no effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedChange {
    pub commit: ObjectId,
    /// As the commit says, `Name <mail>`; nobody vouches for it.
    pub author: String,
    /// The user to whom the commit is attributed.
    pub signer: Option<String>,
    pub path: Arc<str>,
    /// `None` for a file as a whole.
    pub kind: Option<Kind>,
    pub name: Option<String>,
    pub verb: Option<ChangeVerb>,
    pub code: Option<Code>,
    /// The rule that decided, as `role/NAME allow.rules[0]`.
    pub rule: Option<String>,
    /// Why, and what to do about it.
    pub message: String,
}

impl RefusedChange {
    fn of(commit: &CommitVerdict, change: &ChangeVerdict, author: &str) -> Self {
        RefusedChange {
            commit: commit.id,
            author: author.to_owned(),
            signer: commit.signer.clone(),
            path: change.path.as_str().into(),
            kind: change.kind,
            name: change.name.clone(),
            verb: change.verb,
            code: change.code,
            rule: change.rule.clone(),
            message: change.message.clone(),
        }
    }

    /// All that is known of a path whose refusal was not seen, or is too long ago.
    fn unseen(path: &str, commit: ObjectId, code: Option<Code>, author: String) -> Self {
        RefusedChange {
            commit,
            author,
            signer: None,
            path: path.into(),
            kind: None,
            name: None,
            verb: None,
            code,
            rule: None,
            message: "was refused: restore the accepted content, or let somebody with the right vouch for the commit"
                .to_owned(),
        }
    }
}

/// The changes that a judgement refused, in its order.
pub(super) fn refused(verdicts: &[CommitVerdict], author: impl Fn(ObjectId) -> String) -> Vec<RefusedChange> {
    let refused = |verdict: &&CommitVerdict| verdict.changes.iter().any(|change| change.verdict == Answer::Refused);
    verdicts
        .iter()
        .filter(refused)
        .flat_map(|verdict| {
            let author = author(verdict.id);
            let changes = verdict.changes.iter().filter(|change| change.verdict == Answer::Refused);
            changes.map(move |change| RefusedChange::of(verdict, change, &author)).collect::<Vec<_>>()
        })
        .collect()
}

/// What is to be listed, newest first: of each path that is still held or undecided all that was refused there since
/// it is. `before` is the list so far, `new` what a judgement has added in its order.
pub(super) fn listed<'p>(
    before: &[RefusedChange],
    new: &[RefusedChange],
    held: &[HeldPath],
    undecided: impl Iterator<Item = (&'p Arc<str>, ObjectId)>,
    author: impl Fn(ObjectId) -> String,
) -> Vec<RefusedChange> {
    // The commits to blame, as far as they have not been met.
    let mut waiting: BTreeMap<&str, Option<(ObjectId, Option<Code>)>> =
        held.iter().map(|held| (held.path.as_str(), Some((held.refused_commit, held.code)))).collect();
    waiting.extend(undecided.map(|(path, commit)| (&**path, Some((commit, Some(Code::ContestedMerge))))));
    let all = new.iter().rev().chain(before);
    let mut list: Vec<RefusedChange> =
        all.filter(|change| waiting.contains_key(&*change.path)).take(MAX_DETAILED).cloned().collect();
    for change in &list {
        if let Some(blamed) = waiting.get_mut(&*change.path).filter(|b| b.is_some_and(|(id, _)| id == change.commit)) {
            *blamed = None;
        }
    }
    let unseen = waiting.into_iter().filter_map(|(path, blamed)| Some((path, blamed?)));
    list.extend(unseen.map(|(path, (commit, code))| RefusedChange::unseen(path, commit, code, author(commit))));
    list
}
