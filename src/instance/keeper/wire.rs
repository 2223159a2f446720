//! What the agent and a keeper say to each other: JSON with its length in front, over a Unix stream socket.

use super::super::{
    confine::{cgroup::Group, plan::Plan},
    launch::{Exit, Program},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{ffi::CString, fmt, io, path::PathBuf};

/// The longest message. Arguments and environment of a process are bounded by the system far below this.
const MAX_MESSAGE: usize = 32 << 20;
const LENGTH: usize = size_of::<u32>();

/// The first message to a keeper.
#[derive(Serialize, Deserialize)]
pub enum Task {
    /// Keeps a server, whose stdin, stdout and stderr come along, in this order.
    Run(Box<Order>),
    /// Removes containers that a keeper which was killed could not remove, and ends.
    Remove(Removal),
}

/// What to run, and how.
#[derive(Serialize, Deserialize)]
pub struct Order {
    pub program: Program,
    /// With the program's own name in front.
    pub arguments: Vec<CString>,
    /// `NAME=value`.
    pub environment: Vec<CString>,
    pub directory: Directory,
    /// `None`: stay who the keeper is.
    pub user: Option<Credentials>,
    /// The soft limit of open files. `None`: as the keeper has it.
    pub open_files: Option<u64>,
    /// If it runs a container.
    pub removal: Option<Removal>,
    /// Groups to be made for the server, which is in them before it is anything.
    pub groups: Vec<Group>,
    /// What else it may use.
    pub plan: Plan,
}

/// What it takes to remove the containers of an instance after its end: the client of their engine, and what tells it
/// which engine that is. No secrets, because it is kept in a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Removal {
    /// What their label says.
    pub marker: String,
    pub program: String,
    /// Before the subcommand.
    pub options: Vec<String>,
    /// `NAME=value`.
    pub environment: Vec<String>,
    pub user: Option<Credentials>,
    /// The file with all this, which is there as long as there may be a container.
    pub record: PathBuf,
}

/// Where the server runs.
#[derive(Serialize, Deserialize)]
pub enum Directory {
    /// Below `parent`: made before, removed after.
    Private { parent: PathBuf, name: String },
    Given {
        path: PathBuf,
        /// Parent and name of a private one that is made along with it, where the server can keep its temporary files
        /// apart from those of others.
        temporary: Option<(PathBuf, String)>,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Credentials {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
}

/// What the agent may say after the order.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// Signal number, and milliseconds until SIGKILL.
    Stop { signal: i32, grace: u64 },
}

/// What a keeper says: `Started` or `Failed`, and after `Started` once `Ended`, with `Removed` before it if there was a
/// container to see to. Nothing but `Removed` if that was the task.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    Started {
        pid: u32,
    },
    Failed(Failure),
    Ended {
        exit: Exit,
        /// Processes that could not be killed in time, because the kernel holds them. The keeper goes on trying.
        left: usize,
    },
    Removed {
        /// How many there still were. `None`: the engine could not be asked; there may be some.
        containers: Option<usize>,
    },
}

/// Why the server does not run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    pub step: Step,
    pub errno: i32,
    /// The file that it is about.
    pub path: Option<PathBuf>,
}

/// How far a start came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Making the private directory.
    MakeDirectory,
    /// Writing down how the container is removed.
    Record,
    /// Making a control group, or writing a limit into it.
    MakeGroup,
    Fork,
    /// Becoming part of a control group.
    JoinGroup,
    /// Preparing the new process.
    Prepare,
    /// Moving to a network of its own.
    Network,
    SwitchUser,
    EnterDirectory,
    /// Giving up capabilities.
    Capabilities,
    /// Closing what is not to be used; with a path, opening that for the server.
    Sandbox,
    /// No folder of PATH has the program, as far as they can be entered: if not all can, the error is EACCES.
    Find,
    Exec,
    /// The same, in a sandbox.
    ExecInSandbox,
    /// The file is there, the program that its `#!` line or its header names is not.
    Interpreter,
}

impl Failure {
    pub fn new(step: Step, errno: nix::errno::Errno) -> Self {
        Failure { step, errno: errno as i32, path: None }
    }

    pub fn at(self, path: impl Into<PathBuf>) -> Self {
        Failure { path: Some(path.into()), ..self }
    }
}

