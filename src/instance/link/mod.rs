//! A link carries messages between clients and one server process.
//!
//! Clients choose their request ids and progress tokens without knowing of each other. The link gives every open
//! request a number of its own, which stands in for both on the server's side, and puts the client's back into what
//! comes out. So a client can neither see nor cancel nor answer what is another's.

mod ending;
mod receive;
mod traced;
mod writer;

use super::{mailbox::Mailbox, redact::Redaction};
use crate::protocol::{Edit, Message, Params, RawId, one_line};
use bytes::Bytes;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio::{net::unix::pipe, sync::Notify, time::sleep};
use traced::Traced;
use writer::{ClosedBy, NotTaken, Writer};

pub use traced::{has_tool_failed, of_message};

/// The longest message that a server may send. A server that goes beyond is broken, and ended.
pub const MAX_MESSAGE: usize = 64 << 20;

/// The most requests that may be open at one server. Beyond this, clients are told to come back later.
const MAX_OPEN: usize = 16 << 10;

/// How long what a server still says counts after it has closed its stdin: it may be about to end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Who stands at the client's end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// One client: whatever the server says is for it.
    Exclusive,
    /// Many: what cannot be attributed to one of them must not reach any.
    Shared,
}

/// Why a message was not forwarded. Nothing of it has reached the server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the server has ended: {0}")]
    Closed(Arc<str>),
    #[error("this instance is being replaced or stopped")]
    Draining,
    #[error("the server has more requests than it can deal with")]
    Overloaded,
}

/// The stream to a client for what belongs to no request of its.
#[derive(Debug)]
pub struct Sink {
    pub mailbox: Mailbox,
    /// URIs that the client has subscribed to; only looked at where a server is shared.
    pub subscriptions: Mutex<BTreeSet<String>>,
    /// Whether somebody reads the mailbox now.
    pub attached: std::sync::atomic::AtomicBool,
    /// Whether it goes on when the only server that it hears has ended.
    lasting: bool,
}

impl Sink {
    pub fn new() -> Arc<Self> {
        Arc::new(Sink::with(false, BTreeSet::new()))
    }

    /// One that is read from the start, and hears whatever it is attached to.
    pub fn listening(subscriptions: BTreeSet<String>) -> Arc<Self> {
        Arc::new(Sink::with(true, subscriptions))
    }

    fn with(listening: bool, subscriptions: BTreeSet<String>) -> Self {
        Sink {
            mailbox: Mailbox::endless(),
            subscriptions: Mutex::new(subscriptions),
            attached: std::sync::atomic::AtomicBool::new(listening),
            lasting: listening,
        }
    }
}

/// A request as its client sent it.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    pub message: &'a Message<'a>,
    pub params: &'a Params<'a>,
    /// Tells one client's ids from another's on a shared link.
    pub owner: u64,
}

/// Names an open request of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(u64);

#[derive(Debug)]
pub struct Link {
    /// For logs.
    app: Arc<str>,
    instance: Arc<str>,
    /// How messages get to the server, in the words of the conventions for spans.
    transport: &'static str,
    sharing: Sharing,
    /// The secrets of the server, of which nothing may be quoted.
    redaction: Arc<Redaction>,
    writer: Writer,
    state: Mutex<State>,
    /// The last open request of a draining link has been answered, or the link has ended.
    idle: Notify,
    /// It takes nothing new any more.
    leaving: Notify,
    /// The server has announced other tools.
    tools: Notify,
}

#[derive(Debug)]
struct State {
    open: BTreeMap<u64, OpenCall>,
    next: u64,
    /// Ids of the server's requests that its client has not answered, as values ([`RawId::value`]).
    asked: HashSet<Box<str>>,
    /// By address, which is theirs for as long as they are here.
    sinks: BTreeMap<usize, Weak<Sink>>,
    /// URIs that the gateway has subscribed to for clients of the process before.
    renewed: BTreeSet<String>,
    draining: bool,
    closed: Option<Arc<str>>,
    /// It has ended because the server sent too long a line.
    rambled: bool,
    garbage: u64,
}

#[derive(Debug)]
struct OpenCall {
    mailbox: Arc<Mailbox>,
    owner: u64,
    id: Box<str>,
    progress_token: Option<Box<str>>,
    /// `subscriptions/listen`: open for as long as the client likes.
    listens: bool,
    wants_logs: bool,
    /// A question of the gateway's own, for which no server that is to end is kept.
    ours: bool,
    /// Where somebody collects spans.
    traced: Option<Box<Traced>>,
}

