//! What a line comes to when the work of the other sides of a merge is done after its own.

use super::{
    super::{
        Answer, ChangeVerdict, CommitAnswer, CommitVerdict, ObjectId, Refusal, State, rights::Rights, state::is_policy,
    },
    Code, Decision, Failure, MAX_REPLAYED, Slot, Walk, Weighed, vouch_advice,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// A line, and what became of the others' work after it.
pub(super) struct Replayed {
    pub state: State,
    /// The commits that were skipped.
    pub skipped: HashSet<ObjectId>,
    /// The paths that came out otherwise than they were on the line.
    pub changed: BTreeSet<Arc<str>>,
}

/// The refused content that a commit of an old line has, and the commits that wrote it.
type Tainted = Arc<BTreeMap<Arc<str>, ObjectId>>;

impl Walk<'_, '_> {
    /// Goes through what `others` bring over `line`, whose state is `start`.
    pub(super) fn replay(&mut self, line: ObjectId, start: &State, others: &[ObjectId]) -> Result<Replayed, Failure> {
        let mut replayed = Replayed { state: start.clone(), skipped: HashSet::new(), changed: BTreeSet::new() };
        let mut done = HashSet::new();
        let mut tainted: HashMap<ObjectId, Tainted> = HashMap::new();
        for other in others {
            for id in self.brought(*other, line, &done)? {
                self.replayed += 1;
                if self.replayed > MAX_REPLAYED {
                    let message = "the merges bring too many commits of old branches; merge or rebase in smaller steps"
                        .to_owned();
                    return Err(Refusal { code: Code::Limit, message }.into());
                }
                done.insert(id);
                self.replay_one(id, &mut replayed, &mut tainted)?;
            }
        }
        Ok(replayed)
    }

    /// What `tip` brings over `line`, in the order in which it is replayed: policy first.
    fn brought(&mut self, tip: ObjectId, line: ObjectId, done: &HashSet<ObjectId>) -> Result<Vec<ObjectId>, Failure> {
        let order = self.graph.brought_in_order(tip, line, done);
        let mut leads = HashSet::new();
        for id in &order {
            for decision in self.own(*id)?.iter() {
                for slot in decision.from.iter().chain([&decision.to]) {
                    if is_policy(self.judge.content(&decision.path, *slot)?.as_ref()) {
                        leads.insert(*id);
                    }
                }
            }
        }
        Ok(self.graph.put_first(order, &leads))
    }

    /// What a commit decides.
    fn own(&mut self, id: ObjectId) -> Result<Arc<[Decision]>, Failure> {
        if self.graph.is_trusted(id) {
            return Ok(self.own.get(&id).cloned().unwrap_or_default());
        }
        self.own_of_old(id)
    }

    fn replay_one(
        &mut self,
        id: ObjectId,
        replayed: &mut Replayed,
        tainted: &mut HashMap<ObjectId, Tainted>,
    ) -> Result<(), Failure> {
        let old = !self.graph.is_trusted(id);
        let own = self.own(id)?;
        let taint = if old { Some(self.inherit_taint(id, tainted)?) } else { None };
        let mut verdict = CommitVerdict { id, signer: None, verdict: CommitAnswer::NothingToDecide, changes: vec![] };
        let mut skipped = false;
        if !own.is_empty() {
            let weighed = self.weigh_replayed(id, &own, taint.as_deref(), replayed)?;
            skipped = !weighed.is_accepted();
            verdict.verdict = if skipped { CommitAnswer::Refused } else { CommitAnswer::Accepted };
            verdict.signer = weighed.signer;
            verdict.changes = weighed.changes;
        }
        for change in &verdict.changes {
            if let Some(code) = change.code {
                self.refused.insert((id, change.path.as_str().into()), code);
            }
        }
        if let Some(mut taint) = taint {
            for decision in own.iter() {
                let map = Arc::make_mut(&mut taint);
                if skipped {
                    map.insert(decision.path.clone(), id);
                } else {
                    map.remove(&decision.path);
                }
            }
            tainted.insert(id, taint);
            // Refused on one line is what counts.
            if skipped || !self.old.contains_key(&id) {
                self.old.insert(id, verdict);
            }
        }
        if skipped {
            replayed.skipped.insert(id);
        }
        Ok(())
    }

    /// Judges a replayed commit, and carries out what of it still applies.
    fn weigh_replayed(
        &mut self,
        id: ObjectId,
        own: &[Decision],
        taint: Option<&BTreeMap<Arc<str>, ObjectId>>,
        replayed: &mut Replayed,
    ) -> Result<Weighed, Failure> {
        let commit = self.judge.commit(id)?;
        let before = &replayed.state;
        let rights = Rights::new(&commit, before.policies(), self.judge.rules);
        let mut changes: Vec<ChangeVerdict> = Vec::new();
        for decision in own {
            let step = self.judge.step(decision)?;
            let mut of_path = rights.judge(&step);
            let below =
                taint.and_then(|taint| taint.get(&decision.path)).filter(|below| !commit.vouches.contains(below));
            if let Some(below) = below
                && of_path.iter().all(|change| change.verdict == Answer::Accepted)
            {
                for change in &mut of_path {
                    change.verdict = Answer::Refused;
                    change.code = Some(Code::HeldUnderneath);
                    change.rule = None;
                    change.message = vouch_advice(&BTreeSet::from([*below]));
                }
            }
            changes.extend(of_path);
        }
        let mut weighed = Weighed { signer: rights.signer(), changes };
        if weighed.is_accepted() {
            let applies = |decision: &&Decision| {
                let current = before.value(&decision.path);
                current.slots().iter().all(|slot| decision.from.contains(slot))
                    && current != super::Value::Decided(decision.to)
            };
            let applying: Vec<Decision> = own.iter().filter(applies).cloned().collect();
            let (after, faults) = self.carry_out(id, &applying, before)?;
            if faults.is_empty() {
                replayed.changed.extend(applying.into_iter().map(|decision| decision.path));
                replayed.state = after;
            }
            weighed.add_faults(faults);
        }
        weighed.refuse_whole();
        Ok(weighed)
    }

    /// The refused content that a commit of an old line has from its parents.
    fn inherit_taint(&mut self, id: ObjectId, tainted: &HashMap<ObjectId, Tainted>) -> Result<Tainted, Failure> {
        let links = self.judge.cache.links(self.judge.objects, id)?;
        if let [parent] = *links.parents {
            return Ok(tainted.get(&parent).cloned().unwrap_or_default());
        }
        let mut taint = BTreeMap::new();
        for (parent, of_parent) in links.parents.iter().filter_map(|parent| Some((*parent, tainted.get(parent)?))) {
            for (path, reason) in of_parent.iter() {
                // The merge may have taken the other side's.
                if self.slot(parent, path)? == self.slot(id, path)? {
                    taint.insert(path.clone(), *reason);
                }
            }
        }
        Ok(Arc::new(taint))
    }

    /// The content of a parent that was written by skipped commits: path by path, the last of them.
    pub(super) fn written_by_skipped(
        &mut self,
        parent: ObjectId,
        line: ObjectId,
        skipped: &HashSet<ObjectId>,
    ) -> Result<BTreeMap<Arc<str>, ObjectId>, Failure> {
        let mut writers: BTreeMap<Arc<str>, (ObjectId, Slot)> = BTreeMap::new();
        for id in self.graph.brought_in_order(parent, line, &HashSet::new()) {
            for decision in self.own(id)?.iter() {
                writers.insert(decision.path.clone(), (id, decision.to));
            }
        }
        let mut found = BTreeMap::new();
        for (path, (id, to)) in writers.into_iter().filter(|(_, (id, _))| skipped.contains(id)) {
            if self.slot(parent, &path)? == to {
                found.insert(path, id);
            }
        }
        Ok(found)
    }
}
