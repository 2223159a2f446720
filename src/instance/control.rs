//! The agent's end of the socket to a keeper (see [`super::keeper`]).

use super::{
    confine::cgroup::Held,
    keeper::{
        self,
        wire::{self, Event, Inbox, Removal, Request, Task},
    },
    launch::{Exit, Launcher},
    orphans::sweep,
};
use crate::resource::StopSignal;
use nix::{
    sys::{
        signal::{Signal, killpg},
        socket::{ControlMessage, MsgFlags, sendmsg},
        wait::{WaitPidFlag, waitpid},
    },
    unistd::Pid,
};
use std::{
    io::{self, IoSlice},
    os::fd::{AsRawFd, OwnedFd},
    path::Path,
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, Interest},
    net::UnixStream,
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

/// How long a killed process may take to become a zombie, before it is not waited for any more.
const REAP_WITHIN: Duration = Duration::from_secs(1);

/// How long a keeper whose only task is to remove containers may take; it bounds itself below this.
const REMOVE_WITHIN: Duration = Duration::from_secs(15);

/// Stops a process and tells how it ended. Dropping it kills the server and all its descendants.
#[derive(Debug)]
pub struct KeeperControl {
    socket: UnixStream,
    inbox: Inbox,
    /// Reaped by tokio after its end.
    keeper: Child,
    server: Option<u32>,
    exit: Option<Exit>,
    /// What leads to the rest of the server if the keeper is lost.
    marker: String,
    removal: Option<Removal>,
    launcher: Launcher,
    /// The server's, for the case that the keeper cannot see to them any more.
    pub(super) groups: Held,
}

impl KeeperControl {
    /// Starts a keeper, which waits for its order. Nothing is in its arguments and environment that others must not
    /// see: they can see those.
    pub(super) fn start_keeper(
        launcher: &Launcher,
        binary: &Path,
        app: &str,
        marker: &str,
        removal: Option<Removal>,
    ) -> io::Result<Self> {
        let (ours, keepers) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let keeper = Command::new(binary)
            .arg0("mcpfleet")
            .args([keeper::ARGUMENT, app, marker])
            .env_clear()
            .stdin(OwnedFd::from(keepers))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let socket = UnixStream::from_std(ours)?;
        let (marker, launcher) = (marker.to_owned(), launcher.clone());
        let (inbox, groups) = (Inbox::default(), Held::default());
        Ok(KeeperControl { socket, inbox, keeper, server: None, exit: None, marker, removal, launcher, groups })
    }

    /// Has the keeper start the server, and gives its answer.
    pub(super) async fn start_server(&mut self, task: &[u8], stdio: [OwnedFd; 3]) -> io::Result<Event> {
        let answer = match self.send(task, stdio).await {
            Ok(()) => self.event().await,
            Err(error) => Err(error),
        };
        if answer.is_err() {
            self.lose_keeper().await;
            self.exit = Some(Exit::Unknown);
        }
        let answer = answer?;
        if let Event::Started { pid } = answer {
            self.server = Some(pid);
        }
        Ok(answer)
    }

    /// Has the keeper remove containers, and says how many; `None` if that did not succeed.
    pub(super) async fn remove(mut self, removal: Removal) -> Option<usize> {
        let task = wire::encode(&Task::Remove(removal)).ok()?;
        self.socket.write_all(&task).await.ok()?;
        let containers = match timeout(REMOVE_WITHIN, self.event()).await {
            Ok(Ok(Event::Removed { containers })) => containers,
            _ => {
                let _ = self.keeper.start_kill();
                None
            }
        };
        // Whoever has waited for this has no such process left.
        let _ = timeout(REAP_WITHIN, self.keeper.wait()).await;
        containers
    }

    /// Asks the whole group to end, and kills what is left of it, and of everything that it ever started, after
    /// `grace`. Returns at once; may be called again with a shorter grace.
    pub fn stop(&mut self, signal: StopSignal, grace: Duration) {
        let grace = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        let request = Request::Stop { signal: number(signal) as i32, grace };
        // The socket holds thousands of these. It refuses only when the keeper is gone, which `wait` will find.
        if let Ok(bytes) = wire::encode(&request) {
            let _ = self.socket.try_write(&bytes);
        }
    }

