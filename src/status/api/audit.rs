//! `/v1/audit`: who did what, for operators.

use super::{
    Api,
    streams::{Lines, lines, until},
};
use crate::{
    gateway::{Caller, access::Principal, problem},
    status::{
        asked::Wanted,
        model::audit::{Filter, Kind, Outcome, Record},
    },
};
use axum::{Extension, extract::State, http::StatusCode, response::Response};
use jiff::Timestamp;
use serde::Deserialize;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    app: Option<String>,
    /// `operator`, `anonymous`, `user/NAME`, or a user's bare name.
    principal: Option<String>,
    tool: Option<String>,
    outcome: Option<String>,
    kind: Option<String>,
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// How many of the last records that match.
    #[serde(default = "hundred")]
    #[param(required = false, default = 100)]
    tail: usize,
    /// Also those to come: then the answer has no end.
    #[serde(default)]
    #[param(required = false, default = false)]
    follow: bool,
}

fn hundred() -> usize {
    100
}

/// Who did what, as JSON lines, oldest first. For operators.
#[utoipa::path(get, path = "/v1/audit", tag = "status", params(AuditQuery),
    responses((status = 200, content_type = "application/x-ndjson", body = Record, description = "One record a line.")))]
pub(super) async fn audit(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Wanted(query): Wanted<AuditQuery>,
) -> Response {
    if caller.principal != Principal::Operator {
        let text = "what others did is for operators, on the control socket";
        return problem(StatusCode::FORBIDDEN, "not-allowed", text);
    }
    let AuditQuery { app, principal, tool, outcome, kind, since, tail, follow } = query;
    let filter = Filter { app, principal, tool, outcome, kind, since };
    let log = &api.store.gateway.audit;
    let (kept, coming) = match follow {
        true => {
            let (kept, coming) = log.follow(filter.clone(), tail).await;
            (kept, Some(coming))
        }
        false => (log.tail(filter.clone(), tail).await, None),
    };
    let kept: Vec<Record> = kept.iter().map(|record| Record::clone(record)).collect();
    let wanted = move |record: &Record| filter.matches(record).then(|| record.clone());
    // An operator stays one, as long as the session lasts by which it came in.
    let over = until(caller, std::future::pending());
    lines(Lines { kept, coming, wanted, missed, over })
}

fn missed(count: u64) -> Record {
    Record {
        time: Timestamp::now(),
        reason: Some(format!("{count} records came faster than they were read, and are left out here")),
        missed: Some(count),
        ..Record::new(Kind::Missed, Outcome::Ok)
    }
}
