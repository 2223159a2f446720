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

    /// The snapshot of the next tree, and of each file in it what made it so. Files that did not change are the same in
    /// both trees (`Arc::ptr_eq`) or cost more.
    pub fn next<'m>(&mut self, tree: Tree, revision: Revision, maker: impl Fn(&str) -> &'m Maker) -> Arc<Snapshot> {
        let mut next = self.patched(&tree, &revision).unwrap_or_else(|| {
            self.names = None;
            Snapshot::build(&tree, revision, self.last().map(|last| &**last))
        });
        attribute(&mut next, |path| Some(maker(path)));
        let snapshot = Arc::new(next);
        self.last = Some((tree, snapshot.clone()));
        snapshot
    }

    /// The last snapshot once more, when more is known of what made it; `None` if nothing is.
    pub fn attribute<'m>(&mut self, maker: impl Fn(&str) -> Option<&'m Maker>) -> Option<Arc<Snapshot>> {
        let (_, last) = self.last.as_mut()?;
        let mut snapshot = Snapshot::clone(last);
        if !attribute(&mut snapshot, maker) {
            return None;
        }
        *last = Arc::new(snapshot);
        Some(last.clone())
    }

    /// The last snapshot with the differences to this tree, if that is all there is to it.
    fn patched(&mut self, tree: &Tree, revision: &Revision) -> Option<Snapshot> {
        let (before, last) = self.last.as_ref()?;
        if last.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
            return None;
        }
        let changes = changes(before, tree)?;
        let (old, new) = (|| changes.iter().filter_map(|change| change.old), || changes.iter().filter_map(|c| c.new));
        let names = self.names.get_or_insert_with(|| parsed(before).flat_map(|(_, file)| app_names(file)).collect());
        // From here on `names` is what it was only if all is well.
        old().flat_map(app_names).for_each(|name| _ = names.remove(&name));
        if !new().flat_map(app_names).all(|name| names.insert(name)) {
            return None;
        }
        let mut resources = last.resources.clone();
        let removed: HashMap<ResourceId, Entry> = old()
            .flat_map(|file| &file.resources)
            .filter_map(|located| resources.remove_entry(&located.resource.id()))
            .collect();
        for located in new().flat_map(|file| &file.resources) {
            let id = located.resource.id();
            let entry = taken_over(located, removed.get(&id), revision);
            resources.insert(id, entry);
        }
        let paths: HashSet<&str> = changes.iter().map(|change| change.path).collect();
        let kept = last.diagnostics.iter().filter(|diagnostic| !paths.contains(&*diagnostic.path));
        let mut diagnostics: Vec<_> = kept.chain(new().flat_map(|file| &file.diagnostics)).cloned().collect();
        sort(&mut diagnostics);
        Some(Snapshot { revision: revision.clone(), resources, diagnostics, files: tree.len() })
    }
}

/// Takes over what made the entries what they are. Whether that is news.
fn attribute<'m>(snapshot: &mut Snapshot, maker: impl Fn(&str) -> Option<&'m Maker>) -> bool {
    let mut news = false;
    for entry in snapshot.resources.values_mut().filter(|entry| !entry.is_stale()) {
        let Some(Maker { revision, author }) = maker(&entry.located.path) else { continue };
        if entry.since != *revision || entry.author != *author {
            (entry.since, entry.author) = (revision.clone(), author.clone());
            news = true;
        }
    }
    news
}

/// A file that is another than before.
struct Change<'t> {
    path: &'t str,
    old: Option<&'t ParsedFile>,
    new: Option<&'t ParsedFile>,
}

/// What differs between two trees; `None` if there is more to it than valid files with apps.
fn changes<'t>(before: &'t Tree, after: &'t Tree) -> Option<Vec<Change<'t>>> {
    let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
    let mut changes = Vec::new();
    loop {
        let order = match (old.peek(), new.peek()) {
            (Some((old, _)), Some((new, _))) => old.cmp(new),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return Some(changes),
        };
        let gone = if order.is_le() { old.next() } else { None };
        let come = if order.is_ge() { new.next() } else { None };
        let (path, _) = come.or(gone)?;
        match (gone.map(|(_, state)| state), come.map(|(_, state)| state)) {
            (Some(FileState::Parsed(old)), Some(FileState::Parsed(new))) if Arc::ptr_eq(old, new) => {}
            (old, new) => changes.push(Change { path, old: plain(old)?, new: plain(new)? }),
        }
    }
}

/// A file without mistakes that has nothing but apps; inner `None`: there is no file.
#[expect(clippy::option_option, reason = "no file is one thing, a file that will not do another")]
fn plain(state: Option<&FileState>) -> Option<Option<&ParsedFile>> {
    let is_app = |located: &Located| located.resource.kind() == Kind::App;
    match state {
        None => Some(None),
        Some(FileState::Parsed(file)) if file.is_valid() && file.resources.iter().all(is_app) => Some(Some(file)),
        Some(_) => None,
    }
}

fn app_names(file: &ParsedFile) -> impl Iterator<Item = String> + use<'_> {
    let apps = file.resources.iter().filter(|located| matches!(located.resource, Resource::App(_)));
    apps.map(|located| key(located).1.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
