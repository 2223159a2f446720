//! What an agent tells about itself, and what it can be asked to do.

use super::http::{HttpClient, HttpError, Response};
use crate::status::model::{
    LogLine, Status,
    audit::{Filter, Record},
    event::Event,
    plan::Basis,
    web::Link,
};
use bytes::Bytes;
use hyper::{
    Method, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde::{Deserialize, de::DeserializeOwned};
use std::{fmt::Write, marker::PhantomData, sync::Arc, time::Duration};

/// How long an agent may take for an answer that it can give at once.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The status of ten thousand apps takes about ten megabytes.
const MAX_BODY: usize = 256 << 20;
const MAX_LINE: usize = 1 << 20;

/// Why the agent did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The agent answered that it will not.
    #[error("{message}")]
    Refused {
        status: StatusCode,
        /// The stable name of the reason, such as `not-found`. Empty if none was given.
        code: String,
        message: String,
    },
    #[error("the answer is not what an agent says; is something else listening there? ({0})")]
    Unreadable(serde_json::Error),
}

impl ApiError {
    /// Reads the reason from an answer that is no success.
    pub async fn from_response(response: Response) -> ApiError {
        let status = response.status;
        match response.body.read(64 << 10).await {
            Ok(body) => ApiError::refused(status, &body),
            Err(error) => ApiError::Http(error),
        }
    }

    /// The reason that `body`, an error of the agent's or of JSON-RPC, gives, or the bare status where it gives none.
    pub fn refused(status: StatusCode, body: &[u8]) -> ApiError {
        #[derive(Deserialize)]
        struct Envelope {
            error: Reason,
        }
        #[derive(Deserialize)]
        struct Reason {
            /// A name, or a number where the answer is a message of JSON-RPC.
            code: serde_json::Value,
            message: String,
        }
        match serde_json::from_slice(body) {
            Ok(Envelope { error: Reason { code, message } }) => {
                let code = code.as_str().map_or_else(|| code.to_string(), str::to_owned);
                ApiError::Refused { status, code, message }
            }
            Err(_) => {
                ApiError::Refused { status, code: String::new(), message: format!("the agent answered {status}") }
            }
        }
    }
}

/// An agent, as its operators see it.
#[derive(Clone, Debug)]
pub struct AgentClient {
    pub http: Arc<HttpClient>,
}

impl AgentClient {
    pub fn new(http: HttpClient) -> AgentClient {
        AgentClient { http: Arc::new(http) }
    }

    /// What the agent sees and does.
    pub async fn status(&self) -> Result<Status, ApiError> {
        self.ask(Method::GET, "/v1/status", Bytes::new()).await
    }

    /// What the agent decides by, and what it has accepted.
    pub async fn plan(&self) -> Result<Basis, ApiError> {
        self.ask(Method::GET, "/v1/plan", Bytes::new()).await
    }

    /// Asks the agent to look at its sources now. With `prune`, removals that it holds back are carried out.
    pub async fn reconcile(&self, prune: bool) -> Result<(), ApiError> {
        self.order("/v1/reconcile", serde_json::json!({ "prune": prune })).await
    }

    /// Has all processes of an app replaced. With `accept_tools`, the tools that its server has then are the accepted ones.
    pub async fn restart(&self, app: &str, accept_tools: bool) -> Result<(), ApiError> {
        let path = format!("/v1/apps/{}/restart", path_segment(app));
        self.order(&path, serde_json::json!({ "accept_tools": accept_tools })).await
    }

    /// Stops an app until it is resumed; without one, has the agent apply nothing new until then.
    pub async fn suspend(&self, app: Option<&str>) -> Result<(), ApiError> {
        self.order("/v1/suspend", serde_json::json!({ "app": app })).await
    }

    /// Takes back a suspension.
    pub async fn resume(&self, app: Option<&str>) -> Result<(), ApiError> {
        self.order("/v1/resume", serde_json::json!({ "app": app })).await
    }

    /// A link that opens the web page for whoever has it, once.
    pub async fn web_link(&self) -> Result<Link, ApiError> {
        self.ask(Method::POST, "/v1/web/links", Bytes::from_static(b"{}")).await
    }

    async fn order(&self, path: &str, body: serde_json::Value) -> Result<(), ApiError> {
        let _done: serde_json::Value = self.ask(Method::POST, path, body.to_string().into()).await?;
        Ok(())
    }

    /// What the servers of an app wrote to their standard error.
    pub async fn logs(&self, app: &str, wanted: &LogsWanted<'_>) -> Result<Lines<LogLine>, ApiError> {
        let LogsWanted { tail, follow, instance, previous } = wanted;
        let instance = instance.map(|id| format!("&instance={}", path_segment(id))).unwrap_or_default();
        let app = path_segment(app);
        self.lines(format!("/v1/apps/{app}/logs?tail={tail}&follow={follow}&previous={previous}{instance}")).await
    }

