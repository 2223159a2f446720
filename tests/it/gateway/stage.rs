//! A gateway on a port of its own, and a client that speaks plain HTTP to it.

use crate::support::{
    PATIENCE,
    processes::{MCPFLEET, example, mode},
};
use futures_util::StreamExt;
use mcpfleet::{
    audit::Log,
    gateway::{Access, Gateway, Guard, Limits, Listener, router, serve},
    instance::{
        fleet::Fleet,
        host::{Host, HostSettings},
        launch::Launcher,
        secrets::SecretSettings,
        user,
    },
    manifest,
    resource::Resource,
    status::model::AppState,
};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// What every client sends along in the modern era.
pub const MODERN: &str = "2026-07-28";

pub struct Stage {
    pub gateway: Arc<Gateway>,
    pub url: String,
    pub http: reqwest::Client,
    stop: CancellationToken,
    dir: TempDir,
    path: &'static str,
}

impl Stage {
    pub async fn new() -> Stage {
        Stage::within(Limits { sessions: 100, ..Limits::default() }).await
    }

    /// With other bounds than usual.
    pub async fn within(limits: Limits) -> Stage {
        let dir = tempfile::Builder::new().permissions(mode(0o711)).tempdir().unwrap();
        let agent = user::current().unwrap();
        let settings = HostSettings {
            runtime_dir: dir.path().join("run"),
            tools_dir: dir.path().join("tools"),
            default_host_user: Some(agent.name.clone()),
            allow_root: true,
            host_users: None,
            ambient: BTreeMap::from([("PATH".into(), std::env::var_os("PATH").unwrap_or_default())]),
            allowed: BTreeMap::new(),
            parallel_starts: 4,
            drain_timeout: Duration::from_secs(60),
            secrets: SecretSettings { dir: dir.path().join("secrets"), granted: None },
            enforcement: Default::default(),
            remote_hosts: None,
        };
        let fleet = Fleet::new(Host::new(settings, Launcher::with_keeper(MCPFLEET), agent));
        let guard = Guard { access: Access::Open, hosts: vec!["mcp.example.com".into()], uid: 0 };
        let policy = tokio::sync::watch::channel(Arc::default()).1;
        let gateway = Gateway::new(fleet, limits, guard, Default::default(), policy, Log::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        tokio::spawn(serve(Listener::Tcp(listener), router(gateway.clone(), axum::Router::new()), stop.clone()));
        Stage { gateway, url, http: reqwest::Client::new(), stop, dir, path: "/mcp/app" }
    }

    /// A gateway with the fake server behind it as `app`, ready.
    pub async fn with(flags: &[&str], settings: Value) -> Stage {
        let stage = Stage::new().await;
        stage.run("app", flags, settings);
        stage.ready("app").await;
        stage
    }

    /// Runs the fake server, or replaces it. `settings` are further fields of `spec.mcp`.
    pub fn run(&self, name: &str, flags: &[&str], settings: Value) {
        let mut mcp = settings;
        mcp["command"] = json!(example("fake-mcp-server"));
        mcp["args"] = json!(flags);
        self.run_spec(name, json!({ "mcp": mcp }));
    }

    /// Runs an app, or replaces it.
    pub fn run_spec(&self, name: &str, spec: Value) {
        let resource = json!({ "kind": "app", "version": "v3", "metadata": { "name": name }, "spec": spec });
        let parsed = manifest::parse_file("app.yaml", resource.to_string().as_bytes());
        assert!(parsed.is_valid(), "{:?}", parsed.diagnostics);
        match &parsed.resources[0].resource {
            Resource::App(app) => self.gateway.fleet.run(app.clone()),
            other => panic!("not an app: {other:?}"),
        }
    }

    pub async fn ready(&self, name: &str) {
        let entry = self.gateway.fleet.get(name).unwrap();
        let mut view = entry.view.clone();
        let ready = tokio::time::timeout(PATIENCE, view.wait_for(|view| view.state == AppState::Ready)).await.is_ok();
        assert!(ready, "{name} is not ready: {:#?}\n{:#?}", *entry.view.borrow(), entry.logs.tail(20));
    }

    pub fn state(&self, name: &str) -> AppState {
        self.gateway.fleet.get(name).unwrap().view.borrow().state
    }

    pub fn endpoint(&self) -> String {
        format!("{}{}", self.url, self.path)
    }

    /// Its clients go to another endpoint from now on.
    pub fn at(mut self, path: &'static str) -> Stage {
        self.path = path;
        self
    }

    pub fn post(&self, body: impl Into<String>) -> RequestBuilder {
        self.http
            .post(self.endpoint())
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .body(body.into())
    }

    /// A request of the modern era with the headers that go with it.
    pub fn modern(&self, id: &Value, method: &str, mut params: Value) -> RequestBuilder {
        let name = params.get("name").or(params.get("uri")).and_then(Value::as_str).map(str::to_owned);
        params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!(MODERN);
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let request = self.post(body.to_string()).header("mcp-protocol-version", MODERN).header("mcp-method", method);
        match name {
            Some(name) => request.header("mcp-name", name),
            None => request,
        }
    }

    /// A legacy session.
    pub async fn session(&self) -> Session<'_> {
        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": { "sampling": {} },
            "clientInfo": { "name": "test", "version": "1" },
        });
        let (status, id, answer) = self.initialize(params).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let session = Session { stage: self, id: id.expect("a session id") };
        let told = session.post(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).send().await;
        assert_eq!(told.unwrap().status(), StatusCode::ACCEPTED);
        session
    }

    pub async fn initialize(&self, params: Value) -> (StatusCode, Option<String>, Value) {
        let body = json!({ "jsonrpc": "2.0", "id": "i", "method": "initialize", "params": params });
        let response = self.post(body.to_string()).send().await.unwrap();
        let id = response.headers().get("mcp-session-id").map(|id| id.to_str().unwrap().to_owned());
        (response.status(), id, answer(response).await)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Whatever runs is killed: its keepers notice that the fleet is gone with the runtime of the test.
        self.gateway.fleet.kill_all();
        self.stop.cancel();
        let _ = &self.dir;
    }
}

