//! The shape of the history between a trusted base and a head.

use super::{Code, Failure, ObjectId, Objects, Refusal, content::Cache};
use std::{
    cell::Cell,
    collections::{BTreeSet, BinaryHeap, HashMap, HashSet},
    sync::Arc,
};

/// Commits of the past that are looked at to find out what a side branch and the base have in common.
const MAX_PAST: usize = 2_000_000;

/// Commits that are looked at to find out what the parents of merges have in common, all merges together.
const MAX_STEPS: usize = 100_000_000;

/// How many parents a merge may have.
const MAX_PARENTS: usize = 64;

/// The commits that a head has and the base has not.
pub struct Graph {
    /// Parents first, and of a merge its first parent's side first. The base comes before all of them.
    order: Vec<ObjectId>,
    index: HashMap<ObjectId, usize>,
    /// Those that descend from the base, and the base.
    trusted: HashSet<ObjectId>,
    parents: HashMap<ObjectId, Arc<[ObjectId]>>,
    /// How many commits were looked at to find out what parents have in common.
    steps: Cell<usize>,
}

impl Graph {
    /// Finds what there is to judge.
    ///
    /// # Errors
    /// When the head does not descend from the base, when history is cut off, and when there is too much of it.
    pub fn new(
        objects: &dyn Objects,
        cache: &mut Cache,
        base: ObjectId,
        head: ObjectId,
        max_commits: usize,
    ) -> Result<Graph, Failure> {
        let mut graph = Graph {
            order: vec![base],
            index: HashMap::new(),
            trusted: HashSet::from([base]),
            parents: HashMap::new(),
            steps: Cell::new(0),
        };
        let mut reached = HashSet::from([head]);
        let mut open = vec![head];
        let mut roots = false;
        let mut past: Option<HashSet<ObjectId>> = None;
        while let Some(id) = open.pop() {
            if id == base || past.as_ref().is_some_and(|past| past.contains(&id)) {
                continue;
            }
            if objects.is_shallow(id) {
                return Err(shallow(id).into());
            }
            let parents = cache.links(objects, id)?.parents;
            if parents.len() > MAX_PARENTS {
                let message = format!(
                    "merge {} has more than {MAX_PARENTS} parents; take it back, or trust what came of it with `mcpfleet \
                     trust set`",
                    id.short()
                );
                return Err(Refusal { code: Code::Limit, message }.into());
            }
            roots |= parents.is_empty();
            open.extend(parents.iter().copied().filter(|parent| reached.insert(*parent)));
            graph.parents.insert(id, parents);
            if past.is_none() && (roots || graph.parents.len() > max_commits) {
                // Not everything leads to the base: what it has itself must be known to tell the rest.
                past = Some(ancestors(objects, cache, &[base])?);
            }
            if let Some(past) = &past
                && graph.parents.len() > max_commits
            {
                graph.parents.retain(|id, _| !past.contains(id));
                if graph.parents.len() > max_commits {
                    return Err(too_many(max_commits).into());
                }
            }
        }
        if let Some(past) = &past {
            graph.parents.retain(|id, _| !past.contains(id));
        }
        graph.sort(head);
        if !graph.trusted.contains(&head) {
            let message = format!(
                "{} does not descend from the trusted commit {}: history was rewritten, or this is another repository; \
                 push the old history again, or, if this is meant, run `mcpfleet trust set {head}` on the agent's host",
                head.short(),
                base.short(),
            );
            return Err(Refusal { code: Code::HistoryRewritten, message }.into());
        }
        Ok(graph)
    }

    /// Puts the commits in order, and finds those that descend from the base.
    fn sort(&mut self, head: ObjectId) {
        let order = self.postorder(head, |id| self.parents.contains_key(&id));
        self.order.extend(order);
        self.index = self.order.iter().enumerate().map(|(index, id)| (*id, index)).collect();
        for id in &self.order {
            let parents = self.parents.get(id);
            if parents.is_some_and(|parents| parents.iter().any(|parent| self.trusted.contains(parent))) {
                self.trusted.insert(*id);
            }
        }
    }

    /// The commits from `tip` down that are `wanted`, parents first, a first parent's side first.
    fn postorder(&self, tip: ObjectId, wanted: impl Fn(ObjectId) -> bool) -> Vec<ObjectId> {
        let mut done = Vec::new();
        let mut seen = HashSet::new();
        let mut open = vec![(tip, 0)];
        while let Some((id, next)) = open.pop() {
            if next == 0 && (!wanted(id) || !seen.insert(id)) {
                continue;
            }
            match self.parents.get(&id).and_then(|parents| parents.get(next)) {
                Some(parent) => open.extend([(id, next + 1), (*parent, 0)]),
                None => done.push(id),
            }
        }
        done
    }

    /// All commits to be judged, parents first; old lines among them.
    pub fn commits(&self) -> &[ObjectId] {
        self.order.get(1..).unwrap_or_default()
    }

    /// Whether a commit is the base or descends from it.
    pub fn is_trusted(&self, id: ObjectId) -> bool {
        self.trusted.contains(&id)
    }

    /// The parents that count: not those that another parent has among its ancestors.
    pub fn parents(&self, id: ObjectId) -> Vec<ObjectId> {
        let mut parents: Vec<ObjectId> = Vec::new();
        for parent in self.parents.get(&id).map(|parents| &**parents).unwrap_or_default() {
            if !parents.contains(parent) {
                parents.push(*parent);
            }
        }
        if let [_] = parents[..] {
            return parents;
        }
        // What the base has, every line that is judged has.
        parents.retain(|parent| self.index.contains_key(parent));
        let reached = self.reached(&parents);
        parents.retain(|parent| !reached.contains(parent));
        parents
    }

