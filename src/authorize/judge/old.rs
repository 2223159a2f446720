//! Commits that do not descend from the base: what they do is told by their trees alone.

use super::{Decision, Failure, ObjectId, Slot, Walk};
use crate::authorize::graph::ancestors;
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

/// How far merge bases of merge bases are followed before a file counts as decided by the merge.
const MAX_DEPTH: usize = 16;

impl Walk<'_, '_> {
    /// What a commit of an old line decides: the difference to its parent, or for a merge where it differs from the plain
    /// three-way merge of its parents, file by file.
    pub(super) fn own_of_old(&mut self, id: ObjectId) -> Result<Arc<[Decision]>, Failure> {
        if let Some(own) = self.own.get(&id) {
            return Ok(own.clone());
        }
        let links = self.judge.cache.links(self.judge.objects, id)?;
        let mut paths: BTreeMap<Arc<str>, Slot> = BTreeMap::new();
        if links.parents.is_empty() {
            let files = self.judge.trees.compare(None, Some(links.tree))?;
            paths.extend(files.into_iter().map(|(path, (_, is))| (path, is)));
        }
        for parent in links.parents.iter() {
            let tree = self.judge.tree(*parent)?;
            let differences = self.judge.trees.compare(Some(tree), Some(links.tree))?;
            paths.extend(differences.into_iter().map(|(path, (_, is))| (path, is)));
        }
        let mut own = Vec::new();
        for (path, to) in paths {
            let merged = links.parents.len() > 1 && self.plain(&path, &links.parents, 0)? == Some(to);
            if !merged {
                let mut from = BTreeSet::new();
                for parent in self.parents_of_old(id)?.iter() {
                    from.insert(self.slot(*parent, &path)?);
                }
                if links.parents.is_empty() {
                    from.insert(None);
                }
                own.push(Decision { path, from, to, obstacle: None, contested: false });
            }
        }
        let own: Arc<[Decision]> = own.into();
        self.own.insert(id, own.clone());
        Ok(own)
    }

    /// The parents that count. For a merge whole histories are looked at: only to be asked for where it matters.
    pub(super) fn parents_of_old(&mut self, id: ObjectId) -> Result<Arc<[ObjectId]>, Failure> {
        let (objects, cache) = (self.judge.objects, &mut *self.judge.cache);
        let all = cache.links(objects, id)?.parents;
        if all.len() < 2 {
            return Ok(all);
        }
        if let Some(known) = self.counting.get(&id) {
            return Ok(known.clone());
        }
        let mut below = Vec::new();
        for parent in all.iter() {
            below.extend(cache.links(objects, *parent)?.parents.iter().copied());
        }
        let below = ancestors(objects, cache, &below)?;
        let mut counting = Vec::new();
        for parent in all.iter().filter(|parent| !below.contains(parent)) {
            if !counting.contains(parent) {
                counting.push(*parent);
            }
        }
        self.spend(below.len() / 50)?;
        let counting: Arc<[ObjectId]> = counting.into();
        self.counting.insert(id, counting.clone());
        Ok(counting)
    }

    pub(super) fn slot(&mut self, commit: ObjectId, path: &str) -> Result<Slot, Failure> {
        let tree = self.judge.tree(commit)?;
        self.judge.trees.at(tree, path)
    }

    /// What a merge of these commits has at a path if nobody decides anything. `None`: they do not agree.
    fn plain(&mut self, path: &Arc<str>, commits: &[ObjectId], depth: usize) -> Result<Option<Slot>, Failure> {
        let Some((first, rest)) = commits.split_first() else { return Ok(Some(None)) };
        let key = (path.clone(), commits.to_vec());
        if let Some(known) = self.plain.get(&key) {
            return Ok(*known);
        }
        self.spend(1)?;
        let mut merged = Some(self.slot(*first, path)?);
        let mut done = vec![*first];
        for commit in rest {
            let theirs = self.slot(*commit, path)?;
            if merged != Some(theirs) {
                let bases = self.merge_bases(&done, *commit)?;
                let base = if depth < MAX_DEPTH { self.plain(path, &bases, depth + 1)? } else { None };
                merged = match (merged, base) {
                    (Some(ours), Some(base)) if base == ours => Some(theirs),
                    (Some(ours), Some(base)) if base == theirs => Some(ours),
                    _ => None,
                };
                if merged.is_none() {
                    break;
                }
            }
            done.push(*commit);
        }
        self.plain.insert(key, merged);
        Ok(merged)
    }

    /// The youngest commits that one side and the other have in common.
    fn merge_bases(&mut self, ours: &[ObjectId], theirs: ObjectId) -> Result<Vec<ObjectId>, Failure> {
        let key = (ours.to_vec(), theirs);
        if let Some(bases) = self.bases.get(&key) {
            return Ok(bases.clone());
        }
        let (objects, cache) = (self.judge.objects, &mut *self.judge.cache);
        let theirs = ancestors(objects, cache, &[theirs])?;
        let mut common = ancestors(objects, cache, ours)?;
        common.retain(|id| theirs.contains(id));
        let mut older = HashSet::new();
        for id in &common {
            older.extend(cache.links(objects, *id)?.parents.iter().copied());
        }
        let mut bases: Vec<ObjectId> = common.iter().copied().filter(|id| !older.contains(id)).collect();
        bases.sort_unstable();
        // Whole histories were looked at for it.
        self.spend(theirs.len() / 50)?;
        self.bases.insert(key, bases.clone());
        Ok(bases)
    }
}
