//! Managed paths of a commit's tree, and where two trees differ. Trees are what somebody pushed: names may be anything,
//! nested or repeated without end.

use super::{Blob, Entry, Failure, ObjectError, ObjectId, Objects, Refusal, Slot, TreeItem, verdict::Code};
use globset::GlobSet;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

const TREE: u32 = 0o040000;
/// A mode that git does not have: what stands there is no entry that could be accepted.
const NONE: u32 = 0;

/// How a commit's tree itself is called where it cannot be read.
const ROOT: &str = ".";

/// Folders below one another. What is deeper is refused as a whole.
const MAX_DEPTH: usize = 64;
/// Names that are looked at in one comparison of trees.
const MAX_NAMES: usize = 1_000_000;
/// Bytes of a path: Linux opens none that is longer.
const MAX_PATH: usize = 4096;
/// Names in the trees that are remembered.
const REMEMBERED: usize = 1_000_000;
/// Managed files that one commit may touch.
const MAX_TOUCHED: usize = 100_000;

/// Where the two sides of a comparison differ: what each has.
pub type Differences = BTreeMap<Arc<str>, (Slot, Slot)>;

/// Reads trees, and remembers them.
pub struct Trees<'a> {
    objects: &'a dyn Objects,
    managed: &'a GlobSet,
    read: HashMap<ObjectId, Option<Arc<Folder>>>,
    /// How many names are in those.
    names: usize,
}

impl<'a> Trees<'a> {
    pub fn new(objects: &'a dyn Objects, managed: &'a GlobSet) -> Self {
        Trees { objects, managed, read: HashMap::new(), names: 0 }
    }

    /// The managed paths that differ, with what `before` and `after` have there. `None` is the empty tree.
    pub fn compare(&mut self, before: Option<ObjectId>, after: Option<ObjectId>) -> Result<Differences, Failure> {
        let mut comparison = Comparison { trees: self, found: BTreeMap::new(), names: 0 };
        comparison.folder("", before, after, 0)?;
        Ok(comparison.found)
    }

    /// What a tree has at a path.
    pub fn at(&mut self, tree: ObjectId, path: &str) -> Result<Slot, Failure> {
        let mut folder = tree;
        let mut parts = path.split('/').peekable();
        let mut depth = 0;
        if path == ROOT {
            return Ok(self.folder(tree)?.is_none().then_some(Entry { mode: TREE, id: tree }));
        }
        while let Some(part) = parts.next() {
            let Some(items) = self.folder(folder)? else { return Ok(None) };
            depth += 1;
            let Some(entry) = items.get(part) else { return Ok(None) };
            match (parts.peek(), entry.mode) {
                (Some(_), TREE) => folder = entry.id,
                (Some(_), _) => return Ok(None),
                (None, TREE) => {
                    let closed = depth > MAX_DEPTH || self.folder(entry.id)?.is_none();
                    return Ok(closed.then_some(entry));
                }
                (None, _) => return Ok(Some(entry)),
            }
        }
        Ok(None)
    }

    /// The names in a folder. `None`: what is there is no folder that can be read, whatever somebody pushed; it then
    /// counts as an entry of its own, which is never accepted, and as empty.
    fn folder(&mut self, id: ObjectId) -> Result<Option<Arc<Folder>>, ObjectError> {
        if let Some(items) = self.read.get(&id) {
            return Ok(items.clone());
        }
        if self.names > REMEMBERED {
            self.read.clear();
            self.names = 0;
        }
        let items = match self.objects.tree(id) {
            Ok(items) => Some(Arc::new(Folder::new(&items))),
            Err(error) if error.is_about_content() => None,
            Err(error) => return Err(error),
        };
        self.names += 1 + items.as_ref().map_or(0, |folder| folder.0.len());
        self.read.insert(id, items.clone());
        Ok(items)
    }

    pub fn blob(&self, id: ObjectId, limit: usize) -> Result<Blob, ObjectError> {
        self.objects.blob(id, limit)
    }
}

struct Comparison<'t, 'a> {
    trees: &'t mut Trees<'a>,
    found: Differences,
    names: usize,
}

