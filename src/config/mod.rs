//! The agent's configuration: one YAML file, read as strictly as resources, with every default filled in.
//!
//! Pure: the bytes of the file, the `--set` options and what has to be known of the [`Environment`] are arguments.
//! Settings that the design has and this version has not are [`Later`]: written with their default they change
//! nothing, and anything else is refused as not yet supported, never ignored.

mod credentials;
mod decode;
mod defaults;
mod later;
mod notification;
mod overrides;
mod source;

pub use credentials::Credential;
pub use decode::event_words;
pub use defaults::{Environment, NoHome};
pub use later::Later;
pub use notification::{Filter, Forge, Notification, Slack, Target, Webhook as WebhookTarget};
pub use source::{Authorization, DirectoryConfig, GitConfig, KeySetting, RootCommit, SourceConfig, SourceFrom};

use crate::{
    instance::{grant::Grant, remote::HostPattern},
    manifest::decode::{Decoded, decode_document},
    reconcile::{PruneSettings, Selection},
    resource::{App, Selector, Written, quantity},
    telemetry::Otlp,
    webhook::Webhook,
};
use serde::{Serialize, Serializer};
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

/// The whole configuration. Fields are in the order in which the file is documented, and so printed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Config {
    /// Always `v1`.
    pub version: &'static str,
    /// What this agent is called where several are seen together. `None`: as its machine.
    pub agent_name: Option<String>,
    pub state_dir: PathBuf,
    pub control_socket: PathBuf,
    /// On a name clash the earlier one wins. Only `run` needs any.
    pub sources: Vec<SourceConfig>,
    pub app_service: AppService,
    pub policy_source: Later,
    pub prune: PruneSettings,
    pub gateway: Gateway,
    /// Where metrics and health are served without asking who wants them. `None`: only by the gateway, which asks.
    pub admin_listen: Option<SocketAddr>,
    /// Where `webhooks` are served.
    pub webhook_listen: Option<SocketAddr>,
    pub webhooks: Vec<Webhook>,
    pub notifications: Vec<Notification>,
    pub audit: Audit,
    pub telemetry: Telemetry,
}

/// `app_service`: which apps run here, and how.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AppService {
    pub enabled: bool,
    /// An app of a source runs when any of these matches; without one, none does.
    pub resources: Vec<ResourceMatcher>,
    /// Static apps: not subject to selectors.
    #[serde(serialize_with = "apps")]
    pub apps: Vec<Arc<App>>,
    /// The folder of the secrets of apps: a file each.
    pub secrets_dir: PathBuf,
    /// Which apps may use which secret. `None`: any any, with the same reason and exception as for `host_users`.
    pub secrets: Option<BTreeMap<String, Selector>>,
    /// Which apps may run as which user of the host. `None`: any as any, because whoever can write a directory source
    /// is trusted; never so where there is a git source.
    pub host_users: Option<BTreeMap<String, Selector>>,
    /// For apps that name no host user, under an agent that is root.
    pub default_host_user: Option<String>,
    /// Where remote servers may be. `None`: anywhere, with the same reason and exception as for `host_users`.
    pub remote_hosts: Option<Vec<HostPattern>>,
    /// Names of the agent's own environment variables that apps may take over.
    pub allow_from_agent: Vec<String>,
    pub allow_root: bool,
    pub enforcement: Enforcement,
    /// How many servers may be starting at a time.
    pub parallel_starts: u32,
    /// How long sessions may stay on an old version, for apps that do not say.
    #[serde(serialize_with = "duration")]
    pub drain_timeout: Duration,
    #[serde(serialize_with = "duration")]
    pub shutdown_timeout: Duration,
}

impl AppService {
    /// What decides whether an app may start.
    pub fn grant(&self) -> Grant {
        Grant {
            host_users: self.host_users.clone(),
            allow_root: self.allow_root,
            secrets: self.secrets.clone(),
            remote_hosts: self.remote_hosts.clone(),
            from_agent: self.allow_from_agent.clone(),
        }
    }

    /// Which apps run.
    pub fn selection(&self) -> Selection {
        Selection {
            enabled: self.enabled,
            selectors: self.resources.iter().map(|matcher| matcher.labels.clone()).collect(),
            static_apps: self.apps.clone(),
        }
    }
}

/// One of `app_service.resources`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResourceMatcher {
    pub labels: Selector,
}

/// What to do where limits or a sandbox cannot be enforced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Enforcement {
    #[default]
    Strict,
    BestEffort,
}

/// `gateway`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gateway {
    pub auth: Auth,
    pub listen: SocketAddr,
    /// Where clients find the gateway, without a trailing `/`. `None`: where it listens.
    pub public_url: Option<String>,
    pub tls: Option<Tls>,
    /// Names by which the gateway may be called, besides loopback's and that of `public_url`.
    pub allowed_hosts: Vec<String>,
    /// Whose signed tokens are accepted.
    pub oidc: Vec<OidcIssuer>,
    pub limits: GatewayLimits,
}

/// `gateway.tls`: files in PEM.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tls {
    /// The gateway's own certificate, then those that lead to an authority.
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
}

/// One of `gateway.oidc`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OidcIssuer {
    /// Exactly as tokens have it.
    pub issuer: String,
    /// For whom they must have been made.
    pub audience: String,
}

/// Who may use the gateway's TCP port. The control socket is another way in, for its owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// Users of the sources, by a token. Where there are none, nobody.
    #[default]
    Required,
    /// Anybody who can reach it, which is why it must listen on loopback.
    Open,
}

