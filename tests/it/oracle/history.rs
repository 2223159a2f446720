//! Small random histories.

use super::world::{Content, Grant, PATHS, Person, START, Slot, Team, Tree, is_valid};
use proptest::{prelude::*, sample::Index};
use std::{collections::BTreeSet, fmt};

pub struct Commit {
    /// Indices of earlier commits.
    pub parents: Vec<usize>,
    pub author: Person,
    pub tree: Tree,
    /// Indices of earlier commits.
    pub vouches: Vec<usize>,
}

/// Commits, parents before their children.
pub struct History {
    pub commits: Vec<Commit>,
    /// Of each commit, those that it descends from, and itself.
    ancestors: Vec<BTreeSet<usize>>,
    /// The trusted base.
    pub base: usize,
}

impl History {
    /// One with the first commit only.
    fn new(base: usize) -> History {
        let first = Commit { parents: Vec::new(), author: Person::Root, tree: START, vouches: Vec::new() };
        History { commits: vec![first], ancestors: vec![[0].into()], base }
    }

    fn push(&mut self, commit: Commit) {
        let below = commit.parents.iter().flat_map(|parent| self.ancestors(*parent)).copied();
        self.ancestors.push(below.chain([self.commits.len()]).collect());
        self.commits.push(commit);
    }

    /// A commit with everything that it descends from.
    pub fn ancestors(&self, commit: usize) -> &BTreeSet<usize> {
        &self.ancestors[commit]
    }

    /// Whether it is the base or descends from it.
    pub fn is_trusted(&self, commit: usize) -> bool {
        self.ancestors(commit).contains(&self.base)
    }

    /// The parents that no other parent descends from.
    pub fn heads(&self, parents: &[usize]) -> Vec<usize> {
        let mut heads = Vec::new();
        for parent in parents {
            let covered = parents.iter().any(|other| other != parent && self.ancestors(*other).contains(parent));
            if !covered && !heads.contains(parent) {
                heads.push(*parent);
            }
        }
        heads
    }

    /// The best common ancestors of two commits.
    pub fn merge_bases(&self, a: usize, b: usize) -> Vec<usize> {
        let common: Vec<usize> = self.ancestors(a).intersection(self.ancestors(b)).copied().collect();
        self.heads(&common)
    }

    /// What a merge without opinions of its own has, where that is clear.
    pub fn plain_merge(&self, a: usize, b: usize, path: usize) -> Option<Slot> {
        let tree = |commit: usize| self.commits[commit].tree[path];
        let of_base = |base: usize| match (tree(a), tree(b)) {
            (a, b) if a == b => Some(a),
            (a, b) if a == tree(base) => Some(b),
            (a, b) if b == tree(base) => Some(a),
            _ => None,
        };
        let results: BTreeSet<Option<Slot>> = self.merge_bases(a, b).into_iter().map(of_base).collect();
        if results.len() == 1 { results.into_iter().next().flatten() } else { None }
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, commit) in self.commits.iter().enumerate() {
            let base = if index == self.base { " BASE" } else { "" };
            write!(f, "\n  {index}{base} on {:?} by {}:", commit.parents, commit.author.name())?;
            for (path, name) in PATHS.iter().enumerate() {
                let before: Vec<Slot> = commit.parents.iter().map(|p| self.commits[*p].tree[path]).collect();
                if before.iter().any(|slot| *slot != commit.tree[path]) || index == 0 {
                    write!(f, " {name} {before:?}→{:?};", commit.tree[path])?;
                }
            }
            if !commit.vouches.is_empty() {
                write!(f, " vouches for {:?}", commit.vouches)?;
            }
        }
        Ok(())
    }
}

#[derive(Clone, Debug)]
pub struct Step {
    /// How many parents, if there are as many that do not descend from each other.
    parents: usize,
    /// Which, counted from the newest.
    which: [usize; 3],
    /// Also which of its ancestors, counted from the newest, and whether before the others.
    also: Option<(usize, bool)>,
    /// `None`: somebody who may do everything.
    author: Option<Person>,
    edits: Vec<Edit>,
    /// Which side to take where both sides of a merge changed a file.
    theirs: bool,
    /// Which of its ancestors it vouches for, counted from the newest.
    vouches: Vec<usize>,
}

#[derive(Clone, Debug)]
enum Edit {
    /// Something that no commit had there.
    New(usize, Team),
    /// What some earlier commit has there.
    Copy(usize, Index),
    Delete(usize),
    Twin(Team),
    Break(usize),
    Role(Grant),
    User(usize, bool, bool, bool),
}

/// Few files are changed often, so that changes meet.
fn path() -> impl Strategy<Value = usize> {
    prop_oneof![6 => Just(0usize), 2 => Just(1), 1 => Just(2), 1 => Just(3), 3 => Just(4), 1 => Just(5), 1 => Just(6)]
}

