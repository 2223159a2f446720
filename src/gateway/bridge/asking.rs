//! The requests of a session that are open at a stateless server, and what its client is asked in their course.

use crate::protocol::{Message, Object, RawId, text_member};
use serde_json::Value;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError, atomic::AtomicU64, atomic::Ordering::Relaxed},
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// The most questions that a client can have open.
const MAX_ASKED: usize = 1024;

/// The answer to a question: a raw result, or why there is none.
pub type Reply = Result<String, String>;

/// The questions that wait for their answers, by the raw id that the client knows them by.
#[derive(Debug, Default)]
pub struct Asks {
    waiting: Mutex<HashMap<String, Waiting>>,
    /// By the raw ids of the client's requests that are open: how they are given up.
    open: Mutex<HashMap<String, CancellationToken>>,
    next: AtomicU64,
}

#[derive(Debug)]
struct Waiting {
    /// The raw id of the client's request that it is about.
    about: Box<str>,
    reply: oneshot::Sender<Reply>,
}

impl Asks {
    /// Makes a request of the client's out of what a server wants to know (a raw `{method, params}`).
    pub fn ask(&self, about: &str, request: &str) -> Option<(Vec<u8>, oneshot::Receiver<Reply>)> {
        let id = Value::from(format!("ask-{}", self.next.fetch_add(1, Relaxed))).to_string();
        let message = Object::read(request).with(&[("jsonrpc", "\"2.0\""), ("id", &id)]);
        let (reply, answer) = oneshot::channel();
        let mut waiting = self.lock();
        waiting.retain(|_, waiting| !waiting.reply.is_closed());
        if waiting.len() >= MAX_ASKED {
            return None;
        }
        waiting.insert(id, Waiting { about: about.into(), reply });
        Some((message.into(), answer))
    }

    /// Takes the client's answer. One that nobody waits for is nobody's.
    pub fn answered(&self, message: &Message<'_>) {
        let waiting = message.id.and_then(|id| self.lock().remove(&*id.value()));
        let Some(Waiting { reply, .. }) = waiting else { return };
        let said = match (message.result, message.error) {
            (Some(result), _) => Ok(result.to_owned()),
            (None, error) => {
                let error = Object::read(error.unwrap_or("{}"));
                let text = error.get("message").and_then(text_member);
                Err(text.map_or_else(|| "it gave no reason".into(), |text| text.chars().take(500).collect()))
            }
        };
        // Whoever asked may have gone.
        let _ = reply.send(said);
    }

    /// A request has been opened; what is returned is cancelled when the client does so.
    pub fn opened(&self, about: &str) -> CancellationToken {
        let token = CancellationToken::new();
        self.requests().insert(RawId(about).value().into_owned(), token.clone());
        token
    }

    /// A request is over.
    pub fn closed(&self, about: &str) {
        self.requests().remove(&*RawId(about).value());
        self.lock().retain(|_, waiting| *waiting.about != *about);
    }

    /// The client has cancelled a request.
    pub fn cancel(&self, about: &str) {
        let token = self.requests().remove(&*RawId(about).value());
        token.inspect(CancellationToken::cancel);
    }

    fn requests(&self) -> MutexGuard<'_, HashMap<String, CancellationToken>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a stateless server is told of a client that has refused to answer; `None`: there is no way to say so.
pub fn refusal(method: &str) -> Option<&'static str> {
    match method {
        "elicitation/create" => Some(r#"{"action":"cancel"}"#),
        "roots/list" => Some(r#"{"roots":[]}"#),
        _ => None,
    }
}
