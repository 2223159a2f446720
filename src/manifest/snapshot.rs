//! What a source says at a revision, with the last good content of what cannot be read now.

use super::{Diagnostic, Located, ParsedFile};
use crate::resource::ResourceId;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// Names a state of a source: a commit id, or for a directory a digest of paths and contents.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Revision(pub String);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All files of a source by path, as just read.
pub type Tree = BTreeMap<Arc<str>, FileState>;

#[derive(Clone, Debug)]
pub enum FileState {
    Parsed(Arc<ParsedFile>),
    /// The file is there but cannot be read, or may not be (a symlink that leaves the source, a FIFO, too large).
    /// Never the same as a file that is gone.
    Unreadable(Box<Diagnostic>),
}

/// A resource in a snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub located: Located,
    /// The file says something else now that is not valid: this is the last good content.
    pub stale: bool,
}

/// What a source says at a revision.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub revision: Revision,
    pub resources: BTreeMap<ResourceId, Entry>,
    /// All diagnostics of the tree, sorted by path and position.
    pub diagnostics: Vec<Diagnostic>,
    /// How many files were read.
    pub files: usize,
}
