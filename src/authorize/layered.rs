//! A map that is cheap to copy and to change a little: most states of a history differ in a few files of thousands.

use std::{collections::BTreeMap, sync::Arc};

/// A large map that is shared, with a small one of changes over it.
#[derive(Debug)]
pub struct Layered<K, V> {
    base: Arc<BTreeMap<K, V>>,
    /// What is different; `None`: not there.
    changes: Arc<BTreeMap<K, Option<V>>>,
}

impl<K, V> Clone for Layered<K, V> {
    fn clone(&self) -> Self {
        Layered { base: self.base.clone(), changes: self.changes.clone() }
    }
}

impl<K: Ord + Clone, V: Clone> Layered<K, V> {
    pub fn new(base: BTreeMap<K, V>) -> Self {
        Layered { base: Arc::new(base), changes: Arc::default() }
    }

    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
    {
        match self.changes.get(key) {
            Some(changed) => changed.as_ref(),
            None => self.base.get(key),
        }
    }

    /// Puts a value, or takes it away.
    pub fn set(&mut self, key: K, value: Option<V>) {
        Arc::make_mut(&mut self.changes).insert(key, value);
    }

    /// All entries, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let mut base = self.base.iter().peekable();
        let mut changes = self.changes.iter().peekable();
        std::iter::from_fn(move || {
            loop {
                let change = match (base.peek(), changes.peek()) {
                    (Some((key, _)), Some((changed, _))) if key < changed => return base.next(),
                    (_, None) => return base.next(),
                    (Some((key, _)), Some((changed, _))) if key == changed => {
                        base.next();
                        changes.next()
                    }
                    _ => changes.next(),
                };
                if let Some((key, Some(value))) = change {
                    return Some((key, value));
                }
            }
        })
    }

    /// The keys of which a map that this was copied from, or that was copied from this, may have something else. `None`:
    /// any.
    pub fn differences<'a>(&'a self, other: &'a Self) -> Option<impl Iterator<Item = &'a K>> {
        Arc::ptr_eq(&self.base, &other.base).then(|| self.changes.keys().chain(other.changes.keys()))
    }

    /// Works the changes into the base when there are so many that looking at both costs more than that.
    pub fn settle(&mut self) {
        if self.changes.len() > 64 + self.base.len() / 8 {
            let base = Arc::make_mut(&mut self.base);
            for (key, value) in Arc::unwrap_or_clone(std::mem::take(&mut self.changes)) {
                match value {
                    Some(value) => drop(base.insert(key, value)),
                    None => drop(base.remove(&key)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_map(base in prop::collection::btree_map(0u8..40, 0u8..9, 0..20), steps in prop::collection::vec((0u8..40, prop::option::of(0u8..9)), 0..150)) {
            let mut plain = base.clone();
            let mut layered = Layered::new(base);
            for (key, value) in steps {
                let before = layered.clone();
                let entries: Vec<_> = before.iter().map(|(k, v)| (*k, *v)).collect();
                layered.set(key, value);
                match value {
                    Some(value) => drop(plain.insert(key, value)),
                    None => drop(plain.remove(&key)),
                }
                prop_assert_eq!(before.iter().map(|(k, v)| (*k, *v)).collect::<Vec<_>>(), entries, "a copy stays");
                prop_assert_eq!(layered.get(&key), plain.get(&key));
                let differences: Vec<u8> = layered.differences(&before).expect("the same base").copied().collect();
                prop_assert!((0..40).all(|key| differences.contains(&key) || layered.get(&key) == before.get(&key)));
                layered.settle();
                prop_assert!(layered.iter().eq(plain.iter()));
            }
        }
    }
}
