//! What goes back to a client: an answer as JSON, or a stream of events as soon as there is more to say.

use super::{
    KEEP_ALIVE,
    classify::{Fault, modern_status},
};
use crate::{
    instance::{
        mailbox::{Delivery, Mailbox},
        view::Route,
    },
    protocol::{Era, codes, error_response},
};
use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::{Bytes, BytesMut};
use std::{convert::Infallible, sync::Arc};
use tokio::time::{sleep, timeout};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");

/// Events that wait are sent together, up to about this many bytes.
const CHUNK: usize = 64 << 10;

/// Whether a client takes a stream of events for an answer. Absent says nothing against it.
pub fn accepts_events(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
    values.peek().is_none() || values.any(|value| value.contains("text/event-stream") || value.contains("*/*"))
}

/// A JSON body.
pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

/// No body.
pub fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// A JSON-RPC error. `id` is the raw id of the request, if it could be read.
pub fn fault(fault: &Fault, id: Option<&str>) -> Response {
    json(fault.status, error_response(id.unwrap_or("null"), fault.code, &fault.message, fault.data.clone()))
}

/// The server is not there to answer: 503, and when to ask again.
pub fn unavailable(id: Option<&str>, message: &str, state: Option<&str>, retry_after: u64) -> Response {
    let data = state.map(|state| serde_json::json!({ "state": state }));
    let body = error_response(id.unwrap_or("null"), codes::UNAVAILABLE, message, data);
    let mut response = json(StatusCode::SERVICE_UNAVAILABLE, body);
    response.headers_mut().insert(header::RETRY_AFTER, retry_after.into());
    response
}

/// Waits for what a mailbox brings and answers with it; one that takes messages too needs `events`. `guard` is kept for as long as the answer is under way; it is
/// dropped when the client goes away before.
pub async fn deliver<G: Send + 'static>(mailbox: Arc<Mailbox>, guard: G, era: Era, events: bool) -> Response {
    let delivery = if events {
        match timeout(KEEP_ALIVE, mailbox.next()).await {
            Ok(delivery) => delivery,
            // A client must not take silence for a broken connection.
            Err(_) => return stream(mailbox, guard, None),
        }
    } else {
        mailbox.next().await
    };
    match delivery {
        Some(Delivery::Answer { message, error_code }) => {
            drop(guard);
            let status = if era == Era::Modern { modern_status(error_code) } else { StatusCode::OK };
            json(status, message)
        }
        Some(first @ Delivery::Message(_)) => stream(mailbox, guard, Some(first)),
        // Cancelled at the client's own word: there will be no answer.
        None => empty(StatusCode::ACCEPTED),
    }
}

/// A stream of events from a mailbox, to its end.
pub fn stream<G: Send + 'static>(mailbox: Arc<Mailbox>, guard: G, first: Option<Delivery>) -> Response {
    let opening = first.map_or_else(|| Bytes::from_static(b": open\n\n"), |first| chunk(&mailbox, first));
    let state = (mailbox, guard, Some(opening));
    let body = futures_util::stream::unfold(state, |(mailbox, guard, opening)| async move {
        if let Some(opening) = opening {
            return Some((Ok::<_, Infallible>(opening), (mailbox, guard, None)));
        }
        let next = tokio::select! {
            delivery = mailbox.next() => chunk(&mailbox, delivery?),
            () = sleep(KEEP_ALIVE) => Bytes::from_static(b": still here\n\n"),
        };
        Some((Ok(next), (mailbox, guard, None)))
    });
    events(Body::from_stream(body))
}

/// One delivery, and what else waits already, as events.
pub fn chunk(mailbox: &Mailbox, first: Delivery) -> Bytes {
    let mut out = BytesMut::new();
    let mut next = Some(first);
    while let Some(Delivery::Message(message) | Delivery::Answer { message, .. }) = next {
        out.extend_from_slice(b"event: message\ndata: ");
        out.extend_from_slice(&message);
        out.extend_from_slice(b"\n\n");
        next = if out.len() < CHUNK { mailbox.try_next() } else { None };
    }
    out.freeze()
}

/// There is no such app, or none that this client may know of.
pub fn unknown_app(app: &str, id: Option<&str>) -> Response {
    let text = format!("there is no app {app:?} here");
    fault(&Fault::new(StatusCode::NOT_FOUND, codes::INVALID_REQUEST, text), id)
}

/// The app does not serve now: 503 with its state.
pub fn unready(route: &Route, app: &str, id: Option<&str>) -> Response {
    let Route::Unready { state, reason, retry_after } = route else {
        return unavailable(id, &format!("{app} is not ready"), None, 1);
    };
    let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let text = format!("{app} is not ready ({state}){reason}");
    unavailable(id, &text, Some(&state.to_string()), retry_after.as_secs().max(1))
}

/// A stream of events as a response.
pub fn events(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, EVENTS);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
