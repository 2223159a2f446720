//! Lets requests in, once it is known whose they are.

use super::{
    Gateway,
    caller::{Caller, origin},
    classify::Fault,
    guard::{Access, Denial, Entry, Peer},
    http::problem,
    identity::{METADATA, challenge, metadata},
    limits::{Exceeded, hold},
    reply,
    serve::Origin,
};
use crate::{
    protocol::codes,
    status::model::audit::{Kind, Outcome, Record},
};
use axum::{
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::Response,
};
use std::sync::Arc;

/// Finds out whose a request is, and puts that as [`Caller`] into its extensions.
pub async fn admit(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path();
    let describes = gateway.guard.access == Access::Required && path.starts_with(METADATA);
    let open_path = describes || matches!(path, "/healthz" | "/readyz");
    match caller(&gateway, &parts, open_path).await {
        Ok(_) if describes => description(&gateway, &parts),
        Ok(_) if open_path => next.run(Request::from_parts(parts, body)).await,
        Ok(caller) => {
            let busy = match gateway.limiter.admit(&caller) {
                Ok(busy) => busy,
                Err(exceeded) => return limited(&gateway, &caller, path, exceeded),
            };
            parts.extensions.insert(caller);
            let response = next.run(Request::from_parts(parts, body)).await;
            match busy {
                Some(busy) => hold(response, busy),
                None => response,
            }
        }
        Err(denial) => {
            let address = parts.extensions.get::<Origin>().map(|origin| origin.0);
            gateway.audit.record_stranger(Record {
                peer: Some(origin(peer(&parts), address)),
                name: Some(path.to_owned()),
                reason: Some(denial.message.clone()),
                ..Record::new(Kind::Admission, Outcome::Denied)
            });
            refusal(&gateway, path, &denial)
        }
    }
}

fn peer(request: &Parts) -> Peer {
    request.extensions.get::<Peer>().copied().unwrap_or(Peer::Tcp)
}

/// One who asks for too much is told so as whoever asks at that path expects it.
fn limited(gateway: &Gateway, caller: &Caller, path: &str, exceeded: Exceeded) -> Response {
    let text = exceeded.to_string();
    gateway.audit.record_stranger(Record {
        principal: Some(caller.name()),
        peer: Some(caller.origin()),
        name: Some(path.to_owned()),
        code: Some(codes::OVERLOADED),
        reason: Some(text.clone()),
        ..Record::new(Kind::Admission, Outcome::Limited)
    });
    let mut response = match path.starts_with("/mcp") {
        true => reply::fault(&Fault::new(StatusCode::TOO_MANY_REQUESTS, codes::OVERLOADED, text), None),
        false => problem(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", &text),
    };
    response.headers_mut().insert(header::RETRY_AFTER, exceeded.retry_after().into());
    response
}

async fn caller(gateway: &Gateway, request: &Parts, open_path: bool) -> Result<Caller, Denial> {
    let peer = peer(request);
    let from = request.extensions.get::<Origin>().map(|origin| origin.0);
    let address = from.map(|from| from.ip());
    let (principal, until) = match gateway.guard.admit(peer, &request.uri, &request.headers, open_path)? {
        Entry::Known(principal) => (principal, None),
        Entry::Token(token) => gateway.identity.by_token(token, address, &gateway.policy).await?,
        Entry::HostUser(uid) => (gateway.identity.by_uid(uid, &gateway.policy).await?, None),
    };
    Ok(Caller { principal, peer, address: from, until })
}

fn description(gateway: &Gateway, request: &Parts) -> Response {
    if request.method != Method::GET {
        return problem(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "this can be read, and nothing else");
    }
    match metadata(&gateway.identity, request.uri.path()) {
        Some(document) => reply::json(StatusCode::OK, document),
        None => problem(StatusCode::NOT_FOUND, "not-found", "there is nothing at this path"),
    }
}

fn refusal(gateway: &Gateway, path: &str, denial: &Denial) -> Response {
    let mut response = problem(denial.status, denial.code, &denial.message);
    let headers = response.headers_mut();
    if denial.status == StatusCode::UNAUTHORIZED
        && let Ok(value) = HeaderValue::from_str(&challenge(&gateway.identity, path, denial.invalid_token))
    {
        headers.insert(header::WWW_AUTHENTICATE, value);
    }
    if let Some(seconds) = denial.retry_after {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    response
}
