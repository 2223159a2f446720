//! The secrets that servers refer to from now on, and what has to be put into their files.

use super::{desk::Field, names::secret_name};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};
use zeroize::Zeroizing;

/// A value that was found. Never shown, and overwritten when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Found(Zeroizing<String>);

impl From<String> for Found {
    fn from(value: String) -> Found {
        Found(value.into())
    }
}

impl Found {
    /// The value itself, for the one place that writes it to a file.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Found(…)")
    }
}

/// What the file of a secret has to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// What stands in the imported file.
    Found(Found),
    /// In words.
    Described(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// Of the file in `secrets_dir`.
    pub name: String,
    pub content: Content,
    /// The apps that refer to it, each with where: `env.TOKEN`.
    pub uses: Vec<(String, String)>,
    /// Where it stands in the imported file.
    pub line: u32,
}

#[derive(Default)]
pub struct Secrets {
    all: Vec<Secret>,
    names: BTreeSet<String>,
    /// By what is referred to: the same variable is the same secret.
    references: BTreeMap<String, usize>,
}

impl Secrets {
    /// A secret of one field; its name.
    pub fn of_field(&mut self, field: Field, content: Content) -> String {
        let name = secret_name(Some(field.app), field.name, &mut self.names);
        self.add(field, name, content).0
    }

    /// A secret that is referred to by name, perhaps by several fields; its own name.
    pub fn of_reference(&mut self, field: Field, reference: &str, content: Content) -> String {
        if let Some(secret) = self.references.get(reference).and_then(|index| self.all.get_mut(*index)) {
            secret.uses.push((field.app.to_owned(), field.path.to_owned()));
            return secret.name.clone();
        }
        let short = reference.split_once(':').map_or(reference, |(_, short)| short);
        let name = secret_name(None, short, &mut self.names);
        let (name, index) = self.add(field, name, content);
        self.references.insert(reference.to_owned(), index);
        name
    }

    fn add(&mut self, field: Field, name: String, content: Content) -> (String, usize) {
        let uses = vec![(field.app.to_owned(), field.path.to_owned())];
        self.all.push(Secret { name: name.clone(), content, uses, line: field.mark.line });
        (name, self.all.len() - 1)
    }

    pub fn into_vec(self) -> Vec<Secret> {
        self.all
    }
}
