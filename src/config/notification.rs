//! `notifications`: whom the agent tells what happens, and of what.

use super::duration;
use crate::status::model::event::EventLevel;
use serde::Serialize;
use std::{path::PathBuf, time::Duration};

/// One of `notifications`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Notification {
    /// Unique when case is ignored.
    pub name: String,
    #[serde(flatten)]
    pub target: Target,
    /// Certificates of authorities, trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// `http://host:port`.
    pub proxy: Option<String>,
    /// How long sending a message may take.
    #[serde(serialize_with = "duration")]
    pub timeout: Duration,
}

/// Who is told.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Target {
    Github(Forge),
    Gitlab(Forge),
    Gitea(Forge),
    Slack(Slack),
    Webhook(Webhook),
}

impl Target {
    /// As the setting has it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Target::Github(_) => "github",
            Target::Gitlab(_) => "gitlab",
            Target::Gitea(_) => "gitea",
            Target::Slack(_) => "slack",
            Target::Webhook(_) => "webhook",
        }
    }

    /// The file with the credential: the name of its setting, and the file.
    pub const fn credential(&self) -> (&'static str, &PathBuf) {
        match self {
            Target::Github(forge) | Target::Gitlab(forge) | Target::Gitea(forge) => ("token_file", &forge.token_file),
            Target::Slack(slack) => ("url_file", &slack.url_file),
            Target::Webhook(webhook) => ("secret_file", &webhook.secret_file),
        }
    }
}

/// A forge, which is told the outcome of each commit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forge {
    /// The git source whose commits it has.
    pub source: String,
    /// Without a `/` at its end.
    pub api_url: String,
    /// Its path on the forge: `platform/fleet`.
    pub repository: String,
    /// Read at each message, so that it can be replaced while the agent runs.
    pub token_file: PathBuf,
    /// Under which name the forge shows it. `None`: `mcpfleet/` and the name of the agent.
    pub context: Option<String>,
}

/// An incoming webhook of Slack, or of what takes the same.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Slack {
    /// Holds the URL, which is a secret.
    pub url_file: PathBuf,
    #[serde(flatten)]
    pub filter: Filter,
    /// What is told of the same app, source or commit within this time is told at its end, as one.
    #[serde(serialize_with = "duration")]
    pub interval: Duration,
}

/// A webhook of one's own.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Webhook {
    pub url: String,
    /// Signs what is sent.
    pub secret_file: PathBuf,
    #[serde(flatten)]
    pub filter: Filter,
}

/// Of what somebody is told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Filter {
    /// Without any: of all sources, and of what is of no source.
    pub sources: Vec<String>,
    /// The least that is told.
    pub level: EventLevel,
    /// Without any: all kinds.
    pub events: Vec<String>,
}
