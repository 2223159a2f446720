//! Lends a client that only speaks stdio an app's HTTP endpoint.
//!
//! Each line on stdin is one POST, and every message that comes back one line on stdout; both pass as they are. In the
//! legacy era the bridge keeps the session's headers and follows the stream on which a server speaks by itself. The
//! client outlives the agent: while the agent restarts, requests wait a little or fail one by one, and a session
//! that the agent no longer knows is opened again with the client's own words.

mod lines;
mod outlet;
mod request;
mod session;

use super::{
    api::{AgentClient, app_path},
    patience::Patience,
};
use crate::protocol::{FrameError, Kind, Message, codes};
use bytes::Bytes;
use lines::{Line, Lines};
use outlet::{Failure, Outlet};
use request::{Forward, Requests};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use session::Session;
use std::{fmt, io, sync::Arc, time::Duration};
use tokio::io::{AsyncRead, AsyncWrite, BufReader};

/// The longest line that a client may send, in bytes.
const MAX_LINE: usize = 16 << 20;
/// How long the goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// How long the bridge waits for others.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// For an agent that does not answer, or an app that is not ready, before a request fails.
    pub patience: Duration,
    /// For open requests when the client has closed its end.
    pub last_answers: Duration,
}

impl Default for Waits {
    fn default() -> Waits {
        Waits { patience: Duration::from_secs(10), last_answers: Duration::from_secs(10) }
    }
}

/// Bridges one client to `app` until `input` ends, nobody reads `output` any more, or `stop` comes.
pub async fn run(
    agent: AgentClient,
    app: &str,
    waits: Waits,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin + Send + 'static,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let path = app_path(app);
    let (outlet, mut writer) = outlet::open(output);
    let session = Arc::new(Session::new(agent.clone(), path.clone(), outlet.clone(), waits.patience));
    let forward = Forward { agent, path, session: session.clone(), outlet: outlet.clone(), patience: waits.patience };
    let requests = Requests::new(forward);

    let ended = {
        let pump = pump(Lines::new(BufReader::new(input), MAX_LINE), requests, &session, &outlet, waits);
        tokio::select! {
            ended = pump => ended,
            () = session.listen() => Ok(()),
            // Nobody reads the answers any more.
            () = outlet.closed() => Ok(()),
            () = stop => Ok(()),
        }
    };
    if tokio::time::timeout(GOODBYE, session.close()).await.is_err() {
        tracing::debug!("the agent did not end the session in time");
    }
    drop((session, outlet));
    // Ends when all that could be written is written; a reader that does not read must not keep it.
    if tokio::time::timeout(GOODBYE, &mut writer).await.is_err() {
        writer.abort();
    }
    ended
}

async fn pump<R: AsyncRead + Unpin>(
    mut lines: Lines<BufReader<R>>,
    mut requests: Requests,
    session: &Session,
    outlet: &Outlet,
    waits: Waits,
) -> io::Result<()> {
    loop {
        let line = tokio::select! {
            line = lines.next() => line?,
            () = requests.reap() => continue,
        };
        match line {
            Some(Line::Whole(line)) => dispatch(line.into(), &mut requests, session, outlet).await,
            Some(Line::TooLong { head }) => {
                let id = early_id(&head).unwrap_or("null");
                let reason = format!("a message may be {MAX_LINE} bytes at most");
                outlet.failure(id, &Failure::new(codes::INVALID_REQUEST, reason)).await;
            }
            None => break,
        }
    }
    requests.finish(waits.last_answers).await;
    Ok(())
}

async fn dispatch(line: Bytes, requests: &mut Requests, session: &Session, outlet: &Outlet) {
    let message = match Message::parse(&line) {
        Ok(message) => message,
        // Batches exist in one legacy version; the agent knows whether it is the session's.
        Err(FrameError::Invalid(_)) if line.trim_ascii_start().starts_with(b"[") => {
            return requests.forward_batch(line).await;
        }
        Err(error) => {
            let code = match error {
                FrameError::Json(_) => codes::PARSE_ERROR,
                FrameError::Invalid(_) => codes::INVALID_REQUEST,
            };
            return outlet.failure("null", &Failure::new(code, error.to_string())).await;
        }
    };
    match (message.kind, message.method.as_ref()) {
        // All that follows depends on it, so nothing else is read meanwhile.
        (Kind::Request, "initialize") => {
            let id = message.id.map_or("null", |id| id.0);
            session.initialize(line.clone(), id).await;
        }
        (Kind::Request, _) => requests.forward(&message, line.clone()).await,
        (Kind::Notification, "notifications/cancelled") => {
            if requests.cancel(&message) {
                session.notify(line.clone(), &message.method).await;
            }
        }
        (Kind::Notification | Kind::Response, _) => session.notify(line.clone(), &message.method).await,
    }
}

/// The id of a message of which only the beginning is known, as raw JSON, if it is a request and its id is there.
fn early_id(head: &[u8]) -> Option<&str> {
    struct Beginning<'a, 'b>(&'b mut Option<&'a str>);
    impl<'de> Visitor<'de> for Beginning<'de, '_> {
        type Value = ();
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                if key == "id" {
                    *self.0 = Some(value.get());
                }
            }
            Ok(())
        }
    }
    let mut id = None;
    // It ends with an error, where the beginning does.
    let _ = serde_json::Deserializer::from_slice(head).deserialize_map(Beginning(&mut id));
    // A number that ends where the beginning does may have had more digits.
    id.filter(|id| !head.ends_with(id.as_bytes()))
        .filter(|id| id.starts_with(|c: char| c == '"' || c == '-' || c.is_ascii_digit()))
}

#[cfg(test)]
mod tests;
