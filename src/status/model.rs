//! The JSON of `/v1/status`, the same values that the command line shows. Fields are only ever added.

pub mod app;
pub mod audit;
pub mod changes;
pub mod event;
pub mod history;
pub mod notification;
pub mod plan;
pub mod problem;
pub mod watch;
pub mod web;

use crate::manifest::Diagnostic;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Status {
    pub agent: AgentStatus,
    pub sources: Vec<SourceStatus>,
    pub apps: Vec<AppStatus>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AgentStatus {
    pub version: String,
    /// The user who asks, if not everything is shown: then there is of the agent and of apps only what this user may know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started: Option<Timestamp>,
    /// `http://127.0.0.1:7420`, where clients find the gateway.
    pub gateway: String,
    /// `open` or `required`.
    pub auth: String,
    pub state: AgentState,
    pub message: String,
    /// Since when nothing new is applied, because somebody has suspended the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub suspended: Option<Timestamp>,
    /// Apps that somebody has suspended, there or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspended_apps: Vec<String>,
    /// How it stands with the audit.
    #[serde(default)]
    pub audit: AuditStatus,
    /// The certificate of the gateway, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsStatus>,
    /// How it stands with each of `notifications`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notifications: Vec<notification::NotificationStatus>,
}

/// Whether what happens is written down.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditStatus {
    /// `None`: only the last records are kept, in memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Records in the file since the agent started.
    pub written: u64,
    /// Records that are nowhere, because they came faster than they could be written.
    pub dropped: u64,
    /// Why nothing is written at the moment, or not as it should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The certificate that the gateway shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TlsStatus {
    pub cert_file: String,
    /// Since when that is the one.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Until when it is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires: Option<Timestamp>,
    /// Why what the files have now is not shown instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Whether the accepted revisions are fully applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub enum AgentState {
    /// What is wanted runs.
    Ready,
    /// On the way there.
    Reconciling,
    /// Will not get there by itself: somebody has to look.
    Stalled,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SourceStatus {
    pub name: String,
    /// `directory` or `git`.
    pub kind: String,
    /// The path, or the URL without credentials.
    pub location: String,
    /// How changes are noticed: `native` or `poll`.
    pub watch: String,
    /// Why changes are noticed later than they should be, and what to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch_problem: Option<String>,
    /// What is applied of it; of a git source, the commit.
    pub revision: Option<String>,
    /// When it was last read, or asked for news, with success.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_read: Option<Timestamp>,
    pub files: usize,
    pub resources: usize,
    pub error: Option<SourceProblem>,
    pub diagnostics: Vec<Diagnostic>,
    /// Of a git source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<GitStatus>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SourceProblem {
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// A stable word for the kind of problem, such as `history-rewritten`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GitStatus {
    /// What is followed: `branch main`.
    pub follows: String,
    /// `enforce`, `audit` or `off`.
    pub mode: String,
    /// The commit that was there at the last look.
    pub seen: Option<String>,
    /// When that commit says it was made.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub newest: Option<Timestamp>,
    /// The commit up to which the history has been judged, and that is in force except for what was refused.
    pub accepted: Option<String>,
    /// What takes no effect, newest first; in audit mode, what would take none.
    pub refused: Vec<RefusedStatus>,
    /// How many there are, listed here or not.
    pub refused_total: usize,
    /// What somebody should know of how this source is set up, or of its state.
    pub warnings: Vec<String>,
}

/// A change that was refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RefusedStatus {
    pub commit: String,
    /// As the commit says; nobody vouches for it.
    pub author: String,
    /// The user whose key signed the commit.
    pub signer: Option<String>,
    pub path: String,
    /// `app`, `role` or `user`; null for a file as a whole.
    pub kind: Option<String>,
    pub name: Option<String>,
    /// `create`, `update` or `delete`.
    pub verb: Option<String>,
    /// As in the report of `mcpfleet authorize`.
    pub code: Option<String>,
    /// The rule that decided.
    pub rule: Option<String>,
    /// Why, and what to do about it.
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AppStatus {
    pub name: String,
    pub description: Option<String>,
    /// `stdio`, `streamable-http` or `sse`.
    #[serde(rename = "type")]
    pub transport: String,
    pub labels: BTreeMap<String, String>,
    /// The command and its arguments, of a stdio server.
    pub command: Vec<String>,
    /// Where the server is, of a remote one; without what may follow a `?`.
    pub remote: Option<String>,
    /// `None` for an app that this agent does not run.
    pub state: Option<AppState>,
    /// Why it is in that state, for people.
    pub reason: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    pub conditions: Vec<AppCondition>,
    pub source: String,
    pub path: String,
    /// The revision at which the definition was first seen; of a git source, the commit that made it so.
    pub revision: Option<String>,
    /// Of a git source: who made that commit, as it says itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The user whose key signed that commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// The selector that chose it.
    pub selected_by: Option<String>,
    /// `legacy` or `modern`, once the server has answered.
    pub era: Option<String>,
    /// Name and version that the server gave.
    pub server: Option<String>,
    /// Where clients reach it.
    pub url: String,
    pub sessions: usize,
    pub restarts: u32,
    /// When the next start is due, in `Backoff`.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt: Option<Timestamp>,
    pub last_exit: Option<String>,
    /// When that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_exit_at: Option<Timestamp>,
    /// What the server wrote last to its stderr, while it is in trouble.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_lines: Vec<String>,
    pub instances: Vec<InstanceStatus>,
    /// The newest definition is not in force yet.
    #[serde(default)]
    pub updating: bool,
    /// The tools that whoever asks may use; null: none of the app at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_tools: Option<AllowedTools>,
    /// What the server's tools are, once it has been asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<ToolsStatus>,
    /// What the commands of dynamic labels printed when they last did well, by key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dynamic_labels: BTreeMap<String, String>,
    /// What went wrong when they last ran, by key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dynamic_label_problems: BTreeMap<String, String>,
    /// Limits and sandbox of the process that runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confinement: Vec<Confinement>,
}

impl AppStatus {
    /// One of which nothing is told but its name and where clients reach it.
    pub fn bare(name: &str, url: String) -> AppStatus {
        AppStatus {
            name: name.to_owned(),
            description: None,
            transport: "stdio".into(),
            labels: BTreeMap::new(),
            command: Vec::new(),
            remote: None,
            state: None,
            reason: None,
            since: None,
            conditions: Vec::new(),
            source: String::new(),
            path: String::new(),
            revision: None,
            selected_by: None,
            era: None,
            server: None,
            url,
            sessions: 0,
            restarts: 0,
            next_attempt: None,
            last_exit: None,
            last_exit_at: None,
            last_lines: Vec::new(),
            instances: Vec::new(),
            updating: false,
            allowed_tools: None,
            tools: None,
            confinement: Vec::new(),
            author: None,
            signer: None,
            dynamic_labels: BTreeMap::new(),
            dynamic_label_problems: BTreeMap::new(),
        }
    }
}

/// Patterns of tools, as roles have them: those that any of the first and none of the second match may be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AllowedTools {
    pub allow: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
}

