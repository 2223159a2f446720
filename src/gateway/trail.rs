//! What the audit is told of a message of a client's, and of what came of it.

use super::{
    caller::Caller,
    classify::{Fault, SESSION_ID},
    spans::{Ambient, Served},
};
use crate::{
    audit::{Log, Open},
    instance::{
        fleet::Fleet,
        traffic::{Passing, Traffic},
        view::Route,
    },
    protocol::{Era, Kind, Message, Params, text_member},
    status::model::audit::{Kind as RecordKind, Outcome, Record},
    telemetry::span::Parent,
};
use axum::{http::HeaderMap, response::Response};
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What an answer outside of a server's own says has gone wrong. In the extensions of the response.
#[derive(Clone, Debug)]
pub struct Failure {
    pub code: i64,
    pub message: String,
    /// It is for want of a right.
    pub denied: bool,
}

/// Where records go, and what is the same in all that are about the messages of one HTTP request.
#[derive(Clone, Debug)]
pub struct Trace {
    log: Log,
    fleet: Arc<Fleet>,
    /// Of the session that the client has named, be there one or not.
    session: Option<Arc<str>>,
    /// It is recorded elsewhere.
    aside: bool,
    /// What it says of the trace that it belongs to.
    ambient: Ambient,
}

impl Trace {
    pub fn new(log: &Log, fleet: &Arc<Fleet>, headers: &HeaderMap) -> Self {
        let session = super::classify::header(headers, &SESSION_ID).map(|id| session_label(id).into());
        Trace { log: log.clone(), fleet: fleet.clone(), session, aside: false, ambient: Ambient::of(headers) }
    }

    /// For a message that stands for another one, of which the record is.
    #[must_use]
    pub fn aside(self) -> Self {
        Trace { aside: true, ..self }
    }

    /// Records what was refused before it was known to be a message.
    pub fn refused(&self, caller: &Caller, app: &str, outcome: Outcome, fault: &Fault) {
        let mut record = self.record(RecordKind::Request, caller, app);
        record.set_outcome(outcome);
        (record.code, record.reason) = (Some(fault.code), Some(fault.message.clone()));
        self.log.record(record);
    }

    /// Records a message that is not forwarded because its sender may not send it.
    pub fn denied(&self, caller: &Caller, app: &str, message: &Message<'_>, params: &Params<'_>, fault: &Fault) {
        if self.aside {
            return;
        }
        if let Some(span) = self.span(app, message, params) {
            span.failed(fault.code);
        }
        if let Some(traffic) = self.fleet.traffic(app).filter(|_| message.kind == Kind::Request) {
            traffic.add(era(params), Outcome::Denied, None);
        }
        let mut record = self.of_message(caller, app, message, params);
        record.set_outcome(Outcome::Denied);
        (record.code, record.reason) = (Some(fault.code), Some(fault.message.clone()));
        self.log.record(record);
    }

    /// Begins the record of a message that was admitted.
    pub fn begin(&self, caller: &Caller, app: &str, message: &Message<'_>, params: &Params<'_>) -> Trail {
        let span = if self.aside { None } else { self.span(app, message, params).map(Arc::new) };
        if message.kind == Kind::Response {
            return Trail { span, ..Trail::default() };
        }
        let record = || self.of_message(caller, app, message, params);
        let traffic = self.fleet.traffic(app).filter(|_| message.kind == Kind::Request);
        if self.aside {
            return Trail { subject: Some(Box::new(Subject { record: record(), traffic })), ..Trail::default() };
        }
        let record = (!is_quiet(&message.method)).then(|| self.log.begin(record()));
        let open = Ending { record, passing: traffic.map(|traffic| traffic.begin(era(params))) };
        Trail { open: Some(Arc::new(Mutex::new(open))), span, ..Trail::default() }
    }

    fn span(&self, app: &str, message: &Message<'_>, params: &Params<'_>) -> Option<Served> {
        Served::begin(&self.ambient, self.session.as_deref(), app, message, params)
    }

    fn of_message(&self, caller: &Caller, app: &str, message: &Message<'_>, params: &Params<'_>) -> Record {
        let kind = if message.kind == Kind::Notification { RecordKind::Notification } else { RecordKind::Request };
        let mut record = self.record(kind, caller, app);
        record.method = Some(message.method.to_string());
        record.name = params.name.or(params.uri).and_then(text_member).map(|name| name.into_owned());
        if self.log.wants_arguments() {
            record.arguments = params.arguments.and_then(|arguments| self.without_secrets(app, arguments));
        }
        // Now, not when it is written: what is large would be kept for as long as the call is open.
        record.bound();
        record
    }

    fn record(&self, kind: RecordKind, caller: &Caller, app: &str) -> Record {
        Record {
            principal: Some(caller.name()),
            peer: Some(caller.origin()),
            // Of the endpoint for all, which is none.
            app: Some(app.to_owned()).filter(|app| !app.is_empty()),
            session: self.session.as_deref().map(str::to_owned),
            ..Record::new(kind, Outcome::Ok)
        }
    }

    /// `None` where the app does not serve: then nobody knows its secrets.
    fn without_secrets(&self, app: &str, arguments: &str) -> Option<String> {
        let route = self.fleet.get(app)?.route.borrow().clone();
        match &*route {
            Route::Ready(service) => Some(service.primary.link.quoted(arguments)),
            Route::Unready { .. } => None,
        }
    }
}

/// Whether nobody needs to know of each message of this method: clients send them of their own accord, again and again.
fn is_quiet(method: &str) -> bool {
    method == "ping" || method.ends_with("/list")
}

