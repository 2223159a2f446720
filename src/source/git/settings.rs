//! How a git source is configured.

use crate::{
    authorize::{Identity, ObjectId, Rules},
    git,
    source::Ignore,
};
use std::{fmt, path::PathBuf, time::Duration};

/// What a verdict is good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// What is not authorized takes no effect.
    #[default]
    Enforce,
    /// Everything takes effect, and what would not have is reported.
    Audit,
    /// Nothing is judged.
    Off,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Mode::Enforce => "enforce",
            Mode::Audit => "audit",
            Mode::Off => "off",
        })
    }
}

/// Where trust begins, as long as there is no stored state to go on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Root {
    Commit {
        commit: ObjectId,
        /// The key, as in `signing_keys` of a user, that must have signed it.
        signer: Option<String>,
    },
    /// Whatever the followed reference is when it is seen first.
    TrustOnFirstUse,
    /// None was given: there must be a stored one.
    Stored,
}

/// A git source, as configured.
#[derive(Clone, Debug)]
pub struct GitSettings {
    pub name: String,
    pub remote: git::Remote,
    pub follow: git::Follow,
    /// Between two polls. Half a minute is a good value.
    pub interval: Duration,
    /// Where the mirror and the trusted state are kept: a folder of this source alone.
    pub state_dir: PathBuf,
    /// Only apps below this folder are taken; all of the repository is judged and checked.
    pub subpath: Option<String>,
    /// Files that are not taken. They are judged all the same.
    pub ignore: Ignore,
    pub mode: Mode,
    pub rules: Rules,
    pub root: Root,
}

impl GitSettings {
    /// What is followed, for people.
    pub(super) fn follows(&self) -> String {
        match &self.follow {
            git::Follow::Default => "default branch".to_owned(),
            git::Follow::Branch(name) => format!("branch {name}"),
            git::Follow::Tag(name) => format!("tag {name}"),
            git::Follow::Commit(id) => format!("commit {}", id.short()),
        }
    }

    /// What somebody should know of a source that is set up like this.
    pub(super) fn warnings(&self) -> Vec<String> {
        let url = self.remote.shown();
        let mode = match self.mode {
            Mode::Enforce => None,
            Mode::Audit => {
                Some("mode audit: what is not authorized takes effect all the same, and is only reported".to_owned())
            }
            Mode::Off => {
                Some(format!("mode off: commits are not checked; whoever can push to {url} decides what runs here"))
            }
        };
        let identity = (self.rules.identity == Identity::Author && self.mode != Mode::Off).then(|| {
            format!("identity author: authors are not proven; whoever can push to {url} can commit in anybody's name")
        });
        mode.into_iter().chain(identity).collect()
    }
}
