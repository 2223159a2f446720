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
//! If the keeper itself dies, the kernel kills the server (`PR_SET_PDEATHSIG`).
//!
//! A keeper has one thread and no runtime, so that it is small and may fork. All it needs comes over the socket,
//! because arguments and environment of a process can be read by others.

mod child;
mod directory;
mod tree;
pub mod wire;

use super::launch::Exit;
use crate::sys;
use child::Stdio;
use directory::PrivateDirectory;
pub use directory::sweep;
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        prctl,
        signal::{SigSet, Signal, kill, killpg},
        signalfd::{SfdFlags, SignalFd},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::{self, ForkResult, Pid},
};
use std::{
    fs::{File, OpenOptions},
    io::{self, PipeReader, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{fs::OpenOptionsExt, net::UnixStream},
    },
    process::ExitCode,
    time::{Duration, Instant},
};
use wire::{Event, Failure, Inbox, Order, Request, Step};

/// The first argument that makes this binary a keeper. Not for people.
pub const ARGUMENT: &str = "__keeper";

/// What a server gets between SIGTERM and SIGKILL when the agent has died. Its stdin is closed by then.
const GRACE_WITHOUT_AGENT: Duration = Duration::from_secs(1);
/// After this long the end is reported, though the kernel still holds a process that was killed (in a call that cannot
/// be interrupted, such as to a file server that is gone).
const REPORT_AFTER: Duration = Duration::from_secs(10);