impl Link {
    pub fn new(
        app: &str,
        instance: &str,
        transport: &'static str,
        sharing: Sharing,
        redaction: Arc<Redaction>,
        stdin: pipe::Sender,
    ) -> Arc<Self> {
        Arc::new(Link {
            app: app.into(),
            instance: instance.into(),
            transport,
            sharing,
            redaction,
            writer: Writer::new(stdin),
            state: Mutex::new(State {
                open: BTreeMap::new(),
                next: 1,
                asked: HashSet::new(),
                sinks: BTreeMap::new(),
                renewed: BTreeSet::new(),
                draining: false,
                closed: None,
                rambled: false,
                garbage: 0,
            }),
            idle: Notify::new(),
            leaving: Notify::new(),
            tools: Notify::new(),
        })
    }

    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// What the server has said, for people: without its secrets.
    pub fn quoted(&self, text: &str) -> String {
        self.redaction.text(text).into_owned()
    }

    /// Carries messages until the server's stdout ends; returns why it did. The link is still to be closed then, by
    /// who may know more about the reason.
    pub async fn run(&self, stdout: pipe::Receiver) -> String {
        let deaf = async {
            match self.writer.flush().await {
                // What it still says counts until it ends, which somebody sees to.
                ClosedBy::Us => std::future::pending().await,
                ClosedBy::Server => sleep(LAST_WORDS).await,
            }
        };
        tokio::select! {
            reason = self.receive(stdout) => reason,
            () = deaf => "it has closed its standard input".into(),
        }
    }

    /// Forwards a request. Its answer, and what belongs to it, goes to `mailbox`.
    pub fn open(&self, call: Call<'_>, mailbox: &Arc<Mailbox>) -> Result<CallId, Refused> {
        self.enter(call, mailbox, false)
    }

    fn enter(&self, call: Call<'_>, mailbox: &Arc<Mailbox>, ours: bool) -> Result<CallId, Refused> {
        let Call { message, params, owner } = call;
        let mut line = Vec::new();
        let id = {
            let mut state = self.lock();
            state.check_open()?;
            if state.open.len() >= MAX_OPEN {
                return Err(Refused::Overloaded);
            }
            let id = state.next;
            state.next += 1;
            let mapped = id.to_string();
            let (traced, context) = Traced::begin(self, message, params, id);
            let mut edits: Vec<Edit<'_>> = [message.id.map(|RawId(raw)| raw), params.meta_progress_token]
                .into_iter()
                .flatten()
                .map(|raw| Edit { at: message.span(raw), with: &mapped })
                .chain(context.iter().map(|(at, with)| Edit { at: at.clone(), with }))
                .collect();
            edits.sort_by_key(|edit| edit.at.start);
            one_line(message.raw, &edits, &mut line);
            let open = OpenCall {
                mailbox: mailbox.clone(),
                owner,
                id: message.id.map_or("null", |RawId(raw)| raw).into(),
                progress_token: params.meta_progress_token.map(Into::into),
                listens: message.method == "subscriptions/listen",
                wants_logs: params.meta_log_level.is_some(),
                ours,
                traced,
            };
            state.open.insert(id, open);
            id
        };
        self.write(line).inspect_err(|_| self.forget(CallId(id)))?;
        Ok(CallId(id))
    }

    /// A request of the gateway's own; the answer is the delivery in the returned mailbox.
    pub fn ask(&self, method: &str, params: &Value) -> Result<(CallId, Arc<Mailbox>), Refused> {
        let bytes = crate::protocol::request(0, method, params);
        let mailbox = Arc::new(Mailbox::for_answers_only(1));
        let message = Message::parse(&bytes).map_err(|e| Refused::Closed(e.to_string().into()))?;
        let call = Call { message: &message, params: &message.params(), owner: 0 };
        Ok((self.enter(call, &mailbox, true)?, mailbox))
    }

    /// Waits until the server announces that its tools have changed, if it has not done so since the last wait.
    pub async fn tools_changed(&self) {
        self.tools.notified().await;
    }

    /// Forwards a notification as it is.
    pub fn notify(&self, message: &Message<'_>) -> Result<(), Refused> {
        self.forward(message)
    }

    /// Forwards a client's answer to a request of the server's, if the server asked and has no answer yet.
    pub fn respond(&self, message: &Message<'_>) -> Result<(), Refused> {
        let known = message.id.is_some_and(|id| self.lock().asked.remove(&*id.value()));
        if known { self.forward(message) } else { Ok(()) }
    }

