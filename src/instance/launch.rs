//! The only place that makes processes, each under a [keeper](super::keeper) of its own.

pub use super::control::Control;

use super::{
    confine::{
        cgroup::{Group, Groups, Held, Wanted},
        network,
        plan::{Cgroup, Namespace, Offer, Plan},
    },
    keeper::wire::{self, Credentials, Directory, Event, Failure, Order, Removal, Task},
    orphans::{Identity, containers, marker::VARIABLE},
    redact::Redaction,
};
use crate::{resource::quantity::format_size, sys};
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    ffi::{CString, OsString},
    fmt, io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Component, Path, PathBuf},
    sync::{Arc, OnceLock},
};
use tokio::net::unix::pipe;

/// A process to start: everything has been decided and looked up.
#[derive(Clone)]
pub struct LaunchSpec {
    /// For the process list.
    pub app: String,
    /// Unique in the life of the agent; names the private working directory.
    pub instance: String,
    pub program: Program,
    pub args: Vec<String>,
    /// The whole environment; nothing of the agent's own is passed on. Only `HOME` is added, as the private working
    /// directory, where there is one and `env` names no other.
    pub env: BTreeMap<String, OsString>,
    /// `None`: a private empty directory below `runtime_dir`, removed after the end.
    pub working_directory: Option<PathBuf>,
    /// Below which private directories are made; belongs to the agent.
    pub runtime_dir: PathBuf,
    /// `None`: the agent's own user.
    pub user: Option<HostUser>,
    /// What must not be seen of what the server writes.
    pub redaction: Arc<Redaction>,
    /// What it may use. With [`Plan::files`] there is a private directory also beside a working directory that is
    /// given, and `TMPDIR` is added like `HOME`.
    pub plan: Plan,
}

/// Without the values of `env`, which may be secrets.
impl fmt::Debug for LaunchSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaunchSpec")
            .field("app", &self.app)
            .field("instance", &self.instance)
            .field("program", &self.program)
            .field("args", &self.args)
            .field("env", &self.env.keys())
            .field("working_directory", &self.working_directory)
            .field("runtime_dir", &self.runtime_dir)
            .field("user", &self.user)
            .field("plan", &self.plan)
            .finish()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Program {
    /// Looked up in the PATH of `env`, or a path.
    Named(String),
    /// This very binary, run from an open descriptor: its path may be unreadable to the user it runs as.
    OwnBinary,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Program::Named(name) => name,
            Program::OwnBinary => "mcpfleet",
        })
    }
}

/// A user of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostUser {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    /// All groups, `gid` among them or not.
    pub groups: Vec<u32>,
    pub home: PathBuf,
    pub shell: PathBuf,
}

/// A running server with its pipes. Dropping `control` kills the server and all its descendants.
#[derive(Debug)]
pub struct Process {
    /// Of the server itself, not of its keeper.
    pub pid: u32,
    pub stdin: pipe::Sender,
    pub stdout: pipe::Receiver,
    pub stderr: pipe::Receiver,
    pub control: Control,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    Code(i32),
    Signal(i32),
    /// Its keeper is gone without a word.
    Unknown,
    /// A limit was the cause of it.
    OverLimit {
        end: End,
        excess: Excess,
    },
}

/// How a process ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    Code(i32),
    Signal(i32),
}

impl From<End> for Exit {
    fn from(end: End) -> Self {
        match end {
            End::Code(code) => Exit::Code(code),
            End::Signal(signal) => Exit::Signal(signal),
        }
    }
}

/// What a server used too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Excess {
    /// The kernel had no more for it; `None`: the whole machine was out of memory.
    OutOfMemory { limit: Option<u64> },
    /// It was seen to use more bytes than that.
    Memory { limit: u64 },
    /// It was seen to have more processes and threads than that.
    Processes { limit: u64 },
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Excess::OutOfMemory { limit: Some(limit) } => write!(f, "out of memory (limit {})", format_size(*limit)),
            Excess::OutOfMemory { limit: None } => f.write_str("out of memory"),
            Excess::Memory { limit } => write!(f, "it used more memory than its limit of {}", format_size(*limit)),
            Excess::Processes { limit } => write!(f, "it had more processes and threads than its limit of {limit}"),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit status {code}"),
            Exit::Signal(number) => match Signal::try_from(*number) {
                Ok(signal) => write!(f, "killed by {signal}"),
                Err(_) => write!(f, "killed by signal {number}"),
            },
            Exit::Unknown => f.write_str("ended for an unknown reason"),
            Exit::OverLimit { end, excess } => write!(f, "{}: {excess}", Exit::from(*end)),
        }
    }
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
}

