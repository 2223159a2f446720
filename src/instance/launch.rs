//! The only place that makes processes.

use crate::resource::StopSignal;
use std::{collections::BTreeMap, ffi::OsString, fmt, path::PathBuf, time::Duration};
use tokio::net::unix::pipe;

/// A process to start: everything has been decided and looked up.
#[derive(Clone, Debug)]
pub struct LaunchSpec {
    /// For the private working directory and the process list.
    pub app: String,
    /// Unique in the life of the agent.
    pub instance: String,
    pub program: Program,
    pub args: Vec<String>,
    /// The whole environment; nothing of the agent's own is passed on.
    pub env: BTreeMap<String, OsString>,
    /// `None`: a private empty directory below `runtime_dir`, removed after the end.
    pub working_directory: Option<PathBuf>,
    /// Below which private directories are made; belongs to the agent.
    pub runtime_dir: PathBuf,
    /// `None`: the agent's own user.
    pub user: Option<HostUser>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// Looked up in the PATH of `env`, or a path.
    Named(String),
    /// This very binary, run from an open descriptor: its path may be unreadable to the user it runs as.
    OwnBinary,
}

/// A user of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostUser {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    pub home: PathBuf,
    pub shell: PathBuf,
}

/// A running server with its pipes. Dropping it kills the server and all its descendants.
#[derive(Debug)]
pub struct Process {
    /// Of the server itself, not of its keeper.
    pub pid: u32,
    pub stdin: pipe::Sender,
    pub stdout: pipe::Receiver,
    pub stderr: pipe::Receiver,
    pub control: Control,
}

/// Stops a process and tells how it ended.
#[derive(Debug)]
pub struct Control {}

impl Control {
    /// Asks the whole group to end, and kills what is left of it, and of everything that it ever started, after
    /// `grace`. Returns at once; may be called again with a shorter grace.
    pub fn stop(&mut self, _signal: StopSignal, _grace: Duration) {}

    /// Waits until the server has ended and nothing that it started is left. Cancel safe.
    pub async fn wait(&mut self) -> Exit {
        std::future::pending().await
    }
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
    /// Its keeper is gone without a word.
    Unknown,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit status {code}"),
            Exit::Signal(signal) => write!(f, "killed by signal {signal}"),
            Exit::Unknown => f.write_str("ended for an unknown reason"),
        }
    }
}

/// Why a process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    #[error("cannot start `{program}`: {reason}")]
    Exec { program: String, reason: String },
}

/// Starts a process.
pub async fn launch(_spec: LaunchSpec) -> Result<Process, LaunchError> {
    std::future::pending().await
}