pub fn main() -> ExitCode {
    sys::close_inherited_descriptors();
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
    // An ignored SIGCHLD would have the kernel reap the children, and their exit status with them.
    sys::reset_signal_dispositions();
    // Nothing but SIGKILL and a closed socket ends a keeper: it has to outlive its server.
    SigSet::all().thread_set_mask()?;
    let signals = SignalFd::with_flags(&SigSet::from(Signal::SIGCHLD), SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    let control = take_stdin()?;
    unistd::chdir("/")?;

    let (mut order, stdio, inbox) = receive_order(&control)?;
    let directory = match PrivateDirectory::make(&order) {
        Ok(directory) => directory,
        Err(failure) => return tell(&control, &Event::Failed(failure)),
    };
    if let Some(directory) = &directory {
        directory.be_home(&mut order.environment);
    }
    match fork_server(&order, &stdio, &own_binary, directory.as_ref()) {
        Ok((server, failure)) => {
            drop((order, stdio));
            let control = Some(control);
            let keeper = Keeper { server, control, failure: Some(failure), inbox, exit: None, phase: Phase::Running };
            keeper.run(&signals)
        }
        Err(failure) => tell(&control, &Event::Failed(failure)),
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

fn receive_order(control: &UnixStream) -> io::Result<(Order, Stdio, Inbox)> {
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
        if let Some(order) = inbox.take()? {
            let stdio = descriptors.try_into().map_err(|_| io::ErrorKind::InvalidData)?;
            return Ok((order, stdio, inbox));
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

/// How far a server has come on its way to the end.
enum Phase {
    Running,
    /// Asked to end; its group has until then.
    Stopping {
        deadline: Instant,
    },
    /// Nothing of it may be left.
    Killing {
        since: Instant,
        reported: bool,
    },
}

struct Keeper {
    server: Pid,
    /// `None`: the agent has died.
    control: Option<UnixStream>,
    /// `None`: the server has been started.
    failure: Option<PipeReader>,
    inbox: Inbox,
    exit: Option<Exit>,
    phase: Phase,
}

impl Keeper {
    /// Until nothing of the server is left.
    fn run(mut self, signals: &SignalFd) -> io::Result<()> {
        loop {
            while signals.read_signal()?.is_some() {}
            if self.reap() {
                self.report(0);
                return Ok(());
            }
            self.advance(Instant::now());
            let (control, failure) = self.wait(signals)?;
            if failure {
                self.settle_start();
            }
            if control {
                self.listen();
            }
        }
    }

    /// Sleeps until there is something to do. Whether the agent, and whether the starting server, has something to say.
    fn wait(&self, signals: &SignalFd) -> io::Result<(bool, bool)> {
        let timeout = match self.phase {
            Phase::Running => PollTimeout::NONE,
            Phase::Stopping { deadline } => after(deadline.saturating_duration_since(Instant::now())),
            Phase::Killing { since, .. } => after((since.elapsed() / 8).min(Duration::from_millis(500))),
        };
        let ready = |fd: &PollFd| fd.any().unwrap_or(false);
        let mut descriptors = vec![PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        let control = self.control.as_ref().map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN));
        let failure = self.failure.as_ref().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN));
        let (with_control, with_failure) = (control.is_some(), failure.is_some());
        descriptors.extend(control);
        descriptors.extend(failure);
        match poll(&mut descriptors, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let mut rest = descriptors.iter().skip(1);
        let control = with_control && rest.next().is_some_and(ready);
        let failure = with_failure && rest.next().is_some_and(ready);
        Ok((control, failure))
    }

    /// Takes note of all children that have ended. True when there is none left.
    fn reap(&mut self) -> bool {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) if pid == self.server => self.exit = Some(Exit::Code(code)),
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == self.server => {
                    self.exit = Some(Exit::Signal(signal as i32));
                }
                Ok(WaitStatus::StillAlive) => return false,
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return true,
            }
        }
    }

    fn advance(&mut self, now: Instant) {
        let over = match self.phase {
            Phase::Running => self.exit.is_some(),
            // A wrapper often ends at once and leaves its child to finish: the group keeps its time.
            Phase::Stopping { deadline } => {
                now >= deadline || (self.exit.is_some() && killpg(self.server, None) == Err(Errno::ESRCH))
            }
            Phase::Killing { .. } => false,
        };
        if over {
            self.phase = Phase::Killing { since: now, reported: false };
        }
        if let Phase::Killing { since, reported } = self.phase {
            let left = tree::descendants(Pid::this());
            for pid in &left {
                // Gone already, or, where the agent is not root, another user's: there is nothing else to try.
                let _ = kill(*pid, Signal::SIGKILL);
            }
            if !reported && now.duration_since(since) >= REPORT_AFTER {
                self.report(left.len());
                self.phase = Phase::Killing { since, reported: true };
            }
        }
    }

    /// The pipe from the starting server has something, or has ended.
    fn settle_start(&mut self) {
        let Some(mut pipe) = self.failure.take() else { return };
        let mut inbox = Inbox::default();
        let failure = pipe.read_to_end(&mut inbox.bytes).and_then(|_| inbox.take());
        match failure {
            Ok(None) => self.say(&Event::Started { pid: self.server.as_raw().unsigned_abs() }),
            Ok(Some(failure)) => self.say(&Event::Failed(failure)),
            Err(error) => self.say(&Event::Failed(Failure::new(Step::Fork, errno_of(&error)))),
        }
    }

    /// The agent has said something, or has died.
    fn listen(&mut self) {
        let Some(mut control) = self.control.as_ref() else { return };
        let mut buffer = [0; 1024];
        match control.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return,
            Ok(length) if length > 0 => self.inbox.bytes.extend_from_slice(buffer.get(..length).unwrap_or_default()),
            Ok(_) | Err(_) => return self.lose_agent(),
        }
        loop {
            match self.inbox.take() {
                Ok(Some(Request::Stop { signal, grace })) => {
                    self.stop(Signal::try_from(signal).unwrap_or(Signal::SIGTERM), Duration::from_millis(grace));
                }
                Ok(None) => return,
                Err(_) => return self.lose_agent(),
            }
        }
    }

    fn lose_agent(&mut self) {
        self.control = None;
        self.stop(Signal::SIGTERM, GRACE_WITHOUT_AGENT);
    }

    fn stop(&mut self, signal: Signal, grace: Duration) {
        let now = Instant::now();
        let wanted = now.checked_add(grace);
        let deadline = match self.phase {
            Phase::Running => wanted.unwrap_or(now + Duration::from_hours(24)),
            Phase::Stopping { deadline } => wanted.map_or(deadline, |wanted| wanted.min(deadline)),
            Phase::Killing { .. } => return,
        };
        self.phase = Phase::Stopping { deadline };
        // Once the server has been reaped, its number may belong to somebody else's group.
        if self.exit.is_none() {
            let _ = killpg(self.server, signal);
            // One that is stopped would not notice.
            let _ = killpg(self.server, Signal::SIGCONT);
        }
    }

    fn report(&mut self, left: usize) {
        if matches!(self.phase, Phase::Killing { reported: true, .. }) {
            return;
        }
        if left == 0 {
            self.settle_start();
        }
        self.say(&Event::Ended { exit: self.exit.unwrap_or(Exit::Unknown), left });
    }

    fn say(&mut self, event: &Event) {
        // An agent that does not hear this has died, which the next look at the socket will tell.
        if let Some(control) = &self.control {
            let _ = tell(control, event);
        }
    }
}

/// Rounded up, because a wait that ends too early would only be repeated.
fn after(duration: Duration) -> PollTimeout {
    PollTimeout::try_from(duration + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
}
