//! The first conversation with a server: does it answer, and which era does it speak?

use super::{
    link::{Link, Refused},
    mailbox::{Delivery, Mailbox},
    question::modern_meta,
};
use crate::{
    protocol::{Era, LEGACY_VERSIONS, Message, codes, meta, notification},
    resource::App,
};
use bytes::Bytes;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// After so long without an answer to `server/discover` the handshake of the legacy era is tried as well: some servers
/// drop what they do not know. One that is merely slow to start reads both and answers both.
const SILENCE: Duration = Duration::from_secs(2);

/// What a server said of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    pub era: Era,
    /// The result of `server/discover` or of `initialize`.
    pub introduction: Value,
    /// The server was asked in both ways, so that its process may be of two minds: it should serve nobody.
    pub mixed: bool,
}

impl Profile {
    /// Name and version that the server gives, for people.
    pub fn server(&self) -> Option<String> {
        let info = match self.era {
            Era::Legacy => self.introduction.get("serverInfo"),
            Era::Modern => self.introduction.get("_meta").and_then(|m| m.get(meta::SERVER_INFO)),
        }?;
        let name = info.get("name")?.as_str()?;
        Some(match info.get("version").and_then(Value::as_str) {
            Some(version) => format!("{name} {version}"),
            None => name.to_owned(),
        })
    }
}

/// Where a server is, as far as it makes a difference to how it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A process: that it ends is an answer too.
    Here,
    /// Behind a connection, which may fail at any question, and says so in the server's stead.
    Elsewhere,
}

impl Place {
    pub fn of(app: &App) -> Self {
        if app.is_remote() { Place::Elsewhere } else { Place::Here }
    }
}

/// Why a server is not ready.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    #[error("it has not answered within {}", crate::resource::quantity::format_duration(*.0))]
    Silent(Duration),
    /// It ended at the very question that only modern servers know.
    #[error("it ended when it was asked `server/discover`")]
    EndedAtDiscover,
    #[error("{0}")]
    Ended(Arc<str>),
    #[error("it refused `initialize`: {0}")]
    Refused(String),
    /// The question has not come to it, or its answer not back.
    #[error("{0}")]
    Unavailable(String),
}

impl ProbeError {
    /// What this teaches about how to greet the next process, `known` being how this one was greeted.
    pub fn era(&self, known: Option<Era>) -> Option<Era> {
        match (self, known) {
            (ProbeError::EndedAtDiscover, None) => Some(Era::Legacy),
            // It speaks otherwise than an earlier process did, as after an upgrade of a package: ask anew.
            (ProbeError::EndedAtDiscover | ProbeError::Silent(_) | ProbeError::Refused(_), Some(_)) => None,
            (_, known) => known,
        }
    }
}

impl From<Refused> for ProbeError {
    fn from(refused: Refused) -> Self {
        match refused {
            // Whether it ended before or after it was asked is chance, and makes no difference to anyone.
            Refused::Closed(reason) => {
                ProbeError::Ended(format!("the server ended before it answered: {reason}").into())
            }
            other => ProbeError::Ended(other.to_string().into()),
        }
    }
}

/// Introduces the gateway to a server. `era` is what is known of this spec from an earlier process; the server is
/// greeted accordingly, and only once.
pub async fn probe(link: &Link, place: Place, era: Option<Era>, timeout: Duration) -> Result<Profile, ProbeError> {
    let conversation = async {
        match era {
            Some(Era::Legacy) => initialize(link, place).await,
            // However slow it is: a second question would make a process of two minds of every one.
            Some(Era::Modern) => detect(link, place, Duration::MAX).await,
            None => detect(link, place, SILENCE).await,
        }
    };
    tokio::time::timeout(timeout, conversation).await.unwrap_or(Err(ProbeError::Silent(timeout)))
}

async fn detect(link: &Link, place: Place, silence: Duration) -> Result<Profile, ProbeError> {
    let params = json!({ "_meta": modern_meta() });
    let (_, discovered) = link.ask("server/discover", &params)?;
    let answer = answer(link, &discovered);
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => match judge_discovery(answer, place) {
            Discovery::Modern(introduction) => Ok(Profile { era: Era::Modern, introduction, mixed: false }),
            Discovery::Legacy => initialize(link, place).await,
            Discovery::Unavailable(reason) => Err(ProbeError::Unavailable(reason)),
            // Another greeting would not make its lines shorter.
            Discovery::Ended(reason) if link.has_rambled() => Err(ProbeError::Ended(reason.into())),
            Discovery::Ended(reason) if place == Place::Elsewhere => Err(ProbeError::Ended(reason.into())),
            Discovery::Ended(_) => Err(ProbeError::EndedAtDiscover),
        },
        () = tokio::time::sleep(silence) => {
            let handshake = initialize(link, place);
            tokio::pin!(handshake);
            tokio::select! {
                // A slow server of both eras may answer both at once: which of them it is must not be left to chance.
                biased;
                answer = &mut answer => match judge_discovery(answer, place) {
                    Discovery::Modern(introduction) => Ok(Profile { era: Era::Modern, introduction, mixed: true }),
                    Discovery::Legacy | Discovery::Ended(_) | Discovery::Unavailable(_) => handshake.await,
                },
                profile = &mut handshake => profile,
            }
        }
    }
}

enum Discovery {
    Modern(Value),
    Legacy,
    /// Why.
    Ended(String),
    /// Why.
    Unavailable(String),
}

