//! Where an agent keeps what it trusts of a source.

use super::super::{
    UsageError,
    agent_args::AgentArgs,
    configuration::{Loaded, describe, environment, load},
};
use crate::{
    client::{api::AgentClient, endpoint::Endpoint},
    config::Config,
};
use anyhow::Context as _;
use clap::ValueHint;
use nix::unistd::{Uid, User};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Which source of which agent is meant.
#[derive(clap::Args)]
pub struct Place {
    /// The agent's configuration file
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,
    /// The agent's state folder [default: that of an agent without a configuration file]
    #[arg(long, value_name = "DIR", conflicts_with = "config", value_hint = ValueHint::DirPath)]
    state_dir: Option<PathBuf>,
    /// The git source, if there are several
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    #[command(flatten)]
    agent: AgentArgs,
}

/// A source of an agent.
pub struct Followed {
    pub name: String,
    /// Its part of the agent's state folder; need not be there yet.
    pub state_dir: PathBuf,
    /// Where the agent listens, if a configuration says so.
    control_socket: Option<PathBuf>,
}

impl Followed {
    /// The repository with what was fetched last.
    pub fn mirror(&self) -> PathBuf {
        self.state_dir.join(crate::source::MIRROR)
    }
}

impl Place {
    /// Finds the one source that is meant.
    ///
    /// # Errors
    /// [`UsageError`] if there is none, or there are several.
    pub fn find(&self) -> anyhow::Result<Followed> {
        if let Some(file) = &self.config {
            let config = configuration(file)?;
            let names = config.sources.iter().filter(|source| source.is_git()).map(|source| source.name.clone());
            let name = self.choose(names.collect(), &format!("{} has no git source", file.display()))?;
            let state_dir = config.source_dir(&name);
            return Ok(Followed { name, state_dir, control_socket: Some(config.control_socket) });
        }
        let folder = match &self.state_dir {
            Some(folder) => folder.clone(),
            None => {
                environment(Path::new("agent.yaml"))?.state_dir().map_err(|error| UsageError::new(error.to_string()))?
            }
        };
        let sources = folder.join("sources");
        let missing = format!("no agent has followed a repository with its state in {}", folder.display());
        let name = self.choose(folders(&sources)?, &missing)?;
        Ok(Followed { state_dir: sources.join(&name), name, control_socket: None })
    }

    /// A client for the agent of a source. It need not be running.
    pub fn client(&self, followed: &Followed) -> anyhow::Result<AgentClient> {
        let named = self.agent.agent.clone();
        let configured = followed.control_socket.clone().map(Endpoint::Unix);
        AgentArgs { agent: named.or(configured), ..self.agent.clone() }.client()
    }

    fn choose(&self, mut names: Vec<String>, missing: &str) -> anyhow::Result<String> {
        names.sort();
        let wanted = |name: &&String| self.source.as_ref().is_none_or(|source| source == *name);
        let found: Vec<&String> = names.iter().filter(wanted).collect();
        match (found.as_slice(), &self.source) {
            ([one], _) => Ok((*one).clone()),
            ([], Some(source)) if !names.is_empty() => {
                let message = format!("there is no git source {source}, but there is {}", names.join(", "));
                Err(UsageError::new(message).into())
            }
            ([], _) => Err(UsageError::new(missing).into()),
            (_, _) => {
                let message = format!("there are several git sources ({}): say which, with --source", names.join(", "));
                Err(UsageError::new(message).into())
            }
        }
    }
}

/// Who is deciding, as far as this host knows.
pub fn operator() -> anyhow::Result<String> {
    let uid = Uid::current();
    let user = User::from_uid(uid).context("cannot tell who you are")?;
    let name = user.map_or_else(|| format!("uid {uid}"), |user| user.name);
    // Set by sudo for those that it makes root; nobody else could write here.
    Ok(match std::env::var("SUDO_USER") {
        Ok(before) if uid.is_root() && !before.is_empty() => format!("{before} as {name}"),
        _ => name,
    })
}

fn configuration(file: &Path) -> anyhow::Result<Config> {
    match load(file, &[])? {
        Loaded::Good(config, _) => Ok(*config),
        Loaded::Bad(diagnostics) => Err(UsageError(describe(&diagnostics)).into()),
        Loaded::Missing(message) => Err(UsageError::new(message).into()),
    }
}

/// The names of the folders in a folder; none if it is not there.
fn folders(path: &Path) -> anyhow::Result<Vec<String>> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| format!("cannot read {}", path.display()))?,
    };
    Ok(entries
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect())
}