    /// Those of some commits that others of them lead to.
    fn reached(&self, tips: &[ObjectId]) -> HashSet<ObjectId> {
        let places: BTreeSet<usize> = tips.iter().filter_map(|tip| self.index.get(tip).copied()).collect();
        let Some(oldest) = places.first().copied() else { return HashSet::new() };
        let mut below = HashSet::new();
        let mut open: BinaryHeap<usize> = places.iter().copied().collect();
        // From the youngest on, as far as the oldest of them.
        while let Some(at) = open.pop().filter(|at| *at > oldest) {
            self.steps.set(self.steps.get() + 1);
            let parents = self.order.get(at).and_then(|id| self.parents.get(id));
            for parent in parents.into_iter().flat_map(|parents| parents.iter()) {
                if let Some(parent) = self.index.get(parent).copied()
                    && below.insert(parent)
                    && !places.contains(&parent)
                {
                    open.push(parent);
                }
            }
        }
        places.intersection(&below.into_iter().collect()).filter_map(|at| self.order.get(*at).copied()).collect()
    }

    /// Whether finding out what parents have in common goes on within its bounds.
    pub fn check_steps(&self) -> Result<(), Refusal> {
        if self.steps.get() <= MAX_STEPS {
            return Ok(());
        }
        let message =
            "the merges are woven more tightly than can be judged; set a newer root with `mcpfleet trust set`";
        Err(Refusal { code: Code::Limit, message: message.to_owned() })
    }

    /// What `tip` has and none of `lines` has, in no order.
    fn brought(&self, tip: ObjectId, lines: &[ObjectId]) -> HashSet<ObjectId> {
        let mut brought = HashSet::new();
        let mut known = HashSet::new();
        let mut open = BinaryHeap::new();
        let mut undecided = 0;
        let place = |id: &ObjectId| self.index.get(id).copied();
        for line in lines.iter().filter_map(place) {
            known.insert(line);
            open.push(line);
        }
        if let Some(tip) = place(&tip)
            && !known.contains(&tip)
        {
            brought.insert(tip);
            open.push(tip);
            undecided = 1;
        }
        // From the youngest on: whatever reaches a commit has been seen before it.
        while undecided > 0
            && let Some(at) = open.pop()
        {
            let is_known = known.contains(&at);
            if !is_known {
                undecided -= 1;
            }
            self.steps.set(self.steps.get() + 1);
            let Some(id) = self.order.get(at) else { continue };
            for parent in self.parents.get(id).into_iter().flat_map(|parents| parents.iter()).filter_map(place) {
                if is_known {
                    if known.insert(parent) {
                        if brought.remove(&parent) {
                            undecided -= 1;
                        } else {
                            open.push(parent);
                        }
                    }
                } else if !known.contains(&parent) && brought.insert(parent) {
                    undecided += 1;
                    open.push(parent);
                }
            }
        }
        brought.into_iter().filter_map(|at| self.order.get(at).copied()).collect()
    }

    /// Whether a commit that is judged leads to another, or is it.
    pub fn leads_to(&self, earlier: ObjectId, later: ObjectId) -> bool {
        self.index.contains_key(&earlier) && self.brought(earlier, &[later]).is_empty()
    }

    /// What `tip` brings over `line`, but for what is in `without`: parents first, a first parent's side first.
    pub fn brought_in_order(&self, tip: ObjectId, line: ObjectId, without: &HashSet<ObjectId>) -> Vec<ObjectId> {
        let brought = self.brought(tip, &[line]);
        self.postorder(tip, |id| brought.contains(&id) && !without.contains(&id))
    }

    /// The same commits, with those in `leads`, and everything that leads to them, before the rest.
    pub fn put_first(&self, order: Vec<ObjectId>, leads: &HashSet<ObjectId>) -> Vec<ObjectId> {
        let mut first: HashSet<ObjectId> = leads.clone();
        for id in order.iter().rev() {
            if first.contains(id) {
                first.extend(self.parents.get(id).into_iter().flat_map(|parents| parents.iter()));
            }
        }
        let (mut before, after): (Vec<_>, Vec<_>) = order.into_iter().partition(|id| first.contains(id));
        before.extend(after);
        before
    }
}

/// Some commits and everything that leads to them.
pub fn ancestors(objects: &dyn Objects, cache: &mut Cache, of: &[ObjectId]) -> Result<HashSet<ObjectId>, Failure> {
    let mut reached: HashSet<ObjectId> = of.iter().copied().collect();
    let mut open = of.to_vec();
    while let Some(id) = open.pop() {
        if objects.is_shallow(id) {
            continue;
        }
        open.extend(cache.links(objects, id)?.parents.iter().copied().filter(|parent| reached.insert(*parent)));
        if reached.len() > MAX_PAST {
            let message = format!(
                "the base has more than {MAX_PAST} commits before it, all of which must be known to judge branches that are \
                 older than it; take such a branch over by rebasing it, or trust its merge with `mcpfleet trust set`"
            );
            return Err(Refusal { code: Code::Limit, message }.into());
        }
    }
    Ok(reached)
}

fn shallow(at: ObjectId) -> Refusal {
    let message = format!(
        "the history ends at {}, whose parents are not there: this is a shallow clone; fetch everything, with \
         `git fetch --unshallow` or `fetch-depth: 0`",
        at.short()
    );
    Refusal { code: Code::Shallow, message }
}

fn too_many(limit: usize) -> Refusal {
    let message = format!(
        "there are more than {limit} commits to judge; raise `authorization.max_commits`, or set a newer root with \
         `mcpfleet trust set`"
    );
    Refusal { code: Code::Limit, message }
}
