//! A call of a stateless client on the server of a session.

use super::{
    held::{Asked, Held, HeldCall},
    processes::Use,
    translate,
};
use crate::{
    gateway::{access::Principal, feed::Cancel},
    instance::{
        link::Link,
        mailbox::{Delivery, Mailbox},
    },
    protocol::{Edit, Kind, Message, Object, RawId, codes, error_response, one_line, text_member},
};
use bytes::Bytes;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};

/// After a first question of a server: how long others that belong to it are waited for.
const GATHER: Duration = Duration::from_millis(20);

/// What makes a call the same when it is made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub principal: Principal,
    pub app: String,
    pub method: String,
    /// Raw `name` or `uri`.
    pub name: Option<String>,
}

/// What the client has said, this time, of itself and of what it wants to hear.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Its raw id.
    pub id: Box<str>,
    pub progress_token: Option<Box<str>>,
    /// Raw JSON.
    pub capabilities: Box<str>,
    pub wants_logs: bool,
}

/// The part of a call that lives on while its client is asked something.
#[derive(Debug)]
pub struct Pending {
    pub mailbox: Arc<Mailbox>,
    pub cancel: Cancel,
    /// `None`: the process that all clients share, of which nobody can be asked anything.
    pub process: Option<Use>,
}

/// A call under way.
#[derive(Debug)]
pub struct Call {
    held: Arc<Held>,
    subject: Subject,
    terms: Terms,
    /// Raw JSON.
    server_info: Option<Arc<str>>,
    /// `None` once it has been answered, or is held.
    pending: Option<Pending>,
    /// What the server has asked in this round.
    asked: Vec<Asked>,
    gather_until: Option<Instant>,
    /// A capability that the server needs and the client has not declared.
    missing: Option<&'static str>,
}

impl Call {
    pub fn new(
        held: Arc<Held>,
        subject: Subject,
        terms: Terms,
        server_info: Option<Arc<str>>,
        pending: Pending,
    ) -> Self {
        let (asked, gather_until, missing) = (Vec::new(), None, None);
        Call { held, subject, terms, server_info, pending: Some(pending), asked, gather_until, missing }
    }

    /// Goes on with a call whose client has come back with answers (a raw object). Those that are missing are asked for
    /// again.
    pub fn resume(held: Arc<Held>, call: HeldCall, terms: Terms, answers: &str) -> Self {
        let HeldCall { subject, server_info, pending, asked } = call;
        let answers = Object::read(answers);
        let mut unanswered = Vec::new();
        for asked in asked {
            match answers.get(&asked.key) {
                Some(answer) => respond(&pending.cancel.link, &asked.id, answer),
                None => unanswered.push(asked),
            }
        }
        let gather_until = (!unanswered.is_empty()).then(Instant::now);
        let (pending, asked, missing) = (Some(pending), unanswered, None);
        Call { held, subject, terms, server_info, pending, asked, gather_until, missing }
    }

    /// The next message; `None` when no more will come. Cancel safe.
    pub async fn next(&mut self) -> Option<Delivery> {
        loop {
            let mailbox = self.pending.as_ref()?.mailbox.clone();
            let delivery = match self.gather_until {
                None => mailbox.next().await,
                Some(until) => match timeout_at(until, mailbox.next()).await {
                    Ok(delivery) => delivery,
                    Err(_) => return self.hold(),
                },
            };
            let Some(delivery) = delivery else {
                self.pending = None;
                return None;
            };
            if let Some(delivery) = self.translate(delivery) {
                return Some(delivery);
            }
        }
    }

    /// The next message, if there is one already.
    pub fn try_next(&mut self) -> Option<Delivery> {
        loop {
            let delivery = self.pending.as_ref()?.mailbox.try_next()?;
            if let Some(delivery) = self.translate(delivery) {
                return Some(delivery);
            }
        }
    }

    /// What the client gets of it; `None`: nothing, now.
    fn translate(&mut self, delivery: Delivery) -> Option<Delivery> {
        match delivery {
            Delivery::Message(bytes) => {
                let message = Message::parse(&bytes).ok()?;
                match message.kind {
                    Kind::Notification if message.method == "notifications/cancelled" => {
                        self.taken_back(&message);
                        None
                    }
                    Kind::Notification => self.notification(&message).map(Delivery::Message),
                    Kind::Request => {
                        self.request(&message);
                        None
                    }
                    Kind::Response => None,
                }
            }
            Delivery::Answer { message, .. } => {
                let answer = Message::parse(&message).ok()?;
                let Terms { id, .. } = &self.terms;
                let info = self.server_info.as_deref();
                let (message, error_code) = match self.missing.filter(|_| has_failed(&answer)) {
                    Some(capability) => missing_capability(id, capability),
                    None => translate::answer_to_stateless(&answer, id, &self.subject.method, info),
                };
                if let Some(pending) = self.pending.take() {
                    // A server that has answered does not wait for an answer any more, and is not to be left with a question.
                    let text = "the call is over";
                    for Asked { id, .. } in self.asked.drain(..) {
                        let error = error_response(&id, codes::INVALID_REQUEST, text, None);
                        answer_server(&pending.cancel.link, &error);
                    }
                }
                self.gather_until = None;
                Some(Delivery::Answer { message: message.into(), error_code })
            }
        }
    }

