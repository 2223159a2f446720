//! What a source says at a revision, with the last good content of what cannot be read now.
//!
//! The unit is the file: one mistake in it holds all of it. A resource is taken from a valid file; it stays as it was
//! while a file that is evidently about it is invalid or unreadable; and it is gone only when neither is the case.

use super::{Diagnostic, Located, ParsedFile, Severity, cross_check};
use crate::resource::{Kind, Resource, ResourceId};
use rayon::slice::ParallelSliceMut;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    sync::Arc,
};

mod series;
#[cfg(test)]
mod tests;

pub use series::{Next, Series};

/// Names a state of a source: a commit id, or for a directory a digest of paths and contents.
/// Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Revision(Arc<str>);

impl From<String> for Revision {
    fn from(text: String) -> Self {
        Revision(text.into())
    }
}

impl From<Revision> for String {
    fn from(revision: Revision) -> Self {
        revision.0.as_ref().to_owned()
    }
}

impl Revision {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// All files of a source by path, as just read.
pub type Tree = BTreeMap<Arc<str>, FileState>;

#[derive(Clone, Debug)]
pub enum FileState {
    Parsed(Arc<ParsedFile>),
    /// The file, or the folder, is there but cannot be read, or may not be (a symlink that leaves the source, a FIFO,
    /// too large). Never the same as one that is gone.
    Unreadable(Box<Diagnostic>),
}

/// Everything that is wrong with a tree, by itself and together.
pub fn diagnostics(tree: &Tree) -> Vec<Diagnostic> {
    let mut all = Vec::new();
    let mut resources = Vec::new();
    for state in tree.values() {
        match state {
            FileState::Unreadable(diagnostic) => all.push(Diagnostic::clone(diagnostic)),
            FileState::Parsed(file) => {
                all.extend(file.diagnostics.iter().cloned());
                resources.extend(&file.resources);
            }
        }
    }
    all.extend(cross_check(resources));
    all
}

/// Who made a resource what it is, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// As the commit says, `Name <mail>`; nobody vouches for it.
    pub name: String,
    /// The user to whom the commit was attributed when it was judged.
    pub signer: Option<String>,
}

/// What made a resource what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maker {
    pub revision: Revision,
    pub author: Option<Arc<Author>>,
}

/// A resource in a snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub located: Located,
    /// The revision at which this content was first seen; of a git source, the commit that made it so.
    pub since: Revision,
    /// Of a git source: who made that commit.
    pub author: Option<Arc<Author>>,
    /// The faulty files and folders on whose account this last good content is still in force. Empty when it is what
    /// a valid file says now.
    pub held_by: Vec<Arc<str>>,
}

impl Entry {
    /// What a valid file says, and nothing more is known of.
    pub fn new(located: Located, since: Revision) -> Self {
        Entry { located, since, author: None, held_by: vec![] }
    }

    /// Whether this is the last good content of a file that says something else now, which is not valid.
    pub fn is_stale(&self) -> bool {
        !self.held_by.is_empty()
    }
}

/// What a source says at a revision.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub revision: Revision,
    /// Entries that are the same in two snapshots are shared.
    pub resources: BTreeMap<ResourceId, Arc<Entry>>,
    /// All diagnostics of the tree, sorted by path and position.
    pub diagnostics: Vec<Diagnostic>,
    /// How many files there are, unreadable ones included.
    pub files: usize,
}

impl Snapshot {
    /// What `tree` says, given what the source said before. Total: no tree is an error.
    pub fn build(tree: &Tree, revision: Revision, previous: Option<&Snapshot>) -> Snapshot {
        let old = || previous.into_iter().flat_map(|p| &p.resources);
        let current = || parsed(tree).flat_map(|(_, file)| &file.resources);

        // What is held over is checked with the rest: a reference to a role is not wrong because the role's file is
        // broken right now.
        let own = Faults::new(tree, faulty(tree).collect());
        let named: HashSet<_> = if own.paths.is_empty() { HashSet::new() } else { current().map(key).collect() };
        let held_over = old().filter(|(_, entry)| !own.holding(entry).is_empty()).map(|(_, entry)| &entry.located);
        let held_over = held_over.filter(|located| !named.contains(&key(located)));
        let (crossed, mut fresh) = rayon::join(|| cross_check(current().chain(held_over)), || by_id(current()));

        let errors = crossed.iter().filter(|d| d.severity == Severity::Error).map(|d| d.path.as_str());
        let faults = Faults::new(tree, own.paths.iter().copied().chain(errors).collect());
        if !faults.paths.is_empty() {
            fresh.retain(|(_, located)| !faults.paths.contains(&*located.path));
        }
        let resources = merge(fresh, old(), &faults, &revision);

        let of_file = |state: &FileState| match state {
            FileState::Parsed(file) => file.diagnostics.clone(),
            FileState::Unreadable(diagnostic) => vec![Diagnostic::clone(diagnostic)],
        };
        let mut diagnostics: Vec<Diagnostic> = tree.values().flat_map(of_file).chain(crossed).collect();
        sort(&mut diagnostics);
        Snapshot { revision, resources, diagnostics, files: tree.len() }
    }

    /// Whether there is anything new since `before`, were it only a corrected comment.
    pub fn differs(&self, before: &Snapshot) -> bool {
        self.revision != before.revision || self.diagnostics != before.diagnostics
    }

