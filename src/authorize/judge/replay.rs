//! What a line comes to when the work of the other sides of a merge is done after its own.

use super::{
    super::{
        Answer, CommitAnswer, CommitVerdict, ObjectId, State,
        rights::Rights,
        state::{Value, is_policy},
    },
    Code, Decision, Failure, Walk, Weighed, refuse, vouch_advice,
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
    verdicts: Vec<CommitVerdict>,
    taints: Taints,
}

/// The refused content that commits of old lines have, and the commits that wrote it.
#[derive(Default)]
struct Taints {
    of: HashMap<ObjectId, Taint>,
    /// How many commits have yet to take theirs over.
    children: HashMap<ObjectId, usize>,
}

type Taint = BTreeMap<Arc<str>, BTreeSet<ObjectId>>;

impl Walk<'_, '_> {
    /// Goes through what `others` bring over `line`, whose state is `start`.
    pub(super) fn replay(&mut self, line: ObjectId, start: &State, others: &[ObjectId]) -> Result<Replayed, Failure> {
        // A change of policy that is refused is none, and leads nothing. Which those are, a first attempt tells.
        let mut powerless = HashSet::new();
        loop {
            let (replayed, leads) = self.attempt(line, start, others, &powerless)?;
            let known = powerless.len();
            powerless.extend(leads.intersection(&replayed.skipped).copied());
            if powerless.len() == known {
                for verdict in &replayed.verdicts {
                    self.remember_codes(verdict);
                }
                for verdict in replayed.verdicts.iter().filter(|verdict| !self.graph.is_trusted(verdict.id)) {
                    // Refused on one line is what counts.
                    if verdict.verdict == CommitAnswer::Refused || !self.old.contains_key(&verdict.id) {
                        self.old.insert(verdict.id, verdict.clone());
                    }
                }
                return Ok(replayed);
            }
        }
    }

    /// Replays with everything first that leads to a change of policy, but for those that are `powerless`. Tells which
    /// commits change policy.
    fn attempt(
        &mut self,
        line: ObjectId,
        start: &State,
        others: &[ObjectId],
        powerless: &HashSet<ObjectId>,
    ) -> Result<(Replayed, HashSet<ObjectId>), Failure> {
        let mut replayed = Replayed {
            state: start.clone(),
            skipped: HashSet::new(),
            changed: BTreeSet::new(),
            verdicts: vec![],
            taints: Taints::default(),
        };
        let (mut known, mut leads, mut orders) = (HashSet::new(), HashSet::new(), Vec::new());
        for other in others {
            let order = self.graph.brought_in_order(*other, line, &known);
            self.spend(order.len())?;
            known.extend(order.iter().copied());
            let mut leading = HashSet::new();
            for id in &order {
                if self.changes_policy(*id)? {
                    leading.insert(*id);
                }
                for parent in self.judge.cache.links(self.judge.objects, *id)?.parents.iter() {
                    *replayed.taints.children.entry(*parent).or_default() += 1;
                }
            }
            leads.extend(leading.iter().copied());
            leading.retain(|id| !powerless.contains(id));
            orders.push(self.graph.put_first(order, &leading));
        }
        for id in orders.into_iter().flatten() {
            self.replay_one(id, start, &mut replayed)?;
        }
        Ok((replayed, leads))
    }

