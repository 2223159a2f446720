//! Which commits take effect, computed in the most naive way: whole maps, and every definition a function.

use super::{
    history::History,
    world::{Content, PATHS, Person, Slot, Tree, is_allowed, is_user, is_valid},
};
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};

pub type Reasons = BTreeSet<usize>;

/// What is accepted after a commit.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// One whole map for each line; a path is undecided where they differ.
    pub lines: BTreeSet<Tree>,
    /// For the paths that are held or undecided: the commits that wrote what is refused. There are several if several
    /// wrote the same.
    pub reasons: [Reasons; PATHS.len()],
}

impl State {
    pub fn candidates(&self, path: usize) -> BTreeSet<Slot> {
        self.lines.iter().map(|line| line[path]).collect()
    }
}

/// What a commit did: where it started from, and what it made of it.
#[derive(Clone, Debug)]
struct Change {
    path: usize,
    from: BTreeSet<Slot>,
    to: Slot,
}

#[derive(Clone, Debug)]
pub struct Verdict {
    pub state: State,
    pub accepted: bool,
    own: Vec<Change>,
}

pub struct Oracle<'a> {
    history: &'a History,
    /// Whether the rules leave something open:
    /// - a commit vouches for one of several that wrote the same, which may be the reason or not;
    /// - a parent of a merge has something from a skipped commit and the same from another;
    /// - a path is undecided on several parents of a merge, for different reasons;
    /// - what is replayed starts from one of the values of an undecided path.
    unsettled: Cell<bool>,
    verdicts: BTreeMap<usize, Verdict>,
}

/// A line after others' work was replayed on it.
struct Replay {
    lines: BTreeSet<Tree>,
    skipped: BTreeSet<usize>,
}

impl<'a> Oracle<'a> {
    pub fn new(history: &'a History) -> Oracle<'a> {
        let mut oracle = Oracle { history, unsettled: Cell::new(false), verdicts: BTreeMap::new() };
        for commit in 0..history.commits.len() {
            if history.is_trusted(commit) {
                let verdict = oracle.judged(commit);
                oracle.verdicts.insert(commit, verdict);
            }
        }
        oracle
    }

    /// What became of a commit that descends from the base.
    pub fn verdict(&self, commit: usize) -> &Verdict {
        &self.verdicts[&commit]
    }

    pub fn is_unsettled(&self) -> bool {
        self.unsettled.get()
    }

    fn vouches(&self, commit: usize, reasons: &Reasons) -> bool {
        let vouches = &self.history.commits[commit].vouches;
        let named = reasons.iter().filter(|reason| vouches.contains(reason)).count();
        if named > 0 && named < reasons.len() {
            self.unsettled.set(true);
        }
        named > 0
    }

    fn tree(&self, commit: usize) -> &'a Tree {
        &self.history.commits[commit].tree
    }

    fn judged(&self, commit: usize) -> Verdict {
        if commit == self.history.base {
            let state = State { lines: [*self.tree(commit)].into(), reasons: Default::default() };
            return Verdict { state, accepted: true, own: Vec::new() };
        }
        match self.history.heads(&self.history.commits[commit].parents)[..] {
            [parent] => self.single(commit, parent),
            ref parents => self.merge(commit, parents),
        }
    }

    fn single(&self, commit: usize, parent: usize) -> Verdict {
        let before = &self.verdicts[&parent].state;
        let (tree, underneath) = (self.tree(commit), self.tree(parent));
        let mut own = Vec::new();
        let mut vouched = true;
        let mut reasons = before.reasons.clone();
        for path in 0..PATHS.len() {
            let from = before.candidates(path);
            let to = tree[path];
            let for_reason = self.vouches(commit, &before.reasons[path]);
            if to == underneath[path] {
                if for_reason {
                    own.push(Change { path, from, to });
                }
            } else if from == [to].into() {
                reasons[path].clear();
            } else {
                vouched &= from.contains(&underneath[path]) || for_reason;
                own.push(Change { path, from, to });
            }
        }
        let author = self.history.commits[commit].author;
        let lines = decided(&before.lines, &own);
        let accepted =
            own.is_empty() || vouched && are_allowed(&before.lines, author, &own) && lines.iter().all(is_valid);
        for change in &own {
            let touched = change.to != underneath[change.path];
            if accepted {
                reasons[change.path].clear();
            } else if touched {
                reasons[change.path] = [commit].into();
            }
        }
        let lines = if accepted { lines } else { before.lines.clone() };
        Verdict { state: State { lines, reasons }, accepted, own: if accepted { own } else { Vec::new() } }
    }