    /// What has happened, to one app or to all: the last `tail` events and, with `follow`, those to come.
    pub async fn events(&self, app: Option<&str>, tail: usize, follow: bool) -> Result<Lines<Event>, ApiError> {
        let app = app.map(|app| format!("&app={}", path_segment(app))).unwrap_or_default();
        self.lines(format!("/v1/events?tail={tail}&follow={follow}{app}")).await
    }

    /// Who did what: the last `tail` records that match and, with `follow`, those to come.
    pub async fn audit(&self, filter: &Filter, tail: usize, follow: bool) -> Result<Lines<Record>, ApiError> {
        let mut path = format!("/v1/audit?tail={tail}&follow={follow}");
        let since = filter.since.map(|since| since.to_string());
        let texts = [
            ("app", &filter.app),
            ("principal", &filter.principal),
            ("tool", &filter.tool),
            ("outcome", &filter.outcome),
            ("kind", &filter.kind),
            ("since", &since),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                // Writing to a string cannot fail.
                let _ = write!(path, "&{name}={}", path_segment(text));
            }
        }
        self.lines(path).await
    }

    async fn lines<T>(&self, path: String) -> Result<Lines<T>, ApiError> {
        let asking = self.http.send(Method::GET, &path, HeaderMap::new(), Bytes::new());
        let response = in_time(asking).await?;
        if !response.status.is_success() {
            return Err(ApiError::from_response(response).await);
        }
        Ok(Lines { response, unread: Vec::new(), of: PhantomData })
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> Result<T, ApiError> {
        let mut headers = HeaderMap::new();
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let response = in_time(self.http.send(method, path, headers, body)).await?;
        if !response.status.is_success() {
            return Err(ApiError::from_response(response).await);
        }
        let body = in_time(response.body.read(MAX_BODY)).await?;
        serde_json::from_slice(&body).map_err(ApiError::Unreadable)
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, HttpError>>) -> Result<T, HttpError> {
    tokio::time::timeout(TIMEOUT, work).await.unwrap_or(Err(HttpError::TimedOut(TIMEOUT)))
}

/// Which lines of an app's log are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogsWanted<'a> {
    /// How many of the last ones.
    pub tail: usize,
    /// Also those to come.
    pub follow: bool,
    /// Only those of this process.
    pub instance: Option<&'a str>,
    /// Those of the last process that stood for the app and has ended.
    pub previous: bool,
}

/// JSON lines on their way.
#[derive(Debug)]
pub struct Lines<T> {
    response: Response,
    unread: Vec<u8>,
    of: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Lines<T> {
    /// The next one; `None` when there are no more, which is never while they are being followed.
    pub async fn next(&mut self) -> Result<Option<T>, ApiError> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.unread) {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return serde_json::from_slice(&line).map(Some).map_err(ApiError::Unreadable);
            }
            if self.unread.len() > MAX_LINE {
                return Err(HttpError::TooLarge(MAX_LINE).into());
            }
            match self.response.body.chunk().await? {
                Some(chunk) => self.unread.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }
}

/// Stands for all apps where the name of one would stand; no app is called so.
pub const ALL: &str = "";

/// Where clients reach an app, or all of them, below the agent's address.
pub fn app_path(app: &str) -> String {
    match app {
        ALL => "/mcp".to_owned(),
        app => format!("/mcp/{}", path_segment(app)),
    }
}

/// A text as one segment of a URL's path: whatever somebody types as an app's name stays a name.
fn path_segment(text: &str) -> String {
    text.bytes().fold(String::new(), |mut path, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(path, "%{byte:02X}");
        }
        path
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_names() {
        assert_eq!(app_path("demo-1.x"), "/mcp/demo-1.x");
        assert_eq!(app_path("../v1/x?a#b ü"), "/mcp/..%2Fv1%2Fx%3Fa%23b%20%C3%BC");
    }

    #[test]
    fn reasons() {
        let reason = |body: &str| match ApiError::refused(StatusCode::NOT_FOUND, body.as_bytes()) {
            ApiError::Refused { code, message, .. } => (code, message),
            other => panic!("{other:?}"),
        };
        let body = r#"{"error":{"code":"not-found","message":"there is no app x","more":1}}"#;
        assert_eq!(reason(body), ("not-found".into(), "there is no app x".into()));
        let body = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32010,"message":"not ready"}}"#;
        assert_eq!(reason(body), ("-32010".into(), "not ready".into()));
        for body in ["", "<html>", r#"{"error":"x"}"#, r#"{"error":{"message":"x"}}"#] {
            assert_eq!(reason(body), (String::new(), "the agent answered 404 Not Found".into()), "{body}");
        }
    }
}