    /// The same without the apps that are not below `folder`. Roles and users count wherever they are.
    pub fn narrowed(&self, folder: &str) -> Snapshot {
        let folder = folder.trim_matches('/');
        let below = |path: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        let keep = |entry: &Entry| {
            folder.is_empty() || entry.located.resource.kind() != Kind::App || below(&entry.located.path)
        };
        let kept = self.resources.iter().filter(|(_, entry)| keep(entry));
        Snapshot {
            revision: self.revision.clone(),
            resources: kept.map(|(id, entry)| (id.clone(), entry.clone())).collect(),
            diagnostics: self.diagnostics.clone(),
            files: self.files,
        }
    }
}

fn sort(diagnostics: &mut [Diagnostic]) {
    diagnostics.sort_by(|a, b| (&a.path, a.position).cmp(&(&b.path, b.position)));
}

/// Resources in the order of a snapshot.
fn by_id<'a>(resources: impl Iterator<Item = &'a Located>) -> Vec<(ResourceId, &'a Located)> {
    let mut resources: Vec<_> = resources.map(|located| (located.resource.id(), located)).collect();
    resources.par_sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    resources
}

/// The entries of a snapshot: what valid files say, in the order of ids, and what faults hold of what was said before.
fn merge<'a>(
    fresh: Vec<(ResourceId, &Located)>,
    old: impl Iterator<Item = (&'a ResourceId, &'a Arc<Entry>)>,
    faults: &Faults<'_>,
    revision: &Revision,
) -> BTreeMap<ResourceId, Arc<Entry>> {
    let hold = |(id, entry): (&ResourceId, &Arc<Entry>)| {
        let held_by = faults.holding(entry);
        (!held_by.is_empty()).then(|| (id.clone(), Arc::new(Entry { held_by, ..Entry::clone(entry) })))
    };
    let mut old = old.peekable();
    let mut entries = Vec::with_capacity(fresh.len());
    for (id, located) in fresh {
        entries.extend(std::iter::from_fn(|| old.next_if(|(before, _)| **before < id)).filter_map(hold));
        let before = old.next_if(|(before, _)| **before == id);
        entries.push((id, Arc::new(taken_over(located, before.map(|(_, entry)| &**entry), revision))));
    }
    entries.extend(old.filter_map(hold));
    entries.into_iter().collect()
}

/// The entry of what a valid file says at a revision, given the one before.
fn taken_over(located: &Located, before: Option<&Entry>, revision: &Revision) -> Entry {
    let unchanged = before.filter(|entry| same(&entry.located.resource, &located.resource));
    let since = unchanged.map_or(revision, |entry| &entry.since).clone();
    let author = unchanged.and_then(|entry| entry.author.clone());
    Entry { author, ..Entry::new(located.clone(), since) }
}

/// The faulty files of a tree: they keep what they said before in force.
struct Faults<'a> {
    /// Paths of invalid and unreadable files, and of unreadable folders.
    paths: HashSet<&'a str>,
    /// What the invalid files are evidently about, and which those are.
    claims: HashMap<(Kind, &'a str), Vec<&'a str>>,
}

impl<'a> Faults<'a> {
    fn new(tree: &'a Tree, paths: HashSet<&'a str>) -> Self {
        let mut claims: HashMap<_, Vec<_>> = HashMap::new();
        if paths.is_empty() {
            return Faults { paths, claims };
        }
        for (path, file) in parsed(tree).filter(|(path, _)| paths.contains(path)) {
            let claimed = file.claims.iter().map(|id| (id.kind, id.name.as_str()));
            for key in claimed.chain(file.resources.iter().map(key)) {
                claims.entry(key).or_default().push(path);
            }
        }
        Faults { paths, claims }
    }

    /// On whose account a resource of an earlier tree stays as it was: the faulty files that are about it, and the
    /// file that it came from, or that held it last, or a folder on the way there, when that is faulty.
    fn holding(&self, entry: &Entry) -> Vec<Arc<str>> {
        if self.paths.is_empty() {
            return vec![];
        }
        let claims = self.claims.get(&key(&entry.located)).into_iter().flatten().map(|path| Arc::from(*path));
        let homes = [&entry.located.path].into_iter().chain(&entry.held_by);
        let mut holding: Vec<Arc<str>> = claims.chain(homes.filter(|home| self.cover(home)).cloned()).collect();
        holding.sort_unstable();
        holding.dedup();
        holding
    }

    /// Whether a file, or a folder on the way there, is faulty.
    fn cover(&self, path: &str) -> bool {
        let folders = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
        folders.chain([path]).any(|way| self.paths.contains(way))
    }
}

/// The files that are invalid by themselves, and what cannot be read.
fn faulty(tree: &Tree) -> impl Iterator<Item = &str> {
    tree.iter().filter_map(|(path, state)| match state {
        FileState::Parsed(file) => (!file.is_valid()).then_some(&**path),
        FileState::Unreadable(_) => Some(&**path),
    })
}

fn parsed(tree: &Tree) -> impl Iterator<Item = (&str, &ParsedFile)> {
    tree.iter().filter_map(|(path, state)| match state {
        FileState::Parsed(file) => Some((&**path, &**file)),
        FileState::Unreadable(_) => None,
    })
}

fn key(located: &Located) -> (Kind, &str) {
    (located.resource.kind(), &located.resource.metadata().name)
}

/// Equality that is free for a resource of a file that was not parsed again.
fn same(a: &Resource, b: &Resource) -> bool {
    match (a, b) {
        (Resource::App(a), Resource::App(b)) => Arc::ptr_eq(a, b) || a == b,
        (Resource::Role(a), Resource::Role(b)) => Arc::ptr_eq(a, b) || a == b,
        (Resource::User(a), Resource::User(b)) => Arc::ptr_eq(a, b) || a == b,
        _ => false,
    }
}
