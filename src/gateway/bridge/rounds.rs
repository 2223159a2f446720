//! A request of a session on a stateless server: made again, with what the client has said meanwhile, until the server
//! knows enough.

use super::{
    asking::{Reply, refusal},
    translate::{self, Answer},
    upgrade::Upgrade,
};
use crate::{
    gateway::{
        Gateway, all,
        caller::Caller,
        classify::Fault,
        exchange::Exchange,
        feed::{Feed, Keeper},
        session::{Awaiting, Session},
    },
    instance::{
        fleet::Fleet,
        link::{Call, Refused},
        mailbox::{Delivery, Mailbox},
    },
    protocol::{FrameError, Message, Object, codes, error_response, text_member},
    telemetry::span::Parent,
};
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// After so many rounds a server does not know what it wants.
const MAX_ROUNDS: u32 = 64;

/// A request under way.
#[derive(Debug)]
pub struct Rounds {
    session: Arc<Session>,
    server: Server,
    /// The request as the client sent it.
    request: Bytes,
    open: Registered,
    /// Its client waits, also while it is asked something.
    _awaiting: Awaiting,
    feed: Box<Feed>,
    /// The next round, while it is being opened.
    opening: Option<Opening>,
    /// What the client is yet to be asked.
    to_ask: VecDeque<Bytes>,
    /// What it has been asked.
    asked: VecDeque<Question>,
    answers: Vec<(String, String)>,
    state: Option<String>,
    /// The server is to be asked again once every question has its answer.
    again: bool,
    /// It has been answered with a failure: nothing more comes of it.
    over: bool,
    rounds: u32,
    /// Whether the client takes requests on the stream of its own request.
    events: bool,
    /// On whose account further rounds are.
    parent: Parent,
}

/// A request that its client can cancel.
#[derive(Debug)]
struct Registered {
    session: Arc<Session>,
    /// The raw id.
    id: Box<str>,
    /// Cancelled at the client's word.
    cancelled: CancellationToken,
}

impl Drop for Registered {
    fn drop(&mut self) {
        if let Some(upgrade) = self.session.upgrade() {
            upgrade.asks.closed(&self.id);
        }
    }
}

/// Who answers.
#[derive(Clone, Debug)]
pub enum Server {
    /// The process that all clients of the session's app share.
    Process(Arc<Fleet>),
    /// All apps together.
    All { gateway: Arc<Gateway>, caller: Caller },
}

struct Opening(Pin<Box<dyn Future<Output = Result<Feed, Fault>> + Send>>);

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opening")
    }
}

#[derive(Debug)]
struct Question {
    key: String,
    method: String,
    reply: oneshot::Receiver<Reply>,
}

/// Sends a request of a session to the process that is its server, with answers for what it asked before.
fn send(session: &Arc<Session>, fleet: &Fleet, message: &Message<'_>) -> Result<Feed, Fault> {
    let params = message.params();
    let mailbox = Arc::new(Mailbox::for_answers(1));
    // A server may be replaced between finding it and asking it; the next look finds the new one.
    let mut outcome = Err(Refused::Draining);
    for _ in 0..3 {
        let gone = || Fault::unavailable("the server does not serve at the moment", 1);
        let link = session.link(fleet).map_err(|_| gone())?;
        outcome = link.open(Call { message, params: &params, owner: session.owner }, &mailbox);
        if !matches!(outcome, Err(Refused::Draining)) {
            break;
        }
    }
    outcome.map_err(|refused| Fault::unavailable(refused.to_string(), 1))?;
    let keeper = Keeper::Session(Awaiting::begin(session.clone(), mailbox.clone()));
    Ok(Feed::Direct { mailbox, _keeper: keeper })
}

/// A request with what the client has said of itself, and what it has answered.
fn completed(upgrade: &Upgrade, request: &[u8], retry: &[(&str, &str)]) -> Result<Vec<u8>, Fault> {
    let message = Message::parse(request).map_err(|error| unreadable(&error))?;
    Ok(translate::to_stateless(&message, &message.params(), &upgrade.client(), retry))
}

