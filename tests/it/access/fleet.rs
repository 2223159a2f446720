//! An agent that requires authentication, and its clients.

use crate::support::{Agent, eventually, fake_app};
use mcpfleet::{
    protocol::{LEGACY_VERSIONS, MODERN_VERSION, meta},
    resource::Digest,
};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

/// What every agent of these tests is set to.
pub const REQUIRED: &str = "gateway.auth=required";

/// A role in YAML's flow style.
pub fn role(name: &str, spec: &str) -> String {
    format!("kind: role\nversion: v8\nmetadata: {{name: {name}}}\nspec: {spec}\n")
}

/// A user whose token is `token-of-NAME`.
pub fn user(name: &str, roles: &[&str]) -> String {
    let digest = Digest::of_bytes(token(name).as_bytes());
    let roles = roles.join(", ");
    format!(
        "kind: user\nversion: v2\nmetadata: {{name: {name}}}\nspec: {{roles: [{roles}], gateway: {{token_sha256: [{digest}]}}}}\n"
    )
}

pub fn token(name: &str) -> String {
    format!("token-of-{name}")
}

/// The fake server as an app of a team, in this era.
pub fn app(name: &str, team: &str, era: &str) -> String {
    fake_app(name, &["--era", era]).replace("team: a", &format!("team: {team}"))
}

/// Apps `alpha` and `beta`, of the teams `a` and `b`. `ada` may use `alpha` with the tools `echo`, `hold` and `pid`, and
/// watch it; `bob` `beta` with all but `crash`; `eve` nothing.
pub fn usual() -> Vec<(&'static str, String)> {
    vec![
        ("alpha.yaml", app("alpha", "a", "both")),
        ("beta.yaml", app("beta", "b", "both")),
        (
            "team-a.yaml",
            role(
                "team-a",
                "{allow: {app_labels: {team: a}, mcp: {tools: [echo, hold, pid]}, rules: [{resources: [app], verbs: \
                 [read], labels: {team: a}}]}}",
            ),
        ),
        (
            "team-b.yaml",
            role("team-b", "{allow: {app_labels: {team: b}, mcp: {tools: [\"*\"]}}, deny: {mcp: {tools: [crash]}}}"),
        ),
        ("ada.yaml", user("ada", &["team-a"])),
        ("bob.yaml", user("bob", &["team-b"])),
        ("eve.yaml", user("eve", &[])),
    ]
}

pub async fn start() -> Agent {
    start_with(&usual(), &[]).await
}

pub async fn start_with(files: &[(&'static str, String)], settings: &[&str]) -> Agent {
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    Agent::start_with(&files, &[&[REQUIRED], settings].concat()).await
}

/// Somebody with a token, or without one.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    gateway: String,
    token: Option<String>,
}

impl Client {
    pub fn of(agent: &Agent, name: &str) -> Client {
        Client::with(&agent.listen, Some(&token(name)))
    }

    pub fn with(listen: &str, token: Option<&str>) -> Client {
        let gateway = format!("http://{listen}");
        Client { http: reqwest::Client::new(), gateway, token: token.map(str::to_owned) }
    }

    pub fn request(&self, method: reqwest::Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.gateway));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(reqwest::Method::GET, path)
    }

    /// A message to an app, as it stands.
    pub fn post(&self, app: &str, body: impl Into<String>) -> RequestBuilder {
        self.request(reqwest::Method::POST, &format!("/mcp/{app}"))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .body(body.into())
    }

    /// A request of the stateless era.
    pub fn modern(&self, app: &str, method: &str, mut params: Value) -> RequestBuilder {
        let name = params.get("name").and_then(Value::as_str).map(str::to_owned);
        params["_meta"] = json!({meta::PROTOCOL_VERSION: MODERN_VERSION, meta::CLIENT_CAPABILITIES: {}});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let request = self.post(app, body.to_string());
        let request = request.header("mcp-protocol-version", MODERN_VERSION).header("mcp-method", method);
        match name {
            Some(name) => request.header("mcp-name", name),
            None => request,
        }
    }

    pub fn call(&self, app: &str, tool: &str, arguments: Value) -> RequestBuilder {
        self.modern(app, "tools/call", json!({"name": tool, "arguments": arguments}))
    }

    /// The names of the tools that are listed; `None`: there is no such app.
    pub async fn tools(&self, app: &str) -> Option<Vec<String>> {
        let (status, answer) = answer(self.modern(app, "tools/list", json!({}))).await;
        // The other: it has been taken away while it was listed.
        if status == StatusCode::NOT_FOUND || answer["error"]["code"] == -32602 {
            return None;
        }
        let tools = answer["result"]["tools"].as_array().unwrap_or_else(|| panic!("{status}: {answer}"));
        Some(tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect())
    }

    /// The id of a new session of the era that has them.
    pub async fn session(&self, app: &str) -> String {
        self.session_of(app, LEGACY_VERSIONS[0]).await
    }

    pub async fn session_of(&self, app: &str, version: &str) -> String {
        let params =
            json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "it", "version": "1"}});
        let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        let response = self.post(app, body.to_string()).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let session = response.headers()["mcp-session-id"].to_str().unwrap().to_owned();
        let told = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let told = self.in_session(app, &session, told.to_string()).send().await.unwrap();
        assert_eq!(told.status(), StatusCode::ACCEPTED);
        session
    }

    pub fn in_session(&self, app: &str, session: &str, body: impl Into<String>) -> RequestBuilder {
        self.post(app, body).header("mcp-session-id", session)
    }

    /// The stream of a session.
    pub async fn stream(&self, app: &str, session: &str) -> Response {
        let request = self.get(&format!("/mcp/{app}")).header("accept", "text/event-stream");
        let response = request.header("mcp-session-id", session).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response
    }

    pub async fn status(&self) -> Value {
        let response = self.get("/v1/status").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    }
}

pub fn call(tool: &str, arguments: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
}

/// Status and last message of an answer, be it JSON or a stream of events.
pub async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    (status, last(&response.text().await.unwrap()))
}

/// The last message of a body.
pub fn last(body: &str) -> Value {
    let last = body.lines().filter_map(|line| line.strip_prefix("data: ")).next_back().unwrap_or(body);
    serde_json::from_str(last).unwrap_or(Value::Null)
}

/// The text of a tool's result, or the code of an error.
pub fn outcome(answer: &(StatusCode, Value)) -> Result<String, (u16, i64)> {
    let (status, message) = answer;
    match message.pointer("/result/content/0/text").and_then(Value::as_str) {
        Some(text) => Ok(text.to_owned()),
        None => Err((status.as_u16(), message["error"]["code"].as_i64().unwrap_or_default())),
    }
}

/// Waits until a client gets that.
pub async fn becomes<T: PartialEq + std::fmt::Debug>(what: &str, expected: T, mut look: impl AsyncFnMut() -> T) {
    eventually(what, async || (look().await == expected).then_some(())).await;
}
