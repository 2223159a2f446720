//! The snapshots of a source one after the other, each for about the cost of what is new in it.

use super::{Entry, FileState, Maker, ParsedFile, Revision, Snapshot, Tree, key, parsed, sort, taken_over};
use crate::{
    manifest::{Located, Severity},
    resource::{Kind, Resource, ResourceId},
};
use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// What a source says next.
#[derive(Clone, Debug)]
pub enum Next {
    /// All of it. Files that did not change are the same as before (`Arc::ptr_eq`), or cost more.
    Tree(Tree),
    /// Only these files may be others than before, or made by others; `None`: there is none.
    Files(Vec<(Arc<str>, Option<FileState>)>),
}

/// Gives what [`Snapshot::build`] would, given all trees in turn.
///
/// As long as there are no mistakes and no more than some files with apps change, the rest need not be looked at: an app
/// matters to other files by its name alone.
#[derive(Debug, Default)]
pub struct Series {
    last: Option<(Tree, Arc<Snapshot>)>,
    /// Names of the apps of the last snapshot, without regard to case; `None` if they have not been needed yet.
    names: Option<HashSet<String>>,
}

impl Series {
    pub fn last(&self) -> Option<&Arc<Snapshot>> {
        self.last.as_ref().map(|(_, snapshot)| snapshot)
    }

    /// The tree of the last snapshot.
    pub fn tree(&self) -> Option<&Tree> {
        self.last.as_ref().map(|(tree, _)| tree)
    }

    /// The next snapshot, and of each file in it what made it so.
    pub fn next<'m>(&mut self, next: Next, revision: Revision, maker: impl Fn(&str) -> &'m Maker) -> Arc<Snapshot> {
        let (before, last) = self.last.take().map_or_else(Default::default, |(tree, last)| (tree, Some(last)));
        let changes = match &next {
            Next::Tree(tree) => changes(&before, tree),
            Next::Files(files) => files.iter().filter_map(|(path, file)| Change::of(path, &before, file)).collect(),
        };
        let patched = last.as_ref().and_then(|last| self.patched(&before, last, &changes, &revision));
        let (tree, touched) = match next {
            Next::Tree(tree) => (tree, None),
            Next::Files(files) => {
                let (mut tree, touched) = (before, files.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>());
                for (path, file) in files {
                    match file {
                        Some(file) => drop(tree.insert(path, file)),
                        None => drop(tree.remove(&path)),
                    }
                }
                (tree, Some(touched))
            }
        };
        let is_patched = patched.is_some();
        let mut snapshot = patched.unwrap_or_else(|| {
            self.names = None;
            Snapshot::build(&tree, revision, last.as_deref())
        });
        match touched.filter(|_| is_patched) {
            Some(paths) => {
                paths.iter().for_each(|path| attribute_file(&mut snapshot, path, tree.get(path), maker(path)));
            }
            None => _ = attribute_all(&mut snapshot, |path| Some(maker(path))),
        }
        let snapshot = Arc::new(snapshot);
        self.last = Some((tree, snapshot.clone()));
        snapshot
    }

    /// The last snapshot once more, when more is known of what made it; `None` if nothing is.
    pub fn attribute<'m>(&mut self, maker: impl Fn(&str) -> Option<&'m Maker>) -> Option<Arc<Snapshot>> {
        let (_, last) = self.last.as_mut()?;
        let mut next = Snapshot::clone(last);
        attribute_all(&mut next, maker).then(|| {
            *last = Arc::new(next);
            last.clone()
        })
    }

    /// The last snapshot with some changes, if that is all there is to it.
    fn patched(&mut self, before: &Tree, last: &Snapshot, changes: &[Change], revision: &Revision) -> Option<Snapshot> {
        if last.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
            return None;
        }
        let old: Vec<&ParsedFile> = changes.iter().filter_map(|change| change.old).map(plain).collect::<Option<_>>()?;
        let new: Vec<&ParsedFile> = changes.iter().filter_map(|change| change.new).map(plain).collect::<Option<_>>()?;
        let names = self.names.get_or_insert_with(|| parsed(before).flat_map(|(_, file)| app_names(file)).collect());
        // From here on `names` is what it was only if all is well.
        old.iter().flat_map(|file| app_names(file)).for_each(|name| _ = names.remove(&name));
        if !new.iter().flat_map(|file| app_names(file)).all(|name| names.insert(name)) {
            return None;
        }
        let mut resources = last.resources.clone();
        let removed: HashMap<ResourceId, Arc<Entry>> = old
            .iter()
            .flat_map(|file| &file.resources)
            .filter_map(|located| resources.remove_entry(&located.resource.id()))
            .collect();
        for located in new.iter().flat_map(|file| &file.resources) {
            let id = located.resource.id();
            let entry = taken_over(located, removed.get(&id).map(|entry| &**entry), revision);
            resources.insert(id, Arc::new(entry));
        }
        let paths: HashSet<&str> = changes.iter().map(|change| change.path).collect();
        let kept = last.diagnostics.iter().filter(|diagnostic| !paths.contains(&*diagnostic.path));
        let mut diagnostics: Vec<_> = kept.chain(new.iter().flat_map(|file| &file.diagnostics)).cloned().collect();
        sort(&mut diagnostics);
        let come = changes.iter().filter(|change| change.old.is_none()).count();
        let gone = changes.iter().filter(|change| change.new.is_none()).count();
        let files = (before.len() + come).saturating_sub(gone);
        Some(Snapshot { revision: revision.clone(), resources, diagnostics, files })
    }
}

