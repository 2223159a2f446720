//! `/v1/plan`: what a plan for this agent is made from, for those who may know all about it.

use super::Api;
use crate::{
    gateway::{Caller, access::Principal, problem},
    resource::Verb,
    status::model::plan::Basis,
};
use axum::{
    Extension, Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};

/// What the agent decides by and what it has accepted: with it `mcpfleet plan` says what a change would do. For operators, and for
/// users of whom a role has a rule with the resource `agent` and the verb `read`.
#[utoipa::path(get, path = "/v1/plan", tag = "status", responses((status = 200, body = Basis)))]
pub(super) async fn plan(State(api): State<Api>, Extension(caller): Extension<Caller>) -> Response {
    // An agent that is open to everybody shows what it runs, and not by whose keys it judges.
    let known = caller.principal != Principal::Anonymous;
    if !known || !api.store.gateway.policy.borrow().may_order(&caller.principal, Verb::Read, None) {
        let text = "what this agent decides by is for operators, on the control socket, and for users of whom a role has a \
                    rule with the resource `agent` and the verb `read`";
        return problem(StatusCode::FORBIDDEN, "not-allowed", text);
    }
    Json(api.store.basis()).into_response()
}
