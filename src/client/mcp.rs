//! A small MCP client, of either era: enough to list an app's tools and to call one.

mod wire;

use super::{
    answer::{AnswerError, Messages},
    api::{AgentClient, ApiError, app_path},
    http::HttpError,
    patience::Patience,
};
use crate::protocol::{FrameError, Kind, LEGACY_VERSIONS, Message, headers};
use bytes::Bytes;
use hyper::{
    Method, StatusCode,
    header::{HeaderMap, HeaderValue},
};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};
use wire::{add_meta, client_info, offers_modern, outcome, reply};

/// A server may hand out its tools in this many pages, so that one that never ends is noticed.
const MAX_PAGES: usize = 1000;

/// How long an app that is not ready is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a request to an app came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum McpError {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The server refused, by the rules of JSON-RPC.
    #[error("{message} (JSON-RPC error {code})")]
    Rpc { code: i64, message: String },
    #[error("the server's answer makes no sense: {0}")]
    Frame(#[from] FrameError),
    #[error("the server's answer is not what the protocol says: {0}")]
    Shape(#[from] serde_json::Error),
    #[error("the server did not answer the request")]
    NoAnswer,
    #[error("the server's list of tools does not end")]
    EndlessList,
}

impl From<HttpError> for McpError {
    fn from(error: HttpError) -> McpError {
        McpError::Api(ApiError::Http(error))
    }
}

/// The name and the arguments of a tool.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tool {
    pub name: String,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub input_schema: Value,
}

/// A connection to one app.
#[derive(Debug)]
pub struct McpClient {
    agent: AgentClient,
    path: String,
    lifecycle: Lifecycle,
    next_id: AtomicU64,
}

#[derive(Debug)]
enum Lifecycle {
    /// Every request says all there is to know.
    Modern,
    Legacy {
        session: Option<HeaderValue>,
        version: HeaderValue,
    },
}

impl McpClient {
    /// Connects to `app`: in the modern era if the server knows it, else with a handshake.
    pub async fn connect(agent: AgentClient, app: &str) -> Result<McpClient, McpError> {
        let path = app_path(app);
        let client = McpClient { agent: agent.clone(), path, lifecycle: Lifecycle::Modern, next_id: AtomicU64::new(1) };
        match client.request("server/discover", json!({}), &mut |_| {}).await {
            Ok(discovered) if offers_modern(&discovered)? => return Ok(client),
            // A server that does not know the modern era refuses in whichever way it can.
            Ok(_) | Err(McpError::Rpc { .. }) => {}
            Err(error) => return Err(error),
        }
        McpClient::open_session(agent, app).await
    }

    /// Connects to `app` with a handshake, whatever else the server knows.
    pub async fn open_session(agent: AgentClient, app: &str) -> Result<McpClient, McpError> {
        let (path, next_id) = (app_path(app), AtomicU64::new(1));
        let mut client = McpClient { agent, path, lifecycle: Lifecycle::Modern, next_id };
        client.initialize().await?;
        Ok(client)
    }

    async fn initialize(&mut self) -> Result<(), McpError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Initialized {
            protocol_version: String,
        }
        let [newest, ..] = LEGACY_VERSIONS;
        self.lifecycle = Lifecycle::Legacy { session: None, version: HeaderValue::from_static(newest) };
        let params = json!({ "protocolVersion": newest, "capabilities": {}, "clientInfo": client_info() });
        let (headers, result) = self.exchange("initialize", params, &mut |_| {}).await?;
        let Initialized { protocol_version } = serde_json::from_str(result.get())?;
        let version = HeaderValue::from_str(&protocol_version).unwrap_or(HeaderValue::from_static(newest));
        self.lifecycle = Lifecycle::Legacy { session: headers.get(headers::SESSION_ID).cloned(), version };
        self.post(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await
    }

