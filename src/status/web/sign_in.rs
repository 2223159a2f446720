//! How somebody becomes somebody in a browser: by a link that is good once, or by a token.

use super::{Web, me::timestamp};
use crate::{
    gateway::{
        Access, Caller, Denial, Stranger,
        access::Principal,
        identity, problem, refusal,
        web_session::{Life, Maker},
    },
    status::{
        asked::Asked,
        model::{
            audit::{Kind, Outcome, Record},
            web::{Link, Session, SignIn},
        },
    },
};
use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use std::time::Instant;

const PATH: &str = "/v1/web/sessions";

/// A link that opens the page for whoever has it, once, with the rights of whoever asks for it.
#[utoipa::path(post, path = "/v1/web/links", tag = "web", responses((status = 200, body = Link)))]
pub(in crate::status) async fn link(State(web): State<Web>, Extension(caller): Extension<Caller>) -> Response {
    if caller.principal == Principal::Anonymous {
        let text =
            "whoever comes in over an open gateway is nobody, and a link would open nothing; ask by the control socket";
        return problem(StatusCode::FORBIDDEN, "anonymous", text);
    }
    let gateway = &web.store.gateway;
    let maker = Maker { principal: caller.principal.clone(), until: caller.until, within: caller.session.clone() };
    let Ok((url, until)) = gateway.web.link(maker, Instant::now()) else { return no_randomness() };
    gateway.audit.record(Record {
        principal: Some(caller.name()),
        peer: Some(caller.origin()),
        session: caller.session.as_ref().map(|life| life.label.clone()),
        method: Some("web-link".into()),
        ..Record::new(Kind::Operation, Outcome::Ok)
    });
    Json(Link { url, expires: timestamp(until) }).into_response()
}

/// Opens a session of the web page, by the code of a link or by a token. The cookie is in the head of the answer.
#[utoipa::path(post, path = "/v1/web/sessions", tag = "web", request_body = SignIn, responses((status = 200, body = Session)))]
pub(in crate::status) async fn sign_in(
    State(web): State<Web>,
    Extension(stranger): Extension<Stranger>,
    headers: HeaderMap,
    Asked(shown): Asked<SignIn>,
) -> Response {
    let gateway = &web.store.gateway;
    let maker = match admit(&web, &stranger, &headers, shown).await {
        Ok(maker) => maker,
        Err(denial) => {
            gateway.audit.record_stranger(Record {
                peer: Some(stranger.origin()),
                name: Some(PATH.into()),
                reason: Some(denial.message.clone()),
                ..Record::new(Kind::Admission, Outcome::Denied)
            });
            return refusal(gateway, PATH, &denial);
        }
    };
    let principal = maker.principal.label();
    let Ok(opened) = gateway.web.open(&headers, maker, Instant::now()) else { return no_randomness() };
    record(&web, &principal, stranger.origin(), &opened.life, "web-sign-in");
    let session = Session { principal, proof: opened.proof, expires: timestamp(opened.until) };
    ([(header::SET_COOKIE, opened.cookie)], Json(session)).into_response()
}

/// Ends the session that the request is in.
#[utoipa::path(delete, path = "/v1/web/sessions", tag = "web", responses((status = 204, description = "It has ended.")))]
pub(in crate::status) async fn sign_out(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Response {
    if let Some(life) = &caller.session {
        record(&web, &caller.name(), caller.origin(), life, "web-sign-out");
    }
    let gone = web.store.gateway.web.close(&headers, Instant::now());
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response()
}

/// Who signs in.
async fn admit(web: &Web, stranger: &Stranger, headers: &HeaderMap, shown: SignIn) -> Result<Maker, Denial> {
    let gateway = &web.store.gateway;
    gateway.web.check_site(headers)?;
    let address = stranger.address.map(|address| address.ip());
    match (shown.code, shown.token) {
        (Some(code), None) => {
            let policy = gateway.policy.borrow().clone();
            gateway.web.redeem(&code, &policy, Instant::now()).ok_or_else(|| {
                let text =
                    "the link is not good, or not any more: it opens the page once, within ten minutes of being made";
                gateway.identity.failed(address, Denial::new(StatusCode::UNAUTHORIZED, "invalid-link", text))
            })
        }
        (None, Some(_)) if gateway.guard.access == Access::Open => {
            let text = "this gateway is open, and looks at no tokens (gateway.auth); `mcpfleet web` makes a link that opens the \
                        page for its operator";
            Err(Denial::new(StatusCode::FORBIDDEN, "open", text))
        }
        (None, Some(token)) => {
            let token = token.trim();
            if !identity::fits(token) {
                let denial = Denial::new(StatusCode::UNAUTHORIZED, "invalid-token", "this is no token");
                return Err(gateway.identity.failed(address, denial));
            }
            let (principal, until) = gateway.identity.by_token(token, address, &gateway.policy).await?;
            Ok(Maker { principal, until, within: None })
        }
        _ => Err(Denial::new(StatusCode::BAD_REQUEST, "invalid-request", "sign in with either a `code` or a `token`")),
    }
}

fn record(web: &Web, principal: &str, peer: String, life: &Life, method: &str) {
    web.store.gateway.audit.record(Record {
        principal: Some(principal.to_owned()),
        peer: Some(peer),
        session: Some(life.label.clone()),
        method: Some(method.to_owned()),
        ..Record::new(Kind::Operation, Outcome::Ok)
    });
}

fn no_randomness() -> Response {
    problem(StatusCode::INTERNAL_SERVER_ERROR, "no-randomness", "the system has no randomness to make a secret of")
}
