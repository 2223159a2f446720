//! How a session begins: with a process of its own, or with the one that all sessions of a server share.

use super::{
    Gateway, all,
    bridge::{translate, upgrade::Upgrade},
    classify::{Fault, SESSION_ID},
    exchange::unknown_app,
    http::Post,
    reply,
    session::Backend,
    trail::Failure,
};
use crate::{
    instance::{
        link::{Call, Sink},
        mailbox::{Delivery, Mailbox},
        view::{Route, Service},
    },
    protocol::{Era, LEGACY_VERSIONS, Message, Params, codes, is_legacy_version, text_member},
    resource::Sessions as Sharing,
};
use axum::{
    http::{HeaderValue, StatusCode},
    response::Response,
};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// How long a server may take to answer `initialize`.
const HANDSHAKE: Duration = Duration::from_secs(120);

/// A session with all apps at once ends after so long without a message.
const IDLE: Duration = Duration::from_secs(30 * 60);

pub async fn initialize(gateway: &Gateway, post: &Post<'_>) -> Response {
    let id = post.message.id.map(|id| id.0);
    if post.app == all::NAME {
        return upgraded(gateway, &all::discovery(), IDLE, post);
    }
    let Some(route) = gateway.route(post.app) else { return reply::fault(&unknown_app(post.app), id) };
    let service = match &*route {
        Route::Ready(service) => service,
        Route::Unready { .. } => return reply::fault(&reply::unready(&route, post.app), id),
    };
    if let Err(error) = gateway.sessions.has_room(post.right.caller()) {
        return reply::fault(&Fault::unavailable(error.to_string(), 5), id);
    }
    let modern = service.profile.era == Era::Modern;
    if modern && (service.sessions == Sharing::Shared || service.takes_sessions.get() == Some(&false)) {
        return upgraded(gateway, &service.profile.introduction, service.idle_timeout, post);
    }
    if service.sessions == Sharing::Shared {
        return initialize_shared(gateway, service, post);
    }
    let lease = match gateway.checkout(service, post.app).await {
        Ok(lease) => lease,
        Err(error) => return reply::fault(&Fault::unavailable(error.to_string(), 1), id),
    };
    let link = lease.running().link.clone();
    let sink = Sink::new();
    link.attach(&sink);
    let mailbox = Arc::new(Mailbox::for_answers(1));
    if let Err(refused) = link.open(Call { message: post.message, params: post.params, owner: 0 }, &mailbox) {
        return reply::fault(&Fault::unavailable(refused.to_string(), 1), id);
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
        return reply::fault(&Fault::unavailable("the server has not answered `initialize`", 1), id);
    };
    if modern {
        // Most servers of the stateless era know sessions as well, and do not say so.
        // What one client has done wrong, or a process that ends, says nothing of others.
        let known = match error_code {
            None => Some(true),
            Some(codes::METHOD_NOT_FOUND | codes::UNSUPPORTED_VERSION) => Some(false),
            Some(_) => None,
        };
        if let Some(takes) = known.filter(|_| !link.is_closed()) {
            let _ = service.takes_sessions.set(takes);
        }
        if error_code.is_some() && !link.is_closed() && service.takes_sessions.get() != Some(&true) {
            return upgraded(gateway, &service.profile.introduction, service.idle_timeout, post);
        }
    }
    if let Some(code) = error_code {
        let mut response = reply::json(StatusCode::OK, message);
        response.extensions_mut().insert(Failure { code, message: "the server refuses".into(), denied: false });
        return response;
    }
    let version = Message::parse(&message).ok().and_then(|answer| {
        let result = Params::parse(answer.result?);
        result.protocol_version.and_then(text_member).map(|version| version.into_owned())
    });
    let version = version.unwrap_or_default();
    opened(gateway, post, Backend::Own(lease), sink, version, service.idle_timeout, message, id)
}

/// A session on a server that has been initialized already: the gateway answers with what the server said then.
fn initialize_shared(gateway: &Gateway, service: &Service, post: &Post<'_>) -> Response {
    let id = post.message.id.map(|id| id.0);
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
    opened(gateway, post, Backend::Shared, sink, version, service.idle_timeout, answer.into(), id)
}

/// A session on a server that knows none.
fn upgraded(gateway: &Gateway, discovered: &Value, idle_timeout: Duration, post: &Post<'_>) -> Response {
    let id = post.message.id.map(|id| id.0);
    let asked = post.params.protocol_version.and_then(text_member).unwrap_or_default();
    let result = translate::initialization(discovered, &asked);
    let version = result.get("protocolVersion").and_then(|v| v.as_str()).unwrap_or_default().to_owned();
    let answer = translate::result(id.unwrap_or("null"), &result.to_string());
    let backend = Backend::Upgraded(Box::new(Upgrade::new(post.message.params)));
    opened(gateway, post, backend, Sink::new(), version, idle_timeout, answer.into(), id)
}

#[expect(clippy::too_many_arguments, reason = "the parts of one session, put together in one place")]
fn opened(
    gateway: &Gateway,
    post: &Post<'_>,
    backend: Backend,
    sink: Arc<Sink>,
    version: String,
    idle_timeout: Duration,
    answer: bytes::Bytes,
    id: Option<&str>,
) -> Response {
    match gateway.sessions.insert(post.right.caller(), post.app, backend, sink, version, idle_timeout) {
        Ok(session) => {
            let mut response = reply::json(StatusCode::OK, answer);
            if let Ok(value) = HeaderValue::from_str(&session) {
                response.headers_mut().insert(SESSION_ID, value);
            }
            response
        }
        Err(error) => reply::fault(&Fault::unavailable(error.to_string(), 5), id),
    }
}
