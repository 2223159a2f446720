//! A change before it is written: what some files would say, and whether all files together would be valid.

use super::{
    AuthorError, Place,
    editors::{SCHEMA, with_schema_line},
    place::parsed,
};
use crate::{
    manifest::{Diagnostic, FileState, Severity, Tree, diagnostics, parse_file, pieces::Pieces},
    resource::{Resource, ResourceId},
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
};

/// Edits of files, on top of what is there.
pub struct Draft<'p> {
    place: &'p Place,
    /// Everything, as it is.
    base: Tree,
    /// Everything, as it would be.
    tree: Tree,
    edits: BTreeMap<String, Edit>,
}

/// The edit of one file. `None`: there is no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub before: Option<Vec<u8>>,
    pub after: Option<Vec<u8>>,
    /// The user has already written the file where it belongs.
    pub in_place: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    Create,
    Update,
    Delete,
}

/// What a draft, or a commit, does to a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    pub verb: Verb,
    pub id: ResourceId,
    pub path: Arc<str>,
}

impl<'p> Draft<'p> {
    /// Nothing changed yet.
    pub fn new(place: &'p Place) -> Result<Draft<'p>, AuthorError> {
        let base = place.tree()?;
        Ok(Draft { place, tree: base.clone(), base, edits: BTreeMap::new() })
    }

    /// All resource files as they would be.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    pub fn edits(&self) -> &BTreeMap<String, Edit> {
        &self.edits
    }

    /// The file that a resource is in, or is evidently meant to be in although it is not valid.
    ///
    /// # Errors
    /// When several are.
    pub fn find(&self, id: &ResourceId) -> Result<Option<String>, AuthorError> {
        let mut holders = self.tree.iter().filter(|(_, state)| ids(state).any(|other| other == *id));
        let first = holders.next().map(|(path, _)| path.to_string());
        match (&first, holders.next()) {
            (Some(first), Some((second, _))) => {
                Err(AuthorError::Refused(format!("{id} is in both {first} and {second}: remove one of them by hand")))
            }
            _ => Ok(first),
        }
    }

    /// Like [`Draft::find`], for what must be there.
    pub fn expect(&self, id: &ResourceId) -> Result<String, AuthorError> {
        self.find(id)?.ok_or_else(|| {
            let near = super::create::nearest_id(self.tree.values().flat_map(ids), id);
            let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            AuthorError::Refused(format!("there is no {id}{hint}"))
        })
    }

    /// The text of the one document that a resource is.
    pub fn body(&self, path: &str, id: &ResourceId) -> Result<String, AuthorError> {
        let bytes = self.load(path)?.unwrap_or_default();
        let (pieces, index) = piece(path, &bytes, id)?;
        Ok(pieces.body(index))
    }

    /// Gives a resource that is in the file at `path` another text.
    pub fn replace(&mut self, path: &str, id: &ResourceId, body: &str) -> Result<(), AuthorError> {
        let before = self.load(path)?;
        let (pieces, index) = piece(path, before.as_deref().unwrap_or_default(), id)?;
        let after = pieces.replace(index, body);
        self.set(path, id, before, Some(after))
    }

    /// Removes a resource, and the file at `path` with it if nothing else is in there.
    pub fn remove(&mut self, path: &str, id: &ResourceId) -> Result<(), AuthorError> {
        let before = self.load(path)?;
        let (pieces, index) = piece(path, before.as_deref().unwrap_or_default(), id)?;
        let after = pieces.remove(index);
        self.set(path, id, before, after)
    }

    /// Puts a new resource at the end of a file, which need not be there yet. A new file says where its schema is, in a
    /// repository that has one.
    pub fn append(&mut self, path: &str, id: &ResourceId, body: &str) -> Result<(), AuthorError> {
        let before = self.load(path)?;
        let bytes = before.as_deref().unwrap_or_default();
        let pieces = Pieces::read(path, bytes).map_err(|diagnostic| AuthorError::Invalid(vec![*diagnostic]))?;
        let after = match before {
            None if self.place.committed(SCHEMA)?.is_some() => pieces.append(&with_schema_line(path, body)),
            _ => pieces.append(body),
        };
        self.set(path, id, before, Some(after))
    }

    /// Takes a file as the user has written it at `path`; it was `before`.
    pub fn adopt(&mut self, path: &str, before: Option<Vec<u8>>, content: Vec<u8>) {
        self.tree.insert(path.into(), parsed(path, &content));
        self.edits.insert(path.to_owned(), Edit { before, after: Some(content), in_place: true });
    }

    /// Whether there is a file at `path`, or would be.
    pub fn holds(&self, path: &str) -> bool {
        self.tree.contains_key(path)
    }

    fn load(&self, path: &str) -> Result<Option<Vec<u8>>, AuthorError> {
        match self.edits.get(path) {
            Some(edit) => Ok(edit.after.clone()),
            None => self.place.read(path),
        }
    }