    /// Waits until the server has ended and nothing that it started is left. Cancel safe; answers the same again.
    pub async fn wait(&mut self) -> Exit {
        if let Some(exit) = self.exit {
            return exit;
        }
        let exit = loop {
            match self.event().await {
                Ok(Event::Ended { exit, left }) => {
                    if left > 0 {
                        tracing::warn!(pid = self.server, left, "processes of a server cannot be killed yet");
                    }
                    break exit;
                }
                Ok(Event::Removed { containers }) => {
                    self.tell_of(containers);
                    if let Some(removal) = self.removal.take().filter(|_| containers.is_none()) {
                        self.launcher.remove_later(removal);
                    }
                }
                Ok(Event::Started { .. } | Event::Failed(_)) => {}
                Err(_) => {
                    self.lose_keeper().await;
                    break Exit::Unknown;
                }
            }
        };
        self.exit = Some(exit);
        exit
    }

    /// The kernel kills the server with its keeper, but not the rest.
    async fn lose_keeper(&mut self) {
        let _ = self.keeper.start_kill();
        let _ = self.keeper.wait().await;
        self.kill_group().await;
        let groups = std::mem::take(&mut self.groups);
        let cleared = tokio::task::spawn_blocking(move || {
            groups.kill();
            groups.remove();
        });
        let _ = cleared.await;
        let marker = self.marker.clone();
        let swept = tokio::task::spawn_blocking(move || sweep::instance(&marker)).await.unwrap_or_default();
        let sweep::Swept { killed, left, unseen } = swept;
        tracing::warn!(
            marker = self.marker,
            killed,
            left,
            unseen,
            "a keeper was lost; what it kept has been looked for"
        );
        if let Some(removal) = self.removal.take() {
            // Others may be before it.
            let first = timeout(REMOVE_WITHIN, self.launcher.remove_surely(removal)).await;
            self.tell_of(first.ok().and_then(Result::ok).flatten());
        }
    }

    /// What came of the container that the server's command ran.
    fn tell_of(&self, containers: Option<usize>) {
        match containers {
            None => tracing::warn!(marker = self.marker, "a container may be left: its engine could not be asked"),
            Some(0) => {}
            Some(count) => tracing::info!(marker = self.marker, count, "removed the container of a server that ended"),
        }
    }

    /// By its group, for where the environment of other users' processes cannot be read.
    async fn kill_group(&self) {
        let Some(server) = self.server else { return };
        let group = Pid::from_raw(server.cast_signed());
        let _ = killpg(group, Signal::SIGKILL);
        // An agent that is process 1, as in a container, has inherited them and must reap them. To any other they are
        // no children.
        let any_of_group = Pid::from_raw(-group.as_raw());
        let deadline = Instant::now() + REAP_WITHIN;
        while waitpid(any_of_group, Some(WaitPidFlag::WNOHANG)).is_ok() && Instant::now() < deadline {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Cancel safe.
    async fn event(&mut self) -> io::Result<Event> {
        loop {
            if let Some(event) = self.inbox.take()? {
                return Ok(event);
            }
            if self.socket.read_buf(&mut self.inbox.bytes).await? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ended without a word"));
            }
        }
    }

    async fn send(&mut self, task: &[u8], stdio: [OwnedFd; 3]) -> io::Result<()> {
        let descriptors = stdio.each_ref().map(AsRawFd::as_raw_fd);
        let socket = &self.socket;
        let sent = socket
            .async_io(Interest::WRITABLE, || {
                let rights = [ControlMessage::ScmRights(&descriptors)];
                let flags = MsgFlags::MSG_NOSIGNAL;
                Ok(sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(task)], &rights, flags, None)?)
            })
            .await?;
        // Ours are closed here, so that the pipes end when the server's do.
        drop(stdio);
        self.socket.write_all(task.get(sent..).unwrap_or_default()).await
    }
}

impl Drop for KeeperControl {
    fn drop(&mut self) {
        if self.exit.is_none() {
            self.stop(StopSignal::Kill, Duration::ZERO);
        }
    }
}

fn number(signal: StopSignal) -> Signal {
    match signal {
        StopSignal::Term => Signal::SIGTERM,
        StopSignal::Int => Signal::SIGINT,
        StopSignal::Quit => Signal::SIGQUIT,
        StopSignal::Hup => Signal::SIGHUP,
        StopSignal::Usr1 => Signal::SIGUSR1,
        StopSignal::Usr2 => Signal::SIGUSR2,
        StopSignal::Kill => Signal::SIGKILL,
    }
}
