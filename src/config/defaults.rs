//! What the settings are when nobody sets them.

use super::{
    AppService, Audit, Auth, Config, Enforcement, Gateway, GatewayLimits, Later, LogFormat, Rotate, Telemetry,
};
use crate::reconcile::PruneSettings;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

/// What the defaults depend on.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// Whether the agent runs as root.
    pub root: bool,
    /// The absolute folder from which relative paths of the file start: the one that the file is in. Empty for a file
    /// that is in none, where they stay relative.
    pub base: PathBuf,
    /// `HOME`, `XDG_CONFIG_HOME`, `XDG_STATE_HOME` and `XDG_RUNTIME_DIR`; what is not an absolute path counts as not set, as the XDG Base
    /// Directory Specification wants it.
    pub home: Option<PathBuf>,
    pub xdg_config_home: Option<PathBuf>,
    pub xdg_state_home: Option<PathBuf>,
    pub xdg_runtime_dir: Option<PathBuf>,
}

/// There is no folder that the agent's state could be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`state_dir` is not set, and neither is HOME, where it would be by default")]
pub struct NoHome;

impl Environment {
    /// The default of `state_dir`.
    ///
    /// # Errors
    /// When nothing tells where it could be.
    pub fn state_dir(&self) -> Result<PathBuf, NoHome> {
        if self.root {
            return Ok("/var/lib/mcpfleet".into());
        }
        match (absolute(&self.xdg_state_home), absolute(&self.home)) {
            (Some(state), _) => Ok(state.join("mcpfleet")),
            (None, Some(home)) => Ok(home.join(".local/state/mcpfleet")),
            (None, None) => Err(NoHome),
        }
    }

    /// The default of `control_socket`, given the state folder.
    fn control_socket(&self, state_dir: &Path) -> PathBuf {
        match absolute(&self.xdg_runtime_dir) {
            _ if self.root => ROOT_SOCKET.into(),
            Some(runtime) => runtime.join("mcpfleet/control.sock"),
            None => state_dir.join("control.sock"),
        }
    }

    /// The default of `secrets_dir`: where the system, or a user without privileges, puts what is to be kept secret. Not
    /// in the state folder, which may be deleted.
    fn secrets_dir(&self) -> PathBuf {
        match (absolute(&self.xdg_config_home), absolute(&self.home)) {
            (Some(config), _) if !self.root => config.join("mcpfleet/secrets"),
            (None, Some(home)) if !self.root => home.join(".config/mcpfleet/secrets"),
            _ => ROOT_SECRETS.into(),
        }
    }

    /// Where an agent on this machine listens by default: one of this user's own, then the one that root runs.
    pub fn control_sockets(&self) -> Vec<PathBuf> {
        let own = self.state_dir().ok().map(|state_dir| self.control_socket(&state_dir));
        own.into_iter().filter(|_| !self.root).chain([ROOT_SOCKET.into()]).collect()
    }
}

/// The default of `control_socket` for an agent that runs as root.
const ROOT_SOCKET: &str = "/run/mcpfleet/control.sock";

/// The default of `secrets_dir` for an agent that runs as root, or has no home.
const ROOT_SECRETS: &str = "/run/secrets/mcpfleet";

fn absolute(path: &Option<PathBuf>) -> Option<&Path> {
    path.as_deref().filter(|path| path.is_absolute())
}

impl Config {
    /// All defaults.
    pub(super) fn with_paths(state_dir: PathBuf, environment: &Environment) -> Config {
        Config {
            version: "v1",
            agent_name: None,
            control_socket: environment.control_socket(&state_dir),
            state_dir,
            sources: Vec::new(),
            app_service: AppService::of(environment),
            policy_source: Later::Null,
            prune: PruneSettings::default(),
            gateway: Gateway::default(),
            admin_listen: None,
            webhook_listen: None,
            webhooks: Vec::new(),
            notifications: Vec::new(),
            audit: Audit::default(),
            telemetry: Telemetry::default(),
        }
    }
}

impl AppService {
    /// All defaults.
    pub(super) fn of(environment: &Environment) -> AppService {
        AppService {
            enabled: true,
            resources: Vec::new(),
            apps: Vec::new(),
            secrets_dir: environment.secrets_dir(),
            secrets: None,
            host_users: None,
            default_host_user: None,
            remote_hosts: None,
            allow_from_agent: Vec::new(),
            allow_root: false,
            enforcement: Enforcement::Strict,
            parallel_starts: 4,
            drain_timeout: Duration::from_secs(3600),
            shutdown_timeout: Duration::from_secs(30),
        }
    }
}

impl Default for Gateway {
    fn default() -> Self {
        Gateway {
            auth: Auth::Required,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7420)),
            public_url: None,
            tls: None,
            allowed_hosts: Vec::new(),
            oidc: Vec::new(),
            limits: GatewayLimits::default(),
        }
    }
}

impl Default for GatewayLimits {
    fn default() -> Self {
        GatewayLimits {
            body: 4 << 20,
            sessions: 10_000,
            sessions_per_principal: 1_000,
            concurrent_requests: 1_000,
            requests_per_second: None,
            connections: 10_000,
            connections_per_address: 4_000,
        }
    }
}

impl Default for Audit {
    fn default() -> Self {
        let rotate = Rotate { size: 100 << 20, age: Duration::from_secs(30 * 24 * 3600), keep: 10 };
        Audit { file: None, arguments: false, rotate }
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Telemetry { log: LogFormat::Text, otlp: None }
    }
}
