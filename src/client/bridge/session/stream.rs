//! The stream on which a server speaks by itself, in the legacy era.

use super::{Lease, Patience, Session};
use crate::{client::answer::Messages, protocol::headers};
use bytes::Bytes;
use hyper::{
    Method, StatusCode,
    header::{ACCEPT, HeaderMap, HeaderValue},
};
use std::time::{Duration, Instant};

/// How long a stream that has ended is left alone, if the server does not say.
const STREAM_PAUSE: Duration = Duration::from_millis(500);

impl Session {
    /// Passes on what the server says by itself, for as long as the bridge lives.
    pub async fn listen(&self) {
        let mut listening = self.listening.subscribe();
        loop {
            let Ok(lease) = listening.wait_for(Option::is_some).await.map(|lease| lease.clone()) else { return };
            let Some(lease) = lease else { continue };
            listening.mark_unchanged();
            tokio::select! {
                () = self.follow(&lease) => {}
                changed = listening.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Follows the stream of one session. Ends when there is a newer session, or never.
    async fn follow(&self, lease: &Lease) {
        let (mut patience, mut last_id) = (Patience::endless(), None);
        loop {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
            lease.add_to(&mut headers);
            headers.extend(last_id.clone().map(|id| (headers::LAST_EVENT_ID, id)));
            let mut asked = None;
            match self.agent.http.send(Method::GET, &self.path, headers, Bytes::new()).await {
                Ok(response) if response.status == StatusCode::NOT_FOUND && lease.has_session() => {
                    if let Ok(Some(newer)) = self.lease(Some(lease.generation)).await
                        && newer.generation != lease.generation
                    {
                        return;
                    }
                }
                // The server has nothing to say by itself, or not to us.
                Ok(response) if response.status.is_client_error() => std::future::pending().await,
                Ok(response) if response.status.is_success() => {
                    patience = Patience::endless();
                    let mut messages = Messages::of(response);
                    while let Ok(Some(message)) = messages.next().await {
                        self.outlet.line(message).await;
                    }
                    asked = Some(messages.retry().unwrap_or(STREAM_PAUSE));
                    last_id = messages.last_event_id().and_then(|id| HeaderValue::from_str(id).ok()).or(last_id);
                }
                Ok(response) => tracing::debug!(status = %response.status, "the agent refused a stream"),
                Err(error) => tracing::debug!(%error, "the stream was lost"),
            }
            if let Some(pause) = patience.pause(Instant::now(), asked) {
                tokio::time::sleep(pause).await;
            }
        }
    }
}
