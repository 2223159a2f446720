//! The JSON of `/v1/apps/NAME/history`: the commits that changed an app. Fields are only ever added.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Versions of an app, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct History {
    pub versions: Vec<VersionStatus>,
    /// There are older ones: ask again with `before` and the commit of the last one.
    pub more: bool,
    /// Why older ones may be missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What was decided about a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Accepted,
    Refused,
    /// It was there before the root of trust, or is too long ago to be known; or nothing is judged.
    Unjudged,
    /// It would have been refused, and took effect because the mode is `audit`.
    ShownOnly,
}

/// A commit that changed an app, or was to change it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct VersionStatus {
    pub commit: String,
    /// When it was committed, as it says.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub time: Option<Timestamp>,
    /// `Name <mail>`, as the commit says; nobody vouches for it.
    pub author: String,
    /// The user to whom the commit was attributed when it was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// The first line of its message.
    pub subject: String,
    /// `create`, `update` or `delete`.
    pub verb: String,
    pub verdict: Verdict,
    /// Why it was refused, as in the report of `mcpfleet authorize`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The rule that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The file that has it, or had it.
    pub path: String,
    /// The file that had it before, where that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What changed in the app's own document, against the commit's first parent, as a unified diff. Other documents of the
    /// file are not shown, nor values of environment variables and headers, nor what looks like a secret.
    pub diff: String,
    /// There is more of the diff than is here.
    pub truncated: bool,
    /// Why there is no diff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff_note: Option<String>,
    /// The definition in force is what this commit made.
    pub in_force: bool,
}
