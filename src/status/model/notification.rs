//! What is told of notifications, and the words for what becomes of a commit.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How it stands with one of `notifications`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NotificationStatus {
    pub name: String,
    /// `github`, `gitlab`, `gitea`, `slack` or `webhook`.
    pub kind: String,
    /// Messages that were taken since the agent started.
    pub delivered: u64,
    /// Messages that wait, the one that is being sent included.
    pub waiting: usize,
    /// Messages that nobody will get: there was no room for them, or they were refused for good.
    pub dropped: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_success: Option<Timestamp>,
    /// What is wrong, until a message is taken again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<NotificationProblem>,
}

/// Why messages do not get through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NotificationProblem {
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    pub message: String,
    /// When it is tried again, if the same message is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt: Option<Timestamp>,
}

/// What has become of a commit at an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommitState {
    /// Accepted, and on its way.
    Pending,
    /// What it wants runs, as far as it is this agent's.
    Success,
    /// A change of it was refused, or something of it cannot be carried out.
    Failure,
    /// Nobody can say: it cannot be judged.
    Error,
}

impl CommitState {
    pub const ALL: [CommitState; 4] =
        [CommitState::Pending, CommitState::Success, CommitState::Failure, CommitState::Error];

    pub const fn word(self) -> &'static str {
        match self {
            CommitState::Pending => "pending",
            CommitState::Success => "success",
            CommitState::Failure => "failure",
            CommitState::Error => "error",
        }
    }

    /// What a notification of it is called, beside the kinds of events.
    pub const fn kind(self) -> &'static str {
        match self {
            CommitState::Pending => "commit-pending",
            CommitState::Success => "commit-success",
            CommitState::Failure => "commit-failure",
            CommitState::Error => "commit-error",
        }
    }
}

impl fmt::Display for CommitState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
