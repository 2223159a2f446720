mod basis;
mod secrets;
mod sources;
mod target;

use self::target::Target;
use super::{
    Outcome, UsageError,
    configuration::{Loaded, describe, environment, load},
    progress::Waiting,
    terminal::{print, shell_words},
};
use crate::{
    agent::{self, Settings, Webhooks},
    audit,
    config::{self, Auth, Config, Enforcement, LogFormat, OidcIssuer, SourceFrom},
    escape::escape,
    gateway::{Access, Limits, identity::oidc::Issuer, limits::ConnectionLimits, tls},
    instance::{confine::plan, host::HostSettings, secrets::SecretSettings},
    manifest::{Diagnostic, decode::Decoded, yaml},
    notify,
    status::model::{AppState, Status},
    sys::memory,
    telemetry,
};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

/// Run the agent: keep the servers of a directory or git repository running and let clients reach them.
///
/// With a PATH or URL every app of it runs, and the gateway is open to everybody on this machine. A configuration file says
/// more precisely what is to happen. SIGHUP makes the agent look at its sources, SIGTERM stops it, a second one stops it at
/// once.
///
/// Of a repository only those commits take effect whose signers may make them, by the roles and users in the repository.
/// The first start needs to know from which commit on: --root, or --trust-first.
#[derive(clap::Args)]
#[command(
    group(clap::ArgGroup::new("what").required(true).args(["path", "git", "config"])),
    after_help = "Examples:
  mcpfleet run example-repo
  mcpfleet run https://git.example.com/platform/fleet.git --root 4f2c8b1d0e9a7c6b5d4e3f2a1b0c9d8e7f6a5b4c
  mcpfleet run --git . --trust-first
  mcpfleet run -c agent.yaml --set gateway.listen=127.0.0.1:8000

Exit codes: 0 it was stopped, 2 wrong usage or configuration, 3 something went wrong"
)]
pub struct Args {
    /// A directory of resource files, or a git repository: its URL, or the path of a bare one.
    #[arg(value_name = "PATH|URL")]
    path: Option<PathBuf>,
    /// A git repository on this machine, by the path of its work tree.
    #[arg(long, value_name = "PATH")]
    git: Option<PathBuf>,
    /// The root of trust: every change after this commit is judged. A full id, unless the repository is on this machine.
    #[arg(long, value_name = "REV", conflicts_with_all = ["trust_first", "config"])]
    root: Option<String>,
    /// Trust whatever the repository has at the first look.
    #[arg(long, conflicts_with = "config")]
    trust_first: bool,
    /// The agent's configuration file.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Change one setting of the configuration.
    #[arg(long, value_name = "SETTING=VALUE")]
    set: Vec<String>,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    memory::keep_together();
    let loaded = match (&args.path, &args.git, &args.config) {
        (Some(word), ..) => without_file(&Target::of(word)?, &args)?,
        (None, Some(path), _) => without_file(&Target::repository(path)?, &args)?,
        (None, None, Some(file)) => load(file, &args.set)?,
        (None, None, None) => return Ok(Outcome::Usage),
    };
    let config = match loaded {
        Loaded::Good(config, warnings) => {
            init_log(&config, &warnings);
            config
        }
        Loaded::Bad(diagnostics) => {
            anstream::eprint!("{}", describe(&diagnostics));
            return Ok(Outcome::Usage);
        }
        Loaded::Missing(message) => {
            anstream::eprintln!("error: {message}");
            return Ok(Outcome::Usage);
        }
    };
    if config.sources.is_empty() && config.app_service.apps.is_empty() {
        anstream::eprintln!(
            "error: there is nothing to run: the configuration has neither `sources` nor `app_service.apps`"
        );
        return Ok(Outcome::Usage);
    }
    secrets::check_apart(&config)?;
    let traces = config.telemetry.otlp.as_deref().map(telemetry::start);
    // Dropped last: what the end of the agent has to tell is told too.
    let _traces = traces.transpose().map_err(UsageError::new)?;
    let settings = settings(&config)?;
    warn(&config);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let usual_sockets = environment(Path::new("."))?.control_sockets();
    let waiting = Waiting::for_fetches();
    let announce = |status: &Status| {
        drop(waiting);
        // Whoever reads it may have gone already: no reason to stop.
        let _ = print(&announcement(status, |words| advice(words, &config, &usual_sockets)));
    };
    let result = runtime.block_on(agent::run(settings, announce));
    // A folder on a network that hangs must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    match result {
        // Whoever reads the log reads JSON, and nothing else.
        Err(error) if config.telemetry.log == LogFormat::Json => {
            tracing::error!("{error}");
            Ok(Outcome::Failed)
        }
        result => Ok(result.map(|()| Outcome::Fine)?),
    }
}