/// Takes over what made the entries what they are. Whether that is news.
fn attribute_all<'m>(snapshot: &mut Snapshot, maker: impl Fn(&str) -> Option<&'m Maker>) -> bool {
    let mut news = false;
    for entry in snapshot.resources.values_mut() {
        news |= maker(&entry.located.path).is_some_and(|maker| attribute(entry, maker));
    }
    news
}

/// The same for one file.
fn attribute_file(snapshot: &mut Snapshot, path: &str, file: Option<&FileState>, maker: &Maker) {
    let Some(FileState::Parsed(file)) = file else { return };
    for located in &file.resources {
        let entry = snapshot.resources.get_mut(&located.resource.id());
        if let Some(entry) = entry.filter(|entry| *entry.located.path == *path) {
            attribute(entry, maker);
        }
    }
}

fn attribute(entry: &mut Arc<Entry>, Maker { revision, author }: &Maker) -> bool {
    // What is held over is not what the file says now, whoever made that.
    let news = !entry.is_stale() && (entry.since != *revision || entry.author != *author);
    if news {
        let entry = Arc::make_mut(entry);
        (entry.since, entry.author) = (revision.clone(), author.clone());
    }
    news
}

/// A file that is another than before; `None`: there is no file.
struct Change<'t> {
    path: &'t str,
    old: Option<&'t FileState>,
    new: Option<&'t FileState>,
}

impl<'t> Change<'t> {
    /// `None`: it is as it was.
    fn new(path: &'t str, old: Option<&'t FileState>, new: Option<&'t FileState>) -> Option<Self> {
        let same = match (old, new) {
            (Some(FileState::Parsed(old)), Some(FileState::Parsed(new))) => Arc::ptr_eq(old, new),
            (old, new) => old.is_none() && new.is_none(),
        };
        (!same).then_some(Change { path, old, new })
    }

    fn of(path: &'t Arc<str>, before: &'t Tree, new: &'t Option<FileState>) -> Option<Self> {
        Change::new(path, before.get(path), new.as_ref())
    }
}

/// What differs between two trees.
fn changes<'t>(before: &'t Tree, after: &'t Tree) -> Vec<Change<'t>> {
    let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
    let all = std::iter::from_fn(|| {
        let order = match (old.peek(), new.peek()) {
            (Some((old, _)), Some((new, _))) => old.cmp(new),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        let gone = if order.is_le() { old.next() } else { None };
        let come = if order.is_ge() { new.next() } else { None };
        let (path, _) = come.or(gone)?;
        Some((path, gone.map(|(_, file)| file), come.map(|(_, file)| file)))
    });
    all.filter_map(|(path, old, new)| Change::new(path, old, new)).collect()
}

/// The file, if it is one without mistakes that has nothing but apps.
fn plain(file: &FileState) -> Option<&ParsedFile> {
    let is_app = |located: &Located| located.resource.kind() == Kind::App;
    match file {
        FileState::Parsed(file) if file.is_valid() && file.resources.iter().all(is_app) => Some(file),
        _ => None,
    }
}

fn app_names(file: &ParsedFile) -> impl Iterator<Item = String> + use<'_> {
    let apps = file.resources.iter().filter(|located| matches!(located.resource, Resource::App(_)));
    apps.map(|located| key(located).1.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
