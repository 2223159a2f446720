//! `app`, version v3: the definition of one MCP server.

use super::{Digest, Metadata};
use serde::Serialize;
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// An MCP server definition. Every default is filled in, so that writing a default out changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct App {
    pub metadata: Metadata,
    pub spec: AppSpec,
}

impl App {
    /// How its process is run; `None` for a remote server.
    pub fn stdio(&self) -> Option<&Stdio> {
        match &self.spec.server {
            Server::Stdio(stdio) => Some(stdio),
            Server::Remote(_) => None,
        }
    }

    /// How its server is looked after, wherever it runs.
    pub fn care(&self) -> &Care {
        match &self.spec.server {
            Server::Stdio(stdio) => &stdio.care,
            Server::Remote(remote) => &remote.care,
        }
    }

    pub fn is_remote(&self) -> bool {
        matches!(self.spec.server, Server::Remote(_))
    }
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AppSpec {
    pub server: Server,
    /// Commands whose output become labels for `app_labels` and display, by label key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub dynamic_labels: BTreeMap<String, DynamicLabel>,
}

impl AppSpec {
    /// Decides whether a running instance still is what is wanted. Dynamic labels, which no instance knows of, are not
    /// in it.
    pub fn digest(&self) -> Digest {
        #[derive(Serialize)]
        struct Process<'a> {
            server: &'a Server,
        }
        Digest::of(&Process { server: &self.server })
    }
}

/// How the server is reached.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Server {
    /// A child process that speaks over stdin and stdout.
    Stdio(Box<Stdio>),
    /// A server elsewhere, over HTTP.
    Remote(Box<Remote>),
}

/// `spec.mcp` of a stdio server.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stdio {
    /// Executable, looked up in the child's PATH. No shell, no interpolation. `mcpfleet` is this very binary.
    pub command: String,
    pub args: Vec<String>,
    pub run_as_host_user: Option<String>,
    pub env: BTreeMap<String, EnvValue>,
    /// Absolute; `None` is a private empty directory of the instance.
    pub working_directory: Option<PathBuf>,
    #[serde(flatten)]
    pub care: Care,
    pub limits: Limits,
    /// `None`: not sandboxed.
    pub sandbox: Option<Sandbox>,
}

impl Stdio {
    /// A server that is run with nothing but a command.
    pub fn of(command: String, args: Vec<String>) -> Self {
        Stdio {
            command,
            args,
            run_as_host_user: None,
            env: BTreeMap::new(),
            working_directory: None,
            care: Care::default(),
            limits: Limits::default(),
            sandbox: None,
        }
    }
}

/// What of `spec.mcp` says how a server is looked after. An instance of a stdio server is a process, one of a remote
/// server a session with it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Care {
    pub sessions: Sessions,
    /// Instances kept started ahead of the next client.
    pub warm: u32,
    /// The most per-session instances at a time.
    pub max_instances: u32,
    /// After this long without a message a session, and its instance, ends.
    #[serde(serialize_with = "duration")]
    pub idle_timeout: Duration,
    pub restart: Restart,
    /// How long the server may take to answer the protocol for the first time.
    #[serde(serialize_with = "duration")]
    pub startup_timeout: Duration,
    /// `None`: it is not checked.
    pub health: Option<Health>,
    pub stop: Stop,
    pub on_tool_change: OnToolChange,
}

impl Default for Care {
    /// Of a stdio server.
    fn default() -> Self {
        Care {
            sessions: Sessions::Auto,
            warm: 1,
            max_instances: 32,
            idle_timeout: Duration::from_secs(30 * 60),
            restart: Restart::default(),
            startup_timeout: Duration::from_secs(60),
            health: None,
            stop: Stop::default(),
            on_tool_change: OnToolChange::Warn,
        }
    }
}

impl Care {
    /// Of a remote server: nothing has to be started ahead, and that it has gone shows only when it is asked.
    pub fn of_remote() -> Self {
        Care { warm: 0, health: Some(Health::default()), ..Care::default() }
    }
}

/// The value of an environment variable of the child.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EnvValue {
    Literal(String),
    /// The content of a file of this name in the agent's `secrets_dir`.
    Secret(String),
    /// The agent's own variable of this name, if its configuration allows that.
    FromAgent(String),
}

