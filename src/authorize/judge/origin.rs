//! Which commits wrote what a side of a merge has.

use super::{Failure, ObjectId, Slot, Walk};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

type Paths = BTreeSet<Arc<str>>;

impl Walk<'_, '_> {
    /// The content of a parent of a merge that skipped commits wrote, with these, path by path. A commit that decides
    /// nothing of a path has its content from those of its parents that have the same. No order of all that is brought
    /// tells this: of two sides, the one that comes last in it need not be the one that a merge has taken.
    pub(super) fn written_by_skipped(
        &mut self,
        parent: ObjectId,
        line: ObjectId,
        skipped: &HashSet<ObjectId>,
    ) -> Result<BTreeMap<Arc<str>, BTreeSet<ObjectId>>, Failure> {
        let mut found: BTreeMap<Arc<str>, BTreeSet<ObjectId>> = BTreeMap::new();
        if skipped.is_empty() {
            return Ok(found);
        }
        let order = self.graph.brought_in_order(parent, line, &HashSet::new());
        let content = self.left_of_skipped(parent, order.iter().copied().filter(|id| skipped.contains(id)))?;
        let mut open: HashMap<ObjectId, Paths> = HashMap::from([(parent, content.keys().cloned().collect())]);
        // Children come before their parents, so that everything that leads to a commit has been seen before it.
        for id in order.into_iter().rev() {
            let Some(mut paths) = open.remove(&id).filter(|paths| !paths.is_empty()) else { continue };
            for decision in self.own(id)?.iter() {
                if paths.remove(&decision.path) && skipped.contains(&id) {
                    found.entry(decision.path.clone()).or_default().insert(id);
                }
            }
            let parents = match self.graph.is_trusted(id) {
                true => self.graph.parents(id).into(),
                false => self.parents_of_old(id)?,
            };
            if let [before] = *parents {
                let trees = (self.judge.tree(before)?, self.judge.tree(id)?);
                for path in self.judge.trees.compare(Some(trees.0), Some(trees.1))?.keys() {
                    paths.remove(path);
                }
                open.entry(before).or_default().append(&mut paths);
                continue;
            }
            self.spend(paths.len())?;
            for before in parents.iter() {
                for (path, has) in paths.iter().filter_map(|path| content.get_key_value(path)) {
                    if self.slot(*before, path)? == *has {
                        open.entry(*before).or_default().insert(path.clone());
                    }
                }
            }
        }
        Ok(found)
    }

    /// What some commits wrote and a later one has, as far as trees tell.
    fn left_of_skipped(
        &mut self,
        parent: ObjectId,
        skipped: impl Iterator<Item = ObjectId>,
    ) -> Result<BTreeMap<Arc<str>, Slot>, Failure> {
        let mut content = BTreeMap::new();
        for id in skipped {
            for decision in self.own(id)?.iter() {
                if self.slot(parent, &decision.path)? == decision.to {
                    content.insert(decision.path.clone(), decision.to);
                }
            }
        }
        Ok(content)
    }
}