fn unreadable(error: &FrameError) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, codes::INVALID_REQUEST, error.to_string())
}

impl Rounds {
    /// Opens a request. Where what it is about is decided on the way, with what has been decided.
    ///
    /// # Errors
    /// When nobody takes it.
    pub async fn open(
        session: &Arc<Session>,
        upgrade: &Upgrade,
        server: Server,
        request: &Message<'_>,
        events: bool,
    ) -> Result<(Self, Option<Exchange>), Fault> {
        let id = request.id.map_or("null", |id| id.0);
        let bytes = Bytes::copy_from_slice(request.raw.as_bytes());
        let sent = completed(upgrade, &bytes, &[])?;
        let message = Message::parse(&sent).map_err(|error| unreadable(&error))?;
        // From here on the client can take it back.
        let open = Registered { session: session.clone(), id: id.into(), cancelled: upgrade.asks.opened(id) };
        let (feed, exchange) = match &server {
            Server::Process(fleet) => (send(session, fleet, &message)?, None),
            Server::All { gateway, caller } => {
                let headers = HeaderMap::new();
                let opening = all::open(gateway, caller, &headers, &message);
                match open.cancelled.run_until_cancelled(opening).await {
                    Some(opened) => opened.map(|(feed, exchange)| (feed, Some(exchange)))?,
                    // There will be no answer.
                    None => (Feed::Ready(None), None),
                }
            }
        };
        let rounds = Rounds {
            session: session.clone(),
            server,
            request: bytes,
            open,
            _awaiting: Awaiting::begin(session.clone(), Arc::new(Mailbox::endless())),
            feed: Box::new(feed),
            opening: None,
            to_ask: VecDeque::new(),
            asked: VecDeque::new(),
            answers: Vec::new(),
            state: None,
            again: false,
            over: false,
            rounds: 0,
            events,
            parent: Parent::current(),
        };
        Ok((rounds, exchange))
    }

    /// The next message; `None` when no more will come. Cancel safe.
    pub async fn next(&mut self) -> Option<Delivery> {
        let cancelled = self.open.cancelled.clone();
        // Whoever has cancelled waits for nothing.
        cancelled.run_until_cancelled(self.advance()).await.flatten()
    }

    async fn advance(&mut self) -> Option<Delivery> {
        loop {
            if self.over {
                return None;
            }
            if let Some(message) = self.to_ask.pop_front() {
                return Some(Delivery::Message(message));
            }
            if let Some(question) = self.asked.front_mut() {
                // Nobody waits for an answer that cannot come any more.
                let reply = (&mut question.reply).await.ok()?;
                if let Some(failure) = self.take_reply(reply) {
                    return Some(failure);
                }
            } else if let Some(Opening(opening)) = &mut self.opening {
                let opened = opening.await;
                self.opening = None;
                match opened {
                    Ok(feed) => *self.feed = feed,
                    Err(fault) => return Some(self.failed(fault.code, &fault.message)),
                }
            } else if std::mem::take(&mut self.again) {
                if let Err(fault) = self.ask_again() {
                    return Some(self.failed(fault.code, &fault.message));
                }
            } else {
                let delivery = Box::pin(self.feed.next()).await?;
                if let Some(delivery) = self.take(delivery) {
                    return Some(delivery);
                }
            }
        }
    }

    /// The next message, if there is one already.
    pub fn try_next(&mut self) -> Option<Delivery> {
        if let Some(message) = self.to_ask.pop_front() {
            return Some(Delivery::Message(message));
        }
        if self.over || self.again || self.opening.is_some() || !self.asked.is_empty() {
            return None;
        }
        let delivery = self.feed.try_next()?;
        self.take(delivery)
    }

