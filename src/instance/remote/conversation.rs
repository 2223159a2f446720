//! What is said to one server, and when it is over.

use super::{
    event_stream::EventStream,
    http::{Failure, Http},
    lines::Lines,
    outlet::Outlet,
    streamable::Streamable,
};
use crate::{
    instance::launch::Parted,
    protocol::{Kind, Message, RawId, codes, error_response},
};
use bytes::Bytes;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    net::unix::pipe,
    sync::{Notify, watch},
    task::{self, JoinSet},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// The most requests that are open at one server from one instance, each with a connection of its own.
const MAX_OPEN: usize = 1024;

/// How long what has no answer may take to be accepted.
pub const NOTICE_WITHIN: Duration = Duration::from_secs(30);

/// How long a request that is cancelled is kept in the legacy era, where its server may still answer.
const CANCELLED: Duration = Duration::from_secs(5);

/// How long the first notice holds up what comes after it.
const GREETING_WITHIN: Duration = Duration::from_secs(10);

/// How long the server is told that the session is not needed any more.
const GOODBYE: Duration = Duration::from_secs(5);

/// A server to which no connection can be made is tried so often for so long before the session counts as lost.
const RETRY: Duration = Duration::from_millis(500);
const UNREACHABLE_AFTER: Duration = Duration::from_secs(10);

pub enum Transport {
    Streamable(Streamable),
    EventStream(Box<EventStream>),
}

/// What the tasks of a session share.
pub struct Conversation {
    pub http: Http,
    pub outlet: Outlet,
    transport: Transport,
    ending: watch::Sender<Option<Parted>>,
    /// No connection could be made.
    lost: Notify,
    /// Nothing is sent while the server has not taken `notifications/initialized`.
    greeted: watch::Sender<bool>,
}

/// A request that is open.
struct Open {
    /// Raw JSON.
    id: Box<str>,
    modern: bool,
    cancelled: CancellationToken,
}

/// The tasks of a session, and what the requests among them are.
#[derive(Default)]
struct Tasks {
    all: JoinSet<()>,
    open: HashMap<task::Id, Open>,
}

impl Conversation {
    pub fn new(http: Http, outlet: Outlet, transport: Transport) -> Arc<Self> {
        let (ending, greeted) = (watch::Sender::new(None), watch::Sender::new(true));
        Arc::new(Conversation { http, outlet, transport, ending, lost: Notify::new(), greeted })
    }

    /// Talks until one of both sides has had enough, or cannot any more.
    pub async fn run(self: Arc<Self>, stdin: pipe::Receiver, closing: CancellationToken) -> Parted {
        let mut tasks = Tasks::default();
        if let Transport::EventStream(_) = &self.transport {
            let talk = self.clone();
            tasks.all.spawn(async move {
                if let Transport::EventStream(stream) = &talk.transport {
                    stream.listen(&talk).await;
                }
            });
        }
        let (mut lines, mut ending) = (Lines::new(stdin), self.ending.subscribe());
        let unreachable = self.unreachable();
        tokio::pin!(unreachable);
        let parted = loop {
            tokio::select! {
                line = lines.next() => match line {
                    Some(line) => self.take(&line, &mut tasks).await,
                    None => break Parted::Closed,
                },
                Some(done) = tasks.all.join_next_with_id(), if !tasks.all.is_empty() => {
                    let id = done.map_or_else(|error| error.id(), |(id, ())| id);
                    tasks.open.remove(&id);
                }
                parted = async { ending.wait_for(Option::is_some).await.ok().and_then(|parted| *parted) } => {
                    break parted.unwrap_or(Parted::Closed);
                }
                () = &mut unreachable => break Parted::Unreachable,
                () = closing.cancelled() => break Parted::Closed,
            }
        };
        tasks.all.shutdown().await;
        if let (Parted::Closed, Transport::Streamable(streamable)) = (parted, &self.transport) {
            // A server that does not hear it finds out by itself.
            let _ = timeout(GOODBYE, streamable.goodbye(&self)).await;
        }
        parted
    }

    /// Ends the session.
    pub fn end(&self, parted: Parted) {
        self.ending.send_if_modified(|ending| ending.replace(parted).is_none());
    }

    /// Takes note of a failure, which somebody else is told of.
    pub fn note(&self, what: &str, failure: &Failure) {
        if let Failure::NotReached(_) = failure {
            self.lost.notify_one();
        }
        self.outlet.say(&format!("{what}: {failure}"));
    }

