//! What goes back to a client: an answer as JSON, or a stream of events as soon as there is more to say.

use super::{
    KEEP_ALIVE,
    answering::Answering,
    classify::{Fault, modern_status},
    pieces,
    trail::Failure,
};
use crate::{
    instance::{
        mailbox::{Delivery, Unread},
        view::Route,
    },
    protocol::{Era, error_response},
};
use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::{Bytes, BytesMut};
use std::convert::Infallible;
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
    let mut response = Response::new(pieces::body(body.into()));
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
    let body = error_response(id.unwrap_or("null"), fault.code, &fault.message, fault.data.clone());
    let mut response = json(fault.status, body);
    if let Some(seconds) = fault.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    let Fault { code, message, denied, .. } = fault;
    response.extensions_mut().insert(Failure { code: *code, message: message.clone(), denied: *denied });
    response
}

/// Waits for the answer to a request and gives it; what comes before it needs a client that takes `events`. Nothing is
/// waited for any more once the client goes away.
pub async fn deliver(mut answering: Answering, era: Era, events: bool) -> Response {
    let delivery = if events {
        match timeout(KEEP_ALIVE, answering.next()).await {
            Ok(delivery) => delivery,
            // A client must not take silence for a broken connection.
            Err(_) => return stream(answering, None),
        }
    } else {
        loop {
            match answering.next().await {
                Some(Delivery::Message(_)) => {}
                other => break other,
            }
        }
    };
    match delivery {
        Some(Delivery::Answer { message, error_code }) => {
            let status = if era == Era::Modern { modern_status(error_code) } else { StatusCode::OK };
            json(status, message)
        }
        Some(first @ Delivery::Message(_)) => stream(answering, Some(first)),
        // Cancelled at the client's own word: there will be no answer.
        None => empty(StatusCode::ACCEPTED),
    }
}

/// A stream of events, up to the last answer.
pub fn stream(mut answering: Answering, first: Option<Delivery>) -> Response {
    let opening = match first {
        Some(first) => chunk(first, || answering.try_next()),
        None => Bytes::from_static(b": open\n\n"),
    };
    // Whoever asks for the next piece has sent most of the one before.
    let state = (answering, Some(opening), None);
    let body = futures_util::stream::unfold(state, |(mut answering, opening, unread): Streamed| async move {
        drop(unread);
        if let Some(opening) = opening {
            let unread = Unread::new(opening.len());
            return Some((Ok::<_, Infallible>(opening), (answering, None, Some(unread))));
        }
        let next = tokio::select! {
            delivery = answering.next() => chunk(delivery?, || answering.try_next()),
            () = sleep(KEEP_ALIVE) => Bytes::from_static(b": still here\n\n"),
        };
        let unread = Unread::new(next.len());
        Some((Ok(next), (answering, None, Some(unread))))
    });
    events(Body::from_stream(body))
}

/// What is to come, how it opens, and what is on its way.
type Streamed = (Answering, Option<Bytes>, Option<Unread>);

/// One delivery, and what else waits already, as events.
pub fn chunk(first: Delivery, mut waiting: impl FnMut() -> Option<Delivery>) -> Bytes {
    let mut out = BytesMut::new();
    let mut next = Some(first);
    while let Some(Delivery::Message(message) | Delivery::Answer { message, .. }) = next {
        out.extend_from_slice(b"event: message\ndata: ");
        out.extend_from_slice(&message);
        out.extend_from_slice(b"\n\n");
        next = if out.len() < CHUNK { waiting() } else { None };
    }
    out.freeze()
}

/// The app does not serve now: 503 with its state.
pub fn unready(route: &Route, app: &str) -> Fault {
    let Route::Unready { state, reason, retry_after } = route else {
        return Fault::unavailable(format!("{app} is not ready"), 1);
    };
    let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let text = format!("{app} is not ready ({state}){reason}");
    let data = Some(serde_json::json!({ "state": state.to_string() }));
    Fault { data, ..Fault::unavailable(text, retry_after.as_secs().max(1)) }
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