    /// Records an edit, if it is about nothing but `id`.
    fn set(
        &mut self,
        path: &str,
        id: &ResourceId,
        before: Option<Vec<u8>>,
        after: Option<Vec<u8>>,
    ) -> Result<(), AuthorError> {
        let others = |bytes: &[u8]| -> Vec<Resource> {
            let all = parse_file(path, bytes).resources.into_iter();
            all.map(|located| located.resource).filter(|resource| resource.id() != *id).collect()
        };
        if others(before.as_deref().unwrap_or_default()) != others(after.as_deref().unwrap_or_default()) {
            return Err(AuthorError::Refused(format!(
                "{path} is written in a way that keeps {id} from being changed alone: change the file by hand"
            )));
        }
        match &after {
            Some(content) => drop(self.tree.insert(path.into(), parsed(path, content))),
            None => drop(self.tree.remove(path)),
        }
        match self.edits.get_mut(path) {
            Some(edit) => edit.after = after,
            None => drop(self.edits.insert(path.to_owned(), Edit { before, after, in_place: false })),
        }
        Ok(())
    }

    /// Forgets edits that change nothing.
    pub fn settle(&mut self) {
        self.edits.retain(|_, edit| edit.before != edit.after);
    }

    /// What is wrong: every mistake of the edited files, and whatever the edits make wrong elsewhere. Mistakes that other
    /// files had before are theirs.
    pub fn check(&self) -> Vec<Diagnostic> {
        let mut known: HashMap<(String, String), usize> = HashMap::new();
        for diagnostic in diagnostics(&self.base) {
            *known.entry((diagnostic.path, diagnostic.message)).or_default() += 1;
        }
        let mut found = diagnostics(&self.tree);
        found.retain(|diagnostic| {
            if self.edits.contains_key(&diagnostic.path) {
                return true;
            }
            match known.get_mut(&(diagnostic.path.clone(), diagnostic.message.clone())) {
                Some(count) if *count > 0 => {
                    *count -= 1;
                    false
                }
                _ => true,
            }
        });
        found.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        found
    }

    /// [`Draft::check`] as a result: warnings are no reason.
    pub fn validate(&self) -> Result<(), AuthorError> {
        let found = self.check();
        let fatal = found.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        if fatal { Err(AuthorError::Invalid(found)) } else { Ok(()) }
    }

    /// What becomes of each resource, by kind and name.
    pub fn changes(&self) -> Vec<Change> {
        let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
        for (path, edit) in &self.edits {
            before.extend(bodies(path, edit.before.as_deref()));
            after.extend(bodies(path, edit.after.as_deref()));
        }
        let gone = before.iter().filter(|(id, _)| !after.contains_key(*id));
        let gone = gone.map(|(id, (path, _))| Change { verb: Verb::Delete, id: id.clone(), path: path.clone() });
        let kept = after.iter().filter_map(|(id, content)| {
            let verb = match before.get(id) {
                None => Verb::Create,
                Some(old) if old != content => Verb::Update,
                Some(_) => return None,
            };
            Some(Change { verb, id: id.clone(), path: content.0.clone() })
        });
        let mut changes: Vec<Change> = kept.chain(gone).collect();
        changes.sort_by(|a, b| a.id.cmp(&b.id));
        changes
    }
}

fn piece<'b>(path: &str, bytes: &'b [u8], id: &ResourceId) -> Result<(Pieces<'b>, usize), AuthorError> {
    let pieces = Pieces::read(path, bytes).map_err(|diagnostic| AuthorError::Invalid(vec![*diagnostic]))?;
    match pieces.find(id) {
        Some(index) => Ok((pieces, index)),
        None => Err(AuthorError::Refused(format!("{path} has changed meanwhile: {id} is not in it any more"))),
    }
}

/// The resources that a file has, and those that it is evidently meant to have.
fn ids(state: &FileState) -> impl Iterator<Item = ResourceId> {
    let file = match state {
        FileState::Parsed(file) => Some(file),
        FileState::Unreadable(_) => None,
    };
    file.into_iter()
        .flat_map(|file| file.resources.iter().map(|located| located.resource.id()).chain(file.claims.iter().cloned()))
}

fn bodies(path: &str, bytes: Option<&[u8]>) -> Vec<(ResourceId, (Arc<str>, String))> {
    let Some(bytes) = bytes else { return Vec::new() };
    let Ok(pieces) = Pieces::read(path, bytes) else { return Vec::new() };
    let shared: Arc<str> = path.into();
    pieces.ids().map(|(index, id)| (id.clone(), (shared.clone(), pieces.body(index)))).collect()
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl Verb {
    /// The word for what has been done.
    pub fn done(self) -> &'static str {
        match self {
            Verb::Create => "created",
            Verb::Update => "updated",
            Verb::Delete => "deleted",
        }
    }
}
