//! The accepted state after a commit.

mod faults;
mod shown;
mod waiting;

pub use faults::Fault;

use super::{
    Code, ObjectId, Policy, Rules,
    content::{Content, Entry, Slot},
    layered::Layered,
};
use crate::resource::{Kind, Resource};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What is accepted after a commit, path by path, and the policy that it makes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct State {
    pub(super) commit: ObjectId,
    /// What is decided. A path that is not here is accepted as absent, or undecided.
    pub(super) files: Layered<Arc<str>, Accepted>,
    /// The commits since the root that decided something.
    pub(super) made_by: Layered<Arc<str>, ObjectId>,
    pub(super) held: Arc<BTreeMap<Arc<str>, Held>>,
    pub(super) undecided: Arc<BTreeMap<Arc<str>, Undecided>>,
    /// One policy, or one for each line as long as they do not agree on a role or user.
    pub(super) lines: Vec<Line>,
    /// Which files define a resource, by kind and name in lower case.
    names: Layered<(Kind, String), BTreeSet<Arc<str>>>,
}

#[derive(Clone, Debug)]
pub struct Accepted {
    pub entry: Entry,
    pub content: Arc<Content>,
}

/// Why the accepted content of a path is not what the commit has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The refused commit that last wrote what the commit has.
    pub reason: ObjectId,
    /// All refused commits that wrote the same, as far as it was not before the base.
    pub writers: BTreeSet<ObjectId>,
    pub code: Option<Code>,
    /// What the commit has.
    pub has: Slot,
}

/// A path on which the lines that were merged do not agree.
#[derive(Clone, Debug)]
pub struct Undecided {
    /// What each of them accepted.
    pub candidates: BTreeMap<Slot, Option<Arc<Content>>>,
    /// The merge that left it undecided, or the refused commit that last wrote what the commit has.
    pub reason: ObjectId,
    /// As of what is held.
    pub writers: BTreeSet<ObjectId>,
    /// What is in force until somebody decides.
    pub applied: Option<Accepted>,
}

/// What a path is accepted as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Decided(Slot),
    Undecided(BTreeSet<Slot>),
}

impl Value {
    /// Everything that it may be.
    pub fn slots(&self) -> Vec<Slot> {
        match self {
            Value::Decided(slot) => vec![*slot],
            Value::Undecided(candidates) => candidates.iter().copied().collect(),
        }
    }
}

/// The roles and users of one line.
#[derive(Clone, Debug)]
pub struct Line {
    pub files: Arc<BTreeMap<Arc<str>, Accepted>>,
    pub policy: Arc<Policy>,
    /// The files have changed since the policy was worked out.
    pub stale: bool,
}

impl Line {
    pub fn entries(&self) -> BTreeMap<Arc<str>, Entry> {
        self.files.iter().map(|(path, accepted)| (path.clone(), accepted.entry)).collect()
    }
}

impl State {
    /// The state in which everything of a tree is accepted.
    pub(super) fn new(commit: ObjectId, files: BTreeMap<Arc<str>, Accepted>, rules: &Rules) -> State {
        let mut names: BTreeMap<_, BTreeSet<Arc<str>>> = BTreeMap::new();
        for (path, accepted) in &files {
            for name in names_of(&accepted.content) {
                names.entry(name).or_default().insert(path.clone());
            }
        }
        let of_policy = files.iter().filter(|(_, accepted)| is_policy(Some(&accepted.content)));
        let line = Line {
            files: Arc::new(of_policy.map(|(path, accepted)| (path.clone(), accepted.clone())).collect()),
            policy: Arc::default(),
            stale: true,
        };
        let mut state = State {
            commit,
            files: Layered::new(files),
            made_by: Layered::new(BTreeMap::new()),
            held: Arc::default(),
            undecided: Arc::default(),
            lines: vec![line],
            names: Layered::new(names),
        };
        state.renew_policies(rules);
        state
    }

    pub fn commit(&self) -> ObjectId {
        self.commit
    }

