//! An MCP server over HTTP, with faults to order, that remembers what it was sent.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, Uri, header},
    response::Response,
};
use futures_util::stream;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    Legacy,
    Modern,
    /// The transport of 2024-11-05.
    Sse,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn message(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// What a server does wrong, until it is told otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// Every request gets this status, and no message.
    pub status: Option<u16>,
    /// Every POST is sent there, with this status.
    pub redirect: Option<(u16, String)>,
    /// Sessions that it does not know get this status.
    pub unknown_session: Option<u16>,
    /// No GET stream.
    pub no_stream: bool,
    /// What the old transport says as its endpoint.
    pub endpoint: Option<String>,
    /// Who has not this in `Authorization` gets 401.
    pub password: Option<String>,
}

pub struct Inner {
    speaks: Speaks,
    pub faults: Mutex<Faults>,
    pub seen: Mutex<Vec<Seen>>,
    sessions: Mutex<BTreeSet<String>>,
    /// Streams that are open, by session.
    streams: Mutex<BTreeMap<String, mpsc::UnboundedSender<String>>>,
    /// Who waits for a client's answer, by the id of the question.
    questions: Mutex<BTreeMap<String, oneshot::Sender<Value>>>,
    /// Answers that are fetched later, by event id.
    stored: Mutex<BTreeMap<String, String>>,
    /// Responses that are open, and have not ended.
    pub held: Arc<AtomicU64>,
    next: AtomicU64,
    /// What `x-mcp-header` says.
    pub header: Mutex<&'static str>,
}

/// A running server. Stopped when dropped, with all its connections.
pub struct Server {
    pub address: SocketAddr,
    pub inner: Arc<Inner>,
    stop: CancellationToken,
}

impl Server {
    pub async fn start(speaks: Speaks) -> Server {
        Server::start_at(speaks, "127.0.0.1:0".parse().unwrap()).await
    }

    /// At an address where another has been.
    pub async fn start_at(speaks: Speaks, address: SocketAddr) -> Server {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        let listener = socket.listen(64).unwrap();
        Server::serve(speaks, listener)
    }

    fn serve(speaks: Speaks, listener: tokio::net::TcpListener) -> Server {
        let address = listener.local_addr().unwrap();
        let inner = Inner::new(speaks);
        let stop = CancellationToken::new();
        let (router, token) = (router(inner.clone()), stop.clone());
        // Not axum's own loop, whose connections outlive it.
        tokio::spawn(async move {
            let accepting = async {
                while let Ok((stream, _)) = listener.accept().await {
                    let (router, token) = (router.clone(), token.clone());
                    tokio::spawn(token.run_until_cancelled_owned(connection(stream, router)));
                }
            };
            token.run_until_cancelled(accepting).await
        });
        Server { address, inner, stop }
    }

    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    pub fn fault(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.inner.faults.lock().unwrap());
    }

    /// All that it was sent with this JSON-RPC method.
    pub fn seen(&self, method: &str) -> Vec<Seen> {
        self.all().into_iter().filter(|seen| seen.message()["method"] == method).collect()
    }

    pub fn all(&self) -> Vec<Seen> {
        self.inner.seen.lock().unwrap().clone()
    }

    /// Says something that belongs to no request over all streams. How many there are.
    pub fn announce(&self, message: &Value) -> usize {
        let streams = self.inner.streams.lock().unwrap();
        streams.values().filter(|stream| stream.send(event(message)).is_ok()).count()
    }

    /// Forgets all sessions.
    pub fn forget(&self) {
        self.inner.sessions.lock().unwrap().clear();
        self.inner.streams.lock().unwrap().clear();
    }

    pub fn sessions(&self) -> usize {
        self.inner.sessions.lock().unwrap().len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub async fn connection(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    router: Router,
) {
    let service = hyper_util::service::TowerToHyperService::new(router);
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(hyper_util::rt::TokioIo::new(stream), service)
        .await;
}

pub fn router(inner: Arc<Inner>) -> Router {
    Router::new().fallback(handle).with_state(inner)
}

impl Inner {
    pub fn new(speaks: Speaks) -> Arc<Inner> {
        Arc::new(Inner {
            speaks,
            faults: Mutex::default(),
            seen: Mutex::default(),
            sessions: Mutex::default(),
            streams: Mutex::default(),
            questions: Mutex::default(),
            stored: Mutex::default(),
            held: Arc::default(),
            next: AtomicU64::new(1),
            header: Mutex::new("Region"),
        })
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Relaxed)
    }
}