    /// The server has taken back a request of its own: an answer to it goes nowhere.
    pub fn retracted(&self, id: &str) {
        self.lock().asked.remove(&*RawId(id).value());
    }

    /// Cancels a request at its client's word. `client_id` is the raw id by which the client knows it.
    pub fn cancel_named(&self, owner: u64, client_id: &str, notification: &Message<'_>) -> Result<(), Refused> {
        let found = {
            let mut state = self.lock();
            let client_id = RawId(client_id).value();
            let found = state.open.iter().find(|(_, call)| call.owner == owner && RawId(&call.id).value() == client_id);
            found.map(|(id, _)| *id).and_then(|id| state.open.remove(&id).map(|call| (id, call)))
        };
        let Some((id, mut call)) = found else { return Ok(()) };
        call.traced.take().into_iter().for_each(|traced| traced.cancelled());
        call.mailbox.expect_one_less();
        self.signal_idle();
        let mapped = id.to_string();
        let at = notification.params().request_id.map(|raw| notification.span(raw));
        let edits: Vec<Edit<'_>> = at.map(|at| Edit { at, with: &mapped }).into_iter().collect();
        let mut line = Vec::new();
        one_line(notification.raw, &edits, &mut line);
        self.write(line)
    }

    /// Cancels a request whose client has gone away.
    pub fn cancel(&self, CallId(id): CallId) {
        let cancelled = self.lock().open.remove(&id);
        if let Some(mut call) = cancelled {
            call.traced.take().into_iter().for_each(|traced| traced.cancelled());
            self.signal_idle();
            let params = serde_json::json!({ "requestId": id, "reason": "the client has gone" });
            // A server that is gone needs no cancellation.
            let _ = self.write(crate::protocol::notification("notifications/cancelled", &params));
        }
    }

    /// Lets a request run on whose answer nobody waits for.
    pub fn forget(&self, CallId(id): CallId) {
        self.lock().open.remove(&id);
        self.signal_idle();
    }

    /// Registers where to put what belongs to no request; once more changes nothing. Whether it is new here.
    pub fn attach(&self, sink: &Arc<Sink>) -> bool {
        let mut state = self.lock();
        let address = Arc::as_ptr(sink).addr();
        if state.sinks.contains_key(&address) {
            return false;
        }
        state.sinks.retain(|_, other| other.strong_count() > 0);
        state.sinks.insert(address, Arc::downgrade(sink));
        true
    }

    /// Whether nobody has renewed a subscription to a URI yet: of many clients one is enough.
    pub fn is_first_to_subscribe(&self, uri: &str) -> bool {
        self.lock().renewed.insert(uri.to_owned())
    }

    /// Whether another client than the owner of `sink` has subscribed to a URI.
    pub fn subscribed_elsewhere(&self, uri: &str, sink: &Arc<Sink>) -> bool {
        let sinks = self.lock().sinks();
        sinks.iter().any(|other| !Arc::ptr_eq(other, sink) && lock(&other.subscriptions).contains(uri))
    }

    /// How many requests of clients are open, listeners apart.
    pub fn open_calls(&self) -> usize {
        self.lock().waiting()
    }

    fn forward(&self, message: &Message<'_>) -> Result<(), Refused> {
        let mut line = Vec::new();
        one_line(message.raw, &[], &mut line);
        self.write(line)
    }

    fn write(&self, mut line: Vec<u8>) -> Result<(), Refused> {
        line.push(b'\n');
        self.writer.write(&line).map_err(|not_taken| match not_taken {
            NotTaken::Full => Refused::Overloaded,
            NotTaken::Closed => {
                Refused::Closed(self.lock().closed.clone().unwrap_or_else(|| "it is being stopped".into()))
            }
        })
    }

    fn signal_idle(&self) {
        let state = self.lock();
        if state.draining && state.waiting() == 0 {
            drop(state);
            self.idle.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    fn check_open(&self) -> Result<(), Refused> {
        match &self.closed {
            Some(reason) => Err(Refused::Closed(reason.clone())),
            None if self.draining => Err(Refused::Draining),
            None => Ok(()),
        }
    }

    fn waiting(&self) -> usize {
        self.open.values().filter(|call| !call.listens && !call.ours).count()
    }

    fn sinks(&self) -> Vec<Arc<Sink>> {
        self.sinks.values().filter_map(Weak::upgrade).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;

/// Bytes of a message with some parts replaced.
fn edited(message: &Message<'_>, edits: &[Edit<'_>]) -> Bytes {
    let mut out = Vec::new();
    one_line(message.raw, edits, &mut out);
    out.into()
}
