use super::{
    Outcome,
    configuration::{Loaded, describe, environment, load},
    terminal::{print, shell_words},
};
use crate::{
    agent::{self, Settings},
    config::{Auth, Config, LogFormat},
    escape::escape,
    gateway::{Access, Limits},
    instance::host::HostSettings,
    manifest::{decode::Decoded, yaml},
    reconcile::Selection,
    source::{self, DirectorySettings, Ignore},
    status::model::{AppState, Status},
    telemetry,
};
use anyhow::Context as _;
use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

/// Run the agent: keep the servers of a directory running and let clients reach them.
///
/// With a PATH every app of that directory runs, and the gateway is open to everybody on this machine. A configuration
/// file says more precisely what is to happen. SIGHUP makes the agent look at its sources, SIGTERM stops it, a second
/// one stops it at once.
#[derive(clap::Args)]
#[command(
    group(clap::ArgGroup::new("what").required(true).args(["path", "config"])),
    after_help = "Examples:\n  mcpfleet run example-repo\n  mcpfleet run -c agent.yaml --set gateway.listen=127.0.0.1:8000"
)]
pub struct Args {
    /// A directory of resource files.
    path: Option<PathBuf>,
    /// The agent's configuration file.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Change one setting of the configuration.
    #[arg(long, value_name = "SETTING=VALUE")]
    set: Vec<String>,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let loaded = match (&args.path, &args.config) {
        (Some(path), _) => match directory(path)? {
            Some(path) => for_directory(path, &args.set)?,
            None => return Ok(Outcome::Usage),
        },
        (None, Some(file)) => load(file, &args.set)?,
        (None, None) => return Ok(Outcome::Usage),
    };
    let config = match loaded {
        Loaded::Good(config, warnings) => {
            anstream::eprint!("{}", describe(&warnings));
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
    telemetry::init(match config.telemetry.log {
        LogFormat::Text => telemetry::LogFormat::Text,
        LogFormat::Json => telemetry::LogFormat::Json,
    });
    warn(&config);
    let settings = settings(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let usual_sockets = environment(Path::new("."))?.control_sockets();
    let announce = |status: &Status| {
        // Whoever reads it may have gone already: no reason to stop.
        let _ = print(&announcement(status, |words| advice(words, &config, &usual_sockets)));
    };
    runtime.block_on(agent::run(settings, announce))?;
    Ok(Outcome::Fine)
}

/// The configuration of an agent without a file, written out and read like one, so that `--set` goes over it alike.
fn for_directory(path: PathBuf, set: &[String]) -> anyhow::Result<Loaded> {
    let environment = environment(Path::new("agent.yaml"))?;
    let written = yaml::to_string(&Config::for_directory(path, &environment)?)?;
    let Decoded { value, diagnostics } = Config::read("run PATH", written.as_bytes(), set, &environment);
    Ok(match value {
        Some(config) => Loaded::Good(Box::new(config), diagnostics),
        None => Loaded::Bad(diagnostics),
    })
}

/// What PATH means. `None`: it cannot be followed, and why has been said.
fn directory(path: &Path) -> anyhow::Result<Option<PathBuf>> {
    let text = path.to_string_lossy();
    if text.contains("://") || is_bare_repository(path) {
        anstream::eprintln!(
            "error: {} is a git repository, which is not yet supported as a source\n  help: check it out, and give the folder",
            escape(&text)
        );
        return Ok(None);
    }
    // A directory that does not exist yet is waited for by a configured source; on the command line it is a slip.
    if !path.is_dir() {
        anstream::eprintln!("error: there is no directory {}", escape(&text));
        return Ok(None);
    }
    Ok(Some(std::path::absolute(path).with_context(|| format!("cannot find out where {} is", escape(&text)))?))
}

fn is_bare_repository(path: &Path) -> bool {
    path.join("HEAD").is_file() && path.join("objects").is_dir() && path.join("refs").is_dir()
}

/// Says what somebody who starts the agent like this should know.
fn warn(config: &Config) {
    for source in &config.sources {
        let path = &source.directory.path;
        let work_tree = path.ancestors().any(|folder| folder.join(".git").exists());
        let advice = if work_tree { "; it is a git work tree, but commit authors are not looked at" } else { "" };
        tracing::warn!(
            source = source.name,
            "a directory has no author checks: whoever can write {} decides what runs here{advice}",
            path.display()
        );
    }
    if config.gateway.auth == Auth::Required {
        tracing::warn!(
            "gateway.auth is `required` and users are not yet supported: over TCP everybody is refused, and only this \
             user and root can connect, by the control socket; `gateway.auth: open` lets everybody on this machine in"
        );
    }
}

/// What the configuration means for the agent.
fn settings(config: &Config) -> anyhow::Result<Settings> {
    let service = &config.app_service;
    let sources = config.sources.iter().map(|source| {
        anyhow::Ok(source::Settings::from(DirectorySettings {
            name: source.name.clone(),
            path: source.directory.path.clone(),
            subpath: source.path.clone(),
            ignore: Ignore::new(&source.ignore).context("sources[].ignore")?,
            watch: source.directory.watch,
            window: source.directory.window,
            resync: source.directory.resync,
        }))
    });
    let ambient = |name: &str| Some((name.to_owned(), std::env::var_os(name)?));
    Ok(Settings {
        sources: sources.collect::<anyhow::Result<_>>()?,
        selection: Selection {
            enabled: service.enabled,
            selectors: service.resources.iter().map(|matcher| matcher.labels.clone()).collect(),
            static_apps: service.apps.clone(),
        },
        prune: config.prune.clone(),
        host: HostSettings {
            runtime_dir: config.state_dir.join("run"),
            default_host_user: service.default_host_user.clone(),
            allow_root: service.allow_root,
            host_users: service.host_users.clone(),
            ambient: ["PATH", "LANG", "TZ"].into_iter().filter_map(ambient).collect(),
            allowed: allowed(&service.allow_from_agent),
            parallel_starts: service.parallel_starts as usize,
            drain_timeout: service.drain_timeout,
        },
        listen: config.gateway.listen,
        public_url: config.gateway.public_url.clone(),
        access: match config.gateway.auth {
            Auth::Open => Access::Open,
            Auth::Required => Access::Required,
        },
        allowed_hosts: config.gateway.allowed_hosts.clone(),
        limits: Limits {
            body: usize::try_from(config.gateway.limits.body)?,
            sessions: config.gateway.limits.sessions as usize,
        },
        control_socket: config.control_socket.clone(),
        shutdown_timeout: service.shutdown_timeout,
    })
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
        lines.push(format!("{}: {found}", escape(&source.location)));
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