/// As the server sends it.
fn event(message: &Value) -> String {
    format!("event: message\ndata: {message}\n\n")
}

fn status(status: u16) -> Response {
    Response::builder().status(status).body(Body::from("the words of the server\n")).unwrap()
}

fn json_answer(message: &Value) -> Response {
    let body = Body::from(message.to_string());
    Response::builder().header(header::CONTENT_TYPE, "application/json").body(body).unwrap()
}

fn error(http: u16, id: &Value, code: i64, text: &str) -> Response {
    let body = json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": text}});
    let response = Response::builder().status(http).header(header::CONTENT_TYPE, "application/json");
    response.body(Body::from(body.to_string())).unwrap()
}

struct Held(Arc<AtomicU64>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// A stream of events, and who writes to it.
fn events(inner: &Inner) -> (mpsc::UnboundedSender<String>, Response) {
    let (sender, receiver) = mpsc::unbounded_channel::<String>();
    inner.held.fetch_add(1, Relaxed);
    let held = Held(inner.held.clone());
    let body = stream::unfold((receiver, held), |(mut receiver, held)| async move {
        let text = receiver.recv().await?;
        Some((Ok::<_, Infallible>(Bytes::from(text)), (receiver, held)))
    });
    let response = Response::builder().header(header::CONTENT_TYPE, "text/event-stream");
    (sender, response.body(Body::from_stream(body)).unwrap())
}

async fn handle(
    State(inner): State<Arc<Inner>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = String::from_utf8_lossy(&body).into_owned();
    let seen = Seen { method: method.clone(), uri: uri.clone(), headers: headers.clone(), body: text };
    inner.seen.lock().unwrap().push(seen);
    let faults = inner.faults.lock().unwrap().clone();
    if let Some(code) = faults.status {
        return status(code);
    }
    if let Some(password) = &faults.password
        && headers.get(header::AUTHORIZATION).is_none_or(|value| value != password)
    {
        return status(401);
    }
    if String::from_utf8_lossy(&body).contains("\"leak\"") {
        let said = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        return Response::builder().status(500).body(Body::from(format!("who says {said}?"))).unwrap();
    }
    if let Some((code, location)) = faults.redirect.filter(|_| method == Method::POST && uri.path() == "/mcp") {
        return Response::builder().status(code).header(header::LOCATION, location).body(Body::empty()).unwrap();
    }
    let session = headers.get("mcp-session-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    match (inner.speaks, method) {
        (Speaks::Sse, Method::GET) => {
            let id = inner.number().to_string();
            let (sender, response) = events(&inner);
            let endpoint = faults.endpoint.unwrap_or_else(|| format!("/messages?session={id}"));
            sender.send(format!("event: endpoint\ndata: {endpoint}\n\n")).unwrap();
            inner.streams.lock().unwrap().insert(id, sender);
            response
        }
        (Speaks::Sse, Method::POST) => {
            let id = uri.query().and_then(|query| query.strip_prefix("session=")).unwrap_or_default().to_owned();
            let Some(sender) = inner.streams.lock().unwrap().get(&id).cloned() else { return status(404) };
            tokio::spawn(async move { answer(&inner, &message, &sender, true).await });
            status(202)
        }
        (Speaks::Legacy, Method::GET) => {
            let Some(session) = session.filter(|id| inner.sessions.lock().unwrap().contains(id)) else {
                return status(faults.unknown_session.unwrap_or(404));
            };
            if let Some(last) = headers.get("last-event-id").and_then(|id| id.to_str().ok()) {
                let stored = inner.stored.lock().unwrap().remove(last);
                let (sender, response) = events(&inner);
                stored.into_iter().for_each(|text| sender.send(text).unwrap());
                return response;
            }
            if faults.no_stream {
                return status(405);
            }
            let (sender, response) = events(&inner);
            inner.streams.lock().unwrap().insert(session, sender);
            response
        }
        (Speaks::Legacy, Method::DELETE) => {
            let known = session.is_some_and(|id| inner.sessions.lock().unwrap().remove(&id));
            status(if known { 200 } else { 404 })
        }
        (Speaks::Legacy, Method::POST) if message["method"] == "initialize" => {
            let id = format!("session-{}", inner.number());
            inner.sessions.lock().unwrap().insert(id.clone());
            let result = json!({
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {"listChanged": true}},
                "serverInfo": {"name": "far-away", "version": "1"},
            });
            let mut response = json_answer(&json!({"jsonrpc": "2.0", "id": message["id"], "result": result}));
            response.headers_mut().insert("mcp-session-id", id.parse().unwrap());
            response
        }
        (Speaks::Legacy, Method::POST) => {
            if headers.get("mcp-protocol-version").is_some_and(|version| version == "2026-07-28") {
                return error(400, &Value::Null, -32000, "Unsupported protocol version");
            }
            if session.is_none_or(|id| !inner.sessions.lock().unwrap().contains(&id)) {
                let code = faults.unknown_session.unwrap_or(404);
                return error(code, &message["id"], -32000, "No valid session ID provided");
            }
            post(inner, message).await
        }
        (Speaks::Modern, Method::POST) => modern(inner, &headers, message).await,
        _ => status(405),
    }
}

