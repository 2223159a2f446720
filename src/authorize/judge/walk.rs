//! One way through a history, with what is known on it.

use super::{
    super::{
        Answer, Code, CommitVerdict, ObjectError, ObjectId, Refusal, State, graph::Graph, rights::Rights,
        signer::signed_with, state::Fault,
    },
    Decision, Failure, Judge, Slot, Weighed, refuse,
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// For each commit that may be judged, so many may be replayed in merges.
const REPLAYS: usize = 20;

/// One way through a history.
pub(super) struct Walk<'w, 'a> {
    pub(super) judge: &'w mut Judge<'a>,
    pub(super) graph: Graph,
    /// Of commits that others still build on.
    pub(super) states: HashMap<ObjectId, State>,
    pub(super) uses: HashMap<ObjectId, usize>,
    /// What the commits that descend from the base decided.
    pub(super) own: HashMap<ObjectId, Arc<[Decision]>>,
    /// Verdicts on commits of old lines.
    pub(super) old: HashMap<ObjectId, CommitVerdict>,
    /// Codes of refusals, for what is held because of them later.
    pub(super) refused: HashMap<(ObjectId, Arc<str>), Code>,
    /// What plain merges have at a path, and the merge bases that this is found by.
    pub(super) plain: HashMap<(Arc<str>, Vec<ObjectId>), Option<Slot>>,
    pub(super) bases: HashMap<(Vec<ObjectId>, ObjectId), Vec<ObjectId>>,
    /// The parents that count, of merges on old lines.
    pub(super) counting: HashMap<ObjectId, Arc<[ObjectId]>>,
    /// How much was done for merges, in commits and paths.
    pub(super) work: usize,
}

impl Walk<'_, '_> {
    pub(super) fn run(&mut self) -> Result<Vec<CommitVerdict>, Failure> {
        let trusted: Vec<ObjectId> =
            self.graph.commits().iter().copied().filter(|id| self.graph.is_trusted(*id)).collect();
        let parents: Vec<Vec<ObjectId>> = trusted.iter().map(|id| self.graph.parents(*id)).collect();
        for parent in parents.iter().flatten() {
            *self.uses.entry(*parent).or_default() += 1;
        }
        let mut verdicts = Vec::with_capacity(trusted.len());
        for (id, parents) in trusted.into_iter().zip(parents) {
            self.graph.check_steps()?;
            let (state, verdict, own) = match parents.as_slice() {
                [parent] => {
                    let before = self.take_state(*parent)?;
                    self.linear(id, *parent, before)?
                }
                _ => self.merge(id, &parents)?,
            };
            self.remember_codes(&verdict);
            self.own.insert(id, own.into());
            self.states.insert(id, state);
            verdicts.push(verdict);
        }
        Ok(verdicts)
    }

    pub(super) fn remember_codes(&mut self, verdict: &CommitVerdict) {
        for change in &verdict.changes {
            if let Some(code) = change.code {
                self.refused.insert((verdict.id, change.path.as_str().into()), code);
            }
        }
    }

    /// Counts what is done for merges: whoever pushes decides how much that is.
    pub(super) fn spend(&mut self, amount: usize) -> Result<(), Failure> {
        self.work += amount;
        if self.work > REPLAYS * self.judge.rules.max_commits.max(5_000) {
            let message =
                "the merges bring more commits of other branches than are judged at a time; set a newer root \
                           with `mcpfleet trust set`"
                    .to_owned();
            return Err(Refusal { code: Code::Limit, message }.into());
        }
        Ok(())
    }

    /// The refused commits that a commit vouches for. What a forge signs is written by others than the one it is
    /// attributed to: the title of a pull request, say.
    pub(super) fn vouches(&mut self, id: ObjectId) -> Result<BTreeSet<ObjectId>, Failure> {
        let commit = self.judge.commit(id)?;
        let rules = self.judge.rules;
        let by_forge = !commit.vouches.is_empty() && signed_with(&commit, &rules.forge_keys, rules);
        Ok(if by_forge { BTreeSet::new() } else { commit.vouches.clone() })
    }

    /// The state after a commit; the last one who asks gets it without a copy.
    pub(super) fn take_state(&mut self, id: ObjectId) -> Result<State, Failure> {
        let left = self.uses.get_mut(&id).map(|uses| {
            *uses = uses.saturating_sub(1);
            *uses
        });
        let state = if left == Some(0) { self.states.remove(&id) } else { self.states.get(&id).cloned() };
        state.ok_or_else(|| ObjectError::Missing(id).into())
    }

    /// The name of the user whose commit it is, by the policy of a state.
    pub(super) fn signer(&mut self, id: ObjectId, state: &State) -> Result<Option<String>, Failure> {
        let commit = self.judge.commit(id)?;
        Ok(Rights::new(&commit, state.policies(), self.judge.rules).signer())
    }

    /// Judges decisions under the policies of `before`. Accepted ones are carried out.
    pub(super) fn weigh(
        &mut self,
        id: ObjectId,
        decisions: &[Decision],
        before: &State,
    ) -> Result<(Weighed, Option<State>), Failure> {
        let commit = self.judge.commit(id)?;
        let rights = Rights::new(&commit, before.policies(), self.judge.rules);
        let mut changes = Vec::new();
        for decision in decisions {
            let step = self.judge.step(decision)?;
            let mut of_path = rights.judge(&step);
            let obstacle = decision.obstacle.as_ref();
            if let Some((code, message)) = obstacle
                && of_path.iter().all(|change| change.verdict == Answer::Accepted)
            {
                of_path.iter_mut().for_each(|change| refuse(change, *code, message.clone()));
            }
            changes.extend(of_path);
        }
        let mut weighed = Weighed { signer: rights.signer(), changes };
        let mut after = None;
        if weighed.is_accepted() {
            let (state, faults) = self.carry_out(id, decisions, before)?;
            weighed.add_faults(faults);
            after = weighed.is_accepted().then_some(state);
        }
        if after.is_none() {
            let contested = decisions.iter().filter(|decision| decision.contested);
            weighed.call_contested(&contested.map(|decision| &*decision.path).collect());
            weighed.refuse_whole();
        }
        Ok((weighed, after))
    }

    /// The state after some decisions, and what is wrong with it.
    pub(super) fn carry_out(
        &mut self,
        id: ObjectId,
        decisions: &[Decision],
        before: &State,
    ) -> Result<(State, Vec<Fault>), Failure> {
        let mut state = before.clone();
        for decision in decisions {
            let accepted = self.judge.accepted(&decision.path, decision.to)?;
            state.decide(&decision.path, accepted, Some(id));
        }
        state.renew_policies(self.judge.rules);
        let changed: Vec<Arc<str>> = decisions.iter().map(|decision| decision.path.clone()).collect();
        let faults = state.faults(before, &changed, self.judge.rules);
        if faults.is_empty() {
            state.join_lines();
            state.settle();
        }
        Ok((state, faults))
    }
}