    fn merge(&self, commit: usize, parents: &[usize]) -> Verdict {
        let trusted: Vec<usize> = parents.iter().copied().filter(|p| self.history.is_trusted(*p)).collect();
        let replays: BTreeMap<usize, Replay> =
            trusted.iter().map(|line| (*line, self.replay(*line, parents))).collect();
        let tree = self.tree(commit);
        let lines: BTreeSet<Tree> = replays.values().flat_map(|replay| replay.lines.iter().copied()).collect();
        let mut own = Vec::new();
        let mut vouched = true;
        let mut reasons: [Reasons; PATHS.len()] = Default::default();
        for path in 0..PATHS.len() {
            let to = tree[path];
            let of_line = |replay: &Replay| replay.lines.iter().map(|line| line[path]).collect::<BTreeSet<Slot>>();
            let values: BTreeSet<BTreeSet<Slot>> = replays.values().map(of_line).collect();
            let from: BTreeSet<Slot> = values.iter().flatten().copied().collect();
            let refused: Vec<(usize, Reasons)> =
                parents.iter().map(|parent| (*parent, self.refused(*parent, path, &replays))).collect();
            let same: Vec<&Reasons> = refused
                .iter()
                .filter(|(parent, _)| self.tree(*parent)[path] == to)
                .map(|(_, reasons)| reasons)
                .collect();
            let contested = values.len() > 1;
            if !contested && from.len() > 1 && refused.iter().any(|(_, reasons)| *reasons != refused[0].1) {
                self.unsettled.set(true);
            }
            if !contested {
                if from == [to].into() {
                    continue;
                }
                let came_along: Reasons = same.iter().flat_map(|reasons| reasons.iter().copied()).collect();
                if !came_along.is_empty() && !self.vouches(commit, &came_along) {
                    reasons[path] = came_along;
                    continue;
                }
            }
            let new = same.is_empty();
            let needed = refused.iter().filter(|(parent, _)| new || self.tree(*parent)[path] == to);
            let needed: Vec<&Reasons> =
                needed.map(|(_, reasons)| reasons).filter(|reasons| !reasons.is_empty()).collect();
            vouched &= needed.iter().all(|reasons| self.vouches(commit, reasons));
            reasons[path] = [commit].into();
            own.push(Change { path, from, to });
        }
        let author = self.history.commits[commit].author;
        let result = decided(&lines, &own);
        let accepted = own.is_empty() || vouched && are_allowed(&lines, author, &own) && result.iter().all(is_valid);
        if accepted {
            own.iter().for_each(|change| reasons[change.path].clear());
        }
        // What a refused merge has as it should be is not held.
        for path in 0..PATHS.len() {
            if !accepted && lines.iter().all(|line| line[path] == tree[path]) {
                reasons[path].clear();
            }
        }
        let lines = if accepted { result } else { lines };
        Verdict { state: State { lines, reasons }, accepted, own: if accepted { own } else { Vec::new() } }
    }

    /// A refused change of policy is none: it leads nothing.
    fn replay(&self, line: usize, parents: &[usize]) -> Replay {
        let mut powerless = BTreeSet::new();
        loop {
            let replay = self.replay_with(line, parents, &powerless);
            let refused = replay.skipped.iter().copied().filter(|commit| self.changes_policy(*commit));
            let found: BTreeSet<usize> = powerless.iter().copied().chain(refused).collect();
            if found == powerless {
                return replay;
            }
            powerless = found;
        }
    }

    fn replay_with(&self, line: usize, parents: &[usize], powerless: &BTreeSet<usize>) -> Replay {
        let mut replay = Replay { lines: self.verdicts[&line].state.lines.clone(), skipped: BTreeSet::new() };
        let mut done = BTreeSet::new();
        for other in parents.iter().filter(|parent| **parent != line) {
            for commit in self.brought(*other, line, powerless) {
                if done.insert(commit) {
                    self.replay_commit(commit, line, &mut replay);
                }
            }
        }
        replay
    }

    fn replay_commit(&self, commit: usize, line: usize, replay: &mut Replay) {
        let made = &self.history.commits[commit];
        let own = self.own_changes(commit);
        let on_skipped = !self.history.is_trusted(commit)
            && own.iter().any(|change| {
                let below = |parent: &usize| self.below(*parent, change.path, line, &replay.skipped);
                // A merge that takes one side's builds on that side.
                let takes = |parent: &usize| self.tree(*parent)[change.path] == change.to;
                let parents = self.history.heads(&made.parents);
                let new = !parents.iter().any(takes);
                let sides = parents.iter().filter(|parent| new || takes(parent));
                let reasons: Reasons = sides.flat_map(below).collect();
                !reasons.is_empty() && !self.vouches(commit, &reasons)
            });
        let applied: BTreeSet<Tree> = replay
            .lines
            .iter()
            .map(|current| {
                let mut after = *current;
                for change in own.iter().filter(|change| change.from.contains(&current[change.path])) {
                    after[change.path] = change.to;
                }
                after
            })
            .collect();
        if own.is_empty() {
            return;
        }
        let some = |change: &Change| replay.lines.iter().any(|line| change.from.contains(&line[change.path]));
        let all = |change: &Change| replay.lines.iter().all(|line| change.from.contains(&line[change.path]));
        if own.iter().any(|change| some(change) && !all(change)) {
            self.unsettled.set(true);
        }
        if !on_skipped && are_allowed(&replay.lines, made.author, &own) && applied.iter().all(is_valid) {
            replay.lines = applied;
        } else {
            replay.skipped.insert(commit);
        }
    }