impl Failure {
    /// Whether it will be the same again until somebody changes the definition or the host; a want of processes, memory
    /// or space may pass.
    pub fn is_lasting(&self) -> bool {
        use nix::errno::Errno::{EAGAIN, EINTR, EMFILE, ENFILE, ENOMEM, ENOSPC, ETXTBSY};
        let errno = nix::errno::Errno::from_raw(self.errno);
        self.step != Step::Fork && ![EAGAIN, EINTR, EMFILE, ENFILE, ENOMEM, ENOSPC, ETXTBSY].contains(&errno)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errno = nix::errno::Errno::from_raw(self.errno);
        let path = self.path.as_deref().unwrap_or("".as_ref()).display();
        let cause = match errno {
            nix::errno::Errno::ENOENT => "does not exist".to_string(),
            nix::errno::Errno::ENOEXEC => "is neither a program nor a script with a `#!` line".to_string(),
            nix::errno::Errno::ENOTDIR => "is not a directory".to_string(),
            nix::errno::Errno::E2BIG => "arguments and environment are too long".to_string(),
            other => lower_first(other.desc()),
        };
        match self.step {
            Step::MakeDirectory => write!(f, "cannot make its directory {path}: {cause}"),
            Step::Record => write!(f, "cannot write {path}: {cause}"),
            Step::MakeGroup => write!(f, "cannot limit it by {path}: {cause}"),
            Step::JoinGroup => write!(f, "cannot be put into its control group {path}: {cause}"),
            Step::Network => write!(f, "cannot be given a network of its own: {cause}"),
            Step::Capabilities => write!(f, "cannot give up capabilities: {cause}"),
            Step::Sandbox if self.path.is_some() => write!(f, "sandbox: {path} {cause}"),
            Step::Sandbox => write!(f, "cannot be put into its sandbox: {cause}"),
            Step::Fork => write!(f, "cannot make a process: {cause}"),
            Step::Prepare => write!(f, "cannot prepare the process: {cause}"),
            Step::SwitchUser => write!(f, "cannot become the host user: {cause}"),
            Step::EnterDirectory => write!(f, "working directory {path}: {cause}"),
            Step::Find if errno == nix::errno::Errno::EACCES => {
                write!(f, "not found in PATH {path}, of which this user may not enter all folders")
            }
            Step::Find => write!(f, "not found in PATH {path}"),
            Step::ExecInSandbox if errno == nix::errno::Errno::EACCES => write!(
                f,
                "{path}: {cause}; in a sandbox it and the interpreter that it names must be below `sandbox.read`"
            ),
            Step::Exec | Step::ExecInSandbox => write!(f, "{path}: {cause}"),
            Step::Interpreter => write!(f, "{path}: the interpreter that it names does not exist"),
        }
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// A message as it goes over the socket.
///
/// # Errors
/// A path that is not UTF-8, or a message beyond all bounds.
pub fn encode(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; LENGTH];
    serde_json::to_writer(&mut bytes, message)?;
    let length = bytes.len() - LENGTH;
    if length > MAX_MESSAGE {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "message too long"));
    }
    if let Some(head) = bytes.first_chunk_mut::<LENGTH>() {
        *head = u32::try_from(length).map_err(io::Error::other)?.to_be_bytes();
    }
    Ok(bytes)
}

/// Takes messages out of the bytes that have arrived so far.
#[derive(Debug, Default)]
pub struct Inbox {
    pub bytes: Vec<u8>,
}

impl Inbox {
    /// The next whole message, if there is one.
    ///
    /// # Errors
    /// The other side talks nonsense.
    pub fn take<M: DeserializeOwned>(&mut self) -> io::Result<Option<M>> {
        let Some((head, rest)) = self.bytes.split_first_chunk::<LENGTH>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*head)).map_err(io::Error::other)?;
        if length > MAX_MESSAGE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "message too long"));
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let message = serde_json::from_slice(body)?;
        self.bytes.drain(..LENGTH + length);
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_whole_however_they_are_cut() {
        let sent = [
            Request::Stop { signal: 15, grace: 10_000 },
            Request::Stop { signal: 2, grace: 0 },
            Request::Stop { signal: 9, grace: u64::MAX },
        ];
        let bytes: Vec<u8> = sent.iter().flat_map(|request| encode(request).unwrap()).collect();
        for size in [1, 3, 7, bytes.len()] {
            let mut inbox = Inbox::default();
            let mut received = Vec::new();
            for piece in bytes.chunks(size) {
                inbox.bytes.extend_from_slice(piece);
                while let Some(request) = inbox.take::<Request>().unwrap() {
                    received.push(request);
                }
            }
            assert_eq!(received, sent, "in pieces of {size}");
        }
    }

    #[test]
    fn failures_are_told_in_words() {
        use nix::errno::Errno;
        let cases = [
            (Step::SwitchUser, Errno::EPERM, "cannot become the host user: operation not permitted"),
            (Step::MakeDirectory, Errno::ENOSPC, "cannot make its directory /x: no space left on device"),
            (Step::EnterDirectory, Errno::ENOTDIR, "working directory /x: is not a directory"),
            (Step::Exec, Errno::E2BIG, "/x: arguments and environment are too long"),
            (Step::Fork, Errno::EAGAIN, "cannot make a process: try again"),
            (Step::MakeGroup, Errno::EINVAL, "cannot limit it by /x: invalid argument"),
            (Step::JoinGroup, Errno::EBUSY, "cannot be put into its control group /x: device or resource busy"),
            (Step::Network, Errno::EPERM, "cannot be given a network of its own: operation not permitted"),
            (Step::Capabilities, Errno::EPERM, "cannot give up capabilities: operation not permitted"),
            (Step::Sandbox, Errno::ENOENT, "sandbox: /x does not exist"),
            (
                Step::ExecInSandbox,
                Errno::EACCES,
                "/x: permission denied; in a sandbox it and the interpreter that it names must be below `sandbox.read`",
            ),
        ];
        for (step, errno, text) in cases {
            assert_eq!(Failure::new(step, errno).at("/x").to_string(), text);
        }
    }

    #[test]
    fn nonsense_is_an_error() {
        let mut inbox = Inbox { bytes: vec![0xff; 8] };
        assert!(inbox.take::<Request>().is_err());
        let mut inbox = Inbox { bytes: b"\0\0\0\x02{}".to_vec() };
        assert!(inbox.take::<Request>().is_err());
    }
}