    /// The policy in force; one for each line as long as a role or user is undecided.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.lines.iter().map(|line| &line.policy)
    }

    pub(super) fn value(&self, path: &str) -> Value {
        match self.undecided.get(path) {
            Some(undecided) => Value::Undecided(undecided.candidates.keys().copied().collect()),
            None => Value::Decided(self.files.get(path).map(|accepted| accepted.entry)),
        }
    }

    /// Decides a path. The policies are not renewed.
    pub(super) fn decide(&mut self, path: &Arc<str>, accepted: Option<Accepted>, by: Option<ObjectId>) {
        self.forget(path);
        if let Some(accepted) = &accepted {
            self.name(path, &accepted.content);
        }
        let policy = accepted.as_ref().filter(|accepted| is_policy(Some(&accepted.content)));
        for line in &mut self.lines {
            if policy.is_some() || line.files.contains_key(path) {
                let files = Arc::make_mut(&mut line.files);
                match policy {
                    Some(accepted) => drop(files.insert(path.clone(), accepted.clone())),
                    None => drop(files.remove(path)),
                }
                line.stale = true;
            }
        }
        if let Some(by) = by {
            self.made_by.set(path.clone(), Some(by));
        }
        self.files.set(path.clone(), accepted);
    }

    /// Leaves a path undecided. The policies are the caller's business.
    pub(super) fn leave_undecided(&mut self, path: &Arc<str>, undecided: Undecided) {
        self.forget(path);
        for content in undecided.candidates.values().flatten() {
            self.name(path, content);
        }
        self.files.set(path.clone(), None);
        Arc::make_mut(&mut self.undecided).insert(path.clone(), undecided);
    }

    fn forget(&mut self, path: &Arc<str>) {
        let before: Vec<Arc<Content>> = match self.undecided.get(path) {
            Some(undecided) => undecided.candidates.values().flatten().cloned().collect(),
            None => self.files.get(path).map(|accepted| accepted.content.clone()).into_iter().collect(),
        };
        for name in before.iter().flat_map(|content| names_of(content)) {
            let mut paths = self.names.get(&name).cloned().unwrap_or_default();
            paths.remove(path);
            self.names.set(name, (!paths.is_empty()).then_some(paths));
        }
        if self.undecided.contains_key(path) {
            Arc::make_mut(&mut self.undecided).remove(path);
        }
    }

    fn name(&mut self, path: &Arc<str>, content: &Content) {
        for name in names_of(content) {
            let mut paths = self.names.get(&name).cloned().unwrap_or_default();
            paths.insert(path.clone());
            self.names.set(name, Some(paths));
        }
    }

    /// The state of an empty tree that nobody has committed.
    pub(super) fn nothing() -> State {
        State {
            commit: ObjectId::new([0; 20]),
            files: Layered::new(BTreeMap::new()),
            made_by: Layered::new(BTreeMap::new()),
            held: Arc::default(),
            undecided: Arc::default(),
            lines: vec![],
            names: Layered::new(BTreeMap::new()),
        }
    }

    /// Lets what was in force before stay so where nothing is decided.
    pub(super) fn keep_applied(&mut self, before: &State) {
        if self.undecided.is_empty() {
            return;
        }
        for (path, undecided) in Arc::make_mut(&mut self.undecided) {
            undecided.applied = match before.undecided.get(path) {
                Some(undecided) => undecided.applied.clone(),
                None => before.files.get(path).cloned(),
            };
        }
    }

    /// Makes looking things up cheap again after many changes.
    pub(super) fn settle(&mut self) {
        self.files.settle();
        self.made_by.settle();
        self.names.settle();
    }

    /// Everything that this state says something of.
    pub(super) fn entries(&self) -> Vec<(Arc<str>, Entry)> {
        let files = self.files.iter().map(|(path, accepted)| (path.clone(), accepted.entry));
        let undecided = self.undecided.iter().flat_map(|(path, undecided)| {
            let candidates = undecided.candidates.keys().flatten().copied();
            candidates.chain(undecided.applied.as_ref().map(|one| one.entry)).map(|entry| (path.clone(), entry))
        });
        let held = self.held.iter().filter_map(|(path, held)| Some((path.clone(), held.has?)));
        files.chain(undecided).chain(held).collect()
    }

    /// Works out the policies of lines whose files have changed.
    pub(super) fn renew_policies(&mut self, rules: &Rules) {
        if let Some(fixed) = &rules.fixed_policy {
            self.lines = vec![Line { files: Arc::default(), policy: fixed.clone(), stale: false }];
            return;
        }
        for line in &mut self.lines {
            if std::mem::take(&mut line.stale) {
                line.policy = Arc::new(Policy::new(line.files.values().filter_map(|one| one.content.valid())));
            }
        }
    }

    /// Makes one of the lines that agree.
    pub(super) fn join_lines(&mut self) {
        if self.lines.len() < 2 {
            return;
        }
        let mut seen = Vec::new();
        self.lines.retain(|line| {
            let entries = line.entries();
            let new = !seen.contains(&entries);
            if new {
                seen.push(entries);
            }
            new
        });
    }
}

/// What a file defines, by kind and name in lower case; a name that it has twice, twice.
fn names_of(content: &Content) -> impl Iterator<Item = (Kind, String)> {
    let resources = content.valid().into_iter().flat_map(|file| &file.resources);
    resources.map(|located| (located.resource.kind(), located.resource.metadata().name.to_ascii_lowercase()))
}

/// Whether a content has roles or users.
pub fn is_policy(content: Option<&Arc<Content>>) -> bool {
    let file = content.and_then(|content| content.file());
    file.is_some_and(|file| file.resources.iter().any(|located| !matches!(located.resource, Resource::App(_))))
}
