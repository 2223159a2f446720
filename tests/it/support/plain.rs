//! A client that speaks plain HTTP to an agent's gateway, and tells what came of it as it is.

use super::mcp::Era;
use mcpfleet::protocol::{LEGACY_VERSIONS, MODERN_VERSION, meta};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use std::time::Duration;

/// What a client gets for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Got {
    /// The text of a tool's result.
    Text(String),
    /// An error of JSON-RPC.
    Error {
        status: u16,
        code: i64,
        message: String,
        /// `error.data.state`.
        state: Option<String>,
        /// Seconds, of the header.
        retry_after: Option<u64>,
    },
    /// The connection broke, or could not be made.
    Broken(String),
    /// Nothing for as long as the client waited.
    Silence,
}

impl Got {
    pub fn text(&self) -> Option<&str> {
        match self {
            Got::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// A client of one app. Clones share their connections, and the session.
#[derive(Clone, Debug)]
pub struct PlainClient {
    http: reqwest::Client,
    url: String,
    session: Option<String>,
}

impl PlainClient {
    /// Of the stateless era, or as long as no session has been opened.
    pub fn new(gateway: &str, app: &str) -> PlainClient {
        PlainClient { http: reqwest::Client::new(), url: format!("{gateway}/mcp/{app}"), session: None }
    }

    /// Ready to call in this era.
    pub async fn of_era(gateway: &str, app: &str, era: Era) -> Result<PlainClient, Got> {
        let client = PlainClient::new(gateway, app);
        match era {
            Era::Modern => Ok(client),
            Era::Legacy => client.open().await,
        }
    }

    /// Opens a session.
    pub async fn open(&self) -> Result<PlainClient, Got> {
        let params = json!({
            "protocolVersion": LEGACY_VERSIONS[0],
            "capabilities": {},
            "clientInfo": {"name": "it", "version": "1"},
        });
        let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        let response = self.post(&body).send().await.map_err(broken)?;
        let session = response.headers().get("mcp-session-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        if session.is_none() {
            return Err(read(response).await);
        }
        let client = PlainClient { session, ..self.clone() };
        let told = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        client.in_session(&told).send().await.map_err(broken)?;
        Ok(client)
    }

    /// The id of the session, if there is one.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// Calls a tool, in the session if there is one.
    pub async fn call(&self, tool: &str, arguments: Value) -> Got {
        got(self.request(tool, arguments)).await
    }

    /// The same with a client that waits no longer than this.
    pub async fn call_within(&self, patience: Duration, tool: &str, arguments: Value) -> Got {
        got(self.request(tool, arguments).timeout(patience)).await
    }

    /// Ends the session, if there is one: the status of the answer.
    pub async fn delete(&self) -> Option<u16> {
        let request = self.http.delete(&self.url).header("mcp-session-id", self.session.as_deref()?);
        Some(request.send().await.ok()?.status().as_u16())
    }

    fn request(&self, tool: &str, arguments: Value) -> RequestBuilder {
        let mut params = json!({"name": tool, "arguments": arguments});
        if self.session.is_none() {
            params["_meta"] = json!({meta::PROTOCOL_VERSION: MODERN_VERSION, meta::CLIENT_CAPABILITIES: {}});
        }
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        match self.session {
            Some(_) => self.in_session(&body),
            None => self
                .post(&body)
                .header("mcp-protocol-version", MODERN_VERSION)
                .header("mcp-method", "tools/call")
                .header("mcp-name", tool),
        }
    }

    fn in_session(&self, body: &Value) -> RequestBuilder {
        self.post(body).header("mcp-session-id", self.session.as_deref().unwrap_or_default())
    }

    fn post(&self, body: &Value) -> RequestBuilder {
        self.http
            .post(&self.url)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .body(body.to_string())
    }
}

async fn got(request: RequestBuilder) -> Got {
    match request.send().await {
        Ok(response) => read(response).await,
        Err(error) => broken(error),
    }
}

fn broken(error: reqwest::Error) -> Got {
    match error.is_timeout() {
        true => Got::Silence,
        false => Got::Broken(format!("{error:?}")),
    }
}

async fn read(response: Response) -> Got {
    let status = response.status().as_u16();
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let retry_after = header("retry-after").and_then(|seconds| seconds.parse().ok());
    let events = header("content-type").is_some_and(|kind| kind == "text/event-stream");
    let body = match response.text().await {
        Ok(body) => body,
        Err(error) => return broken(error),
    };
    let last = body.lines().filter_map(|line| line.strip_prefix("data: ")).next_back();
    let message = if events { last.unwrap_or_default() } else { &body };
    let Ok(answer) = serde_json::from_str::<Value>(message) else {
        return Got::Broken(format!("{status}, and no answer in {body:?}"));
    };
    match answer.pointer("/result/content/0/text").and_then(Value::as_str) {
        Some(text) => Got::Text(text.to_owned()),
        None => Got::Error {
            status,
            code: answer["error"]["code"].as_i64().unwrap_or_default(),
            message: answer["error"]["message"].as_str().unwrap_or_default().to_owned(),
            state: answer["error"]["data"]["state"].as_str().map(str::to_owned),
            retry_after,
        },
    }
}
