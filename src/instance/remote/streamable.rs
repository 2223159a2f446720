//! Streamable HTTP, in both eras: each message is a POST of its own, and what belongs to a request comes in its answer.

mod learning;
mod listening;
mod session;

use super::{
    conversation::Conversation,
    events::Events,
    http::{Answer, Failure, Form},
    parameters::Parameters,
};
use crate::{
    instance::launch::Parted,
    instance::link::MAX_MESSAGE,
    protocol::{Kind, Message, Params, RawId, codes, headers, text_member},
    telemetry::span,
};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use session::Session;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::timeout;

/// The most that is read of an answer that is an error.
const MAX_ERROR: usize = 1 << 20;

/// How much of what a server says beside an error goes into the log, in characters.
const QUOTED: usize = 300;

/// How long the end of an answer is waited for after the message that counts: so its connection can be used again.
const TAIL: Duration = Duration::from_secs(1);

#[derive(Default)]
pub struct Streamable {
    session: Mutex<Session>,
    parameters: Mutex<Parameters>,
}

/// A request that is under way.
#[derive(Clone, Copy)]
struct Asked<'a> {
    message: &'a Message<'a>,
    /// Raw JSON.
    id: &'a str,
    modern: bool,
}

impl Streamable {
    /// Sends a request and passes on its answer, with all that comes before it.
    ///
    /// # Errors
    /// See [`Failure`]. Then it has not been answered.
    pub async fn request(&self, talk: &Conversation, message: &Message<'_>, line: &Bytes) -> Result<(), Failure> {
        let id = message.id.map_or("null", |RawId(raw)| raw);
        let asked = Asked { message, id, modern: message.params().meta_version.is_some() };
        let mut relearnt = false;
        loop {
            let headers = self.headers(asked);
            let answer = talk.http.send(&Method::POST, &talk.http.target.url, &headers, line).await?;
            if answer.status.is_success() {
                if message.method == "initialize" {
                    lock(&self.session).begin(&answer.headers);
                }
                return self.pass(talk, asked, answer).await;
            }
            let Some(error) = self.refused(talk, asked, answer).await? else { return Ok(()) };
            let outdated =
                asked.modern && message.method == "tools/call" && code(&error) == Some(codes::HEADER_MISMATCH);
            if outdated && !std::mem::replace(&mut relearnt, true) && self.relearn(talk).await {
                continue;
            }
            talk.outlet.message(&error).await;
            return Ok(());
        }
    }