    fn take(&mut self, delivery: Delivery) -> Option<Delivery> {
        let Delivery::Answer { message: bytes, error_code } = delivery else { return Some(delivery) };
        let answer = Message::parse(&bytes).ok()?;
        match translate::answer_to_session(&answer) {
            Answer::Final(message) => Some(Delivery::Answer { message: message.into(), error_code }),
            Answer::InputRequired { requests, state } => self.ask(requests, state).err(),
        }
    }

    /// Asks the client what the server wants to know.
    fn ask(&mut self, requests: Vec<(String, String)>, state: Option<String>) -> Result<(), Delivery> {
        self.rounds += 1;
        if self.rounds > MAX_ROUNDS || requests.is_empty() && state.is_none() {
            return Err(self.failed(codes::INTERNAL_ERROR, "the server asks again and again"));
        }
        self.answers.clear();
        (self.state, self.again) = (state, true);
        for (key, request) in requests {
            let method = Object::read(&request).get("method").and_then(text_member).unwrap_or_default().into_owned();
            let session = self.session.clone();
            let upgrade = session.upgrade().filter(|upgrade| upgrade.can_answer(&method));
            let Some(upgrade) = upgrade else {
                let text = "the server wants to know what the client has not declared that it can say";
                return Err(self.failed(codes::INTERNAL_ERROR, &format!("{text}: {method}")));
            };
            let Some((message, reply)) = upgrade.asks.ask(&self.open.id, &request) else {
                return Err(self.failed(codes::INTERNAL_ERROR, "the client has too many questions open"));
            };
            if self.events {
                self.to_ask.push_back(message.into());
            } else if !self.session.sink.attached.load(Relaxed) || !self.session.sink.mailbox.push(message.into()) {
                return Err(self.failed(codes::INTERNAL_ERROR, "the client cannot be asked: it reads no stream"));
            }
            self.asked.push_back(Question { key, method, reply });
        }
        Ok(())
    }

    fn take_reply(&mut self, reply: Reply) -> Option<Delivery> {
        let Question { key, method, .. } = self.asked.pop_front()?;
        match (reply, refusal(&method)) {
            (Ok(answer), _) => self.answers.push((key, answer)),
            (Err(_), Some(answer)) => self.answers.push((key, answer.to_owned())),
            (Err(reason), None) => {
                return Some(
                    self.failed(codes::INTERNAL_ERROR, &format!("the client has not answered {method}: {reason}")),
                );
            }
        }
        None
    }

    fn ask_again(&mut self) -> Result<(), Fault> {
        let answers: Vec<_> = self.answers.iter().map(|(key, answer)| (key.as_str(), answer.as_str())).collect();
        let answers = Object::default().with(&answers);
        let mut retry = vec![("inputResponses", answers.as_str())];
        retry.extend(self.state.as_deref().map(|state| ("requestState", state)));
        let Some(upgrade) = self.session.upgrade() else { return Ok(()) };
        let sent = completed(upgrade, &self.request, &retry)?;
        match self.server.clone() {
            Server::Process(fleet) => {
                let message = Message::parse(&sent).map_err(|error| unreadable(&error))?;
                let _working = self.parent.enter();
                *self.feed = send(&self.session, &fleet, &message)?;
            }
            Server::All { gateway, caller } => {
                self.opening = Some(Opening(Box::pin(self.parent.within(async move {
                    let message = Message::parse(&sent).map_err(|error| unreadable(&error))?;
                    // What has been decided of it the first time still stands guard.
                    all::open(&gateway, &caller, &HeaderMap::new(), &message).await.map(|(feed, _)| feed)
                }))));
            }
        }
        Ok(())
    }

    fn failed(&mut self, code: i64, why: &str) -> Delivery {
        self.over = true;
        self.to_ask.clear();
        self.asked.clear();
        Delivery::Answer { message: error_response(&self.open.id, code, why, None).into(), error_code: Some(code) }
    }
}