/// Begins the log, with what is to be said of the configuration: as lines for people, or as lines of the log.
fn init_log(config: &Config, warnings: &[Diagnostic]) {
    match config.telemetry.log {
        LogFormat::Text => {
            anstream::eprint!("{}", describe(warnings));
            telemetry::init(telemetry::LogFormat::Text);
        }
        LogFormat::Json => {
            telemetry::init(telemetry::LogFormat::Json);
            for warning in warnings {
                let Diagnostic { code, path, help, .. } = warning;
                tracing::warn!(code = %code, file = path, help, "{}", warning.message);
            }
        }
    }
}

/// The configuration of an agent without a file, written out and read like one, so that `--set` goes over it alike.
fn without_file(target: &Target, args: &Args) -> anyhow::Result<Loaded> {
    let environment = environment(Path::new("agent.yaml"))?;
    let written = yaml::to_string(&target.config(args.root.as_deref(), args.trust_first, &environment)?)?;
    let Decoded { value, diagnostics } = Config::read("run", written.as_bytes(), &args.set, &environment);
    Ok(match value {
        Some(config) => Loaded::Good(Box::new(config), diagnostics),
        None => Loaded::Bad(diagnostics),
    })
}

/// Says what somebody who starts the agent like this should know.
fn warn(config: &Config) {
    for source in &config.sources {
        let SourceFrom::Directory { directory } = &source.from else { continue };
        let path = &directory.path;
        let work_tree = path.ancestors().any(|folder| folder.join(".git").exists());
        let advice = if work_tree { "; it is a git work tree, but commit authors are not looked at" } else { "" };
        tracing::warn!(
            source = source.name,
            "a directory has no author checks: whoever can write {} decides what runs here{advice}",
            path.display()
        );
    }
    for notification in &config.notifications {
        let (setting, file) = notification.target.credential();
        if let Err(problem) = notify::secret(setting, file) {
            tracing::warn!(notification = notification.name, "nothing can be sent as long as {problem}");
        }
    }
    let listen = config.gateway.listen;
    if config.gateway.auth == Auth::Required && !listen.ip().is_loopback() && config.gateway.tls.is_none() {
        tracing::warn!(
            %listen,
            "clients send their tokens over the network in clear, and whoever sees one can use it: set `gateway.tls`, or \
             listen on loopback behind a proxy that speaks TLS"
        );
    }
}

/// What the configuration means for the agent.
fn settings(config: &Config) -> anyhow::Result<Settings> {
    let service = &config.app_service;
    let ambient = |name: &str| Some((name.to_owned(), std::env::var_os(name)?));
    Ok(Settings {
        sources: sources::sources(config)?,
        selection: service.selection(),
        prune: config.prune.clone(),
        basis: basis::basis(config)?,
        host: HostSettings {
            runtime_dir: config.state_dir.join("run"),
            tools_dir: config.state_dir.join("tools"),
            default_host_user: service.default_host_user.clone(),
            allow_root: service.allow_root,
            host_users: service.host_users.clone(),
            ambient: ["PATH", "LANG", "TZ"].into_iter().filter_map(ambient).collect(),
            allowed: allowed(&service.allow_from_agent),
            parallel_starts: service.parallel_starts as usize,
            drain_timeout: service.drain_timeout,
            secrets: SecretSettings { dir: service.secrets_dir.clone(), granted: service.secrets.clone() },
            enforcement: match service.enforcement {
                Enforcement::Strict => plan::Enforcement::Strict,
                Enforcement::BestEffort => plan::Enforcement::BestEffort,
            },
            remote_hosts: service.remote_hosts.clone(),
        },
        listen: config.gateway.listen,
        public_url: config.gateway.public_url.clone(),
        access: match config.gateway.auth {
            Auth::Open => Access::Open,
            Auth::Required => Access::Required,
        },
        allowed_hosts: config.gateway.allowed_hosts.clone(),
        issuers: config.gateway.oidc.iter().map(issuer).collect(),
        limits: Limits {
            body: usize::try_from(config.gateway.limits.body)?,
            sessions: config.gateway.limits.sessions as usize,
            sessions_per_principal: config.gateway.limits.sessions_per_principal as usize,
            concurrent_requests: config.gateway.limits.concurrent_requests as usize,
            requests_per_second: config.gateway.limits.requests_per_second,
        },
        connections: ConnectionLimits {
            all: config.gateway.limits.connections as usize,
            per_address: config.gateway.limits.connections_per_address as usize,
        },
        tls: config.gateway.tls.as_ref().map(tls_files),
        audit: audit::Settings {
            file: config.audit.file.clone(),
            arguments: config.audit.arguments,
            rotation: audit::Rotation {
                size: config.audit.rotate.size,
                age: config.audit.rotate.age,
                keep: config.audit.rotate.keep as usize,
            },
        },
        webhooks: webhooks(config)?,
        admin_listen: config.admin_listen,
        notifications: notify::Settings {
            targets: config.notifications.clone(),
            agent_name: agent_name(config),
            public_url: config.gateway.public_url.clone(),
            state_dir: config.state_dir.clone(),
        },
        control_socket: config.control_socket.clone(),
        state_dir: config.state_dir.clone(),
        shutdown_timeout: service.shutdown_timeout,
    })
}

