//! Lets requests in, once it is known whose they are.

use super::{
    Gateway,
    caller::{By, Caller, origin},
    classify::Fault,
    guard::{Access, Denial, Entry, Peer},
    hardening::{harden, is_of_clients},
    http::problem,
    identity::{METADATA, challenge, metadata},
    limits::{Exceeded, hold},
    reply,
    serve::Origin,
    web_session::Visitor,
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
use std::{net::SocketAddr, sync::Arc, time::Instant};

/// Where one who asks for what everybody may have is, in the place of a [`Caller`].
#[derive(Clone, Copy, Debug)]
pub struct Stranger {
    pub peer: Peer,
    pub address: Option<SocketAddr>,
}

impl Stranger {
    /// From where, for the audit.
    pub fn origin(&self) -> String {
        origin(self.peer, self.address)
    }
}

/// What somebody may have who has not said who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// What clients have to know to get a token.
    Described,
    Health,
    /// The files of the web page, and signing in.
    Web,
    Nothing,
}

/// Finds out whose a request is, and puts that as [`Caller`] into its extensions; where nobody needs to say, a [`Stranger`].
pub async fn admit(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    let is_of_clients = is_of_clients(request.uri().path());
    let mut response = admitted(&gateway, request, next).await;
    harden(is_of_clients, response.headers_mut());
    response
}

async fn admitted(gateway: &Arc<Gateway>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path();
    let open = open(gateway, &parts.method, path);
    match caller(gateway, &parts, open != Open::Nothing).await {
        Ok(_) if open == Open::Described => description(gateway, &parts),
        Ok(_) if open == Open::Health => next.run(Request::from_parts(parts, body)).await,
        Ok(caller) => {
            let busy = match gateway.limiter.admit(&caller) {
                Ok(busy) => busy,
                Err(exceeded) => return limited(gateway, &caller, path, exceeded),
            };
            match open {
                Open::Web => drop(parts.extensions.insert(Stranger { peer: caller.peer, address: caller.address })),
                _ => drop(parts.extensions.insert(caller)),
            }
            let response = next.run(Request::from_parts(parts, body)).await;
            match busy {
                Some(busy) => hold(response, busy),
                None => response,
            }
        }
        // Whoever may not come in is shown where to sign in; one who shows a bad token is no browser.
        Err(denial) if path == "/" && denial.status == StatusCode::UNAUTHORIZED && !denial.invalid_token => {
            let address = parts.extensions.get::<Origin>().map(|origin| origin.0);
            parts.extensions.insert(Stranger { peer: peer(&parts), address });
            next.run(Request::from_parts(parts, body)).await
        }
        Err(denial) => {
            gateway.turned_away.add(denial.code);
            let address = parts.extensions.get::<Origin>().map(|origin| origin.0);
            gateway.audit.record_stranger(Record {
                peer: Some(origin(peer(&parts), address)),
                name: Some(path.to_owned()),
                reason: Some(denial.message.clone()),
                ..Record::new(Kind::Admission, Outcome::Denied)
            });
            refusal(gateway, path, &denial)
        }
    }
}

fn open(gateway: &Gateway, method: &Method, path: &str) -> Open {
    match path {
        "/healthz" | "/readyz" => Open::Health,
        "/v1/web/sessions" if *method == Method::POST => Open::Web,
        _ if path.starts_with("/web/") => Open::Web,
        _ if gateway.guard.access == Access::Required && path.starts_with(METADATA) => Open::Described,
        _ => Open::Nothing,
    }
}

fn peer(request: &Parts) -> Peer {
    request.extensions.get::<Peer>().copied().unwrap_or(Peer::Tcp)
}

/// One who asks for too much is told so as whoever asks at that path expects it.
fn limited(gateway: &Gateway, caller: &Caller, path: &str, exceeded: Exceeded) -> Response {
    gateway.turned_away.add("too-many-requests");
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
    let let_in = |principal, by| Caller { principal, peer, address: from, until: None, by, session: None };
    Ok(match gateway.guard.admit(peer, &request.uri, &request.headers, open_path)? {
        Entry::Known(principal) => let_in(principal, if peer == Peer::Tcp { By::Open } else { By::Socket }),
        Entry::Token(token) => {
            let (principal, until) = gateway.identity.by_token(token, address, &gateway.policy).await?;
            Caller { until, ..let_in(principal, By::Token) }
        }
        Entry::HostUser(uid) => let_in(gateway.identity.by_uid(uid, &gateway.policy).await?, By::Socket),
        Entry::Stranger => {
            let policy = gateway.policy.borrow().clone();
            match gateway.web.visitor(request, &policy, Instant::now())? {
                Some(Visitor { principal, until, life }) => {
                    Caller { until: Some(until), session: Some(life), ..let_in(principal, By::Session) }
                }
                None => let_in(gateway.guard.stranger()?, By::Open),
            }
        }
    })
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

/// The answer to one who is not let in.
pub fn refusal(gateway: &Gateway, path: &str, denial: &Denial) -> Response {
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
