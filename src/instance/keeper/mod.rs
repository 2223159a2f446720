//! The process between the agent and a server, which makes sure that nothing of the server outlives either.
//!
//! The agent starts one keeper for each server: its own binary, with a socket to the agent as stdin. The keeper forks
//! the server and is from then on the *child subreaper* of all that the server starts: whatever loses its parent,
//! also by making a session of its own, becomes the keeper's child. So "the keeper has no child left" means "nothing of
//! the server is left", and the keeper kills until that holds. It does so when
//!
//! * the server has ended,
//! * the agent asks for it (a signal to the server's process group first, SIGKILL after a grace period),
//! * the socket closes, because the agent has died, however hard.
//!
//! If the keeper itself dies, the kernel kills the server (`PR_SET_PDEATHSIG`), and the agent what else there is of it
//! ([`orphans`](super::orphans)).
//!
//! A container that the server's command runs is no descendant. The keeper removes it after the end (`container`).
//!
//! A keeper has one thread and no runtime, so that it is small and may fork. All it needs comes over the socket,
//! because arguments and environment of a process can be read by others.

mod child;
mod container;
mod directory;
mod limits;
mod removal;
mod tree;
mod watch;
pub mod wire;

use super::confine::{cgroup::Held, network};
use super::launch::Exit;
use crate::sys;
use child::Stdio;
use directory::PrivateDirectory;
pub use directory::sweep;
use limits::Limits;
use nix::{
    errno::Errno,
    sys::{
        prctl,
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
    },
    unistd::{self, ForkResult, Pid},
};
use std::{
    fs::{File, OpenOptions},
    io::{self, PipeReader, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{fs::OpenOptionsExt, net::UnixStream},
    },
    process::ExitCode,
};
use watch::Watch;
use wire::{Event, Failure, Inbox, Order, Step, Task};

/// The first argument that makes this binary a keeper. Not for people.
pub const ARGUMENT: &str = "__keeper";

pub fn main() -> ExitCode {
    sys::close_inherited_descriptors();
    if std::env::args_os().nth(2).is_some_and(|argument| argument == network::PROBE) {
        println!("{}", network::probe());
        return ExitCode::SUCCESS;
    }
    match keep() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(3),
    }
}

fn keep() -> io::Result<()> {
    let own_binary = open_own_binary()?;
    // Started by hand it may lead a group already, and then has what it needs.
    let _ = unistd::setsid();
    prctl::set_name(c"mcpfleet-keeper")?;
    prctl::set_child_subreaper(true)?;
    // The order may hold secrets: no core file, and no debugger of another process of the same user.
    prctl::set_dumpable(false)?;
    // For the server, which inherits what is ignored; and an ignored SIGCHLD would lose its exit status.
    sys::reset_signal_dispositions();
    // Nothing but SIGKILL and a closed socket ends a keeper: it has to outlive its server.
    SigSet::all().thread_set_mask()?;
    let signals = SignalFd::with_flags(&SigSet::from(Signal::SIGCHLD), SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    let control = take_stdin()?;
    unistd::chdir("/")?;

    let (task, descriptors, inbox) = receive_task(&control)?;
    let mut order = match task {
        Task::Run(order) => *order,
        Task::Remove(removal) => {
            let containers = container::remove(&removal, &own_binary, Exit::Unknown);
            return tell(&control, &Event::Removed { containers });
        }
    };
    let stdio: Stdio = descriptors.try_into().map_err(|_| io::ErrorKind::InvalidData)?;
    let removal = order.removal.take();
    let directory = match PrivateDirectory::make(&order) {
        Ok(directory) => directory,
        Err(failure) => return tell(&control, &Event::Failed(failure)),
    };
    if let Some(directory) = &directory {
        directory.be_home(&mut order.environment);
        if order.plan.files.is_some() {
            directory.be_temporary(&mut order.environment);
        }
    }
    let groups = match Held::make(&order.groups) {
        Ok(groups) => groups,
        Err(failure) => return tell(&control, &Event::Failed(failure)),
    };
    if let Some(Err(failure)) = removal.as_ref().map(container::record) {
        groups.remove();
        return tell(&control, &Event::Failed(failure));
    }
    match fork_server(&order, &stdio, &own_binary, directory.as_ref()) {
        Ok((server, failure)) => {
            let limits = Limits::new(groups, &order.plan);
            drop((order, stdio));
            Watch::new(server, control, inbox, failure, limits).run(&signals, |ended| {
                let removal = removal.as_ref()?;
                let Some(exit) = ended else {
                    container::forget(removal);
                    return None;
                };
                Some(Event::Removed { containers: container::remove(removal, &own_binary, exit) })
            })
        }
        Err(failure) => {
            groups.remove();
            removal.iter().for_each(container::forget);
            tell(&control, &Event::Failed(failure))
        }
    }
}

/// Needs neither the right to read the file nor a path to it, later and as another user.
fn open_own_binary() -> io::Result<OwnedFd> {
    let file = OpenOptions::new().read(true).custom_flags(nix::libc::O_PATH).open("/proc/self/exe")?;
    Ok(file.into())
}

/// The socket to the agent, which nothing but this end refers to from here on.
fn take_stdin() -> io::Result<UnixStream> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    unistd::dup2_stdin(File::open("/dev/null")?)?;
    Ok(socket.into())
}

fn receive_task(control: &UnixStream) -> io::Result<(Task, Vec<OwnedFd>, Inbox)> {
    let mut inbox = Inbox::default();
    let mut descriptors = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let (length, received) = sys::receive(control.as_fd(), &mut buffer)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        descriptors.extend(received);
        inbox.bytes.extend_from_slice(buffer.get(..length).unwrap_or_default());
        if let Some(task) = inbox.take()? {
            return Ok((task, descriptors, inbox));
        }
    }
}

fn tell(mut control: &UnixStream, event: &Event) -> io::Result<()> {
    control.write_all(&wire::encode(event)?)
}

/// Forks the server. The pipe says why it could not be started, or ends without a word when it was.
fn fork_server(
    order: &Order,
    stdio: &Stdio,
    own_binary: &OwnedFd,
    directory: Option<&PrivateDirectory>,
) -> Result<(Pid, PipeReader), Failure> {
    let failed = |errno| Failure::new(Step::Fork, errno);
    let (failure, mut report) = io::pipe().map_err(|error| failed(errno_of(&error)))?;
    let keeper = Pid::this();
    match sys::fork().map_err(failed)? {
        ForkResult::Parent { child } => Ok((child, failure)),
        ForkResult::Child => {
            let path = directory.map(|directory| directory.path());
            let failure = child::become_server(order, stdio, own_binary, path, keeper);
            // If nobody listens any more, there is nobody to tell.
            let _ = wire::encode(&failure).and_then(|bytes| report.write_all(&bytes));
            std::process::exit(127)
        }
    }
}

fn errno_of(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw)
}
