//! Trees and blobs in memory, for tests.

use super::{Blob, ObjectError, ObjectId, Objects, TreeItem};
use std::{collections::HashMap, sync::Arc};

/// Objects by name. Names are counted, not computed: nothing here looks into them.
#[derive(Default)]
pub struct Memory {
    trees: HashMap<ObjectId, Arc<[TreeItem]>>,
    blobs: HashMap<ObjectId, Vec<u8>>,
    blob_ids: HashMap<Vec<u8>, ObjectId>,
    tree_ids: HashMap<Vec<(Vec<u8>, u32, ObjectId)>, ObjectId>,
}

impl Memory {
    fn new_id(&self, kind: u8) -> ObjectId {
        let mut bytes = [kind; 20];
        let count = (self.trees.len() + self.blobs.len()) as u64;
        bytes[12..].copy_from_slice(&count.to_be_bytes());
        ObjectId::new(bytes)
    }

    pub fn blob_of(&mut self, text: &str) -> ObjectId {
        if let Some(id) = self.blob_ids.get(text.as_bytes()) {
            return *id;
        }
        let id = self.new_id(0xb0);
        self.blobs.insert(id, text.into());
        self.blob_ids.insert(text.into(), id);
        id
    }

    pub fn raw_tree(&mut self, items: Vec<TreeItem>) -> ObjectId {
        let key: Vec<_> = items.iter().map(|item| (item.name.clone(), item.mode, item.id)).collect();
        if let Some(id) = self.tree_ids.get(&key) {
            return *id;
        }
        let id = self.new_id(0x70);
        self.tree_ids.insert(key, id);
        self.trees.insert(id, items.into());
        id
    }

    /// A tree with these files.
    pub fn tree_of(&mut self, files: &[(&str, &str)]) -> ObjectId {
        let mut folders: Vec<(&str, Vec<(&str, &str)>)> = Vec::new();
        let mut items = Vec::new();
        for (path, text) in files {
            match path.split_once('/') {
                Some((folder, rest)) => match folders.iter_mut().find(|(name, _)| *name == folder) {
                    Some((_, below)) => below.push((rest, text)),
                    None => folders.push((folder, vec![(rest, text)])),
                },
                None => {
                    let id = self.blob_of(text);
                    items.push(TreeItem { name: path.as_bytes().into(), mode: 0o100644, id });
                }
            }
        }
        for (name, below) in folders {
            let id = self.tree_of(&below);
            items.push(TreeItem { name: name.into(), mode: 0o040000, id });
        }
        items.sort_by(|a, b| a.name.cmp(&b.name));
        self.raw_tree(items)
    }
}

impl Objects for Memory {
    fn commit(&self, id: ObjectId) -> Result<Arc<[u8]>, ObjectError> {
        Err(ObjectError::Missing(id))
    }

    fn tree(&self, id: ObjectId) -> Result<Arc<[TreeItem]>, ObjectError> {
        self.trees.get(&id).cloned().ok_or(ObjectError::Missing(id))
    }

    fn blob(&self, id: ObjectId, limit: usize) -> Result<Blob, ObjectError> {
        let bytes = self.blobs.get(&id).ok_or(ObjectError::Missing(id))?;
        Ok(if bytes.len() > limit { Blob::TooLarge(bytes.len() as u64) } else { Blob::Bytes(bytes.clone()) })
    }

    fn is_shallow(&self, _: ObjectId) -> bool {
        false
    }
}
