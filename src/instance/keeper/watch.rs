//! The rest of a keeper's life: waiting for the server's end, or seeing to it.

use super::{
    errno_of,
    limits::Limits,
    tell, tree,
    wire::{Event, Failure, Inbox, Request, Step},
};
use crate::instance::launch::{End, Exit};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{Signal, kill, killpg},
        signalfd::SignalFd,
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use std::{
    io::{self, PipeReader, Read},
    os::{fd::AsFd, unix::net::UnixStream},
    time::{Duration, Instant},
};

/// What a server gets between SIGTERM and SIGKILL when the agent has died. Its stdin is closed by then.
const GRACE_WITHOUT_AGENT: Duration = Duration::from_secs(1);
/// After this long the end is reported, though the kernel still holds a process that was killed (in a call that cannot
/// be interrupted, such as to a file server that is gone).
const REPORT_AFTER: Duration = Duration::from_secs(10);

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

/// Over one server.
pub struct Watch {
    server: Pid,
    /// `None`: the agent has died.
    control: Option<UnixStream>,
    /// `None`: the server has been started.
    failure: Option<PipeReader>,
    inbox: Inbox,
    /// The server did start.
    started: bool,
    exit: Option<Exit>,
    phase: Phase,
    limits: Limits,
}

impl Watch {
    /// Of `server`, which is just being started: `failure` will say why it cannot be, or end without a word.
    pub fn new(server: Pid, control: UnixStream, inbox: Inbox, failure: PipeReader, limits: Limits) -> Self {
        let (control, failure) = (Some(control), Some(failure));
        Watch { server, control, failure, inbox, started: false, exit: None, phase: Phase::Running, limits }
    }

    /// Until nothing of the server is left. `last` sees to what it had elsewhere, before the end is told; it hears how
    /// the server ended, if it ever started.
    pub fn run(mut self, signals: &SignalFd, last: impl FnOnce(Option<Exit>) -> Option<Event>) -> io::Result<()> {
        loop {
            while signals.read_signal()?.is_some() {}
            if self.reap() {
                self.limits.remove();
                self.settle_start();
                if let Some(event) = last(self.started.then_some(self.exit.unwrap_or(Exit::Unknown))) {
                    self.say(&event);
                }
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
            Phase::Running => self.limits.wait(Instant::now()).map_or(PollTimeout::NONE, after),
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
                Ok(WaitStatus::Exited(pid, code)) if pid == self.server => self.note(End::Code(code)),
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == self.server => {
                    self.note(End::Signal(signal as i32));
                }
                Ok(WaitStatus::StillAlive) => return false,
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return true,
            }
        }
    }

    fn note(&mut self, end: End) {
        self.exit = Some(self.limits.explain(end, matches!(self.phase, Phase::Running)));
    }

    fn advance(&mut self, now: Instant) {
        let over = match self.phase {
            Phase::Running => self.exit.is_some() || self.limits.exceeded(now),
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
            self.limits.kill();
            let left = tree::visit(Pid::this(), |pid| {
                // Gone already, or, where the agent is not root, another user's: there is nothing else to try.
                let _ = kill(pid, Signal::SIGKILL);
            });
            if !reported && now.duration_since(since) >= REPORT_AFTER {
                self.report(left);
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
            Ok(None) => {
                self.started = true;
                self.say(&Event::Started { pid: self.server.as_raw().unsigned_abs() });
            }
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
