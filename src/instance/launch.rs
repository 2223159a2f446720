//! The only place that makes processes, each under a [keeper](super::keeper) of its own.

mod exit;
mod order;
mod spec;
mod start;

pub use super::control::KeeperControl;
pub use exit::{End, Excess, Exit, Parted};
pub use spec::{HostUser, LaunchSpec, Program};
pub use start::{Control, Start};

use super::{
    confine::{
        cgroup::{Groups, Held, Wanted},
        network,
        plan::{Cgroup, Namespace, Offer},
    },
    keeper::wire::{self, Event, Failure, Removal, Task},
    orphans::{Identity, removals::Removals},
    remote::NotReached,
};
use crate::sys;
use order::order;
use std::{
    io,
    os::fd::OwnedFd,
    path::PathBuf,
    sync::{Arc, OnceLock},
};
use tokio::net::unix::pipe;

/// A running server with its pipes. Dropping `control` kills the server and all its descendants.
#[derive(Debug)]
pub struct Process {
    /// Of the server itself, not of its keeper.
    pub pid: u32,
    pub stdin: pipe::Sender,
    pub stdout: pipe::Receiver,
    pub stderr: pipe::Receiver,
    pub control: KeeperControl,
}

/// Why a process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The server's program, user or directory: it takes a change there to mend it.
    #[error("cannot start `{program}`: {failure}")]
    Refused { program: String, failure: Failure },
    /// Names and values that no process can be given.
    #[error("cannot start `{program}`: {what}")]
    Impossible { program: String, what: &'static str },
    /// The agent lacks processes, memory or descriptors, or its own binary: may pass.
    #[error("cannot start a keeper: {0}")]
    Keeper(#[from] io::Error),
    /// A remote server, or the way to it.
    #[error(transparent)]
    Remote(#[from] NotReached),
}

impl LaunchError {
    /// Whether it will be the same again until somebody changes the definition or the host.
    pub fn is_lasting(&self) -> bool {
        match self {
            LaunchError::Refused { failure, .. } => failure.is_lasting(),
            LaunchError::Impossible { .. } => true,
            LaunchError::Keeper(_) => false,
            LaunchError::Remote(error) => error.lasting,
        }
    }
}

/// Makes processes.
#[derive(Clone, Debug)]
pub struct Launcher {
    keeper: PathBuf,
    /// The soft limit of open files that servers get, where it is not that of this process.
    open_files: Option<u64>,
    /// Marks what is launched.
    identity: Identity,
    /// Where instances are limited. `None`: this program has not looked for a place.
    groups: Option<Arc<Groups>>,
    namespace: Arc<OnceLock<Result<Namespace, String>>>,
    /// Containers that could not be removed yet.
    removals: Arc<Removals>,
}

impl Default for Launcher {
    /// The running binary is the keeper, also when the file has been replaced meanwhile.
    fn default() -> Self {
        Launcher::with_keeper("/proc/self/exe")
    }
}

impl Launcher {
    /// With another mcpfleet binary as keeper, for programs that use this library and are not mcpfleet.
    pub fn with_keeper(binary: impl Into<PathBuf>) -> Self {
        Launcher {
            keeper: binary.into(),
            open_files: None,
            identity: Identity::random(),
            groups: None,
            namespace: Arc::default(),
            removals: Arc::default(),
        }
    }

    /// Marks what is launched as this agent's. Without this it is nobody's whose next run would look for it.
    pub fn with_identity(self, identity: Identity) -> Self {
        Launcher { identity, ..self }
    }

    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Puts servers into control groups of their own.
    pub fn with_groups(self, groups: Groups) -> Self {
        Launcher { groups: Some(Arc::new(groups)), ..self }
    }

    /// What this host has for limits and sandboxes. Whether a server can have a network of its own is found out when
    /// that is asked for first, by a process: not for async code.
    pub fn offer(&self, network: bool) -> Offer {
        let group = |wanted: Wanted| -> Result<Cgroup, String> {
            self.groups.as_ref().ok_or("control groups are not in use")?.offer(wanted)
        };
        let network = match network {
            true => self.namespace(),
            false => Err("it was not asked for".into()),
        };
        Offer {
            memory: group(Wanted::Memory),
            cpu: group(Wanted::Cpu),
            processes: group(Wanted::Processes),
            landlock: sys::landlock_version()
                .map_err(|errno| format!("the kernel has no landlock: {}", errno.desc().to_lowercase())),
            network,
        }
    }

    fn namespace(&self) -> Result<Namespace, String> {
        if let Some(known) = self.namespace.get() {
            return known.clone();
        }
        // That nobody could be asked may pass.
        let found = network::ask(&self.keeper)?;
        self.namespace.get_or_init(|| found).clone()
    }

    /// Gives servers this soft limit of open files, as far as the hard limit goes.
    pub fn with_open_files(self, soft: Option<u64>) -> Self {
        Launcher { open_files: soft, ..self }
    }

    /// Starts a process. Dropping the future before it is ready leaves nothing behind.
    ///
    /// # Errors
    /// See [`LaunchError`]. Nothing runs then.
    pub async fn launch(&self, spec: LaunchSpec) -> Result<Process, LaunchError> {
        let groups = self.groups.as_ref().map(|groups| groups.of(&spec.instance, &spec.plan.grouped));
        let groups = groups.unwrap_or_default();
        let marker = self.identity.marker(&spec.instance);
        let order = order(&spec, self.open_files, &marker, groups.clone())?;
        let removal = order.removal.clone();
        let task = wire::encode(&Task::Run(Box::new(order))).map_err(|_| impossible(&spec, "a path is not UTF-8"))?;
        // There may be secrets in it.
        let task = zeroize::Zeroizing::new(task);
        let (stdin, server_stdin) = {
            let (server, ours) = io::pipe()?;
            (pipe::Sender::from_owned_fd(ours.into())?, OwnedFd::from(server))
        };
        let (stdout, server_stdout) = output()?;
        let (stderr, server_stderr) = output()?;
        let mut control = KeeperControl::start_keeper(self, &self.keeper, &spec.app, &marker, removal)?;
        control.groups = Held::of(groups);
        match control.start_server(&task, [server_stdin, server_stdout, server_stderr]).await? {
            Event::Started { pid } => Ok(Process { pid, stdin, stdout, stderr, control }),
            Event::Failed(failure) => Err(LaunchError::Refused { program: spec.program.to_string(), failure }),
            Event::Ended { .. } | Event::Removed { .. } => Err(impossible(&spec, "it was killed on its way")),
        }
    }

    /// Removes the containers of an instance whose keeper could not, and says how many. `None` if that cannot be made
    /// sure of now.
    pub async fn remove(&self, removal: Removal) -> Option<usize> {
        let marker = self.identity.marker("removal");
        let keeper = KeeperControl::start_keeper(self, &self.keeper, "removal", &marker, None).ok()?;
        keeper.remove(removal).await
    }

    pub(super) fn removals(&self) -> &Arc<Removals> {
        &self.removals
    }
}

fn output() -> io::Result<(pipe::Receiver, OwnedFd)> {
    let (ours, server) = io::pipe()?;
    Ok((pipe::Receiver::from_owned_fd(ours.into())?, server.into()))
}

fn impossible(spec: &LaunchSpec, what: &'static str) -> LaunchError {
    LaunchError::Impossible { program: spec.program.to_string(), what }
}
