//! A walk through history, backwards, for the commits that last changed some paths.

use crate::authorize::{ObjectError, ObjectId, Objects};
use std::{
    collections::{BTreeSet, BinaryHeap, HashMap, HashSet},
    ops::Bound,
    sync::Arc,
};

/// How many commits are looked at. Who made what is older than that is not shown.
const MAX_COMMITS: usize = 20_000;

/// The walk, one commit a step. Each wanted path goes from a commit to the first parent that has it the same; where
/// none has, the commit made it.
pub(super) struct Walk {
    /// Newest first, by what the commits say. The order saves work and decides nothing.
    queue: BinaryHeap<(i64, ObjectId)>,
    wanted: HashMap<ObjectId, BTreeSet<Arc<str>>>,
    steps: usize,
}

impl Walk {
    pub fn new(from: ObjectId, paths: BTreeSet<Arc<str>>) -> Self {
        Walk { queue: BinaryHeap::from([(i64::MAX, from)]), wanted: HashMap::from([(from, paths)]), steps: 0 }
    }

    pub fn is_over(&self) -> bool {
        self.queue.is_empty() || self.steps >= MAX_COMMITS
    }

    /// Looks at the next commit, and gives the paths that it made what they are. What cannot be read ends the walk on
    /// that line.
    pub fn step(&mut self, objects: &dyn Objects) -> Vec<(Arc<str>, ObjectId)> {
        self.steps += 1;
        let Some((_, id)) = self.queue.pop() else { return vec![] };
        let Some(paths) = self.wanted.remove(&id) else { return vec![] };
        let made = self.pass_on(objects, id, paths).unwrap_or_default();
        made.into_iter().map(|path| (path, id)).collect()
    }

    fn pass_on(
        &mut self,
        objects: &dyn Objects,
        id: ObjectId,
        mut paths: BTreeSet<Arc<str>>,
    ) -> Result<BTreeSet<Arc<str>>, ObjectError> {
        let commit = Commit::read(objects, id)?;
        for parent in &commit.parents {
            let before = Commit::read(objects, *parent)?;
            let changed = Difference { objects, wanted: &paths }.between(Some(before.tree), Some(commit.tree), "")?;
            let same: BTreeSet<_> = paths.extract_if(.., |path| !changed.contains(path)).collect();
            if !same.is_empty() {
                self.queue.push((before.time, *parent));
                self.wanted.entry(*parent).or_default().extend(same);
            }
            if paths.is_empty() {
                break;
            }
        }
        Ok(paths)
    }
}

/// What the walk knows of a commit.
struct Commit {
    tree: ObjectId,
    parents: Vec<ObjectId>,
    time: i64,
}

impl Commit {
    fn read(objects: &dyn Objects, id: ObjectId) -> Result<Commit, ObjectError> {
        let bytes = objects.commit(id)?;
        let damaged = || ObjectError::Damaged { id, message: "it is not a commit".to_owned() };
        let mut lines = bytes.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
        let name = |line: &[u8], header: &str| {
            std::str::from_utf8(line.strip_prefix(header.as_bytes())?.strip_prefix(b" ")?).ok()?.parse().ok()
        };
        let tree = lines.next().and_then(|line| name(line, "tree")).ok_or_else(damaged)?;
        let parents = lines.map_while(|line| name(line, "parent")).collect();
        let time = super::attribution::said(&bytes).time.map_or(0, |time| time.as_second());
        Ok(Commit { tree, parents, time })
    }
}

/// Compares trees, as far as they have wanted paths: however large they are otherwise.
struct Difference<'a> {
    objects: &'a dyn Objects,
    wanted: &'a BTreeSet<Arc<str>>,
}