/// `spec.mcp.sessions`: how many clients one process serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sessions {
    /// Shared for clients of the stateless era, a process each for legacy sessions.
    #[default]
    Auto,
    PerSession,
    Shared,
}

/// `spec.mcp.restart`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Restart {
    pub policy: RestartPolicy,
    #[serde(serialize_with = "duration")]
    pub initial_backoff: Duration,
    #[serde(serialize_with = "duration")]
    pub max_backoff: Duration,
    /// A run this long makes the next failure count as the first again.
    #[serde(serialize_with = "duration")]
    pub reset_after: Duration,
}

impl Default for Restart {
    fn default() -> Self {
        Restart {
            policy: RestartPolicy::Always,
            initial_backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(300),
            reset_after: Duration::from_secs(600),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RestartPolicy {
    Always,
    OnFailure,
    Never,
}

/// `spec.mcp.health`: ping (legacy era) or discover (modern era) at an interval.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Health {
    #[serde(serialize_with = "duration")]
    pub interval: Duration,
    #[serde(serialize_with = "duration")]
    pub timeout: Duration,
    /// Failures in a row after which the instance is restarted.
    pub failures: u32,
}

impl Default for Health {
    fn default() -> Self {
        Health { interval: Duration::from_secs(30), timeout: Duration::from_secs(10), failures: 3 }
    }
}

/// `spec.mcp.stop`. Stdin is closed first, whatever the signal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stop {
    pub signal: StopSignal,
    /// Between the stop signal and SIGKILL.
    #[serde(serialize_with = "duration")]
    pub grace_period: Duration,
    /// How long sessions may stay on an old version after an update. `None`: the agent's `drain_timeout`.
    #[serde(serialize_with = "optional_duration")]
    pub drain_timeout: Option<Duration>,
}

impl Default for Stop {
    fn default() -> Self {
        Stop { signal: StopSignal::Term, grace_period: Duration::from_secs(10), drain_timeout: None }
    }
}

/// The signals that ask a process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum StopSignal {
    #[serde(rename = "SIGTERM")]
    Term,
    #[serde(rename = "SIGINT")]
    Int,
    #[serde(rename = "SIGQUIT")]
    Quit,
    #[serde(rename = "SIGHUP")]
    Hup,
    #[serde(rename = "SIGUSR1")]
    Usr1,
    #[serde(rename = "SIGUSR2")]
    Usr2,
    #[serde(rename = "SIGKILL")]
    Kill,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnToolChange {
    #[default]
    Warn,
    Block,
}

/// `spec.mcp.limits`; `None` is no limit.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Limits {
    /// Bytes.
    pub memory: Option<u64>,
    /// Thousandths of a core.
    pub cpu_millis: Option<u64>,
    pub processes: Option<u64>,
    pub open_files: Option<u64>,
}

impl Limits {
    pub fn is_empty(&self) -> bool {
        *self == Limits::default()
    }
}

/// `spec.mcp.sandbox`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sandbox {
    pub read: Vec<PathBuf>,
    pub write: Vec<PathBuf>,
    pub network: bool,
}

/// A server reached over HTTP.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Remote {
    pub transport: RemoteTransport,
    /// The URL without the `mcp+` or `mcp+sse+` prefix.
    pub url: String,
    pub headers: Vec<Header>,
    pub insecure_skip_verify: bool,
    pub care: Care,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RemoteTransport {
    StreamableHttp,
    Sse,
}

/// A header that the gateway adds to requests to a remote server.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Header {
    pub name: String,
    pub value: HeaderValue,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HeaderValue {
    Literal(String),
    Secret(String),
}

/// `spec.dynamic_labels.KEY`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DynamicLabel {
    pub command: Vec<String>,
    #[serde(serialize_with = "duration")]
    pub period: Duration,
}

fn duration<S: serde::Serializer>(d: &Duration, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(&super::quantity::format_duration(*d))
}

fn optional_duration<S: serde::Serializer>(d: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
    match d {
        Some(d) => duration(d, s),
        None => s.serialize_none(),
    }
}