fn edit() -> impl Strategy<Value = Edit> {
    let team = || prop_oneof![3 => Just(Team::A), 1 => Just(Team::B)];
    let grant = prop_oneof![Just(Grant::All), Just(Grant::NoDelete), Just(Grant::Nothing)];
    let app = prop_oneof![4 => Just(0usize), 1 => Just(1), 1 => Just(2)];
    let user = prop_oneof![4 => Just(4usize), 1 => Just(5), 1 => Just(6)];
    let admin = prop_oneof![4 => Just(false), 1 => Just(true)];
    prop_oneof![
        10 => (app, team()).prop_map(|(path, team)| Edit::New(path, team)),
        5 => (path(), any::<Index>()).prop_map(|(path, of)| Edit::Copy(path, of)),
        2 => path().prop_map(Edit::Delete),
        1 => team().prop_map(Edit::Twin),
        1 => path().prop_map(Edit::Break),
        2 => grant.prop_map(Edit::Role),
        2 => Just(Edit::User(4, false, false, false)),
        4 => (user, admin, any::<bool>(), any::<bool>())
            .prop_map(|(path, admin, a, b)| Edit::User(path, admin, a, b)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let parents = prop_oneof![10 => Just(1usize), 10 => Just(2), 1 => Just(3)];
    let vouches = prop_oneof![
        4 => Just(Vec::new()),
        1 => proptest::collection::vec(0..4usize, 1..3),
    ];
    let author = prop_oneof![
        4 => Just(None),
        5 => Just(Some(Person::Ann)),
        2 => Just(Some(Person::Ben)),
        2 => Just(Some(Person::Eve)),
    ];
    let edits = prop_oneof![
        3 => Just(Vec::new()),
        5 => edit().prop_map(|edit| vec![edit]),
        2 => proptest::collection::vec(edit(), 2..3),
    ];
    let also = prop_oneof![9 => Just(None), 1 => (0..3usize, any::<bool>()).prop_map(Some)];
    (parents, [0..4usize, 0..4, 0..3], also, author, edits, any::<bool>(), vouches).prop_map(
        |(parents, which, also, author, edits, theirs, vouches)| Step {
            parents,
            which,
            also,
            author,
            edits,
            theirs,
            vouches,
        },
    )
}

/// Two commits that probably change the same file or what the other one's author may do, and a merge of them. Left to
/// chance they would hardly meet.
fn meeting() -> impl Strategy<Value = Vec<Step>> {
    let change = || {
        let author = prop_oneof![2 => Just(None), 1 => Just(Some(Person::Ann))];
        let edit = prop_oneof![
            3 => Just(Edit::New(0, Team::A)),
            1 => Just(Edit::Delete(0)),
            2 => any::<Index>().prop_map(|of| Edit::Copy(0, of)),
            2 => Just(Edit::User(4, false, false, false)),
            2 => any::<bool>().prop_map(|b| Edit::User(4, false, true, b)),
            1 => Just(Edit::Role(Grant::Nothing)),
        ];
        (author, edit)
    };
    let merger = prop_oneof![2 => Just(Some(Person::Eve)), 1 => Just(Some(Person::Ann)), 1 => Just(None)];
    (0..4usize, change(), change(), merger, 0..2usize, any::<bool>()).prop_map(
        |(from, left, right, merger, first, theirs)| {
            let step = |parents, which, author, edits| Step {
                parents,
                which,
                also: None,
                author,
                edits,
                theirs,
                vouches: Vec::new(),
            };
            vec![
                step(1, [from, 0, 0], left.0, vec![left.1]),
                step(1, [from + 1, 0, 0], right.0, vec![right.1]),
                step(2, [first, 0, 0], merger, Vec::new()),
            ]
        },
    )
}

/// Histories of up to `length` commits after the first, or a few more. The base is one of the first few.
pub fn histories(length: usize) -> impl Strategy<Value = History> {
    let base = prop_oneof![3 => Just(0usize), 2 => Just(1), 2 => Just(2), 1 => Just(4)];
    let steps = prop_oneof![6 => step().prop_map(|step| vec![step]), 1 => meeting()];
    (base, proptest::collection::vec(steps, 1..=length)).prop_map(|(base, steps)| build(base, &steps.concat()))
}

/// Histories in which everybody changes what they may, each line of history something of its own, and every merge is a
/// clean one by somebody who may do nothing.
pub fn honest_histories(length: usize) -> impl Strategy<Value = History> {
    let base = prop_oneof![2 => Just(0usize), 1 => Just(1)];
    (base, proptest::collection::vec(step(), 1..=length)).prop_map(|(base, steps)| {
        let mut history = History::new(base.min(steps.len()));
        for step in &steps {
            let commit = honest_commit(&history, step);
            history.push(commit);
        }
        history
    })
}

fn honest_commit(history: &History, step: &Step) -> Commit {
    let parents = parents(history, step);
    if let [a, b] = parents[..] {
        let plain: Option<Vec<Slot>> = (0..PATHS.len()).map(|path| history.plain_merge(a, b, path)).collect();
        if let Some(tree) = plain.and_then(|slots| slots.try_into().ok()) {
            return Commit { parents, author: Person::Eve, tree, vouches: Vec::new() };
        }
    }
    let parent = parents[0];
    let mut tree = history.commits[parent].tree;
    let author = step.author.filter(|author| *author != Person::Eve).unwrap_or(Person::Root);
    let (path, team) = match author {
        Person::Ann => (0, Team::A),
        Person::Ben => (1, Team::B),
        Person::Root | Person::Eve => (2, Team::B),
    };
    tree[path] = Some(Content::App { twin: false, team, version: history.commits.len() as u8 });
    Commit { parents: vec![parent], author, tree, vouches: Vec::new() }
}

fn build(base: usize, steps: &[Step]) -> History {
    let mut history = History::new(base.min(steps.len()));
    for step in steps {
        let commit = commit(&history, step);
        history.push(commit);
    }
    if !is_valid(&history.commits[history.base].tree) {
        history.base = 0;
    }
    history
}

/// The parents that a step asks for, none of which descends from another.
fn parents(history: &History, step: &Step) -> Vec<usize> {
    let mut parents: Vec<usize> = Vec::new();
    for which in step.which.iter().take(step.parents) {
        // Whatever no parent descends from and that descends from none of them.
        let ancestors: BTreeSet<usize> =
            parents.iter().flat_map(|parent| history.ancestors(*parent)).copied().collect();
        let apart = |commit: &usize| {
            !ancestors.contains(commit) && history.ancestors(*commit).iter().all(|a| !parents.contains(a))
        };
        let others: Vec<usize> = (0..history.commits.len()).rev().filter(apart).collect();
        parents.extend(others.get(*which).or(others.last()));
    }
    parents
}

fn commit(history: &History, step: &Step) -> Commit {
    let mut parents = parents(history, step);
    let after_base = parents.iter().any(|parent| *parent >= history.base && history.is_trusted(*parent));
    if !after_base {
        // What git merges there depends on how it merges: keep to what every way of merging agrees on.
        parents.truncate(2);
        if let [a, b] = parents[..]
            && history.merge_bases(a, b).len() > 1
        {
            parents.truncate(1);
        }
    }
    let ancestors: Vec<usize> = parents
        .iter()
        .flat_map(|p| history.ancestors(*p))
        .copied()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .rev()
        .collect();
    let mut tree = merged(history, &parents, step.theirs);
    for edit in &step.edits {
        apply(history, edit, &mut tree);
    }
    let vouches = step.vouches.iter().filter_map(|which| ancestors.get(*which).copied()).collect();
    if let Some((which, before)) = step.also
        && let Some(ancestor) = ancestors.iter().filter(|ancestor| !parents.contains(ancestor)).nth(which)
    {
        parents.insert(if before { 0 } else { parents.len() }, *ancestor);
    }
    Commit { parents, author: step.author.unwrap_or(Person::Root), tree, vouches }
}

/// A merge of the parents in turn; where there is a conflict, one side is taken.
fn merged(history: &History, parents: &[usize], theirs: bool) -> Tree {
    let mut tree = history.commits[parents[0]].tree;
    for other in &parents[1..] {
        for (path, slot) in tree.iter_mut().enumerate() {
            let other_side = history.commits[*other].tree[path];
            match history.plain_merge(parents[0], *other, path) {
                Some(plain) if parents.len() == 2 => *slot = plain,
                Some(plain) if *slot == history.commits[parents[0]].tree[path] => *slot = plain,
                _ if theirs => *slot = other_side,
                _ => {}
            }
        }
    }
    tree
}

fn apply(history: &History, edit: &Edit, tree: &mut Tree) {
    let version = history.commits.len() as u8;
    match *edit {
        Edit::New(path, team) => tree[path] = Some(Content::App { twin: false, team, version }),
        Edit::Copy(path, ref index) => tree[path] = history.commits[index.index(history.commits.len())].tree[path],
        Edit::Delete(path) => tree[path] = None,
        Edit::Twin(team) => tree[2] = Some(Content::App { twin: true, team, version }),
        Edit::Break(path) => tree[path] = Some(Content::Broken),
        Edit::Role(grant) => tree[3] = Some(Content::Role(grant)),
        Edit::User(path, admin, team_a, team_b) => tree[path] = Some(Content::User { admin, team_a, team_b }),
    }
}