    fn notification(&self, message: &Message<'_>) -> Option<Bytes> {
        match message.method.as_ref() {
            "notifications/message" if !self.terms.wants_logs => None,
            "notifications/progress" => {
                // The client may have come back with another token than it had at first.
                let (token, raw) = self.terms.progress_token.as_deref().zip(message.params().progress_token)?;
                let mut out = Vec::new();
                one_line(message.raw, &[Edit { at: message.span(raw), with: token }], &mut out);
                Some(out.into())
            }
            // For whoever listens; and the last one is of an era in which servers could ask.
            method if method.ends_with("/list_changed") => None,
            "notifications/resources/updated" | "notifications/elicitation/complete" => None,
            _ => Some(Bytes::copy_from_slice(message.raw.as_bytes())),
        }
    }

    /// The server does not want to know any more.
    fn taken_back(&mut self, message: &Message<'_>) {
        let params = message.params();
        let (Some(pending), Some(id)) = (&self.pending, params.request_id) else { return };
        self.asked.retain(|asked| RawId(&asked.id).value() != RawId(id).value());
        pending.cancel.link.retracted(id);
        if self.asked.is_empty() {
            self.gather_until = None;
        }
    }

    /// What the server wants to know.
    fn request(&mut self, message: &Message<'_>) {
        let (Some(pending), Some(RawId(id))) = (&self.pending, message.id) else { return };
        let link = &pending.cancel.link;
        if message.method == "ping" {
            return respond(link, id, "{}");
        }
        let needed = translate::capability(&message.method);
        let declared = Object::read(&self.terms.capabilities);
        if needed.is_none_or(|needed| declared.get(needed).is_none()) {
            // Of several calls it would not be known whose it is.
            self.missing = needed.filter(|_| link.open_calls() == 1).or(self.missing);
            let text = "the client has not declared that it can answer this";
            return answer_server(link, &error_response(id, codes::METHOD_NOT_FOUND, text, None));
        }
        let params = message.params.unwrap_or("{}");
        let request = json!({ "method": message.method }).to_string();
        let request = Object::read(&request).with(&[("params", params)]);
        self.asked.push(Asked { key: self.held.key(), id: id.into(), request });
        self.gather_until.get_or_insert_with(|| Instant::now() + GATHER);
    }

    /// Lets the call wait for what the client has to say.
    fn hold(&mut self) -> Option<Delivery> {
        let pending = self.pending.take()?;
        let asked = std::mem::take(&mut self.asked);
        let requests: Vec<_> = asked.iter().map(|asked| (asked.key.as_str(), asked.request.as_str())).collect();
        let requests = Object::default().with(&requests);
        let call = HeldCall { subject: self.subject.clone(), server_info: self.server_info.clone(), pending, asked };
        let id = &self.terms.id;
        let (message, error_code) = match self.held.keep(call) {
            Ok(state) => {
                let state = Value::from(state).to_string();
                let set = [
                    ("resultType", r#""input_required""#),
                    ("inputRequests", requests.as_str()),
                    ("requestState", state.as_str()),
                ];
                (translate::result(id, &Object::default().with(&set)), None)
            }
            Err(call) => {
                call.abandon();
                let text = "too many calls wait for what their clients have to say";
                (error_response(id, codes::OVERLOADED, text, None), Some(codes::OVERLOADED))
            }
        };
        Some(Delivery::Answer { message: message.into(), error_code })
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // The client has gone in the middle.
        if let Some(process) = self.pending.as_ref().and_then(|pending| pending.process.as_ref()) {
            process.spoil_alone();
        }
    }
}

/// Whether a call has come to nothing, be it for the protocol or for the tool.
fn has_failed(answer: &Message<'_>) -> bool {
    answer.error.is_some() || answer.result.is_some_and(|raw| Object::read(raw).get("isError") == Some("true"))
}

/// The server cannot do it without what the client has not declared.
fn missing_capability(id: &str, capability: &str) -> (Vec<u8>, Option<i64>) {
    let text = format!("the server needs the client to have declared `{capability}`");
    let data = json!({ "requiredCapabilities": { capability: {} } });
    let code = codes::MISSING_CAPABILITY;
    (error_response(id, code, &text, Some(data)), Some(code))
}

/// Gives a server the answer (raw JSON) to a request of its own.
fn respond(link: &Link, id: &str, answer: &str) {
    // `inputResponses` may hold anything, and a server takes what it is given for a result.
    let object = if answer.starts_with('{') { answer } else { "{}" };
    answer_server(link, &translate::result(id, object));
}

fn answer_server(link: &Link, bytes: &[u8]) {
    if let Ok(message) = Message::parse(bytes) {
        // One that is gone needs no answer.
        let _ = link.respond(&message);
    }
}

/// Whether a client that has declared this much (raw JSON) can be asked anything.
pub fn can_be_asked(capabilities: &str) -> bool {
    let declared = Object::read(capabilities);
    ["elicitation", "sampling", "roots"].iter().any(|name| declared.get(name).is_some())
}

/// The raw text of a name, for comparison.
pub fn named(raw: Option<&str>) -> Option<String> {
    raw.map(|raw| text_member(raw).map_or_else(|| raw.to_owned(), |text| text.into_owned()))
}
