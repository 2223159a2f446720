//! The era of sessions: 2024-11-05 to 2025-11-25.

use super::{
    Gateway,
    classify::{self, Fault, PROTOCOL_VERSION, SESSION_ID},
    http::Post,
    reply,
    session::{Backend, Session},
};
use crate::{
    instance::{
        link::{Call, Refused, Sink},
        mailbox::{Delivery, Mailbox},
        view::{Route, Service},
    },
    protocol::{Era, Kind, LEGACY_VERSIONS, Message, codes, is_legacy_version, text_member},
    resource::Sessions as Sharing,
};
use axum::{
    http::{HeaderMap, HeaderValue, StatusCode},
    response::Response,
};
use std::{
    sync::{Arc, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

/// How long a server may take to answer `initialize`.
const HANDSHAKE: Duration = Duration::from_secs(120);

pub async fn post(gateway: &Gateway, post: &Post<'_>) -> Response {
    if post.message.method == "initialize" && post.message.kind == Kind::Request {
        return initialize(gateway, post).await;
    }
    let id = post.message.id.map(|id| id.0);
    let session = match find(gateway, post.app, post.headers) {
        Ok(session) => session,
        Err(fault) => return reply::fault(&fault, id),
    };
    match forward(gateway, &session, std::slice::from_ref(post)) {
        Ok(Some(mailbox)) => reply::deliver(mailbox, session, Era::Legacy, reply::accepts_events(post.headers)).await,
        Ok(None) => reply::empty(StatusCode::ACCEPTED),
        Err(refused) => refusal(&refused, id),
    }
}

/// A batch, which exists in version 2025-03-26 only. Each message is judged by itself before any is forwarded.
pub async fn batch(gateway: &Gateway, app: &str, headers: &HeaderMap, messages: &[Message<'_>]) -> Response {
    let invalid = |text: &str| reply::fault(&Fault::new(StatusCode::BAD_REQUEST, codes::INVALID_REQUEST, text), None);
    let session = match find(gateway, app, headers) {
        Ok(session) => session,
        Err(fault) => return reply::fault(&fault, None),
    };
    if session.protocol_version != "2025-03-26" {
        return invalid("batches exist in protocol version 2025-03-26 only");
    }
    if messages.is_empty() || messages.iter().any(|message| message.method == "initialize") {
        return invalid("a batch has at least one message, and no `initialize`");
    }
    let params: Vec<_> = messages.iter().map(Message::params).collect();
    let posts: Vec<Post<'_>> =
        messages.iter().zip(&params).map(|(message, params)| Post { app, headers, message, params }).collect();
    match forward(gateway, &session, &posts) {
        Ok(Some(mailbox)) => reply::stream(mailbox, session, None),
        Ok(None) => reply::empty(StatusCode::ACCEPTED),
        Err(refused) => refusal(&refused, None),
    }
}

/// Opens the stream for what belongs to no request.
pub fn get(gateway: &Gateway, app: &str, headers: &HeaderMap) -> Response {
    if !reply::accepts_events(headers) {
        return reply::empty(StatusCode::NOT_ACCEPTABLE);
    }
    let session = match find(gateway, app, headers) {
        Ok(session) => session,
        Err(fault) => return reply::fault(&fault, None),
    };
    super::reply::session_stream(session)
}

pub fn delete(gateway: &Gateway, app: &str, headers: &HeaderMap) -> Response {
    let Some(id) = classify::header(headers, &SESSION_ID) else {
        return reply::fault(&missing_session(), None);
    };
    match gateway.sessions.remove(id, app) {
        Some(_) => reply::empty(StatusCode::NO_CONTENT),
        None => reply::fault(&unknown_session(), None),
    }
}

fn missing_session() -> Fault {
    let text = "a request outside of a session: open one with `initialize` and send its Mcp-Session-Id";
    Fault::new(StatusCode::BAD_REQUEST, codes::INVALID_REQUEST, text)
}

fn unknown_session() -> Fault {
    Fault::new(
        StatusCode::NOT_FOUND,
        codes::SESSION_NOT_FOUND,
        "the session is not known, or has ended: initialize again",
    )
}

fn find(gateway: &Gateway, app: &str, headers: &HeaderMap) -> Result<Arc<Session>, Fault> {
    if let Some(version) = classify::header(headers, &PROTOCOL_VERSION).filter(|v| !LEGACY_VERSIONS.contains(v)) {
        return Err(Fault::unsupported_version(version, &LEGACY_VERSIONS));
    }
    let id = classify::header(headers, &SESSION_ID).ok_or_else(missing_session)?;
    let session = gateway.sessions.get(id, app).ok_or_else(unknown_session)?;
    session.touch();
    Ok(session)
}

fn refusal(refused: &Refused, id: Option<&str>) -> Response {
    match refused {
        // Nothing was forwarded: the client opens a new session, on the version that serves now.
        Refused::Closed(_) | Refused::Draining => reply::fault(&unknown_session(), id),
        Refused::Overloaded => reply::unavailable(id, &refused.to_string(), None, 1),
    }
}

/// Forwards messages of a session; a mailbox if answers are to come.
fn forward(gateway: &Gateway, session: &Arc<Session>, posts: &[Post<'_>]) -> Result<Option<Arc<Mailbox>>, Refused> {
    let link = session.link(&gateway.fleet).ok_or(Refused::Draining)?;
    if session.is_shared() {
        link.attach(&session.sink);
    }
    let requests = posts.iter().filter(|post| post.message.kind == Kind::Request).count();
    let mailbox = Arc::new(Mailbox::for_answers(requests));
    for Post { message, params, .. } in posts {
        match message.kind {
            Kind::Request => {
                if session.is_shared() && !track_subscription(session, &link, message, params, &mailbox) {
                    continue;
                }
                link.open(Call { message, params, owner: session.owner }, &mailbox)?;
            }
            Kind::Notification if message.method == "notifications/cancelled" => {
                if let Some(request) = params.request_id {
                    link.cancel_named(session.owner, request, message)?;
                }
            }
            // What one of many clients has to tell or to answer is nothing that a shared server can attribute.
            Kind::Notification | Kind::Response if session.is_shared() => {}
            Kind::Notification => link.notify(message)?,
            Kind::Response => link.respond(message)?,
        }
    }
    Ok((requests > 0).then_some(mailbox))
}

/// Keeps account of who has subscribed to what on a shared server. `false`: the request has been answered here, since
/// the server must go on sending updates to somebody else.
fn track_subscription(
    session: &Session,
    link: &crate::instance::link::Link,
    message: &Message<'_>,
    params: &crate::protocol::Params<'_>,
    mailbox: &Mailbox,
) -> bool {
    let Some(uri) = params.uri.and_then(text_member) else { return true };
    let mut subscriptions = session.sink.subscriptions.lock().unwrap_or_else(PoisonError::into_inner);
    match message.method.as_ref() {
        "resources/subscribe" => {
            subscriptions.insert(uri.into_owned());
            true
        }
        "resources/unsubscribe" => {
            subscriptions.remove(uri.as_ref());
            drop(subscriptions);
            let wanted = link.subscribed_elsewhere(&uri, &session.sink);
            if wanted {
                let id = message.id.map_or("null", |id| id.0);
                mailbox.answer(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#).into(), None);
            }
            !wanted
        }
        _ => true,
    }
}

async fn initialize(gateway: &Gateway, post: &Post<'_>) -> Response {
    let id = post.message.id.map(|id| id.0);
    let Some(route) = gateway.route(post.app) else { return reply::unknown_app(post.app, id) };
    let service = match &*route {
        Route::Ready(service) => service,
        Route::Unready { .. } => return reply::unready(&route, post.app, id),
    };
    if let Err(error) = gateway.sessions.has_room() {
        return reply::unavailable(id, &error.to_string(), None, 5);
    }
    if service.sessions == Sharing::Shared {
        return initialize_shared(gateway, service, post);
    }
    let lease = match service.checkout().await {
        Ok(lease) => lease,
        Err(error) => return reply::unavailable(id, &error.to_string(), None, 1),
    };
    let link = lease.running().link.clone();
    let sink = Sink::new();
    link.attach(&sink);
    let mailbox = Arc::new(Mailbox::for_answers(1));
    if let Err(refused) = link.open(Call { message: post.message, params: post.params, owner: 0 }, &mailbox) {
        return reply::unavailable(id, &refused.to_string(), None, 1);
    }
    // What the server says before it answers is kept for the session's stream.
    let answer = async {
        loop {
            match mailbox.next().await {
                Some(Delivery::Message(message)) => _ = sink.mailbox.push(message),
                other => return other,
            }
        }
    };
    let Ok(Some(Delivery::Answer { message, error_code })) = tokio::time::timeout(HANDSHAKE, answer).await else {
        return reply::unavailable(id, "the server has not answered `initialize`", None, 1);
    };
    if error_code.is_some() {
        return reply::json(StatusCode::OK, message);
    }
    let version = Message::parse(&message).ok().and_then(|answer| {
        let result = crate::protocol::Params::parse(answer.result?);
        result.protocol_version.and_then(text_member).map(|version| version.into_owned())
    });
    let version = version.unwrap_or_default();
    opened(gateway, post.app, Backend::Own(lease), sink, version, service.idle_timeout, message, id)
}

/// A session on a server that has been initialized already: the gateway answers with what the server said then.
fn initialize_shared(gateway: &Gateway, service: &Service, post: &Post<'_>) -> Response {
    let id = post.message.id.map(|id| id.0);
    if service.profile.era == Era::Modern {
        let requested = post.params.protocol_version.and_then(text_member).unwrap_or_default();
        return reply::fault(&Fault::unsupported_version(&requested, &[crate::protocol::MODERN_VERSION]), id);
    }
    let mut result = service.profile.introduction.clone();
    let spoken = result.get("protocolVersion").and_then(|v| v.as_str()).unwrap_or_default().to_owned();
    let asked = post.params.protocol_version.and_then(text_member).unwrap_or_default();
    // Versions are dates. An older one than the server's can be served, since what it lacks is not used.
    let known = LEGACY_VERSIONS.contains(&asked.as_ref()) && is_legacy_version(&asked);
    let version = if known && *asked < *spoken { asked.into_owned() } else { spoken };
    if let Some(result) = result.as_object_mut() {
        result.insert("protocolVersion".into(), version.clone().into());
    }
    let answer = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, id.unwrap_or("null"));
    let sink = Sink::new();
    service.primary.link.attach(&sink);
    opened(gateway, post.app, Backend::Shared, sink, version, service.idle_timeout, answer.into(), id)
}

#[expect(clippy::too_many_arguments, reason = "the parts of one session, put together in one place")]
fn opened(
    gateway: &Gateway,
    app: &str,
    backend: Backend,
    sink: Arc<Sink>,
    version: String,
    idle_timeout: Duration,
    answer: bytes::Bytes,
    id: Option<&str>,
) -> Response {
    match gateway.sessions.insert(app, backend, sink, version, idle_timeout) {
        Ok(session) => {
            let mut response = reply::json(StatusCode::OK, answer);
            if let Ok(value) = HeaderValue::from_str(&session) {
                response.headers_mut().insert(SESSION_ID, value);
            }
            response
        }
        Err(error) => reply::unavailable(id, &error.to_string(), None, 5),
    }
}

/// Marks a session's stream as read for as long as it is.
pub struct Reading(Arc<Session>, u64);

impl Reading {
    /// Takes the stream over from an earlier reader.
    pub fn begin(session: Arc<Session>) -> Self {
        let mut number = 0;
        session.streams.send_modify(|n| {
            *n += 1;
            number = *n;
        });
        session.sink.attached.store(true, Relaxed);
        Reading(session, number)
    }

    pub fn session(&self) -> &Arc<Session> {
        &self.0
    }

    /// Waits until a later reader has taken over.
    pub async fn overtaken(&self) {
        let mut streams = self.0.streams.subscribe();
        // An error means that the session is gone, and its mailbox with it.
        let _ = streams.wait_for(|n| *n != self.1).await;
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if *self.0.streams.borrow() == self.1 {
            self.0.sink.attached.store(false, Relaxed);
        }
    }
}
