//! Lets requests in, once it is known whose they are.

use super::{
    Gateway,
    caller::Caller,
    guard::{Access, Denial, Entry, Peer},
    http::problem,
    identity::{METADATA, challenge, metadata},
    reply,
    serve::Origin,
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
        Ok(caller) => {
            parts.extensions.insert(caller);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(denial) => refusal(&gateway, path, &denial),
    }
}

async fn caller(gateway: &Gateway, request: &Parts, open_path: bool) -> Result<Caller, Denial> {
    let peer = request.extensions.get::<Peer>().copied().unwrap_or(Peer::Tcp);
    let address = request.extensions.get::<Origin>().map(|origin| origin.0.ip());
    let principal = match gateway.guard.admit(peer, &request.uri, &request.headers, open_path)? {
        Entry::Known(principal) => principal,
        Entry::Token(token) => gateway.identity.by_token(token, address, &gateway.policy).await?,
        Entry::HostUser(uid) => gateway.identity.by_uid(uid, &gateway.policy).await?,
    };
    Ok(Caller { principal, peer })
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