/// In which era a message is. One that says otherwise of itself is refused.
fn era(params: &Params<'_>) -> Era {
    if params.meta_version.is_some() { Era::Modern } else { Era::Legacy }
}

/// Tells a session from others, without being its id, which would let anybody in.
pub fn session_label(id: &str) -> String {
    let digest = Sha256::digest(id.as_bytes());
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// What one message is to be told of when it has come to its end. If nobody says how, its client has gone.
#[derive(Debug)]
struct Ending {
    /// `None`: it is not recorded.
    record: Option<Open>,
    passing: Option<Passing>,
}

impl Ending {
    fn answered(&mut self, code: Option<i64>) {
        self.count(if code.is_some() { Outcome::Error } else { Outcome::Ok });
        if let Some(record) = &mut self.record {
            record.answered(code);
        }
    }

    fn refused(&mut self, outcome: Outcome, code: Option<i64>, reason: &str) {
        self.count(outcome);
        if let Some(record) = &mut self.record {
            record.refused(outcome, code, reason);
        }
    }

    fn count(&mut self, outcome: Outcome) {
        if let Some(passing) = &mut self.passing {
            passing.end(outcome);
        }
    }

    fn record(&mut self) -> Option<&mut Record> {
        self.record.as_mut().and_then(Open::record)
    }
}

/// What a message is about that stands for another one.
#[derive(Clone, Debug)]
struct Subject {
    record: Record,
    traffic: Option<Arc<Traffic>>,
}

/// What becomes of one message.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    /// `None`: nobody is told.
    open: Option<Arc<Mutex<Ending>>>,
    /// What it is about, where another message's record is to say so.
    subject: Option<Box<Subject>>,
    /// Where somebody collects spans.
    span: Option<Arc<Served>>,
}

impl Trail {
    /// The record of `other`, which this message stands for, with what it is about.
    #[must_use]
    pub fn in_place_of(self, other: &Trail) -> Trail {
        if let Some(subject) = self.subject {
            let Subject { record: Record { app, method, name, arguments, .. }, traffic } = *subject;
            if let (Some(span), Some(app)) = (&other.span, &app) {
                span.is_of(app);
            }
            other.with(|open| {
                if let Some((passing, traffic)) = open.passing.as_mut().zip(traffic) {
                    passing.turn_to(traffic);
                }
                if let Some(record) = open.record() {
                    (record.app, record.method, record.name, record.arguments) = (app, method, name, arguments);
                }
            });
        }
        other.clone()
    }

    /// As the parent of what is done for the message.
    pub fn as_parent(&self) -> Parent {
        self.span.as_ref().map(|span| span.as_parent()).unwrap_or_default()
    }

    /// The server has answered, or whoever answers in its place, with this message if it is at hand.
    pub fn answered(&self, answer: Option<&[u8]>, error_code: Option<i64>) {
        self.with(|open| open.answered(error_code));
        if let Some(span) = &self.span {
            span.answered(answer, error_code);
        }
    }

    /// The client has cancelled it.
    pub fn cancelled(&self) {
        self.with(|open| open.refused(Outcome::Cancelled, None, "at the client's word"));
        if let Some(span) = &self.span {
            span.cancelled();
        }
    }

    /// Its sender may not have the answer any more.
    pub fn withdrawn(&self, code: i64) {
        self.with(|open| open.refused(Outcome::Denied, Some(code), "the right to it was withdrawn meanwhile"));
        if let Some(span) = &self.span {
            span.failed(code);
        }
    }

    /// Nothing has come of it, as a response says. Whether it does.
    pub fn failed(&self, response: &Response) -> bool {
        let Some(Failure { code, message, denied }) = response.extensions().get() else { return false };
        let outcome = if *denied { Outcome::Denied } else { Outcome::Error };
        self.with(|open| open.refused(outcome, Some(*code), message));
        if let Some(span) = &self.span {
            span.failed(*code);
        }
        true
    }

    /// There is a response to the HTTP request of the message. That is its end, unless the response goes on as a stream.
    pub fn responded(&self, message: &Message<'_>, response: &Response) {
        if let Some(span) = &self.span {
            span.responded(response.status());
        }
        let failed = self.failed(response);
        if !failed && (message.kind == Kind::Notification || message.method == "initialize") {
            self.span.iter().for_each(|span| span.answered(None, None));
        }
        let Some(open) = self.open.as_ref().filter(|_| !failed) else { return };
        if message.method == "initialize" && message.kind == Kind::Request {
            let mut open = lock(open);
            if let Some(id) = super::classify::header(response.headers(), &SESSION_ID)
                && let Some(record) = open.record()
            {
                record.kind = RecordKind::SessionStart.word().into();
                record.session = Some(session_label(id));
            }
            open.answered(None);
        } else if message.kind == Kind::Notification {
            lock(open).answered(None);
        } else if Arc::strong_count(open) == 1 {
            // Nobody waits for an answer any more, and there was none.
            self.cancelled();
        }
    }

    fn with(&self, act: impl FnOnce(&mut Ending)) {
        if let Some(open) = &self.open {
            act(&mut lock(open));
        }
    }
}

fn lock(open: &Mutex<Ending>) -> MutexGuard<'_, Ending> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        assert_eq!(session_label("abc"), "ba7816bf8f01");
        assert_ne!(session_label("abd"), session_label("abc"));
    }

    #[test]
    fn quiet_methods() {
        for (method, quiet) in [
            ("ping", true),
            ("tools/list", true),
            ("resources/templates/list", true),
            ("tools/call", false),
            ("initialize", false),
            ("list", false),
            ("notifications/cancelled", false),
        ] {
            assert_eq!(is_quiet(method), quiet, "{method}");
        }
    }
}
