//! What questions to git have in common: who may ask them, and what is answered when there is no answer.

use super::Api;
use crate::{
    gateway::{Caller, access::Principal, problem},
    resource::Verb,
    source::{
        GitView, Source,
        past::{Asker, Heads, PastError},
    },
};
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};

/// Refuses whoever may not know all about the agent.
#[expect(clippy::result_large_err, reason = "it is the answer")]
pub(super) fn reads_agent(api: &Api, caller: &Caller) -> Result<(), Response> {
    if api.store.gateway.policy.borrow().may_order(&caller.principal, Verb::Read, None) {
        return Ok(());
    }
    let text = "what was changed in the sources is for operators, on the control socket, and for users of whom a role has a \
                rule with the resource `agent` and the verb `read`";
    Err(problem(StatusCode::FORBIDDEN, "not-allowed", text))
}

pub(super) fn asker(caller: &Caller) -> Asker {
    match caller.principal {
        Principal::Anonymous => Asker::Anybody,
        Principal::Operator | Principal::User(_) => Asker::Known,
    }
}

/// Refuses whoever is nobody: what has to be fetched first is fetched with the agent's credentials.
#[expect(clippy::result_large_err, reason = "it is the answer")]
pub(super) fn is_known(caller: &Caller) -> Result<(), Response> {
    if matches!(asker(caller), Asker::Known) {
        return Ok(());
    }
    let text = "what a branch would bring is not for everybody who reaches an open gateway: ask on the control socket, with \
                `mcpfleet plan --running`, or open the page with `mcpfleet web`";
    Err(problem(StatusCode::FORBIDDEN, "not-allowed", text))
}

/// The source of this name; without a name, the first one of git, or else the first.
#[expect(clippy::result_large_err, reason = "it is the answer")]
pub(super) fn source<'a>(api: &'a Api, name: Option<&str>) -> Result<(usize, &'a Source), Response> {
    let sources = || api.store.sources.iter().enumerate();
    let found = match name {
        Some(name) => sources().find(|(_, source)| source.view.borrow().name == name),
        None => sources().find(|(_, source)| source.past.is_some()).or_else(|| sources().next()),
    };
    found.ok_or_else(|| {
        let text = match name {
            Some(name) => format!("there is no source {name:?}"),
            None => "this agent has no sources: all that it runs is in its own configuration".to_owned(),
        };
        problem(StatusCode::NOT_FOUND, "unknown-source", &text)
    })
}

/// Where a git source stands.
pub(super) fn heads(view: &GitView) -> Heads {
    Heads { seen: view.seen, accepted: view.accepted, root: view.root }
}

/// The commit in a query, which must be a full id.
#[expect(clippy::result_large_err, reason = "it is the answer")]
pub(super) fn commit<T: std::str::FromStr>(text: Option<&str>) -> Result<Option<T>, Response> {
    let parsed = text.map(str::parse).transpose();
    parsed.map_err(|_| problem(StatusCode::BAD_REQUEST, "invalid-request", "`before` must be the full id of a commit"))
}

/// The answer when there is none.
pub(super) fn unanswered(error: &PastError) -> Response {
    let status = match error {
        PastError::Busy => StatusCode::SERVICE_UNAVAILABLE,
        PastError::NotYet => StatusCode::CONFLICT,
        PastError::Unknown(_) => StatusCode::NOT_FOUND,
        PastError::TooLong(_) => StatusCode::UNPROCESSABLE_ENTITY,
        PastError::Fetch(_) => StatusCode::BAD_GATEWAY,
        PastError::Object(_) | PastError::Git(_) | PastError::State(_) | PastError::Failed => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    let mut response = problem(status, error.code(), &error.to_string());
    if matches!(error, PastError::Busy) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// Said where a list was not gone through to its end.
pub(super) const CUT: &str = "there may be older ones: it took too long to look for them; in a clone, `mcpfleet history` and `git log` take \
     their time";
