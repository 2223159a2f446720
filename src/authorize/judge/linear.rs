//! A commit with one parent that counts.

use super::{
    super::{
        CommitAnswer, CommitVerdict, ObjectId, State,
        rights::whole_file,
        state::{Held, Value},
    },
    Code, Decision, Failure, Slot, Walk, value_set, vouch_advice,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A path that the commit touched.
struct Touch {
    path: Arc<str>,
    after: Slot,
    restored: bool,
}

impl Walk<'_, '_> {
    /// Judges a commit against the state of its parent.
    pub(super) fn linear(
        &mut self,
        id: ObjectId,
        parent: ObjectId,
        before: State,
    ) -> Result<(State, CommitVerdict, Vec<Decision>), Failure> {
        let commit = self.judge.commit(id)?;
        let parent_tree = self.judge.tree(parent)?;
        let differences = self.judge.trees.compare(Some(parent_tree), Some(commit.tree))?;
        let vouches = self.vouches(id)?;
        let mut touches = Vec::with_capacity(differences.len());
        let mut decisions = Vec::new();
        for (path, (was, is)) in differences {
            let (restored, decision) = decide(&before, &path, was, is, &vouches);
            decisions.extend(decision);
            touches.push(Touch { path, after: is, restored });
        }
        // A vouch also stands for what it did not touch.
        let touched: BTreeSet<&Arc<str>> = touches.iter().map(|touch| &touch.path).collect();
        let waiting = before.waiting().filter(|(path, reason)| vouches.contains(reason) && !touched.contains(path));
        let approved: Vec<Arc<str>> = waiting.map(|(path, _)| path.clone()).collect();
        for path in approved {
            let to = self.judge.trees.at(commit.tree, &path)?;
            let from = value_set(&before.value(&path));
            decisions.push(Decision { path, from, to, obstacle: None, contested: false });
        }
        self.judge_linear(id, before, touches, decisions)
    }

    fn judge_linear(
        &mut self,
        id: ObjectId,
        before: State,
        touches: Vec<Touch>,
        decisions: Vec<Decision>,
    ) -> Result<(State, CommitVerdict, Vec<Decision>), Failure> {
        let mut changes: Vec<_> = touches
            .iter()
            .filter(|touch| touch.restored)
            .map(|touch| whole_file(&touch.path, None, "restores the accepted content".to_owned()))
            .collect();
        let mut signer = None;
        let mut verdict = if touches.is_empty() { CommitAnswer::NothingToDecide } else { CommitAnswer::Accepted };
        let mut state = before;
        let mut own = Vec::new();
        let mut refused = BTreeMap::new();
        if !decisions.is_empty() {
            let (weighed, after) = self.weigh(id, &decisions, &state)?;
            verdict = if after.is_some() { CommitAnswer::Accepted } else { CommitAnswer::Refused };
            match after {
                Some(after) => {
                    state = after;
                    own = decisions;
                }
                None => {
                    let codes = weighed.codes();
                    refused.extend(decisions.iter().map(|d| (d.path.clone(), codes.get(&*d.path).copied())));
                }
            }
            signer = weighed.signer;
            changes.extend(weighed.changes);
        } else if !touches.is_empty() {
            signer = self.signer(id, &state)?;
        }
        let decided: BTreeSet<&Arc<str>> = own.iter().map(|decision| &decision.path).collect();
        state.commit = id;
        for path in &decided {
            state.release(path);
        }
        for touch in &touches {
            if touch.restored {
                state.release(&touch.path);
            } else if let Some(code) = refused.get(&touch.path) {
                let writers = BTreeSet::from([id]);
                match state.value(&touch.path) {
                    Value::Decided(_) => {
                        state.hold(&touch.path, Held { reason: id, writers, code: *code, has: touch.after });
                    }
                    Value::Undecided(_) => state.blame(&touch.path, id, writers),
                }
            }
        }
        Ok((state, CommitVerdict { id, signer, verdict, changes }, own))
    }
}

/// What touching a path means: whether it restores what is accepted, or else what it decides.
fn decide(
    before: &State,
    path: &Arc<str>,
    was: Slot,
    is: Slot,
    vouches: &BTreeSet<ObjectId>,
) -> (bool, Option<Decision>) {
    let value = before.value(path);
    if value == Value::Decided(is) {
        return (true, None);
    }
    let underneath = match &value {
        Value::Decided(accepted) => *accepted != was,
        Value::Undecided(candidates) => !candidates.contains(&was),
    };
    let reason = before.reason(path).filter(|reason| underneath && !vouches.contains(reason));
    let obstacle = reason.map(|reason| (Code::HeldUnderneath, vouch_advice(&BTreeSet::from([reason]))));
    (false, Some(Decision { path: path.clone(), from: value_set(&value), to: is, obstacle, contested: false }))
}