    /// All tools, in the order in which the server lists them.
    pub async fn list_tools(&self) -> Result<Vec<Box<RawValue>>, McpError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Page {
            tools: Vec<Box<RawValue>>,
            #[serde(default)]
            next_cursor: Option<String>,
        }
        let (mut tools, mut params) = (Vec::new(), json!({}));
        for _ in 0..MAX_PAGES {
            let result = self.request("tools/list", params, &mut |_| {}).await?;
            let page: Page = serde_json::from_str(result.get())?;
            tools.extend(page.tools);
            match page.next_cursor {
                Some(cursor) => params = json!({ "cursor": cursor }),
                None => return Ok(tools),
            }
        }
        Err(McpError::EndlessList)
    }

    /// Calls a tool and gives back its result as it came. `notified` sees what the server tells meanwhile.
    pub async fn call_tool(
        &self,
        tool: &str,
        arguments: &Value,
        notified: &mut dyn FnMut(&Value),
    ) -> Result<Box<RawValue>, McpError> {
        let params = json!({ "name": tool, "arguments": arguments, "_meta": { "progressToken": 1 } });
        self.request("tools/call", params, notified).await
    }

    /// Ends the session, if there is one. A server that is gone, or keeps its sessions to itself, is no error.
    pub async fn close(self) {
        if let Lifecycle::Legacy { session: Some(_), .. } = &self.lifecycle {
            let mut headers = HeaderMap::new();
            self.add_session(&mut headers);
            let _ = self.agent.http.send(Method::DELETE, &self.path, headers, "".into()).await;
        }
    }

    async fn request(
        &self,
        method: &str,
        params: Value,
        notified: &mut dyn FnMut(&Value),
    ) -> Result<Box<RawValue>, McpError> {
        Ok(self.exchange(method, params, notified).await?.1)
    }

    async fn exchange(
        &self,
        method: &str,
        mut params: Value,
        notified: &mut dyn FnMut(&Value),
    ) -> Result<(HeaderMap, Box<RawValue>), McpError> {
        if matches!(self.lifecycle, Lifecycle::Modern) {
            add_meta(&mut params);
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string();
        let response = self.send(request.into_bytes()).await?;
        let (status, headers) = (response.status, response.headers.clone());
        let mut messages = Messages::of(response);
        while let Some(body) = messages.next().await? {
            let message = match Message::parse(&body) {
                Ok(message) => message,
                // What the agent itself refuses may be JSON, but no message.
                Err(_) if !status.is_success() => return Err(ApiError::refused(status, &body).into()),
                Err(error) => return Err(error.into()),
            };
            match message.kind {
                // In the legacy era only the agent itself refuses with an HTTP status.
                Kind::Response if !status.is_success() && matches!(self.lifecycle, Lifecycle::Legacy { .. }) => {
                    return Err(ApiError::refused(status, &body).into());
                }
                Kind::Response => return Ok((headers, outcome(&message)?)),
                Kind::Notification => notified(&serde_json::from_str(message.raw)?),
                Kind::Request => self.post(&reply(&message)?).await?,
            }
        }
        match status.is_success() {
            true => Err(McpError::NoAnswer),
            false => Err(ApiError::refused(status, b"").into()),
        }
    }

    /// Sends what has no answer.
    async fn post(&self, message: &Value) -> Result<(), McpError> {
        let response = self.send(message.to_string().into_bytes()).await?;
        match response.status {
            StatusCode::OK | StatusCode::ACCEPTED | StatusCode::NO_CONTENT => {
                // Read to its end, so that the connection can be used again.
                response.body.read(64 << 10).await?;
                Ok(())
            }
            _ => Err(ApiError::from_response(response).await.into()),
        }
    }

    async fn send(&self, message: Vec<u8>) -> Result<super::http::Response, McpError> {
        let headers = match &self.lifecycle {
            Lifecycle::Modern => headers::modern(&Message::parse(&message)?),
            Lifecycle::Legacy { .. } => {
                let mut headers = headers::post();
                self.add_session(&mut headers);
                headers
            }
        };
        let message = Bytes::from(message);
        let mut patience = Patience::until(Instant::now() + PATIENCE);
        loop {
            let sending = self.agent.http.send(Method::POST, &self.path, headers.clone(), message.clone());
            let response = sending.await?;
            if response.status != StatusCode::SERVICE_UNAVAILABLE {
                return Ok(response);
            }
            // It is starting, perhaps.
            match patience.pause(Instant::now(), response.retry_after()) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(ApiError::from_response(response).await.into()),
            }
        }
    }

    fn add_session(&self, headers: &mut HeaderMap) {
        if let Lifecycle::Legacy { session, version } = &self.lifecycle {
            headers.insert(headers::PROTOCOL_VERSION, version.clone());
            headers.extend(session.clone().map(|session| (headers::SESSION_ID, session)));
        }
    }
}

#[cfg(test)]
mod tests;
