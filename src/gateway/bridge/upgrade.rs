//! A session on a server that knows none: what the session's client has said is kept here, and said anew with each
//! request.

use super::{asking::Asks, translate::Introduction};
use crate::gateway::session::{MAX_SUBSCRIPTIONS, MAX_URI};
use crate::protocol::{Kind, Message, Object, Params, codes, error_response, text_member};
use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

const LEVELS: [&str; 8] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// What the server does not know of a session.
#[derive(Debug)]
pub struct Upgrade {
    client: Mutex<Introduction>,
    /// Resources whose changes the client has subscribed to.
    pub uris: watch::Sender<BTreeSet<String>>,
    pub asks: Asks,
}

impl Upgrade {
    /// From the raw `params` of `initialize`.
    pub fn new(params: Option<&str>) -> Self {
        let uris = watch::Sender::new(BTreeSet::new());
        Upgrade { client: Mutex::new(Introduction::read(params)), uris, asks: Asks::default() }
    }

    pub fn client(&self) -> Introduction {
        self.lock().clone()
    }

    /// Takes what is the gateway's to deal with; the answer of a request that is.
    pub fn take(&self, message: &Message<'_>, params: &Params<'_>) -> Option<Vec<u8>> {
        let id = message.id.map_or("null", |id| id.0);
        let done = || Some(super::translate::result(id, "{}"));
        let invalid = |text: &str| Some(error_response(id, codes::INVALID_PARAMS, text, None));
        if message.kind == Kind::Response {
            self.asks.answered(message);
            return None;
        }
        match message.method.as_ref() {
            "ping" => done(),
            "logging/setLevel" => {
                let known = params.level.filter(|raw| text_member(raw).is_some_and(|l| LEVELS.contains(&l.as_ref())));
                let Some(level) = known else { return invalid("there is no such level") };
                self.lock().level = Some(level.to_owned());
                done()
            }
            "resources/subscribe" => {
                let Some(uri) = params.uri.and_then(text_member) else { return invalid("`uri` must be a string") };
                let full = self.uris.borrow().len() >= MAX_SUBSCRIPTIONS;
                if uri.len() > MAX_URI || full && !self.uris.borrow().contains(uri.as_ref()) {
                    return invalid("a session can have no more, or no longer, subscriptions than this");
                }
                self.uris.send_if_modified(|uris| uris.insert(uri.into_owned()));
                done()
            }
            "resources/unsubscribe" => {
                let Some(uri) = params.uri.and_then(text_member) else { return invalid("`uri` must be a string") };
                self.uris.send_if_modified(|uris| uris.remove(uri.as_ref()));
                done()
            }
            _ => None,
        }
    }

    /// Whether the client has declared that it can answer requests of a method.
    pub fn can_answer(&self, method: &str) -> bool {
        let needed = super::translate::capability(method);
        needed.is_some_and(|needed| Object::read(&self.lock().capabilities).get(needed).is_some())
    }

    fn lock(&self) -> MutexGuard<'_, Introduction> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