impl Comparison<'_, '_> {
    fn folder(
        &mut self,
        path: &str,
        before: Option<ObjectId>,
        after: Option<ObjectId>,
        depth: usize,
    ) -> Result<(), Failure> {
        if before == after {
            return Ok(());
        }
        let (before, was_closed) = self.open(before)?;
        let (after, is_closed) = self.open(after)?;
        if was_closed != is_closed {
            let path = if path.is_empty() { ROOT } else { path };
            self.found.insert(path.into(), (was_closed, is_closed));
        }
        self.names += before.0.len() + after.0.len();
        if self.names > MAX_NAMES {
            return Err(too_much(&format!("the trees have more than {MAX_NAMES} names")));
        }
        if self.found.len() > MAX_TOUCHED {
            return Err(too_much(&format!("a commit touches more than {MAX_TOUCHED} resource files")));
        }
        for (name, before, after) in pairs(&before, &after) {
            if name.starts_with('.') || before == after {
                continue;
            }
            // Folders within folders of one long name: a little to push, and very much to hold.
            if path.len() + name.len() > MAX_PATH {
                return Err(too_much(&format!("a path has more than {MAX_PATH} bytes")));
            }
            let path: Arc<str> = if path.is_empty() { name.into() } else { format!("{path}/{name}").into() };
            let folder = |slot: Slot| slot.filter(|entry| entry.mode == TREE).map(|entry| entry.id);
            let file = |slot: Slot| slot.filter(|entry| entry.mode != TREE);
            if depth >= MAX_DEPTH {
                // An entry of that mode is never accepted.
                let managed =
                    |slot: Slot| slot.filter(|entry| entry.mode == TREE || self.trees.managed.is_match(&*path));
                let (before, after) = (managed(before), managed(after));
                if before != after {
                    self.found.insert(path, (before, after));
                }
                continue;
            }
            self.folder(&path, folder(before), folder(after), depth + 1)?;
            let (before, after) = (file(before), file(after));
            if before != after && self.trees.managed.is_match(&*path) {
                self.found.insert(path, (before, after));
            }
        }
        Ok(())
    }
}

impl Comparison<'_, '_> {
    /// What is in a folder, or the entry as which it counts when it cannot be read.
    fn open(&mut self, id: Option<ObjectId>) -> Result<(Arc<Folder>, Slot), Failure> {
        let Some(id) = id else { return Ok((Arc::default(), None)) };
        Ok(match self.trees.folder(id)? {
            Some(items) => (items, None),
            None => (Arc::default(), Some(Entry { mode: TREE, id })),
        })
    }
}

/// What is in a folder, in the order of the names.
#[derive(Default)]
struct Folder(Vec<(Box<[u8]>, Entry)>);

impl Folder {
    /// A name that stands there twice is one entry that is never accepted: which one counts is anybody's guess.
    fn new(items: &[TreeItem]) -> Folder {
        let entry = |item: &TreeItem| (item.name.as_slice().into(), Entry { mode: item.mode, id: item.id });
        let mut entries: Vec<(Box<[u8]>, Entry)> = items.iter().map(entry).collect();
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        entries.dedup_by(|later, earlier| {
            let twin = later.0 == earlier.0;
            if twin {
                earlier.1.mode = NONE;
            }
            twin
        });
        Folder(entries)
    }

    /// What has this name, as [`shown`] writes it.
    fn get(&self, name: &str) -> Option<Entry> {
        if !is_faithful(name) {
            return self.0.iter().find(|(bytes, _)| shown(bytes) == name).map(|(_, entry)| *entry);
        }
        let at = self.0.binary_search_by(|(bytes, _)| (**bytes).cmp(name.as_bytes())).ok()?;
        self.0.get(at).map(|(_, entry)| *entry)
    }
}

/// The names of two folders that differ, with what each has by that name.
fn pairs(before: &Folder, after: &Folder) -> Vec<(String, Slot, Slot)> {
    let (mut before, mut after) = (before.0.iter().peekable(), after.0.iter().peekable());
    let mut pairs = Vec::new();
    loop {
        let order = match (before.peek(), after.peek()) {
            (None, None) => return pairs,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((a, _)), Some((b, _))) => a.cmp(b),
        };
        let left = if order.is_le() { before.next() } else { None };
        let right = if order.is_ge() { after.next() } else { None };
        let entries = (left.map(|(_, entry)| *entry), right.map(|(_, entry)| *entry));
        // Equal entries are the rule, and their names need not be written out.
        if entries.0 != entries.1
            && let Some((name, _)) = left.or(right)
        {
            pairs.push((shown(name), entries.0, entries.1));
        }
    }
}

