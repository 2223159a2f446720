//! The transport of 2024-11-05: the server speaks over one endless stream of events, and says at its beginning where it
//! listens.

use super::{
    NotReached,
    conversation::Conversation,
    events::Events,
    http::{Failure, Form, Http},
};
use crate::{
    instance::launch::Parted,
    protocol::{Message, headers},
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Uri,
    header::{ACCEPT, CACHE_CONTROL},
};
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::timeout;

/// How long a server may take to say where it listens.
const OPEN_WITHIN: Duration = Duration::from_secs(20);

/// The most that is read of an answer to a POST, which has nothing to say: so its connection can be used again.
const MAX_ACCEPTED: usize = 64 << 10;

/// A stream over which the server has said where it listens.
pub struct Opened {
    events: Events,
    endpoint: Uri,
}

/// Opens the stream.
///
/// # Errors
/// Why there is none.
pub async fn open(http: &Http) -> Result<Opened, NotReached> {
    let place = http.target.place();
    let not_reached = |why: String| NotReached { place: place.clone(), why, lasting: false };
    match timeout(OPEN_WITHIN, try_open(http)).await {
        Ok(Ok(opened)) => Ok(opened),
        Ok(Err(Failure::NotReached(error))) => Err(error),
        Ok(Err(failure)) => Err(not_reached(failure.to_string())),
        Err(_) => Err(not_reached(format!("it has not said where it listens within {} s", OPEN_WITHIN.as_secs()))),
    }
}

async fn try_open(http: &Http) -> Result<Opened, Failure> {
    let headers = HeaderMap::from_iter([
        (ACCEPT, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]);
    let url = &http.target.url;
    let answer = http.send(&Method::GET, url, &headers, &Bytes::new()).await?;
    if !answer.status.is_success() {
        return Err(Failure::Status { place: http.target.place(), status: answer.status });
    }
    if answer.form() != Form::Events {
        return Err(http.unsuitable("something that is no stream of events"));
    }
    let mut events = Events::new(answer.body);
    while let Some(event) = events.next().await? {
        if event.name == "endpoint" {
            let reference = String::from_utf8_lossy(&event.data);
            let endpoint = http.target.resolve(url, reference.trim());
            let endpoint =
                endpoint.ok_or_else(|| http.unsuitable("an endpoint on another server, which is not used"))?;
            return Ok(Opened { events, endpoint });
        }
    }
    Err(http.unsuitable("a stream of events without an endpoint"))
}

/// One session over such a stream.
pub struct EventStream {
    /// Until somebody listens.
    events: Mutex<Option<Events>>,
    endpoint: Uri,
}

impl EventStream {
    pub fn new(opened: Opened) -> Self {
        EventStream { events: Mutex::new(Some(opened.events)), endpoint: opened.endpoint }
    }

    /// Passes on what the server says until it says no more, which is the end of the session.
    pub async fn listen(&self, talk: &Conversation) {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut events) = events else { return };
        loop {
            match events.next().await {
                Ok(Some(event)) if event.name != "message" || event.data.is_empty() => {}
                Ok(Some(event)) => match Message::parse(&event.data) {
                    Ok(message) => talk.outlet.message(message.raw).await,
                    Err(error) => {
                        talk.outlet.say(&format!("the server has sent something that is no message: {error}"))
                    }
                },
                Ok(None) => break,
                Err(failure) => {
                    talk.note("the event stream", &failure);
                    break;
                }
            }
        }
        talk.end(Parted::StreamEnded);
    }

    /// Sends a message. What there is to answer comes over the stream.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn post(&self, talk: &Conversation, line: &Bytes) -> Result<(), Failure> {
        let mut answer = talk.http.send(&Method::POST, &self.endpoint, &headers::post(), line).await?;
        if !answer.status.is_success() {
            return Err(Failure::Status { place: talk.http.target.place(), status: answer.status });
        }
        // However it ends: the message has been taken.
        let _ = answer.body.read(MAX_ACCEPTED).await;
        Ok(())
    }
}