/// The tools of a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ToolsStatus {
    pub count: usize,
    /// First digits of the digest of their names, descriptions and schemas.
    pub digest: String,
}

/// A limit, or a part of a sandbox, and whether it is in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Confinement {
    /// As in `limits.memory: 64Mi`.
    pub what: String,
    /// By what means; null: not in force at all.
    pub by: Option<String>,
    /// What of it is not in force, or why it is not, where the agent's `enforcement` is `best_effort`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<String>,
}

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.by {
            Some(by) => write!(f, "{} by {by}", self.what)?,
            None => write!(f, "{} not enforced", self.what)?,
        }
        self.gap.iter().try_for_each(|gap| write!(f, " ({gap})"))
    }
}

/// The state of an app's server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub enum AppState {
    Pending,
    Starting,
    Ready,
    /// Running but unhealthy, or the new version does not start and the old one goes on serving.
    Degraded,
    Backoff,
    Draining,
    Suspended,
    Stopped,
    Failed,
}

impl fmt::Display for AppState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            AppState::Pending => "Pending",
            AppState::Starting => "Starting",
            AppState::Ready => "Ready",
            AppState::Degraded => "Degraded",
            AppState::Backoff => "Backoff",
            AppState::Draining => "Draining",
            AppState::Suspended => "Suspended",
            AppState::Stopped => "Stopped",
            AppState::Failed => "Failed",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AppCondition {
    #[serde(rename = "type")]
    pub kind: ConditionKind,
    /// Why it is `Held`: `prune-guard`, or a code as in the report of `mcpfleet authorize`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    pub message: String,
}

/// What is remarkable about an app's definition, as opposed to its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
pub enum ConditionKind {
    /// Its file is invalid; the last good content is in force.
    Invalid,
    /// Its removal is held by the prune guard, or a change of it was refused; what was accepted last is in force.
    Held,
    Expired,
    NotSelected,
    /// Another definition of the same name goes before it.
    Shadowed,
    /// Its server has other tools than when the definition was accepted.
    ToolsChanged,
}

impl fmt::Display for ConditionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            ConditionKind::Invalid => "Invalid",
            ConditionKind::Held => "Held",
            ConditionKind::Expired => "Expired",
            ConditionKind::NotSelected => "NotSelected",
            ConditionKind::Shadowed => "Shadowed",
            ConditionKind::ToolsChanged => "ToolsChanged",
        })
    }
}

/// One process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct InstanceStatus {
    /// Unique in the life of the agent.
    pub id: String,
    pub pid: Option<u32>,
    pub role: InstanceRole,
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// First digits of the digest of the spec it runs.
    pub spec: String,
    /// An older version that is being drained.
    pub draining: bool,
}

/// What a process is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum InstanceRole {
    /// Answers probes and, if the server is shared, all clients.
    Primary,
    /// Started ahead of the next session.
    Warm,
    /// Belongs to one session.
    Session,
}

/// One line of `/v1/apps/NAME/logs`, which is a stream of these as JSON lines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LogLine {
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    pub instance: String,
    pub text: String,
    /// How many lines a follower that was too slow has not got; such a line was written by no server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<u64>,
}
