//! The agent's own questions to a server that has introduced itself.

use super::{
    link::{Link, Refused},
    probe::{NoResult, answer, client_info},
};
use crate::{
    protocol::{Era, MODERN_VERSION, meta},
    resource::quantity::format_duration,
};
use serde_json::{Value, json};
use std::time::Duration;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unanswered {
    #[error("it has not answered `{method}` within {}", format_duration(*.limit))]
    Silent { method: &'static str, limit: Duration },
    /// It answered that it will not: alive, all the same.
    #[error("it refused `{method}`: {message} (JSON-RPC error {code})")]
    Refused { method: &'static str, code: i64, message: String },
    /// It has ended, or takes no more questions because it is to end.
    #[error("{0}")]
    Ended(String),
    #[error("it has more requests than it can deal with")]
    Overloaded,
}

/// Asks, and waits for the answer for so long. `params` is an object.
pub async fn ask(
    link: &Link,
    era: Era,
    method: &'static str,
    mut params: Value,
    limit: Duration,
) -> Result<Value, Unanswered> {
    if let (Some(params), Value::Object(own)) = (params.as_object_mut(), self::params(era)) {
        params.extend(own);
    }
    let (id, mailbox) = link.ask(method, &params).map_err(|refused| match refused {
        Refused::Overloaded => Unanswered::Overloaded,
        Refused::Closed(_) | Refused::Draining => Unanswered::Ended(refused.to_string()),
    })?;
    match tokio::time::timeout(limit, answer(link, &mailbox)).await {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(NoResult::Ended(reason))) => Err(Unanswered::Ended(reason)),
        Ok(Err(NoResult::Error { code, message })) => Err(Unanswered::Refused { method, code, message }),
        Err(_) => {
            link.forget(id);
            Err(Unanswered::Silent { method, limit })
        }
    }
}

/// The `params` that a request of an era has at least.
pub fn params(era: Era) -> Value {
    match era {
        Era::Modern => json!({ "_meta": modern_meta() }),
        Era::Legacy => json!({}),
    }
}

/// What each request of the modern era says of its client.
pub(super) fn modern_meta() -> Value {
    json!({
        meta::PROTOCOL_VERSION: MODERN_VERSION,
        meta::CLIENT_CAPABILITIES: {},
        meta::CLIENT_INFO: client_info(),
    })
}
