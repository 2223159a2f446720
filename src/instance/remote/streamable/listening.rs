//! What a server of the legacy era says of itself: streams that are asked for by GET.

use super::{Asked, Streamable, lock};
use crate::{
    instance::{
        launch::Parted,
        remote::{conversation::Conversation, events::Events, http::Form},
    },
    protocol::{Message, headers},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header::ACCEPT};
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// How long is waited before a stream is asked for again, if the server does not say.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_AT_MOST: Duration = Duration::from_secs(30);

/// A stream that has lasted as long was a good one.
const GOOD: Duration = Duration::from_secs(5);

/// So many streams in a row may bring nothing before the server is asked less often than it says.
const POLITE: u32 = 4;

/// So often a stream is asked for in vain before it counts as lost.
const MAX_FAILED: u32 = 5;

/// So often it is asked for without bringing anything, however politely it ends.
const MAX_IDLE: u32 = 1000;

/// How long the server may take to say that a session is still there.
const ALIVE_WITHIN: Duration = Duration::from_secs(10);

/// How far a stream has come.
#[derive(Debug, Default)]
pub(super) struct Resumption {
    last_id: Option<String>,
    retry: Option<Duration>,
    idle: u32,
}

impl Resumption {
    fn learn(&mut self, events: &Events) {
        let last_id = events.last_id();
        if last_id.is_some() && last_id != self.last_id.as_deref() {
            self.last_id = last_id.map(str::to_owned);
            self.idle = 0;
        }
        self.idle += 1;
        self.retry = events.retry().or(self.retry);
    }
}

impl Streamable {
    /// Goes on with a stream that ended, where it ended; `None` if that is not possible.
    pub(super) async fn resume(
        &self,
        talk: &Conversation,
        events: &Events,
        resumption: &mut Resumption,
    ) -> Option<Events> {
        resumption.learn(events);
        let last_id = resumption.last_id.clone()?;
        for failed in 0..MAX_FAILED {
            if resumption.idle > MAX_IDLE {
                return None;
            }
            sleep(resumption.retry.unwrap_or(AGAIN * 2_u32.pow(failed))).await;
            match self.get(talk, Some(&last_id)).await {
                Got::Stream(events) => return Some(*events),
                Got::Nothing => return None,
                Got::Over => {
                    talk.end(Parted::SessionOver);
                    return None;
                }
                Got::Failed => {}
            }
        }
        None
    }

    /// Passes on what belongs to no request, for as long as the server offers a stream for that.
    pub async fn listen(&self, talk: &Conversation) {
        let nobody = Message::parse(br#"{"jsonrpc":"2.0","method":"-"}"#);
        let Ok(nobody) = nobody else { return };
        // No id is like that.
        let asked = Asked { message: &nobody, id: "", modern: false };
        let mut resumption = Resumption::default();
        let (mut vain, mut offered) = (0, false);
        loop {
            match self.get(talk, resumption.last_id.as_deref()).await {
                Got::Stream(mut events) => {
                    offered = true;
                    let since = Instant::now();
                    let mut brought = 0;
                    while let Ok(Some(event)) = events.next().await {
                        self.deliver_event(talk, asked, &event).await;
                        brought += usize::from(!event.data.is_empty());
                    }
                    resumption.learn(&events);
                    vain = if brought > 0 || since.elapsed() >= GOOD { 0 } else { vain + 1 };
                }
                // Some do not know the way at all.
                Got::Over if offered => return talk.end(Parted::SessionOver),
                Got::Nothing | Got::Over => return,
                Got::Failed => vain += 1,
            }
            sleep(resumption.retry.unwrap_or(AGAIN).max(penance(vain))).await;
        }
    }

    async fn get(&self, talk: &Conversation, last_id: Option<&str>) -> Got {
        let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("text/event-stream"))]);
        lock(&self.session).add_to(&mut headers);
        if let Some(id) = last_id.and_then(|id| HeaderValue::from_str(id).ok()) {
            headers.insert(headers::LAST_EVENT_ID, id);
        }
        match talk.http.send(&Method::GET, &talk.http.target.url, &headers, &Bytes::new()).await {
            Ok(answer) if answer.status.is_success() && answer.form() == Form::Events => {
                Got::Stream(Box::new(Events::new(answer.body)))
            }
            Ok(answer) if answer.status == StatusCode::NOT_FOUND && lock(&self.session).is_open() => Got::Over,
            Ok(answer) if answer.status.is_server_error() || answer.status == StatusCode::TOO_MANY_REQUESTS => {
                Got::Failed
            }
            Ok(answer) => {
                // Not to offer one is no mistake.
                if answer.status != StatusCode::METHOD_NOT_ALLOWED {
                    talk.outlet.say(&format!("no stream for what belongs to no request: HTTP {}", answer.status));
                }
                Got::Nothing
            }
            Err(failure) => {
                talk.note("a stream of events", &failure);
                Got::Failed
            }
        }
    }

    /// Whether the server still knows the session.
    pub(super) async fn is_alive(&self, talk: &Conversation) -> bool {
        let ping = Bytes::from_static(br#"{"jsonrpc":"2.0","id":"mcpfleet-alive","method":"ping"}"#);
        let mut headers = headers::post();
        lock(&self.session).add_to(&mut headers);
        let asked = talk.http.send(&Method::POST, &talk.http.target.url, &headers, &ping);
        match timeout(ALIVE_WITHIN, asked).await {
            Ok(Ok(answer)) => !matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST),
            // Nothing is known of it.
            Ok(Err(_)) | Err(_) => true,
        }
    }

    /// Tells the server that the session is not needed any more.
    pub async fn goodbye(&self, talk: &Conversation) {
        let mut headers = HeaderMap::new();
        {
            let session = lock(&self.session);
            if !session.is_open() {
                return;
            }
            session.add_to(&mut headers);
        }
        // Whatever it answers.
        let _ = talk.http.send(&Method::DELETE, &talk.http.target.url, &headers, &Bytes::new()).await;
    }
}

/// How long a server is left alone whose streams have brought nothing so often in a row, whatever it says itself.
fn penance(vain: u32) -> Duration {
    match vain.checked_sub(POLITE) {
        None => Duration::ZERO,
        Some(more) => AGAIN.saturating_mul(2_u32.saturating_pow(more)).min(AGAIN_AT_MOST),
    }
}

/// What a GET came to.
enum Got {
    Stream(Box<Events>),
    /// The server has none.
    Nothing,
    /// The server does not know the session.
    Over,
    /// This time.
    Failed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_that_bring_nothing_are_asked_for_less_and_less() {
        let seconds: Vec<u64> = (0..12).map(|vain| penance(vain).as_secs()).collect();
        assert_eq!(seconds, [0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(penance(u32::MAX), AGAIN_AT_MOST);
    }
}
