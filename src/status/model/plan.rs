//! The JSON of `/v1/plan`: what an agent decides by, so that somebody else can say what it would do.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What chooses the apps of an agent, and what it has accepted. Fields are only ever added.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Basis {
    /// Where clients find the agent's gateway.
    pub agent: String,
    /// Without it nothing runs.
    pub enabled: bool,
    /// An app of a source runs when any of these matches; in the form of the configuration.
    pub selectors: Vec<BTreeMap<String, Vec<String>>>,
    /// The names of the apps of the agent's own configuration, which no source can take.
    pub static_apps: Vec<String>,
    pub prune: Prune,
    /// In their order: of two apps of one name that of the earlier source runs.
    pub sources: Vec<SourceBasis>,
}

/// `prune` of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Prune {
    pub min_apps: usize,
    pub max_fraction: f64,
    pub allow_empty: bool,
}

/// One of the sources.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SourceBasis {
    pub name: String,
    /// `directory` or `git`.
    pub kind: String,
    /// The path, or the URL without credentials.
    pub location: String,
    /// Only apps below this folder are the agent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Globs of files that are not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    /// Of a git source: by which rules is judged, in the form of the configuration. Keys that it has in files are named, not
    /// shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub authorization: Option<serde_json::Value>,
    /// Of a git source: the commit since which changes are judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// Of a git source: the commit up to which changes have been judged, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
}
