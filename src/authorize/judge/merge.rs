//! A commit with several parents that count.

use super::{
    super::{
        CommitAnswer, CommitVerdict, ObjectId, State,
        state::{Held, Undecided, Value},
    },
    Code, Decision, Failure, Slot, Walk, Weighed,
    replay::Replayed,
    value_set, vouch_advice,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// A parent of a merge, as far as content that was refused there matters.
struct Parent {
    id: ObjectId,
    /// The paths whose content was refused, and the reasons.
    refused: BTreeMap<Arc<str>, ObjectId>,
    /// All refused commits that wrote that content.
    writers: BTreeMap<Arc<str>, BTreeSet<ObjectId>>,
}

/// A path at which there is something to say.
struct Place {
    path: Arc<str>,
    /// What the lines come to; several values when they do not agree.
    values: Vec<Value>,
    /// What the merge has.
    has: Slot,
    /// What refused that content, on a parent that has the same.
    came_with: BTreeSet<ObjectId>,
    /// All refused commits that wrote it there.
    writers: BTreeSet<ObjectId>,
    own: Option<Decision>,
}

impl Walk<'_, '_> {
    pub(super) fn merge(
        &mut self,
        id: ObjectId,
        parents: &[ObjectId],
    ) -> Result<(State, CommitVerdict, Vec<Decision>), Failure> {
        let states = self.lines(parents)?;
        let mut lines = Vec::with_capacity(states.len());
        for (line, state) in &states {
            let others: Vec<ObjectId> = parents.iter().copied().filter(|parent| parent != line).collect();
            lines.push((*line, self.replay(*line, state, &others)?));
        }
        let refused = self.refused_content(parents, &states, &lines)?;
        let before = joined(lines.iter().map(|(_, replayed)| &replayed.state));
        let places = self.places(id, &states, &lines, &refused, &before)?;
        let decisions: Vec<Decision> = places.iter().filter_map(|place| place.own.clone()).collect();
        let (weighed, after) = match decisions.is_empty() {
            true => (Weighed { signer: None, changes: vec![] }, None),
            false => self.weigh(id, &decisions, &before)?,
        };
        let verdict = match (&after, decisions.is_empty()) {
            (_, true) => CommitAnswer::NothingToDecide,
            (Some(_), _) => CommitAnswer::Accepted,
            (None, _) => CommitAnswer::Refused,
        };
        let own = if after.is_some() { decisions } else { vec![] };
        let mut state = after.unwrap_or(before);
        state.commit = id;
        state.held = Arc::default();
        let codes = weighed.codes();
        for place in places {
            self.settle(id, &mut state, place, &codes, verdict)?;
        }
        state.join_lines();
        Ok((state, CommitVerdict { id, signer: weighed.signer, verdict, changes: weighed.changes }, own))
    }

    /// The parents that descend from the base, with their states.
    fn lines(&mut self, parents: &[ObjectId]) -> Result<Vec<(ObjectId, State)>, Failure> {
        let trusted = parents.iter().copied().filter(|parent| self.graph.is_trusted(*parent));
        let trusted: Vec<ObjectId> = trusted.collect();
        trusted.into_iter().map(|line| Ok((line, self.take_state(line)?))).collect()
    }

    /// What of each parent's content is refused: held or undecided there, or written by a commit that was skipped.
    fn refused_content(
        &mut self,
        parents: &[ObjectId],
        states: &[(ObjectId, State)],
        lines: &[(ObjectId, Replayed)],
    ) -> Result<Vec<Parent>, Failure> {
        let mut all = Vec::new();
        for parent in parents {
            let mut writers: BTreeMap<Arc<str>, BTreeSet<ObjectId>> = BTreeMap::new();
            for (line, replayed) in lines.iter().filter(|(line, _)| line != parent) {
                for (path, skipped) in self.written_by_skipped(*parent, *line, &replayed.skipped)? {
                    writers.entry(path).or_default().extend(skipped);
                }
            }
            let mut refused: BTreeMap<Arc<str>, ObjectId> =
                writers.iter().filter_map(|(path, skipped)| Some((path.clone(), *skipped.first()?))).collect();
            if let Some((_, state)) = states.iter().find(|(line, _)| line == parent) {
                for (path, reason) in state.waiting() {
                    refused.insert(path.clone(), reason);
                    writers.insert(path.clone(), state.writers(path).cloned().unwrap_or_default());
                }
            }
            all.push(Parent { id: *parent, refused, writers });
        }
        Ok(all)
    }

    /// Every path at which lines, replays or the merge itself differ.
    fn places(
        &mut self,
        id: ObjectId,
        states: &[(ObjectId, State)],
        lines: &[(ObjectId, Replayed)],
        refused: &[Parent],
        before: &State,
    ) -> Result<Vec<Place>, Failure> {
        let tree = self.judge.tree(id)?;
        let mut paths: BTreeSet<Arc<str>> = BTreeSet::new();
        for ((line, state), (_, replayed)) in states.iter().zip(lines) {
            let line_tree = self.judge.tree(*line)?;
            paths.extend(self.judge.trees.compare(Some(line_tree), Some(tree))?.into_keys());
            paths.extend(state.waiting().map(|(path, _)| path.clone()));
            paths.extend(replayed.changed.iter().cloned());
        }
        self.spend(paths.len())?;
        let mut places = Vec::new();
        for path in paths {
            let has = self.judge.trees.at(tree, &path)?;
            let mut values: Vec<Value> = Vec::new();
            for (_, replayed) in lines {
                let value = replayed.state.value(&path);
                if !values.contains(&value) {
                    values.push(value);
                }
            }
            places.push(self.place(id, path, values, has, refused, before)?);
        }
        Ok(places)
    }

    /// Finds out whether the merge decides a path.
    fn place(
        &mut self,
        id: ObjectId,
        path: Arc<str>,
        values: Vec<Value>,
        has: Slot,
        refused: &[Parent],
        before: &State,
    ) -> Result<Place, Failure> {
        let vouches = self.vouches(id)?;
        let (mut came_with, mut writers) = (BTreeSet::new(), BTreeSet::new());
        let mut underneath = BTreeSet::new();
        let mut new = true;
        for parent in refused {
            let same = self.slot(parent.id, &path)? == has;
            new &= !same;
            if let Some(reason) = parent.refused.get(&path) {
                underneath.insert(*reason);
                if same {
                    came_with.insert(*reason);
                    writers.extend(parent.writers.get(&path).into_iter().flatten().copied());
                }
            }
        }
        let contested = values.len() > 1;
        let agreed = values == [Value::Decided(has)];
        let vouched = |reasons: &BTreeSet<ObjectId>| reasons.iter().all(|reason| vouches.contains(reason));
        let from: BTreeSet<Slot> = values.iter().flat_map(value_set).collect();
        let decision = |needed: &BTreeSet<ObjectId>, approves: bool| {
            let missing = !approves && !vouched(needed);
            let obstacle = missing.then(|| (Code::HeldUnderneath, vouch_advice(needed)));
            Decision { path: path.clone(), from: from.clone(), to: has, obstacle, contested }
        };
        let approves = self.judge.rules.merge_approves;
        let own = if agreed {
            None
        } else if !contested && !came_with.is_empty() && !vouched(&came_with) {
            // It came along, and stays held, unless whoever merges approves by merging.
            let approved = decision(&BTreeSet::new(), true);
            (approves && self.weigh(id, std::slice::from_ref(&approved), before)?.1.is_some()).then_some(approved)
        } else {
            let needed = if new { &underneath } else { &came_with };
            Some(decision(needed, approves))
        };
        Ok(Place { path, values, has, came_with, writers, own })
    }

    /// Enters what a path is after the merge, as far as that is not accepted content.
    fn settle(
        &mut self,
        id: ObjectId,
        state: &mut State,
        place: Place,
        codes: &HashMap<&str, Code>,
        verdict: CommitAnswer,
    ) -> Result<(), Failure> {
        let Place { path, values, has, came_with, writers, own } = place;
        if own.is_some() && verdict == CommitAnswer::Accepted {
            return Ok(());
        }
        let refused_here = own.is_some();
        let (reason, writers) = match came_with.first() {
            Some(reason) if !refused_here => (*reason, writers),
            _ => (id, BTreeSet::from([id])),
        };
        if values.len() > 1 {
            let slots: BTreeSet<Slot> = values.iter().flat_map(value_set).collect();
            let mut candidates = BTreeMap::new();
            for slot in slots {
                candidates.insert(slot, self.judge.content(&path, slot)?);
            }
            state.leave_undecided(&path, Undecided { candidates, reason, writers, applied: None });
            return Ok(());
        }
        match state.value(&path) {
            Value::Undecided(_) => state.blame(&path, reason, writers),
            Value::Decided(slot) if slot == has => {}
            Value::Decided(_) => {
                let code = match refused_here {
                    true => codes.get(&*path).copied(),
                    false => self.refused.get(&(reason, path.clone())).copied(),
                };
                state.hold(&path, Held { reason, writers, code, has });
            }
        }
        Ok(())
    }
}

/// The state of the first line, with the policies of all.
fn joined<'s>(mut states: impl Iterator<Item = &'s State>) -> State {
    let first = states.next().cloned();
    let mut state = first.unwrap_or_else(State::nothing);
    for other in states {
        state.lines.extend(other.lines.iter().cloned());
    }
    state
}