    /// The commits of `line..other`, parents first, and first those that lead to a change of policy.
    fn brought(&self, other: usize, line: usize, powerless: &BTreeSet<usize>) -> Vec<usize> {
        fn visit(history: &History, commit: usize, known: &BTreeSet<usize>, order: &mut Vec<usize>) {
            if known.contains(&commit) || order.contains(&commit) {
                return;
            }
            for parent in &history.commits[commit].parents {
                visit(history, *parent, known, order);
            }
            order.push(commit);
        }
        let mut order = Vec::new();
        visit(self.history, other, self.history.ancestors(line), &mut order);
        let policy = |commit: &&usize| self.changes_policy(**commit) && !powerless.contains(*commit);
        let leading: BTreeSet<usize> =
            order.iter().filter(policy).flat_map(|commit| self.history.ancestors(*commit)).copied().collect();
        let (first, rest): (Vec<usize>, Vec<usize>) = order.into_iter().partition(|c| leading.contains(c));
        [first, rest].concat()
    }

    fn changes_policy(&self, commit: usize) -> bool {
        let is_policy = |slot: &Slot| slot.is_some_and(Content::is_policy);
        self.own_changes(commit).iter().any(|change| change.from.iter().chain([&change.to]).any(is_policy))
    }

    fn own_changes(&self, commit: usize) -> Vec<Change> {
        if let Some(verdict) = self.verdicts.get(&commit) {
            return verdict.own.clone();
        }
        let parents = self.history.heads(&self.history.commits[commit].parents);
        let changed = |path: &usize| match parents[..] {
            [parent] => self.tree(parent)[*path] != self.tree(commit)[*path],
            [a, b] => self.history.plain_merge(a, b, *path) != Some(self.tree(commit)[*path]),
            _ => unreachable!("old lines are made without octopuses"),
        };
        let change = |path: usize| Change {
            path,
            from: parents.iter().map(|parent| self.tree(*parent)[path]).collect(),
            to: self.tree(commit)[path],
        };
        (0..PATHS.len()).filter(changed).map(change).collect()
    }

    /// The skipped commits that wrote what a commit has at a path, each side by itself.
    fn skipped(&self, commit: usize, path: usize, line: usize, skipped: &BTreeSet<usize>) -> Vec<Reasons> {
        if self.history.ancestors(line).contains(&commit) {
            return vec![Reasons::new()];
        }
        if self.own_changes(commit).iter().any(|change| change.path == path) {
            return vec![[commit].into_iter().filter(|commit| skipped.contains(commit)).collect()];
        }
        let parents = self.history.heads(&self.history.commits[commit].parents);
        let same = parents.iter().filter(|parent| self.tree(**parent)[path] == self.tree(commit)[path]);
        same.flat_map(|parent| self.skipped(*parent, path, line, skipped)).collect()
    }

    /// The refused commits that a commit of an old line would build on: those of its own line, and what the other line
    /// holds of it since an earlier merge.
    fn below(&self, parent: usize, path: usize, line: usize, skipped: &BTreeSet<usize>) -> Reasons {
        let held = &self.verdicts[&line].state.reasons[path];
        let is_held = self.tree(parent)[path] == self.tree(line)[path];
        if self.history.ancestors(line).contains(&parent) && is_held {
            return held.intersection(self.history.ancestors(parent)).copied().collect();
        }
        self.skipped(parent, path, line, skipped).into_iter().flatten().collect()
    }

    fn written(&self, parent: usize, path: usize, line: usize, skipped: &BTreeSet<usize>) -> Reasons {
        let sides = self.skipped(parent, path, line, skipped);
        if sides.iter().any(Reasons::is_empty) && sides.iter().any(|reasons| !reasons.is_empty()) {
            self.unsettled.set(true);
        }
        sides.into_iter().flatten().collect()
    }

    /// Why what a parent of a merge has at a path is refused, if it is.
    fn refused(&self, parent: usize, path: usize, replays: &BTreeMap<usize, Replay>) -> Reasons {
        match self.verdicts.get(&parent).map(|verdict| &verdict.state.reasons[path]) {
            Some(held) if !held.is_empty() => held.clone(),
            _ => replays.iter().flat_map(|(line, replay)| self.written(parent, path, *line, &replay.skipped)).collect(),
        }
    }
}

fn decided(lines: &BTreeSet<Tree>, own: &[Change]) -> BTreeSet<Tree> {
    let decide = |line: &Tree| {
        let mut line = *line;
        own.iter().for_each(|change| line[change.path] = change.to);
        line
    };
    lines.iter().map(decide).collect()
}

fn are_allowed(lines: &BTreeSet<Tree>, author: Person, own: &[Change]) -> bool {
    lines.iter().all(|policy| {
        let allowed =
            |change: &Change| change.from.iter().all(|f| is_allowed(policy, author, change.path, *f, change.to));
        is_user(policy, author) && own.iter().all(allowed)
    })
}