pub struct Session<'a> {
    pub stage: &'a Stage,
    pub id: String,
}

impl Session<'_> {
    pub fn post(&self, body: Value) -> RequestBuilder {
        self.stage.post(body.to_string()).header("mcp-session-id", &self.id)
    }

    pub fn call(&self, id: impl Into<Value>, tool: &str, arguments: Value) -> RequestBuilder {
        self.post(call(id, tool, arguments))
    }

    /// The text that a tool answers with.
    pub async fn text(&self, tool: &str, arguments: Value) -> String {
        let response = self.call(1, tool, arguments).send().await.unwrap();
        text(&answer(response).await)
    }

    pub fn stream(&self) -> RequestBuilder {
        self.stage
            .http
            .get(self.stage.endpoint())
            .header("accept", "text/event-stream")
            .header("mcp-session-id", &self.id)
    }

    pub fn delete(&self) -> RequestBuilder {
        self.stage.http.delete(self.stage.endpoint()).header("mcp-session-id", &self.id)
    }
}

pub fn call(id: impl Into<Value>, tool: &str, arguments: Value) -> Value {
    let params = json!({ "name": tool, "arguments": arguments });
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": "tools/call", "params": params })
}

/// The text of a tool's result.
pub fn text(answer: &Value) -> String {
    let text = answer["result"]["content"][0]["text"].as_str();
    text.unwrap_or_else(|| panic!("no text in {answer}")).to_owned()
}

/// The last message of an answer, be it JSON or a stream of events.
pub async fn answer(response: Response) -> Value {
    messages(response).await.pop().expect("an answer")
}

/// All messages of an answer.
pub async fn messages(response: Response) -> Vec<Value> {
    if is_stream(&response) {
        return Events::new(response).collect().await;
    }
    let body = response.text().await.unwrap();
    vec![serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body:?}"))]
}

pub fn is_stream(response: &Response) -> bool {
    response.headers()["content-type"] == "text/event-stream"
}

/// The messages of a stream of events, as they come.
pub struct Events {
    body: std::pin::Pin<Box<dyn futures_util::Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>,
    rest: String,
}

impl Events {
    pub fn new(response: Response) -> Events {
        assert!(is_stream(&response), "{response:?}");
        Events { body: Box::pin(response.bytes_stream()), rest: String::new() }
    }

    /// The next message; `None` at the end.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.rest.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data: ")).map(str::to_owned);
                self.rest = rest.to_owned();
                match data {
                    Some(data) => return Some(serde_json::from_str(&data).unwrap()),
                    None => continue,
                }
            }
            let chunk = self.body.next().await?.ok()?;
            self.rest.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn collect(mut self) -> Vec<Value> {
        let mut all = Vec::new();
        while let Some(message) = self.next().await {
            all.push(message);
        }
        all
    }
}