    /// Sends what has no answer.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn notice(&self, talk: &Conversation, message: &Message<'_>, line: &Bytes) -> Result<(), Failure> {
        let asked = Asked { message, id: "null", modern: message.params().meta_version.is_some() };
        let headers = self.headers(asked);
        let mut answer = talk.http.send(&Method::POST, &talk.http.target.url, &headers, line).await?;
        if answer.status.is_success() {
            let _ = timeout(TAIL, answer.body.read(MAX_ERROR)).await;
            return Ok(());
        }
        // Whoever sent it has nothing to hear; the log has.
        if let Some(error) = self.refused(talk, asked, answer).await? {
            talk.outlet.say(&format!("{} is refused: {error}", message.method));
        }
        Ok(())
    }

    fn headers(&self, asked: Asked<'_>) -> HeaderMap {
        let mut headers = self.headers_of_mcp(asked);
        if span::is_on() {
            headers::trace(&mut headers, asked.message.params().meta);
        }
        headers
    }

    fn headers_of_mcp(&self, asked: Asked<'_>) -> HeaderMap {
        if !asked.modern {
            let mut headers = headers::post();
            lock(&self.session).add_to(&mut headers);
            return headers;
        }
        let mut headers = headers::modern(asked.message);
        if asked.message.method == "tools/call"
            && let Some(tool) = asked.message.params().name.and_then(text_member)
        {
            lock(&self.parameters).add_to(&mut headers, &tool, asked.message.params.unwrap_or_default());
        }
        headers
    }

    /// What an answer with an error's status means: an answer of JSON-RPC, which is returned, or the end of the session,
    /// which is nothing to be answered here.
    async fn refused(
        &self,
        talk: &Conversation,
        asked: Asked<'_>,
        mut answer: Answer,
    ) -> Result<Option<String>, Failure> {
        let status = answer.status;
        let body = timeout(TAIL * 10, answer.body.read(MAX_ERROR)).await.ok().and_then(Result::ok).unwrap_or_default();
        if !asked.modern && lock(&self.session).is_open() && asked.message.method != "initialize" {
            let over = match status {
                StatusCode::NOT_FOUND => true,
                // Some say this of a session that they do not know.
                StatusCode::BAD_REQUEST => !self.is_alive(talk).await,
                _ => false,
            };
            if over {
                talk.end(Parted::SessionOver);
                return Ok(None);
            }
        }
        if let Some(error) = error_in(&body, asked.id) {
            return Ok(Some(error));
        }
        let text: String = String::from_utf8_lossy(&body).chars().take(QUOTED).collect();
        talk.outlet.say(&format!("{}: HTTP {status}: {text}", asked.message.method));
        Err(Failure::Status { place: talk.http.target.place(), status })
    }

    async fn pass(&self, talk: &Conversation, asked: Asked<'_>, mut answer: Answer) -> Result<(), Failure> {
        match answer.form() {
            Form::Json => {
                let body = answer.body.read(MAX_MESSAGE).await?;
                match self.deliver(talk, asked, &body).await {
                    Ok(true) => Ok(()),
                    Ok(false) => Err(talk.http.unsuitable("JSON that is no answer to the request")),
                    Err(error) => Err(talk.http.unsuitable(format!("something that is no message: {error}"))),
                }
            }
            Form::Events => self.pass_events(talk, asked, Events::new(answer.body)).await,
            Form::Other if answer.status == StatusCode::OK => {
                Err(talk.http.unsuitable("something that is neither JSON nor a stream of events"))
            }
            Form::Other => Err(talk.http.unsuitable(format!("HTTP {}, and with no message", answer.status))),
        }
    }

    async fn pass_events(&self, talk: &Conversation, asked: Asked<'_>, mut events: Events) -> Result<(), Failure> {
        let mut resumption = listening::Resumption::default();
        loop {
            let end = loop {
                match events.next().await {
                    Ok(Some(event)) => {
                        if self.deliver_event(talk, asked, &event).await {
                            // Whatever comes now has nothing to do with it.
                            let _ = timeout(TAIL, async { while let Ok(Some(_)) = events.next().await {} }).await;
                            return Ok(());
                        }
                    }
                    Ok(None) => break talk.http.lost("the stream of events has ended"),
                    Err(failure @ (Failure::TooLong { .. } | Failure::Crowded(_))) => return Err(failure),
                    Err(failure) => break failure,
                }
            };
            if asked.modern {
                return Err(end);
            }
            match self.resume(talk, &events, &mut resumption).await {
                Some(next) => events = next,
                None => return Err(end),
            }
        }
    }

    /// Passes on what an event carries, if it is a message. Answers whether it is the answer.
    async fn deliver_event(&self, talk: &Conversation, asked: Asked<'_>, event: &crate::protocol::sse::Event) -> bool {
        // Empty ones only carry an id.
        if event.name != "message" || event.data.is_empty() {
            return false;
        }
        match self.deliver(talk, asked, &event.data).await {
            Ok(answered) => answered,
            Err(error) => {
                talk.outlet.say(&format!("the server has sent something that is no message: {error}"));
                false
            }
        }
    }

    /// Passes on a message, or several (2025-03-26 has batches). Answers whether the answer is among them.
    async fn deliver(&self, talk: &Conversation, asked: Asked<'_>, bytes: &[u8]) -> Result<bool, String> {
        if !asked.modern && bytes.trim_ascii_start().starts_with(b"[") {
            let batch: Vec<&RawValue> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
            let mut answered = false;
            for one in batch {
                answered |= self.deliver_one(talk, asked, one.get().as_bytes()).await?;
            }
            return Ok(answered);
        }
        self.deliver_one(talk, asked, bytes).await
    }

    async fn deliver_one(&self, talk: &Conversation, asked: Asked<'_>, bytes: &[u8]) -> Result<bool, String> {
        let message = Message::parse(bytes).map_err(|error| error.to_string())?;
        let answers = message.kind == Kind::Response && message.id == Some(RawId(asked.id));
        if let Some(result) = message.result.filter(|_| answers) {
            match asked.message.method.as_ref() {
                "initialize" => lock(&self.session).agree(Params::parse(result).protocol_version),
                "tools/list" if asked.modern => _ = self.learn(talk, result),
                _ => {}
            }
        }
        talk.outlet.message(message.raw).await;
        Ok(answers)
    }
}

/// The error of JSON-RPC that a body is, as the answer to the request `id`: such bodies often have no id, or none that
/// means anything.
fn error_in(body: &[u8], id: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        error: &'a RawValue,
    }
    #[derive(Deserialize)]
    struct Shape {
        #[allow(dead_code, reason = "only that they are there counts")]
        code: i64,
        #[allow(dead_code, reason = "only that they are there counts")]
        message: String,
    }
    let text = std::str::from_utf8(body).ok()?;
    if let Ok(message) = Message::parse(body)
        && message.error.is_some()
        && message.id == Some(RawId(id))
    {
        return Some(message.raw.to_owned());
    }
    let Body { error } = serde_json::from_str(text).ok()?;
    serde_json::from_str::<Shape>(error.get()).ok()?;
    Some(format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{}}}"#, error.get()))
}

fn code(error: &str) -> Option<i64> {
    Message::parse(error.as_bytes()).ok()?.error_code()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_any_id_are_answers() {
        for (body, expected) in [
            (
                r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"x"},"y":1}"#,
                Some(r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"x"},"y":1}"#),
            ),
            (
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"x"}}"#,
                Some(r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"x"}}"#),
            ),
            (
                r#"{"jsonrpc":"2.0","id":8,"error":{"code":-32000,"message":"x","data":1}}"#,
                Some(r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"x","data":1}}"#),
            ),
            (
                r#"{"error":{"code":1,"message":"x"}}"#,
                Some(r#"{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"x"}}"#),
            ),
            (r#"{"error":"unauthorized"}"#, None),
            (r#"{"error":{"message":"x"}}"#, None),
            ("", None),
            ("<html>", None),
        ] {
            assert_eq!(error_in(body.as_bytes(), "7").as_deref(), expected, "{body}");
        }
    }
}
