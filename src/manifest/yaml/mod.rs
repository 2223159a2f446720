//! YAML, read strictly: the only place that knows the YAML crates, apart from output.
//!
//! A text is read twice. `outline` walks the events of `saphyr-parser`: it knows where everything is written, and
//! refuses whatever would let a reviewer see something else than what runs (anchors, aliases, merge keys, tags,
//! duplicate keys) or cost more than its size (deep nesting, very many documents). `values` then has `serde_yaml`
//! read the same text: values come from it alone. The two are zipped as they are built; where they do not agree in
//! shape and content, the document is refused.

mod number;
mod outline;
mod values;

use super::text::{Finding, Mark, Text};
use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

/// A value and where it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Node<'a> {
    pub value: Value<'a>,
    pub mark: Mark,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Nothing, `~` or `null`.
    Null,
    Bool(bool),
    Number(Box<Number<'a>>),
    String(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Map(Vec<Entry<'a>>),
}

impl Value<'_> {
    /// The kind of value, as messages call it.
    pub fn describe(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// A number and how it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Number<'a> {
    pub text: Cow<'a, str>,
    pub amount: Amount,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    Integer(i128),
    Float(f64),
    /// Digits with a leading zero: a string to some readers of YAML, octal to others, decimal to the rest.
    Unclear,
}

/// A key of a mapping with its value. Keys are unique in their mapping, and strings.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<'a> {
    pub key: Cow<'a, str>,
    pub mark: Mark,
    pub value: Node<'a>,
}

impl<'a> Node<'a> {
    /// The value of a key, when this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node<'a>> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|e| e.key == key).map(|e| &e.value),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
}

/// Pointers that are longer than this many bytes are of no use to anybody.
const MAX_POINTER: usize = 1024;

/// The JSON Pointers (RFC 6901) to the values of a document that are written, or whose keys are written, at the wanted
/// places. A mapping in block style begins where its first key does, and is told from it by the length of the mark; where
/// even that is the same, the key counts.
pub fn pointers(root: &Node, wanted: &HashSet<Mark>) -> HashMap<Mark, String> {
    let mut search = Search { wanted, found: HashMap::new() };
    search.node(root, &mut String::new());
    search.found
}

struct Search<'w> {
    wanted: &'w HashSet<Mark>,
    found: HashMap<Mark, String>,
}

impl Search<'_> {
    /// Looks at a value and what is below it, which is as deep as the outline lets documents be.
    fn node(&mut self, node: &Node, pointer: &mut String) {
        let here = pointer.len();
        match &node.value {
            Value::List(nodes) => {
                for (index, node) in nodes.iter().enumerate() {
                    *pointer += &format!("/{index}");
                    self.node(node, pointer);
                    pointer.truncate(here);
                }
            }
            Value::Map(entries) => {
                for entry in entries {
                    pointer.push('/');
                    *pointer += &entry.key.replace('~', "~0").replace('/', "~1");
                    self.note(entry.mark, pointer);
                    self.node(&entry.value, pointer);
                    pointer.truncate(here);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        self.note(node.mark, pointer);
    }

    fn note(&mut self, mark: Mark, pointer: &str) {
        if self.wanted.contains(&mark) && pointer.len() <= MAX_POINTER {
            self.found.entry(mark).or_insert_with(|| pointer.to_owned());
        }
    }
}

/// What a text says.
#[derive(Debug, Default)]
pub struct Reading<'a> {
    /// In order; documents without any content are left out.
    pub documents: Vec<Document<'a>>,
    /// What is wrong with the YAML. Each concerns a refused document, or the file as a whole.
    pub findings: Vec<Finding>,
}

#[derive(Debug)]
pub struct Document<'a> {
    /// Where it starts.
    pub mark: Mark,
    pub content: Content<'a>,
}

#[derive(Debug)]
pub enum Content<'a> {
    Valid(Node<'a>),
    /// The findings say why. What it evidently is about, as far as that can be told.
    Refused {
        kind: Option<String>,
        name: Option<String>,
    },
}

/// Reads all documents of a text. Time and memory are linear in its size, and nothing is expanded.
pub fn read<'a>(text: &Text<'a>) -> Reading<'a> {
    let outline = outline::outline(text.as_str());
    values::fill(text.as_str(), outline)
}

/// Where a document stands in its text. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The line of the `---` that it starts with, if it has one.
    pub marker: Option<u32>,
    /// The line after its content: of its `...`, of the next document's `---`, or of the end of the text.
    pub end: u32,
    /// What it evidently is about, as far as that can be told.
    pub kind: Option<String>,
    pub name: Option<String>,
}

/// Where the documents of a text stand, those without content included; `None` when its structure is not clear all
/// the way, so that what follows a mistake could be taken for a part of it.
pub fn extents(text: &Text) -> Option<Vec<Extent>> {
    let outline = outline::outline(text.as_str());
    let node = |index: Option<usize>| index.and_then(|i| outline.nodes.get(i)).map(|item| item.text.to_string());
    let extent = |sheet: &outline::Sheet| Extent {
        marker: sheet.marker,
        end: sheet.end,
        kind: node(sheet.kind),
        name: node(sheet.name),
    };
    (!outline.lost).then(|| outline.documents.iter().map(extent).collect())
}

/// Writes a value as a YAML document, for output.
///
/// # Errors
/// When the value has no YAML form, which no type of this crate lacks.
pub fn to_string<T: serde::Serialize>(value: &T) -> Result<String, impl std::error::Error + Send + Sync + 'static> {
    serde_yaml::to_string(value)
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