/// A result, or an error that only the modern era knows, means modern; anything else means legacy.
fn judge_discovery(answer: Result<Value, NoResult>, place: Place) -> Discovery {
    match answer {
        Ok(introduction) if introduction.get("supportedVersions").is_some() => Discovery::Modern(introduction),
        Ok(_) => Discovery::Legacy,
        Err(NoResult::Ended(reason)) => Discovery::Ended(reason),
        Err(NoResult::Error {
            code: codes::HEADER_MISMATCH | codes::MISSING_CAPABILITY | codes::UNSUPPORTED_VERSION,
            message,
        }) => Discovery::Modern(json!({ "error": message })),
        Err(NoResult::Error { code: codes::UNAVAILABLE, message }) if place == Place::Elsewhere => {
            Discovery::Unavailable(message)
        }
        Err(NoResult::Error { .. }) => Discovery::Legacy,
    }
}

async fn initialize(link: &Link, place: Place) -> Result<Profile, ProbeError> {
    let params = json!({
        "protocolVersion": LEGACY_VERSIONS.first(),
        "capabilities": {},
        "clientInfo": client_info(),
    });
    let (_, initialized) = link.ask("initialize", &params)?;
    match answer(link, &initialized).await {
        Ok(introduction) => {
            let bytes = notification("notifications/initialized", &json!({}));
            if let Ok(message) = Message::parse(&bytes) {
                link.notify(&message)?;
            }
            Ok(Profile { era: Era::Legacy, introduction, mixed: false })
        }
        Err(NoResult::Ended(reason)) => Err(ProbeError::Ended(reason.into())),
        Err(NoResult::Error { code: codes::UNAVAILABLE, message }) if place == Place::Elsewhere => {
            Err(ProbeError::Unavailable(message))
        }
        Err(NoResult::Error { message, .. }) => Err(ProbeError::Refused(message)),
    }
}

pub(super) fn client_info() -> Value {
    json!({ "name": "mcpfleet", "version": env!("CARGO_PKG_VERSION") })
}

/// What came instead of a result.
#[derive(Clone, Debug, PartialEq)]
pub enum NoResult {
    /// The link has ended; why, in the gateway's own words.
    Ended(String),
    /// The server's words, without its secrets.
    Error { code: i64, message: String },
}

/// Waits for the answer to a request of the gateway's own.
pub async fn answer(link: &Link, mailbox: &Mailbox) -> Result<Value, NoResult> {
    let mut read = None;
    while let Some(delivery) = mailbox.next().await {
        if let Delivery::Answer { message, .. } = delivery {
            read = Some(read_answer(&message));
            break;
        }
    }
    // A server can send any code: that the link has ended is known of the link alone.
    match (read, link.end()) {
        (Some(Err((codes::SERVER_GONE, _))) | None, Some(reason)) => {
            Err(NoResult::Ended(format!("the server ended before it answered: {reason}")))
        }
        (Some(Err((code, message))), _) => Err(NoResult::Error { code, message: link.quoted(&message) }),
        (Some(Ok(result)), _) => Ok(result),
        (None, None) => Err(NoResult::Ended("the question was dropped".into())),
    }
}

/// The longest answer to a question of the gateway's own, in bytes: read into values it takes a hundred times as much.
const MAX_ANSWER: usize = 2 << 20;

fn read_answer(bytes: &Bytes) -> Result<Value, (i64, String)> {
    let fault = |text: String| (codes::INTERNAL_ERROR, text);
    if bytes.len() > MAX_ANSWER {
        return Err(fault(format!("the answer has {} bytes, of which {MAX_ANSWER} are read", bytes.len())));
    }
    let message = Message::parse(bytes).map_err(|e| fault(e.to_string()))?;
    match (message.result, message.error) {
        (Some(result), _) => serde_json::from_str(result).map_err(|e| fault(e.to_string())),
        (None, Some(error)) => {
            let error: Value = serde_json::from_str(error).map_err(|e| fault(e.to_string()))?;
            let code = error.get("code").and_then(Value::as_i64).unwrap_or(codes::INTERNAL_ERROR);
            let text = error.get("message").and_then(Value::as_str).unwrap_or("no reason given");
            Err((code, text.chars().take(500).collect()))
        }
        (None, None) => Err(fault("the answer has neither result nor error".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::{link::Sharing, redact::Redaction};
    use tokio::net::unix::pipe;

    #[tokio::test]
    async fn a_server_cannot_say_that_it_has_gone() {
        let (_reader, writer) = std::io::pipe().unwrap();
        let stdin = pipe::Sender::from_owned_fd(writer.into()).unwrap();
        let redaction = Arc::new(Redaction::new(["hunter2-hunter2"]));
        let link = Link::new("app", "app-1", "pipe", Sharing::Shared, redaction, stdin);
        let forged = |mailbox: &Mailbox| {
            let text = r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32011,"message":"bad token hunter2-hunter2"}}"#;
            mailbox.answer(Bytes::from_static(text.as_bytes()), Some(codes::SERVER_GONE));
        };
        assert_eq!(codes::SERVER_GONE, -32011);
        let mailbox = Mailbox::for_answers(1);
        forged(&mailbox);
        let error = NoResult::Error { code: codes::SERVER_GONE, message: "bad token [secret]".into() };
        assert_eq!(answer(&link, &mailbox).await, Err(error));

        let (_, mailbox) = link.ask("ping", &json!({})).unwrap();
        link.close("exit status 3");
        let ended = NoResult::Ended("the server ended before it answered: exit status 3".into());
        assert_eq!(answer(&link, &mailbox).await, Err(ended.clone()));
        // What it said before is not quoted as the gateway's own words either.
        let mailbox = Mailbox::for_answers(1);
        forged(&mailbox);
        assert_eq!(answer(&link, &mailbox).await, Err(ended));
    }
}
