//! The JSON of `/v1/changes`: the commits of a source, and what is held. Fields are only ever added.

use super::history::Verdict;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What was changed in a source, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Changes {
    pub source: String,
    /// `enforce`, `audit` or `off` of a git source, else `directory`.
    pub mode: String,
    /// Newest first: those that have not been judged yet, those that were in the order in which that was done, older ones.
    pub commits: Vec<CommitStatus>,
    /// There are older ones: ask again with `before` and the last of these.
    pub more: bool,
    /// Why there are no commits, or why older ones may be missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What is in the source, or was, and does not take effect.
    pub held: Vec<HeldStatus>,
}

/// A commit, and what was decided about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CommitStatus {
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
    /// All of it takes effect, or did: it was accepted, is trusted, or nothing is judged.
    pub accepted: bool,
    pub standing: Standing,
    /// What the standing means, where it is not that it was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    pub changes: Vec<ChangeStatus>,
    /// How many of its changes are not listed, as far as that is known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// How a commit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    Accepted,
    Refused,
    /// It was judged, and has nothing that there was to decide about.
    NothingToDecide,
    /// It is there, and has not been judged.
    Waiting,
    /// The root of trust.
    Root,
    Unjudged,
}

/// One change of a commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ChangeStatus {
    pub path: String,
    /// `app`, `role` or `user`; not there for a file as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `create`, `update` or `delete`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verb: Option<String>,
    pub verdict: Verdict,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Something that does not take effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HeldStatus {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The commit that was refused, if it is for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    pub code: String,
    pub message: String,
    /// What to do about it.
    pub help: String,
}