impl LaunchError {
    /// Whether it will be the same again until somebody changes the definition or the host.
    pub fn is_lasting(&self) -> bool {
        match self {
            LaunchError::Refused { failure, .. } => failure.is_lasting(),
            LaunchError::Impossible { .. } => true,
            LaunchError::Keeper(_) => false,
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
        let mut control = Control::start_keeper(&self.keeper, &spec.app, &marker, removal)?;
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
        let keeper = Control::start_keeper(&self.keeper, "removal", &marker, None).ok()?;
        keeper.remove(removal).await
    }
}

fn output() -> io::Result<(pipe::Receiver, OwnedFd)> {
    let (ours, server) = io::pipe()?;
    Ok((pipe::Receiver::from_owned_fd(ours.into())?, server.into()))
}

fn order(spec: &LaunchSpec, open_files: Option<u64>, marker: &str, groups: Vec<Group>) -> Result<Order, LaunchError> {
    let text = |bytes: Vec<u8>| CString::new(bytes).map_err(|_| impossible(spec, "a NUL in an argument or variable"));
    let labelled = containers::label(spec, marker);
    let arguments = labelled.as_ref().map_or(&spec.args, |labelled| &labelled.arguments);
    let arguments = std::iter::once(spec.program.to_string())
        .chain(arguments.iter().cloned())
        .map(|argument| text(argument.into_bytes()))
        .collect::<Result<_, _>>()?;
    let environment = spec
        .env
        .iter()
        .filter(|(name, _)| *name != VARIABLE)
        .map(|(name, value)| match name.contains('=') || name.is_empty() {
            true => Err(impossible(spec, "a variable with `=` in its name, or without a name")),
            false => text([name.as_bytes(), b"=", value.as_bytes()].concat()),
        })
        .chain(std::iter::once(text(format!("{VARIABLE}={marker}").into_bytes())))
        .collect::<Result<_, _>>()?;
    if !is_file_name(&spec.instance) {
        return Err(impossible(spec, "the instance's name is no file name"));
    }
    let (parent, name) = (std::path::absolute(&spec.runtime_dir)?, spec.instance.clone());
    let directory = match &spec.working_directory {
        None => Directory::Private { parent, name },
        Some(path) => {
            let temporary = spec.plan.files.is_some().then_some((parent, name));
            Directory::Given { path: path.clone(), temporary }
        }
    };
    let user = spec.user.as_ref();
    let user = user.map(|user| Credentials { uid: user.uid, gid: user.gid, groups: user.groups.clone() });
    let removal = match labelled {
        Some(labelled) if is_file_name(marker) => {
            Some(containers::removal(spec, labelled.options, marker, user.clone())?)
        }
        _ => None,
    };
    let (program, plan) = (spec.program.clone(), spec.plan.clone());
    Ok(Order { program, arguments, environment, directory, user, open_files, removal, groups, plan })
}

fn is_file_name(name: &str) -> bool {
    let mut components = Path::new(name).components();
    matches!((components.next(), components.next()), (Some(Component::Normal(only)), None) if only == name)
}

fn impossible(spec: &LaunchSpec, what: &'static str) -> LaunchError {
    LaunchError::Impossible { program: spec.program.to_string(), what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_become_directories() {
        for name in ["everything-1", "a.b", "-x"] {
            assert!(is_file_name(name), "{name}");
        }
        for name in ["", ".", "..", "/", "a/b", "a/", "/a", "./a"] {
            assert!(!is_file_name(name), "{name}");
        }
    }

    #[test]
    fn debug_output_shows_no_value_of_the_environment() {
        let spec = LaunchSpec {
            app: "a".into(),
            instance: "a-1".into(),
            program: Program::Named("x".into()),
            args: vec![],
            env: BTreeMap::from([("TOKEN".into(), "hush".into())]),
            working_directory: None,
            runtime_dir: "/run/mcpfleet".into(),
            user: None,
            redaction: Arc::default(),
            plan: Plan::default(),
        };
        let shown = format!("{spec:?}");
        assert!(shown.contains("TOKEN") && !shown.contains("hush"), "{shown}");
    }
}
