//! Servers elsewhere, over HTTP.
//!
//! A session with a remote server is a task that does what a server's process does: it reads messages, line by line,
//! from a pipe, and writes those that come back to another, with a third for what people should know. So whatever looks
//! after processes looks after it too, and a [`link`](super::link) cannot tell the difference.
//!
//! ```text
//! link ──lines──▶ conversation ──▶ streamable | event_stream ──requests──▶ http ──▶ connect
//!      ◀──lines── outlet ◀───────────────────┘
//! ```
//!
//! Each request is sent at once and on its own, so none waits for another; messages of one answer keep their order.

mod address;
mod budget;
mod connect;
mod conversation;
mod event_stream;
mod events;
mod hosts;
mod http;
mod lines;
mod outlet;
mod parameters;
mod spec;
mod streamable;
mod target;
mod trust;

pub use connect::NotReached;
pub use hosts::{HostPattern, is_listed};
pub use spec::{Permitted, Spec, prepare};
pub use target::Target;
pub use trust::Trust;

use super::launch::{Exit, Parted};
use crate::resource::RemoteTransport;
use connect::Connector;
use conversation::{Conversation, Transport};
use event_stream::EventStream;
use outlet::Outlet;
use std::time::Duration;
use streamable::Streamable;
use tokio::{
    net::unix::pipe,
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

/// How long what the server has said last may take to be read.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Opens a session with a server: connects to it. With the old transport, the server has answered then.
///
/// # Errors
/// See [`NotReached`].
pub async fn start(spec: Spec) -> Result<Session, NotReached> {
    let Spec { app, instance, transport, target, headers, tls, redaction } = spec;
    let connector = Connector::new(target.clone(), tls);
    let http = http::Http::new(target, connector, headers);
    let opened = match transport {
        RemoteTransport::StreamableHttp => {
            http.connect_ahead().await?;
            None
        }
        RemoteTransport::Sse => {
            let opened = event_stream::open(&http).await;
            Some(opened.map_err(|error| NotReached { why: redaction.text(&error.why).into_owned(), ..error })?)
        }
    };
    let ((stdin, lines), (messages, stdout), (log, stderr)) = (pipe(&http)?, pipe(&http)?, pipe(&http)?);
    let (outlet, writer) = Outlet::new(messages, log);
    let transport = match opened {
        None => Transport::Streamable(Streamable::default()),
        Some(opened) => Transport::EventStream(Box::new(EventStream::new(opened))),
    };
    let closing = CancellationToken::new();
    let conversation = Conversation::new(http, outlet, transport);
    let task = {
        let closing = closing.clone();
        tokio::spawn(async move {
            let writing = writer.run();
            tokio::pin!(writing);
            let parted = tokio::select! {
                parted = conversation.run(lines, closing) => parted,
                () = &mut writing => Parted::Closed,
            };
            let _ = timeout(LAST_WORDS, writing).await;
            tracing::debug!(app, instance, %parted, "a session with a remote server has ended");
            parted
        })
    };
    let handle = Handle { task, closing, deadline: None, exit: None };
    Ok(Session { stdin, stdout, stderr, handle })
}

fn pipe(http: &http::Http) -> Result<(pipe::Sender, pipe::Receiver), NotReached> {
    let failed = |error| NotReached { place: http.target.place(), why: format!("no pipe: {error}"), lasting: false };
    pipe::pipe().map_err(failed)
}

/// A session with what a process would have.
#[derive(Debug)]
pub struct Session {
    pub stdin: pipe::Sender,
    pub stdout: pipe::Receiver,
    pub stderr: pipe::Receiver,
    pub handle: Handle,
}

/// The task of a session. Dropping it ends the session at once.
#[derive(Debug)]
pub struct Handle {
    task: JoinHandle<Parted>,
    /// The server is told first.
    closing: CancellationToken,
    deadline: Option<Instant>,
    exit: Option<Exit>,
}

impl Handle {
    /// Asks it to end, and ends it after `grace`.
    pub fn stop(&mut self, grace: Duration) {
        self.closing.cancel();
        let until = Instant::now() + grace;
        self.deadline = Some(self.deadline.map_or(until, |deadline| deadline.min(until)));
        if grace.is_zero() {
            self.task.abort();
        }
    }

    /// Waits for its end. Cancel safe; answers the same again.
    pub async fn wait(&mut self) -> Exit {
        if let Some(exit) = self.exit {
            return exit;
        }
        let deadline = self.deadline;
        let ended = tokio::select! {
            ended = &mut self.task => ended,
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                self.task.abort();
                (&mut self.task).await
            }
        };
        let exit = match ended {
            Ok(parted) => Exit::Parted(parted),
            Err(error) if error.is_cancelled() => Exit::Parted(Parted::Closed),
            Err(error) => {
                tracing::error!(%error, "the task of a session with a remote server failed");
                Exit::Unknown
            }
        };
        *self.exit.insert(exit)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.task.abort();
    }
}