async fn modern(inner: Arc<Inner>, headers: &HeaderMap, message: Value) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let version = &message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"];
    if version.is_null() {
        return error(400, &message["id"], -32022, "Unsupported protocol version");
    }
    let name = message["params"]["name"].as_str().unwrap_or_default();
    if *version != header("mcp-protocol-version")
        || message["method"] != header("mcp-method")
        || name != header("mcp-name")
    {
        return error(400, &message["id"], -32020, "headers and body disagree");
    }
    match message["method"].as_str().unwrap_or_default() {
        "server/discover" => {
            let info = json!({"io.modelcontextprotocol/serverInfo": {"name": "far-away", "version": "2"}});
            let result = json!({
                "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
                "ttlMs": 0, "cacheScope": "private", "_meta": info,
            });
            json_answer(&json!({"jsonrpc": "2.0", "id": message["id"], "result": result}))
        }
        "tools/call" if name == "region" => {
            let wanted = message["params"]["arguments"]["region"].as_str().unwrap_or_default();
            let name = format!("mcp-param-{}", inner.header.lock().unwrap().to_ascii_lowercase());
            match header(&name) == wanted {
                true => post(inner, message).await,
                false => error(400, &message["id"], -32020, "no such header"),
            }
        }
        "subscriptions/listen" => {
            let (sender, response) = events(&inner);
            let id = &message["id"];
            let meta = json!({"io.modelcontextprotocol/subscriptionId": id});
            let told = json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": {"_meta": meta}});
            sender.send(event(&told)).unwrap();
            inner.streams.lock().unwrap().insert(id.to_string(), sender);
            response
        }
        "unheard/of" => error(404, &Value::Null, -32601, "Method not found"),
        _ => post(inner, message).await,
    }
}

async fn post(inner: Arc<Inner>, message: Value) -> Response {
    if message.get("id").is_none() || message.get("method").is_none() {
        if let Some(asked) = message["id"].as_str().and_then(|id| inner.questions.lock().unwrap().remove(id)) {
            let _ = asked.send(message.clone());
        }
        return status(202);
    }
    let tool = message["params"]["name"].as_str().unwrap_or_default();
    let arguments = &message["params"]["arguments"];
    match tool {
        "status" => return status(u16::try_from(arguments["status"].as_u64().unwrap()).unwrap()),
        "text" => return Response::new(Body::from("just text")),
        "nonsense" => return json_answer(&json!([1, 2, 3])),
        _ => {}
    }
    if message["method"] != "tools/call" || tool == "echo" {
        let result = result(&inner, &message);
        return json_answer(&json!({"jsonrpc": "2.0", "id": message["id"], "result": result}));
    }
    let (sender, response) = events(&inner);
    tokio::spawn(async move { answer(&inner, &message, &sender, false).await });
    response
}

