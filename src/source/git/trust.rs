//! What is trusted, kept between runs: where trust began, and what has been accepted since.
//!
//! The file is written after history has been judged and before anything of it takes effect, so that an agent that is
//! killed at any moment starts again from something that was verified, and never from something older than what it
//! applied.

use super::{
    file::{self, StateError},
    refused::RefusedChange,
};
use crate::authorize::{ObjectId, Stored};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, path::Path, sync::Arc};

const FILE: &str = "trust.json";
const VERSION: u32 = 1;
const HELP: &str = "put a good copy of it back, or say what is to be trusted with `mcpfleet trust set REV`";

/// How trust began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Began {
    /// By `authorization.root` of the agent's configuration.
    Configured,
    /// With what was there when the repository was seen first.
    FirstUse,
    /// By an override on this host.
    Override,
    /// With what was there, while nothing was to be enforced: that is no reason to trust it later.
    Unjudged,
}

impl fmt::Display for Began {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Began::Configured => "as configured",
            Began::FirstUse => "because it was there when the repository was seen first",
            Began::Override => "by an override on this host",
            Began::Unjudged => "because it was there when nothing was enforced",
        })
    }
}

/// The content of `trust.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trust {
    pub version: u32,
    /// The commit that is trusted with all that it has.
    pub root: ObjectId,
    pub began: Began,
    /// The root that the configuration named then, for which this state is right.
    pub configured: Option<ObjectId>,
    /// What has been accepted since.
    pub state: Stored,
    /// What was refused and is not restored, newest first. For people.
    #[serde(default)]
    pub refused: Vec<RefusedChange>,
    /// To whom commits were attributed that made something what it is. For people.
    #[serde(default)]
    pub signers: Arc<BTreeMap<ObjectId, String>>,
}

impl Trust {
    pub(super) fn new(
        root: ObjectId,
        began: Began,
        configured: Option<ObjectId>,
        state: Stored,
        refused: Vec<RefusedChange>,
        signers: Arc<BTreeMap<ObjectId, String>>,
    ) -> Trust {
        Trust { version: VERSION, root, began, configured, state, refused, signers }
    }

    /// Reads the file of a source's state directory; `None` if there is none.
    ///
    /// # Errors
    /// A file that is damaged, or of a later version, is never taken for none.
    pub fn read(state_dir: &Path) -> Result<Option<Trust>, StateError> {
        let path = state_dir.join(FILE);
        let trust: Option<Trust> = file::read_json(&path, HELP)?;
        match trust {
            Some(Trust { version, .. }) if version != VERSION => Err(StateError::Damaged {
                path,
                message: format!("it has version {version}, and this agent knows {VERSION}"),
                help: HELP,
            }),
            trust => Ok(trust),
        }
    }

    /// Replaces the file. It outlasts a crash once this returns.
    pub(super) fn write(&self, state_dir: &Path) -> Result<(), StateError> {
        // Nothing in it can fail to be written as JSON.
        let text = serde_json::to_vec(self).unwrap_or_default();
        file::replace(&state_dir.join(FILE), &text)
    }
}
