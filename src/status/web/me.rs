//! `/v1/me`: who one is, and what one may do.

use super::Web;
use crate::{
    gateway::{
        By, Caller,
        access::{Policy, Principal},
        web_session::left,
    },
    resource::Verb,
    status::model::web::{Me, Rights},
};
use axum::{Extension, Json, extract::State};
use jiff::Timestamp;
use std::time::Instant;

/// Who one is, and what one may do.
#[utoipa::path(get, path = "/v1/me", tag = "web", responses((status = 200, body = Me)))]
pub(in crate::status) async fn me(State(web): State<Web>, Extension(caller): Extension<Caller>) -> Json<Me> {
    let may = rights(&web.store.gateway.policy.borrow().clone(), &caller.principal);
    Json(Me { principal: caller.name(), by: by(caller.by).into(), may, expires: caller.until.map(timestamp) })
}

fn by(by: By) -> &'static str {
    match by {
        By::Socket => "socket",
        By::Session => "session",
        By::Token => "token",
        By::Open => "open",
    }
}

fn rights(policy: &Policy, principal: &Principal) -> Rights {
    let may = |verb| policy.may_order(principal, verb, None);
    let (suspend, reconcile) = (may(Verb::Suspend), may(Verb::Reconcile));
    Rights {
        read: may(Verb::Read),
        restart: may(Verb::Restart),
        suspend,
        resume: suspend,
        reconcile,
        prune: reconcile,
        audit: *principal == Principal::Operator,
    }
}

/// When that is by the clock, to the second.
pub(super) fn timestamp(until: Instant) -> Timestamp {
    let until = Timestamp::now().checked_add(left(until)).unwrap_or(Timestamp::MAX);
    Timestamp::from_second(until.as_second()).unwrap_or(until)
}