fn result(inner: &Inner, message: &Value) -> Value {
    match message["method"].as_str().unwrap_or_default() {
        "initialize" => json!({
            "protocolVersion": "2024-11-05",
            "capabilities": {"tools": {"listChanged": true}},
            "serverInfo": {"name": "far-away", "version": "0"},
        }),
        "tools/list" => {
            let region = json!({"type": "object", "properties": {
                "region": {"type": "string", "x-mcp-header": *inner.header.lock().unwrap()},
            }});
            json!({"resultType": "complete", "ttlMs": 0, "cacheScope": "private", "tools": [
                {"name": "echo", "inputSchema": {"type": "object"}},
                {"name": "region", "inputSchema": region},
            ]})
        }
        "tools/call" => {
            let arguments = &message["params"]["arguments"];
            let text = arguments["text"].as_str().map_or_else(|| arguments.to_string(), str::to_owned);
            json!({"resultType": "complete", "content": [{"type": "text", "text": text}]})
        }
        _ => json!({}),
    }
}

/// Answers over a stream, with what a tool is for.
async fn answer(inner: &Inner, message: &Value, sender: &mpsc::UnboundedSender<String>, always: bool) {
    let id = &message["id"];
    if id.is_null() || message.get("method").is_none() {
        if let Some(asked) = id.as_str().and_then(|id| inner.questions.lock().unwrap().remove(id)) {
            let _ = asked.send(message.clone());
        }
        return;
    }
    let say = |text: String| {
        let _ = sender.send(text);
    };
    let answer = |result: Value| json!({"jsonrpc": "2.0", "id": id, "result": result});
    let text = |text: &str| answer(json!({"content": [{"type": "text", "text": text}]}));
    let arguments = &message["params"]["arguments"];
    let token = &message["params"]["_meta"]["progressToken"];
    match message["params"]["name"].as_str().unwrap_or_default() {
        "progress" => {
            for step in 0..arguments["steps"].as_u64().unwrap() {
                let params = json!({"progressToken": token, "progress": step});
                say(event(&json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})));
            }
            say(event(&text("done")));
        }
        "ask" => {
            let question = format!("q-{}", inner.number());
            let (send, asked) = oneshot::channel();
            inner.questions.lock().unwrap().insert(question.clone(), send);
            let params = json!({"message": "who?", "requestedSchema": {"type": "object", "properties": {}}});
            say(event(&json!({"jsonrpc": "2.0", "id": question, "method": "elicitation/create", "params": params})));
            let said = asked.await.unwrap_or_default();
            say(event(&text(&said["result"].to_string())));
        }
        // Held until the client does not want it any more.
        "hang" => {
            say(": nothing yet\n\n".into());
            sender.closed().await;
        }
        "drop" => say("data: {\"jsonrpc\":\"2.0\",".into()),
        "resume" => {
            let at = format!("event-{}", inner.number());
            inner.stored.lock().unwrap().insert(at.clone(), event(&text("resumed")));
            say(format!("id: {at}\nretry: 10\ndata:\n\n"));
        }
        "twice" => {
            say(event(&text("first")));
            say(event(&text("second")));
        }
        "garbage" => {
            say("data: no message\n\ndata: {\"jsonrpc\":\"2.0\"}\n\n".into());
            say(event(&text("after all")));
        }
        "huge" => {
            say("data: ".into());
            let piece = "x".repeat(1 << 20);
            for _ in 0..arguments["mib"].as_u64().unwrap() {
                say(piece.clone());
            }
            say("\n\n".into());
        }
        "lines" => {
            let pretty = serde_json::to_string_pretty(&text("in lines")).unwrap();
            say(pretty.lines().map(|line| format!("data: {line}\r\n")).collect::<String>() + "\r\n");
        }
        _ if always || message["method"] == "tools/call" => say(event(&answer(result(inner, message)))),
        _ => {}
    }
}
