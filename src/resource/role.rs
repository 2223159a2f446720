//! `role`, versions v3 to v8: what its holders may do.

use super::{Metadata, Selector};
use serde::Serialize;
use std::collections::BTreeSet;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Role {
    /// 3 to 8: version 3 has more generous defaults (see [`Conditions::app_labels`]).
    pub version: u8,
    pub metadata: Metadata,
    pub allow: Conditions,
    pub deny: Conditions,
}

/// One side, `allow` or `deny`, of a role.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Conditions {
    pub rules: Vec<Rule>,
    /// Which apps the holder may use through the gateway. Empty matches none; an absent `allow.app_labels` of a v3
    /// role has become `*: *` when it gets here.
    pub app_labels: Vec<Selector>,
    /// Tool names: literals, globs with `*`, or `^regex$`, as written.
    pub mcp_tools: Vec<String>,
}

/// One entry of `rules`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rule {
    pub resources: BTreeSet<RuleResource>,
    pub verbs: BTreeSet<Verb>,
    /// Globs over file paths from the source's root; `None`: any path.
    pub paths: Option<Vec<String>>,
    /// `None`: any labels.
    pub labels: Option<Selector>,
    /// A predicate as written; its syntax has been checked.
    pub condition: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleResource {
    App,
    Role,
    User,
    Agent,
    #[serde(rename = "*")]
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    List,
    Create,
    Read,
    Update,
    Delete,
    Restart,
    Suspend,
    Reconcile,
    #[serde(rename = "*")]
    Any,
}