    async fn take(self: &Arc<Self>, line: &Bytes, tasks: &mut Tasks) {
        // It comes from the gateway, which has read it.
        let Ok(message) = Message::parse(line) else { return };
        match message.kind {
            Kind::Request => self.take_request(&message, line.clone(), tasks).await,
            Kind::Notification if message.method == "notifications/cancelled" => {
                let Some(id) = message.params().request_id else { return };
                let mut tell = true;
                for open in tasks.open.values().filter(|open| *open.id == *id) {
                    open.cancelled.cancel();
                    // That its connection is closed says it, in the modern era.
                    tell = !open.modern;
                }
                if tell {
                    self.spawn_notice(line.clone(), tasks);
                }
            }
            Kind::Notification if message.method == "notifications/initialized" => {
                self.greeted.send_replace(false);
                let (talk, line) = (self.clone(), line.clone());
                tasks.all.spawn(async move {
                    let taken = timeout(GREETING_WITHIN, talk.notice(&line)).await;
                    talk.greeted.send_replace(true);
                    if let (Ok(()), Transport::Streamable(streamable)) = (taken, &talk.transport) {
                        streamable.listen(&talk).await;
                    }
                });
            }
            Kind::Notification | Kind::Response => self.spawn_notice(line.clone(), tasks),
        }
    }

    async fn take_request(self: &Arc<Self>, message: &Message<'_>, line: Bytes, tasks: &mut Tasks) {
        let id: Box<str> = message.id.map_or("null", |RawId(raw)| raw).into();
        if tasks.all.len() >= MAX_OPEN {
            let text = format!("more than {MAX_OPEN} requests are open at the remote server");
            return self.refuse(&id, codes::OVERLOADED, &text).await;
        }
        let modern = message.params().meta_version.is_some();
        let cancelled = CancellationToken::new();
        let (talk, token, own) = (self.clone(), cancelled.clone(), id.clone());
        let handle = tasks.all.spawn(async move {
            let patience = async {
                token.cancelled().await;
                if !modern {
                    sleep(CANCELLED).await;
                }
            };
            tokio::select! {
                () = talk.request(&own, &line) => {}
                // Dropping the answer closes its connection.
                () = patience => {}
            }
        });
        tasks.open.insert(handle.id(), Open { id, modern, cancelled });
    }

    async fn request(&self, id: &str, line: &Bytes) {
        let _ = self.greeted.subscribe().wait_for(|greeted| *greeted).await;
        let Ok(message) = Message::parse(line) else { return };
        let sent = match &self.transport {
            Transport::Streamable(streamable) => streamable.request(self, &message, line).await,
            Transport::EventStream(stream) => stream.post(self, line).await,
        };
        if let Err(failure) = sent {
            self.note(&message.method, &failure);
            self.refuse(id, failure.code(), &failure.to_string()).await;
        }
    }

    /// Answers a request in the server's stead.
    async fn refuse(&self, id: &str, code: i64, text: &str) {
        let answer = error_response(id, code, text, None);
        self.outlet.message(&String::from_utf8_lossy(&answer)).await;
    }

    fn spawn_notice(self: &Arc<Self>, line: Bytes, tasks: &mut Tasks) {
        if tasks.all.len() >= MAX_OPEN {
            return self.outlet.say("a notification was lost: too many requests are open");
        }
        let talk = self.clone();
        tasks.all.spawn(async move {
            let _ = talk.greeted.subscribe().wait_for(|greeted| *greeted).await;
            talk.notice(&line).await;
        });
    }

    /// Sends what has no answer.
    async fn notice(&self, line: &Bytes) {
        let Ok(message) = Message::parse(line) else { return };
        let sent = timeout(NOTICE_WITHIN, async {
            match &self.transport {
                Transport::Streamable(streamable) => streamable.notice(self, &message, line).await,
                Transport::EventStream(stream) => stream.post(self, line).await,
            }
        });
        let what = if message.kind == Kind::Response { "an answer" } else { &*message.method };
        match sent.await {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => self.note(what, &failure),
            Err(_) => self.outlet.say(&format!("{what}: not taken within {} s", NOTICE_WITHIN.as_secs())),
        }
    }

    /// Waits until no connection can be made for so long that the server counts as gone.
    async fn unreachable(&self) {
        loop {
            self.lost.notified().await;
            let until = Instant::now() + UNREACHABLE_AFTER;
            loop {
                sleep(RETRY).await;
                match self.http.try_connect().await {
                    Ok(()) => break,
                    Err(error) if Instant::now() >= until => return self.outlet.say(&error.to_string()),
                    Err(_) => {}
                }
            }
        }
    }
}