/// `gateway.limits`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GatewayLimits {
    /// Bytes of a request.
    #[serde(serialize_with = "size")]
    pub body: u64,
    pub sessions: u32,
    /// Of one principal.
    pub sessions_per_principal: u32,
    /// Requests of one principal that are open at a time, streams included.
    pub concurrent_requests: u32,
    /// Of one principal, on average. `None`: as many as it likes.
    pub requests_per_second: Option<u32>,
    /// Over TCP, at a time.
    pub connections: u32,
    /// Of one address.
    pub connections_per_address: u32,
}

/// `audit`: what is written down of who did what.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Audit {
    /// `None`: only the last records are kept, in memory.
    pub file: Option<PathBuf>,
    /// Whether the arguments of calls are recorded.
    pub arguments: bool,
    pub rotate: Rotate,
}

/// `audit.rotate`: when another file begins, and how many earlier ones stay.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rotate {
    /// Bytes of a file.
    #[serde(serialize_with = "size")]
    pub size: u64,
    /// Of the first record of a file.
    #[serde(serialize_with = "duration")]
    pub age: Duration,
    /// Files besides the one that is written.
    pub keep: u32,
}

/// `telemetry`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Telemetry {
    pub log: LogFormat,
    /// `None`: no traces are collected.
    pub otlp: Option<Box<Otlp>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

impl Config {
    /// Reads a configuration file.
    ///
    /// `path` is the file's name for diagnostics; relative paths in it start from `environment.base`. `set` are the
    /// values of `--set`, each `path.to.setting=value`, which take the place of what the file says before anything
    /// is checked; diagnostics about them have the path `--set` and the number of the option as their line.
    pub fn read(path: &str, bytes: &[u8], set: &[String], environment: &Environment) -> Decoded<Config> {
        let read = overrides::read(path, bytes, set, |node, context| decode::config(node, environment, context));
        without_credentials(read)
    }

    /// The configuration of an agent that has no file, and one directory to follow: every app runs, and the gateway
    /// is open on loopback. An agent that is root runs apps as `nobody` unless they name another user.
    ///
    /// # Errors
    /// When the environment does not tell where the agent's state belongs.
    pub fn for_directory(path: PathBuf, environment: &Environment) -> Result<Config, NoHome> {
        let directory = DirectoryConfig::new(path);
        Config::for_source(SourceConfig::new("directory".to_owned(), SourceFrom::Directory { directory }), environment)
    }

    /// The same for one git repository, given by its URL or absolute path. No app may name a user of the host, or use a
    /// secret.
    ///
    /// # Errors
    /// When the environment does not tell where the agent's state belongs.
    pub fn for_git(
        name: String,
        url: String,
        authorization: Authorization,
        environment: &Environment,
    ) -> Result<Config, NoHome> {
        let git = Box::new(GitConfig::new(url));
        let from = SourceFrom::Git { git, authorization: Box::new(authorization) };
        Config::for_source(SourceConfig::new(name, from), environment)
    }

    fn for_source(source: SourceConfig, environment: &Environment) -> Result<Config, NoHome> {
        let mut config = Config::with_paths(environment.state_dir()?, environment);
        config.sources = vec![source];
        config.app_service.resources = vec![ResourceMatcher { labels: Selector::everything() }];
        config.app_service.default_host_user = environment.root.then(|| "nobody".to_owned());
        config.gateway.auth = Auth::Open;
        config.restrict();
        Ok(config)
    }

    /// Where the state of a source is kept.
    pub fn source_dir(&self, name: &str) -> PathBuf {
        self.state_dir.join("sources").join(name)
    }

    /// What is left open for those who can write a directory is closed for those who can push.
    fn restrict(&mut self) {
        if self.sources.iter().any(SourceConfig::is_git) {
            self.app_service.host_users.get_or_insert_default();
            self.app_service.secrets.get_or_insert_default();
            self.app_service.remote_hosts.get_or_insert_default();
        }
    }
}

/// What is needed to judge without an agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judging {
    /// Of the agent's configuration, if it is one.
    pub git: Option<Box<GitConfig>>,
    pub authorization: Authorization,
}

impl Judging {
    /// Reads a file with nothing but `authorization`, or an agent's configuration, of which the git source called
    /// `source` counts, or the only one.
    pub fn read(path: &str, bytes: &[u8], source: Option<&str>, environment: &Environment) -> Decoded<Judging> {
        let read =
            decode_document(path, bytes, |node, context| decode::for_judging(node, source, environment, context));
        without_credentials(read)
    }
}

/// What is said of a file ends up in logs; what stands in a URL between `//` and `@` must not.
fn without_credentials<T>(mut read: Decoded<T>) -> Decoded<T> {
    for line in read.diagnostics.iter_mut().filter_map(|diagnostic| diagnostic.line_text.as_mut()) {
        let mut done = 0;
        while let Some(start) = line.get(done..).and_then(|rest| rest.find("://")).map(|at| done + at + 3) {
            let rest = line.get(start..).unwrap_or_default();
            let end = rest.find(['/', '"', '\'', ' ', ',', '}']).unwrap_or(rest.len());
            if let Some(length) = rest.get(..end).and_then(|authority| authority.rfind('@')) {
                let hidden = "*".repeat(rest.get(..length).map_or(0, |user| user.chars().count()));
                line.replace_range(start..start + length, &hidden);
            }
            done = start;
        }
    }
    read
}

fn duration<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&quantity::format_duration(*value))
}

fn size<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&quantity::format_size(*value))
}

/// In the form in which the file has them.
fn apps<S: Serializer>(apps: &[Arc<App>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(apps.iter().map(|app| Written::of(app)))
}

#[cfg(test)]
mod tests;
