//! A request of a session on a stateless server: made again, with what the client has said meanwhile, until the server
//! knows enough.

use super::{
    asking::{Reply, refusal},
    translate::{self, Answer},
    upgrade::Upgrade,
};
use crate::{
    gateway::session::{Awaiting, Session},
    instance::{
        fleet::Fleet,
        link::{Call, Refused},
        mailbox::{Delivery, Mailbox},
    },
    protocol::{Message, Object, RawId, codes, error_response, text_member},
};
use bytes::Bytes;
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::oneshot;

/// After so many rounds a server does not know what it wants.
const MAX_ROUNDS: u32 = 64;

/// A request under way.
#[derive(Debug)]
pub struct Rounds {
    session: Arc<Session>,
    fleet: Arc<Fleet>,
    /// The request as the client sent it.
    request: Bytes,
    mailbox: Arc<Mailbox>,
    _awaiting: Awaiting,
    /// What the client is yet to be asked.
    to_ask: VecDeque<Bytes>,
    /// What it has been asked.
    asked: VecDeque<Question>,
    answers: Vec<(String, String)>,
    state: Option<String>,
    /// The server is to be asked again once every question has its answer.
    again: bool,
    rounds: u32,
    /// Whether the client takes requests on the stream of its own request.
    events: bool,
}

#[derive(Debug)]
struct Question {
    key: String,
    method: String,
    reply: oneshot::Receiver<Reply>,
}

/// Sends a request of a session to its server, with answers for what it asked before.
fn send(
    session: &Session,
    upgrade: &Upgrade,
    fleet: &Fleet,
    request: &[u8],
    retry: &[(&str, &str)],
) -> Result<Arc<Mailbox>, Refused> {
    let unreadable = |error: &dyn std::fmt::Display| Refused::Closed(error.to_string().into());
    let message = Message::parse(request).map_err(|error| unreadable(&error))?;
    let bytes = translate::to_stateless(&message, &message.params(), &upgrade.client(), retry);
    let message = Message::parse(&bytes).map_err(|error| unreadable(&error))?;
    let params = message.params();
    let mailbox = Arc::new(Mailbox::for_answers(1));
    // A server may be replaced between finding it and asking it; the next look finds the new one.
    let mut outcome = Err(Refused::Draining);
    for _ in 0..3 {
        let link = session.link(fleet).map_err(|_| Refused::Closed("it does not serve at the moment".into()))?;
        outcome = link.open(Call { message: &message, params: &params, owner: session.owner }, &mailbox);
        if !matches!(outcome, Err(Refused::Draining)) {
            break;
        }
    }
    outcome.map(|_| mailbox)
}

impl Rounds {
    /// Opens a request.
    ///
    /// # Errors
    /// When the server does not take it.
    pub fn open(
        session: &Arc<Session>,
        upgrade: &Upgrade,
        fleet: &Arc<Fleet>,
        request: &Message<'_>,
        events: bool,
    ) -> Result<Self, Refused> {
        let bytes = Bytes::copy_from_slice(request.raw.as_bytes());
        let mailbox = send(session, upgrade, fleet, &bytes, &[])?;
        Ok(Rounds {
            _awaiting: Awaiting::begin(session.clone(), mailbox.clone()),
            session: session.clone(),
            fleet: fleet.clone(),
            request: bytes,
            mailbox,
            to_ask: VecDeque::new(),
            asked: VecDeque::new(),
            answers: Vec::new(),
            state: None,
            again: false,
            rounds: 0,
            events,
        })
    }

    /// The next message; `None` when no more will come. Cancel safe.
    pub async fn next(&mut self) -> Option<Delivery> {
        loop {
            if let Some(message) = self.to_ask.pop_front() {
                return Some(Delivery::Message(message));
            }
            if let Some(question) = self.asked.front_mut() {
                let Ok(reply) = (&mut question.reply).await else {
                    // Nobody waits for the answer any more.
                    return None;
                };
                if let Some(failure) = self.take_reply(reply) {
                    return Some(failure);
                }
            } else if std::mem::take(&mut self.again) {
                if let Some(failure) = self.ask_again() {
                    return Some(failure);
                }
            } else {
                let delivery = self.mailbox.next().await?;
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
        if self.again || !self.asked.is_empty() {
            return None;
        }
        let delivery = self.mailbox.try_next()?;
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
            return Err(self.failed("the server asks again and again"));
        }
        self.answers.clear();
        (self.state, self.again) = (state, true);
        for (key, request) in requests {
            let method = Object::read(&request).get("method").and_then(text_member).unwrap_or_default().into_owned();
            let session = self.session.clone();
            let upgrade = session.upgrade().filter(|upgrade| upgrade.can_answer(&method));
            let Some(upgrade) = upgrade else {
                let text = "the server wants to know what the client has not declared that it can say";
                return Err(self.failed(&format!("{text}: {method}")));
            };
            let id = self.id();
            let Some((message, reply)) = upgrade.asks.ask(&id, &request) else {
                return Err(self.failed("the client has too many questions open"));
            };
            if self.events {
                self.to_ask.push_back(message.into());
            } else if !self.session.sink.mailbox.push(message.into()) {
                return Err(self.failed("the client cannot be asked: it reads no stream"));
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
                return Some(self.failed(&format!("the client has not answered {method}: {reason}")));
            }
        }
        None
    }

    fn ask_again(&mut self) -> Option<Delivery> {
        let answers: Vec<_> = self.answers.iter().map(|(key, answer)| (key.as_str(), answer.as_str())).collect();
        let answers = Object::default().with(&answers);
        let mut retry = vec![("inputResponses", answers.as_str())];
        retry.extend(self.state.as_deref().map(|state| ("requestState", state)));
        let session = self.session.clone();
        let sent = session.upgrade().map(|upgrade| send(&session, upgrade, &self.fleet, &self.request, &retry))?;
        match sent {
            Ok(mailbox) => {
                self._awaiting = Awaiting::begin(session, mailbox.clone());
                self.mailbox = mailbox;
                None
            }
            Err(refused) => Some(self.failed(&refused.to_string())),
        }
    }

    /// The raw id of the request.
    fn id(&self) -> String {
        let message = Message::parse(&self.request).ok();
        message.and_then(|message| message.id).map_or("null", |RawId(id)| id).to_owned()
    }

    fn failed(&self, why: &str) -> Delivery {
        let code = codes::INTERNAL_ERROR;
        Delivery::Answer { message: error_response(&self.id(), code, why, None).into(), error_code: Some(code) }
    }
}
