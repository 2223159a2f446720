//! A mistake in a file: a value that is collected, never an error that stops the reading of the others.

use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
}

/// The stable name of a kind of mistake, written in kebab-case. Names are never reused for another meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The file is not well-formed YAML.
    Syntax,
    // What keeps a source from reading a file or folder at all:
    /// The file or folder cannot be read: permissions, a broken disk, a file that never holds still.
    Unreadable,
    /// The file is larger than a resource file may be.
    FileTooLarge,
    /// A FIFO, socket or device where a file is expected.
    SpecialFile,
    /// The name of the file or folder is not UTF-8.
    FileName,
    /// The folder is nested deeper than is read.
    TooDeep,
    /// The symlink leads out of the source.
    SymlinkEscapes,
    /// The symlink leads nowhere.
    SymlinkDangling,
    /// The symlink leads back to where it came from.
    SymlinkLoop,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// A place in a file: line and column from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnostic {
    pub severity: Severity,
    pub code: Code,
    /// One line; says what is wrong. Text quoted from the file is bounded.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// From the source's root, with `/` between components.
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none", flatten)]
    pub position: Option<Position>,
    /// The offending line as it stands in the file, bounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_text: Option<String>,
    /// How many characters from the position on are meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u32>,
    /// The other places that belong to it: the twin of a duplicate, say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Related>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Related {
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none", flatten)]
    pub position: Option<Position>,
    pub message: String,
}
