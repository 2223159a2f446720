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
        let mut paths: BTreeMap<Arc<str>, (BTreeSet<Slot>, Slot)> = BTreeMap::new();
        let parents: Vec<Option<ObjectId>> = match &*links.parents {
            [] => vec![None],
            parents => parents.iter().map(|parent| Some(*parent)).collect(),
        };
        for parent in &parents {
            let tree = parent.map(|parent| self.judge.tree(parent)).transpose()?;
            for (path, (_, is)) in self.judge.trees.compare(tree, Some(links.tree))? {
                paths.entry(path).or_insert_with(|| (BTreeSet::new(), is));
            }
        }
        let mut own = Vec::new();
        for (path, (mut from, to)) in paths {
            for parent in &parents {
                from.insert(match parent {
                    Some(parent) => self.slot(*parent, &path)?,
                    None => None,
                });
            }
            let merged = parents.len() > 1 && self.plain(&path, &links.parents, 0)? == Some(to);
            if !merged {
                own.push(Decision { path, from, to, obstacle: None, contested: false });
            }
        }
        let own: Arc<[Decision]> = own.into();
        self.own.insert(id, own.clone());
        Ok(own)
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
        let theirs = ancestors(objects, cache, theirs)?;
        let mut common = HashSet::new();
        for one in ours {
            common.extend(ancestors(objects, cache, *one)?.into_iter().filter(|id| theirs.contains(id)));
        }
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