fn too_much(what: &str) -> Failure {
    let message = format!(
        "{what}, which is more than is judged; take it back, or, if it is meant, look at it yourself and trust what it \
         leads to with `mcpfleet trust set`"
    );
    Refusal { code: Code::Limit, message }.into()
}

/// A name as part of a path. One that is not UTF-8, or has a `/` in it, gets the replacement character, by which
/// [`is_faithful`] knows it.
fn shown(name: &[u8]) -> String {
    let bad = || name.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match std::str::from_utf8(name) {
        Ok(text) if !text.contains(['/', '\0', '\n']) && !text.is_empty() => text.to_owned(),
        _ => format!("{}\u{fffd}{}", String::from_utf8_lossy(name).replace(['/', '\0', '\n'], "\u{fffd}"), bad()),
    }
}

/// Whether a path is what the tree has, and not made up for a name that cannot be one.
pub fn is_faithful(path: &str) -> bool {
    !path.contains('\u{fffd}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::fixture::Memory;

    fn globs() -> GlobSet {
        let mut set = globset::GlobSetBuilder::new();
        set.add(globset::Glob::new("**/*.yaml").expect("a glob"));
        set.build().expect("a set")
    }

    #[test]
    fn only_managed_files_count_and_folders_may_become_files() {
        let mut memory = Memory::default();
        let before = memory.tree_of(&[("a.yaml", "1"), ("b/c.yaml", "1"), (".github/x.yaml", "1"), ("README", "1")]);
        let after =
            memory.tree_of(&[("a.yaml/d.yaml", "1"), ("b/c.yaml", "1"), (".github/x.yaml", "2"), ("README", "2")]);
        let globs = globs();
        let mut trees = Trees::new(&memory, &globs);
        let found = trees.compare(Some(before), Some(after)).expect("readable");
        let shown: Vec<_> = found.iter().map(|(p, (a, b))| (&**p, a.is_some(), b.is_some())).collect();
        assert_eq!(shown, [("a.yaml", true, false), ("a.yaml/d.yaml", false, true)]);
        assert!(trees.at(after, "a.yaml/d.yaml").expect("readable").is_some());
        assert_eq!(trees.at(after, "a.yaml").expect("readable"), None);
    }

    #[test]
    fn names_that_are_no_paths_are_never_accepted() {
        let mut memory = Memory::default();
        let blob = memory.blob_of("x");
        let item = |name: &[u8]| TreeItem { name: name.to_vec(), mode: 0o100644, id: blob };
        let tree = memory.raw_tree(vec![item(b"a/b.yaml"), item(b"\xff.yaml"), item(b"t.yaml"), item(b"t.yaml")]);
        let globs = globs();
        let mut trees = Trees::new(&memory, &globs);
        let found = trees.compare(None, Some(tree)).expect("readable");
        for (path, (_, after)) in &found {
            assert!(!is_faithful(path) || after.is_some_and(|entry| !entry.is_file()), "{path}");
        }
        assert!(found.contains_key("t.yaml"));
    }

    #[test]
    fn a_tree_without_end_is_given_up() {
        let mut memory = Memory::default();
        let blob = memory.blob_of("x");
        let mut tree = memory.raw_tree(vec![TreeItem { name: b"x.yaml".to_vec(), mode: 0o100644, id: blob }]);
        for _ in 0..30 {
            let item = |n: usize| TreeItem { name: format!("d{n}").into_bytes(), mode: TREE, id: tree };
            let items = (0..10).map(item).collect();
            tree = memory.raw_tree(items);
        }
        let globs = globs();
        let error = Trees::new(&memory, &globs).compare(None, Some(tree)).expect_err("too large");
        assert!(matches!(error, Failure::Refused(Refusal { code: Code::Limit, .. })), "{error:?}");
    }

    #[test]
    fn a_path_that_nobody_could_open_is_given_up() {
        let mut memory = Memory::default();
        let blob = memory.blob_of("x");
        let mut tree = memory.raw_tree(vec![TreeItem { name: b"x.yaml".to_vec(), mode: 0o100644, id: blob }]);
        for _ in 0..5 {
            tree = memory.raw_tree(vec![TreeItem { name: vec![b'd'; 1000], mode: TREE, id: tree }]);
        }
        let globs = globs();
        let error = Trees::new(&memory, &globs).compare(None, Some(tree)).expect_err("too long");
        assert!(matches!(error, Failure::Refused(Refusal { code: Code::Limit, .. })), "{error:?}");
    }
}