    /// Whether a commit decides anything about roles and users.
    fn changes_policy(&mut self, id: ObjectId) -> Result<bool, Failure> {
        for decision in self.own(id)?.iter() {
            for slot in decision.from.iter().chain([&decision.to]) {
                if is_policy(self.judge.content(&decision.path, *slot)?.as_ref()) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// What a commit decides.
    pub(super) fn own(&mut self, id: ObjectId) -> Result<Arc<[Decision]>, Failure> {
        if self.graph.is_trusted(id) {
            return Ok(self.own.get(&id).cloned().unwrap_or_default());
        }
        self.own_of_old(id)
    }

    fn replay_one(&mut self, id: ObjectId, start: &State, replayed: &mut Replayed) -> Result<(), Failure> {
        let own = self.own(id)?;
        let mut taint = None;
        if !self.graph.is_trusted(id) {
            taint = Some(self.inherit_taint(id, &own, start, &mut replayed.taints)?);
        }
        let mut verdict = CommitVerdict { id, signer: None, verdict: CommitAnswer::NothingToDecide, changes: vec![] };
        let mut skipped = false;
        if !own.is_empty() {
            let weighed = self.weigh_replayed(id, &own, taint.as_ref(), replayed)?;
            skipped = !weighed.is_accepted();
            verdict.verdict = if skipped { CommitAnswer::Refused } else { CommitAnswer::Accepted };
            verdict.signer = weighed.signer;
            verdict.changes = weighed.changes;
        }
        replayed.verdicts.push(verdict);
        if let Some(mut taint) = taint {
            for decision in own.iter() {
                if skipped {
                    taint.insert(decision.path.clone(), BTreeSet::from([id]));
                } else {
                    taint.remove(&decision.path);
                }
            }
            replayed.taints.of.insert(id, taint);
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
        taint: Option<&Taint>,
        replayed: &mut Replayed,
    ) -> Result<Weighed, Failure> {
        let commit = self.judge.commit(id)?;
        let vouches = self.vouches(id)?;
        let before = &replayed.state;
        let rights = Rights::new(&commit, before.policies(), self.judge.rules);
        let mut changes = Vec::new();
        for decision in own {
            let step = self.judge.step(decision)?;
            let mut of_path = rights.judge(&step);
            let below = taint.and_then(|taint| taint.get(&decision.path)).filter(|below| !below.is_subset(&vouches));
            if let Some(below) = below
                && of_path.iter().all(|change| change.verdict == Answer::Accepted)
            {
                of_path.iter_mut().for_each(|change| refuse(change, Code::HeldUnderneath, vouch_advice(below)));
            }
            changes.extend(of_path);
        }
        let mut weighed = Weighed { signer: rights.signer(), changes };
        if weighed.is_accepted() {
            let applies = |decision: &&Decision| {
                let current = before.value(&decision.path);
                current.slots().iter().all(|slot| decision.from.contains(slot))
                    && current != Value::Decided(decision.to)
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
    fn inherit_taint(
        &mut self,
        id: ObjectId,
        own: &[Decision],
        start: &State,
        taints: &mut Taints,
    ) -> Result<Taint, Failure> {
        let links = self.judge.cache.links(self.judge.objects, id)?;
        let mut sides = Vec::new();
        for parent in links.parents.iter() {
            let left = taints.children.get_mut(parent).map(|children| {
                *children = children.saturating_sub(1);
                *children
            });
            let of_parent = match taints.of.get(parent) {
                None => self.held_at(*parent, own, start)?,
                Some(_) if left == Some(0) => taints.of.remove(parent).unwrap_or_default(),
                Some(taint) => {
                    self.spend(taint.len())?;
                    taint.clone()
                }
            };
            if links.parents.len() == 1 {
                return Ok(of_parent);
            }
            sides.push((*parent, of_parent));
        }
        sides.retain(|(_, taint)| !taint.is_empty());
        let mut taint = Taint::new();
        if sides.is_empty() {
            return Ok(taint);
        }
        let counting = self.parents_of_old(id)?;
        for (parent, of_parent) in sides.into_iter().filter(|(parent, _)| counting.contains(parent)) {
            for (path, reasons) in of_parent {
                // The merge may have taken another side's.
                let has = self.slot(id, &path)?;
                let mut others = false;
                for other in counting.iter().filter(|other| **other != parent) {
                    others |= self.slot(*other, &path)? == has;
                }
                if !others || self.slot(parent, &path)? == has {
                    taint.entry(path).or_default().extend(reasons);
                }
            }
        }
        Ok(taint)
    }

    /// Of the content that a commit changes, what is held on the line already, where an earlier merge has brought it.
    fn held_at(&mut self, parent: ObjectId, own: &[Decision], start: &State) -> Result<Taint, Failure> {
        let mut taint = Taint::new();
        for path in own.iter().map(|decision| &decision.path) {
            let writers = start.writers(path).into_iter().flatten().copied();
            let before: BTreeSet<ObjectId> = writers.filter(|writer| self.graph.leads_to(*writer, parent)).collect();
            if !before.is_empty() && self.slot(parent, path)? == self.slot(start.commit, path)? {
                taint.insert(path.clone(), before);
            }
        }
        Ok(taint)
    }
}