/// Where the gateway's certificate and its key are.
pub fn tls_files(tls: &config::Tls) -> tls::Files {
    tls::Files { cert_file: tls.cert_file.clone(), key_file: tls.key_file.clone() }
}

/// What the agent is called where several are seen together: as configured, or as its machine.
pub fn agent_name(config: &Config) -> String {
    let machine = || std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
    let name = config.agent_name.clone().unwrap_or_else(machine);
    if name.is_empty() { "agent".to_owned() } else { name }
}

fn issuer(oidc: &OidcIssuer) -> Issuer {
    Issuer { url: oidc.issuer.clone(), audience: oidc.audience.clone() }
}

/// Where webhooks are served, if anywhere. Their secrets must be there.
fn webhooks(config: &Config) -> anyhow::Result<Option<Webhooks>> {
    sources::check_webhooks(config)?;
    Ok(config.webhook_listen.map(|listen| Webhooks { listen, hooks: config.webhooks.clone() }))
}

fn allowed(names: &[String]) -> BTreeMap<String, Option<OsString>> {
    names.iter().map(|name| (name.clone(), std::env::var_os(name))).collect()
}

/// What was found, what runs, and what to try, in a few lines. `advise` makes a command to be copied of its words.
fn announcement(status: &Status, advise: impl Fn(&[&str]) -> String) -> String {
    let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let mut lines = vec![String::new()];
    for source in &status.sources {
        let problems = match source.diagnostics.len() {
            0 => String::new(),
            count => format!(", {} (see `{}`)", counted(count, "problem"), advise(&["status"])),
        };
        let found = match &source.error {
            Some(error) => format!("cannot be read: {}", escape(&error.message)),
            None => {
                format!("{} in {}{problems}", counted(source.resources, "resource"), counted(source.files, "file"))
            }
        };
        let location = escape(&source.location);
        lines.push(format!("{location}: {found}"));
        if source.kind == "directory" && source.files == 0 && source.error.is_none() {
            lines.push(format!(
                "  it is empty: the files of apps, roles and users go there; in a container, mount them: -v \
                 \"$PWD/fleet:{location}:ro\""
            ));
        }
    }
    let running: Vec<_> = status.apps.iter().filter(|app| app.state.is_some()).collect();
    let width = running.iter().map(|app| app.name.len()).max().unwrap_or_default();
    for app in &running {
        let state = app.state.unwrap_or(AppState::Pending);
        let reason = app.reason.as_deref().map(|reason| format!("  ({})", escape(reason))).unwrap_or_default();
        lines.push(format!("  {:width$}  {state:8}  {}{reason}", app.name, app.url));
    }
    if running.is_empty() {
        lines.push("  no app runs".into());
    }
    if let Some(app) = running.iter().find(|app| app.state == Some(AppState::Ready)) {
        lines.push(format!("Try in another terminal:  {}", advise(&["mcp", "tools", &app.name])));
    }
    lines.push("\n".into());
    lines.join("\n")
}

/// A command as it can be copied: called as this one was, and for the agent that this one is.
fn advice(words: &[&str], config: &Config, usual_sockets: &[PathBuf]) -> String {
    let called = std::env::args().next().unwrap_or_default();
    let program = if called.contains('/') { called } else { "mcpfleet".into() };
    let mut command: Vec<String> = std::iter::once(program).chain(words.iter().map(ToString::to_string)).collect();
    if !usual_sockets.contains(&config.control_socket) {
        command.extend(["--agent".into(), config.control_socket.to_string_lossy().into_owned()]);
    }
    shell_words(&command)
}