impl Difference<'_> {
    /// The wanted paths below a folder, `""` or with a `/` at its end, that are not the same in both trees.
    fn between(
        &self,
        before: Option<ObjectId>,
        after: Option<ObjectId>,
        folder: &str,
    ) -> Result<HashSet<Arc<str>>, ObjectError> {
        let (old, new) = (self.items(before)?, self.items(after)?);
        let mut changed = HashSet::new();
        let mut rest = self.below(folder).peekable();
        while let Some(path) = rest.next() {
            let below = path.get(folder.len()..).unwrap_or_default();
            let (name, is_file) = below.split_once('/').map_or((below, true), |(name, _)| (name, false));
            let (old, new) = (old.get(name.as_bytes()), new.get(name.as_bytes()));
            if is_file {
                changed.extend((old != new).then(|| path.clone()));
                continue;
            }
            let inner = format!("{folder}{name}/");
            while rest.next_if(|path| path.starts_with(&*inner)).is_some() {}
            let tree = |item: Option<&(u32, ObjectId)>| item.filter(|(mode, _)| *mode == 0o040_000).map(|(_, id)| *id);
            if old != new {
                changed.extend(self.between(tree(old), tree(new), &inner)?);
            }
        }
        Ok(changed)
    }

    fn items(&self, tree: Option<ObjectId>) -> Result<HashMap<Vec<u8>, (u32, ObjectId)>, ObjectError> {
        let Some(tree) = tree else { return Ok(HashMap::new()) };
        Ok(self.objects.tree(tree)?.iter().map(|item| (item.name.clone(), (item.mode, item.id))).collect())
    }

    fn below(&self, folder: &str) -> impl Iterator<Item = &Arc<str>> {
        let from = (Bound::Included(folder), Bound::Unbounded);
        self.wanted.range::<str, _>(from).take_while(move |path| path.starts_with(folder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::{Blob, TreeItem};

    /// Commits and trees by number, which are their ids.
    #[derive(Default)]
    struct Memory {
        objects: HashMap<ObjectId, Arc<[u8]>>,
        trees: HashMap<ObjectId, Arc<[TreeItem]>>,
    }

    fn id(number: u8) -> ObjectId {
        ObjectId::new([number; 20])
    }

    impl Memory {
        /// A commit at a time with its own number, whose tree has these blobs at `a`, `d/b` and `d/c`.
        fn put(&mut self, number: u8, parents: &[u8], blobs: [u8; 3]) {
            let item = |name: &str, mode, id| TreeItem { name: name.into(), mode, id };
            let [a, b, c] = blobs.map(id);
            let folder = ObjectId::new([blobs[1].wrapping_mul(16) ^ blobs[2] ^ 0x80; 20]);
            let mut tree = [number; 20];
            tree[0] = 0xFF;
            let tree = ObjectId::new(tree);
            self.trees.insert(folder, vec![item("b", 0o100_644, b), item("c", 0o100_644, c)].into());
            self.trees.insert(tree, vec![item("a", 0o100_644, a), item("d", 0o040_000, folder)].into());
            let parents: String = parents.iter().map(|parent| format!("parent {}\n", id(*parent))).collect();
            let text = format!("tree {tree}\n{parents}author A <a> 1 +0000\ncommitter A <a> {number} +0000\n\nX\n");
            self.objects.insert(id(number), text.into_bytes().into());
        }

        /// Who made what, from a commit on.
        fn makers(&self, from: u8) -> Vec<(String, ObjectId)> {
            let mut walk = Walk::new(id(from), ["a", "d/b", "d/c", "none"].map(Arc::from).into());
            let mut made = Vec::new();
            while !walk.is_over() {
                made.extend(walk.step(self).into_iter().map(|(path, commit)| (path.to_string(), commit)));
            }
            made.sort_unstable();
            made
        }
    }

    impl Objects for Memory {
        fn commit(&self, id: ObjectId) -> Result<Arc<[u8]>, ObjectError> {
            self.objects.get(&id).cloned().ok_or(ObjectError::Missing(id))
        }

        fn tree(&self, id: ObjectId) -> Result<Arc<[TreeItem]>, ObjectError> {
            self.trees.get(&id).cloned().ok_or(ObjectError::Missing(id))
        }

        fn blob(&self, id: ObjectId, _: usize) -> Result<Blob, ObjectError> {
            Err(ObjectError::Missing(id))
        }

        fn is_shallow(&self, _: ObjectId) -> bool {
            false
        }
    }

    fn made(commits: [u8; 3]) -> Vec<(String, ObjectId)> {
        let [a, b, c] = commits.map(id);
        vec![("a".into(), a), ("d/b".into(), b), ("d/c".into(), c), ("none".into(), id(1))]
    }

    #[test]
    fn whoever_changed_it_last_made_it() {
        let mut memory = Memory::default();
        memory.put(1, &[], [1, 1, 1]);
        memory.put(2, &[1], [1, 2, 1]);
        memory.put(3, &[2], [3, 2, 1]);
        memory.put(4, &[3], [3, 2, 1]);
        assert_eq!(memory.makers(4), made([3, 2, 1]));
        // Put back: that made it what it is.
        memory.put(5, &[4], [1, 2, 1]);
        assert_eq!(memory.makers(5), made([5, 2, 1]));
    }

    #[test]
    fn a_merge_made_only_what_no_side_has() {
        let mut memory = Memory::default();
        memory.put(1, &[], [1, 1, 1]);
        memory.put(2, &[1], [2, 1, 1]);
        memory.put(3, &[1], [1, 3, 1]);
        memory.put(4, &[2, 3], [2, 3, 4]);
        assert_eq!(memory.makers(4), made([2, 3, 4]));
    }

    #[test]
    fn what_cannot_be_read_ends_the_walk() {
        let mut memory = Memory::default();
        memory.put(2, &[1], [1, 1, 1]);
        memory.put(3, &[2], [3, 1, 1]);
        assert_eq!(memory.makers(3), [("a".to_owned(), id(3))]);
    }
}
