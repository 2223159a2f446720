//! The protocol: which era a message belongs to, and the answers.

use crate::{
    modes::{self, Eras, Modes},
    tools,
};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

pub const LEGACY: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
pub const MODERN: &str = "2026-07-28";
const META: &str = "io.modelcontextprotocol/";

/// A JSON-RPC error.
pub struct Refusal {
    pub code: i64,
    pub message: String,
    pub data: Value,
}

pub fn refusal(code: i64, message: impl Into<String>) -> Refusal {
    Refusal { code, message: message.into(), data: Value::Null }
}

pub type Answer = Result<Value, Refusal>;

pub struct Server {
    pub modes: Modes,
    state: Mutex<State>,
    /// Something in the state has changed that a call may wait for.
    changed: Condvar,
    output: Mutex<()>,
}

#[derive(Default)]
pub struct State {
    /// How often each method, and each tool as `call:NAME`, was asked for.
    pub seen: BTreeMap<String, u64>,
    pub calls: u64,
    pub cancelled: Vec<Value>,
    /// Open calls, by id as JSON.
    open: BTreeMap<String, bool>,
    /// Listen requests, by id as JSON, and whether they want to know of tools.
    listens: BTreeMap<String, bool>,
    /// Our own requests to the client.
    asked: BTreeMap<u64, mpsc::Sender<Value>>,
    next_request: u64,
    pub changes: u64,
    /// URIs of resources whose updates are told.
    pub subscriptions: BTreeSet<String>,
    log_level: Option<String>,
    answered: bool,
    /// Answers that wait for others.
    held_back: Vec<Value>,
}

/// What a tool knows of the request it belongs to.
pub struct Call {
    pub id: Value,
    pub modern: bool,
    pub params: Map<String, Value>,
}

impl Call {
    pub fn meta(&self, key: &str) -> Option<&Value> {
        self.params.get("_meta")?.get(key)
    }

    pub fn argument(&self, name: &str) -> Option<&Value> {
        self.params.get("arguments")?.get(name)
    }
}

impl Server {
    pub fn new(modes: Modes) -> Server {
        let state = State { changes: modes.changes(), ..State::default() };
        Server { modes, state: Mutex::new(state), changed: Condvar::new(), output: Mutex::default() }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn send(&self, mut message: Value) {
        if let Some(object) = message.as_object_mut() {
            object.insert("jsonrpc".into(), "2.0".into());
        }
        let _one_at_a_time = self.output.lock();
        let mut stdout = io::stdout().lock();
        // A client that is gone is no reason to end: some servers do not care either.
        let _ = writeln!(stdout, "{message}").and_then(|()| stdout.flush());
    }

    /// A line with this many bytes between its ends, which would take long to put together as JSON.
    fn write_long(&self, start: &str, bytes: usize, end: &str) {
        let _one_at_a_time = self.output.lock();
        let mut stdout = io::stdout().lock();
        let piece = [b'x'; 64 << 10];
        let pieces = (0..bytes).step_by(piece.len()).map(|from| &piece[..piece.len().min(bytes - from)]);
        let line = [start.as_bytes()].into_iter().chain(pieces).chain([end.as_bytes(), b"\n"]);
        for part in line {
            if stdout.write_all(part).is_err() {
                return;
            }
        }
        let _ = stdout.flush();
    }

    pub fn notify(&self, method: &str, params: Value) {
        self.send(json!({"method": method, "params": params}));
    }

    /// Asks the client and waits for its answer; `None` if the call is cancelled or the client is gone.
    pub fn ask(&self, method: &str, params: Value) -> Option<Value> {
        let (sender, answer) = mpsc::channel();
        let id = {
            let mut state = self.state();
            state.next_request += 1;
            let id = state.next_request;
            state.asked.insert(id, sender);
            id
        };
        self.send(json!({"id": id, "method": method, "params": params}));
        answer.recv().ok()
    }

    /// Waits, and says whether the call was cancelled meanwhile.
    pub fn wait(&self, call: &Call, duration: Duration) -> bool {
        let id = call.id.to_string();
        let cancelled = |state: &mut State| state.open.get(&id) == Some(&true);
        let waited = self.changed.wait_timeout_while(self.state(), duration, |state| !cancelled(state));
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        cancelled(&mut state)
    }

    /// Tells every client that wants to know that there are other tools now.
    pub fn change_tools(&self, modern: bool) {
        let listens: Vec<String> = {
            let mut state = self.state();
            state.changes += 1;
            state.listens.iter().filter(|(_, tools)| **tools).map(|(id, _)| id.clone()).collect()
        };
        if !modern {
            self.notify("notifications/tools/list_changed", json!({}));
        }
        for id in listens {
            let id: Value = serde_json::from_str(&id).unwrap_or_default();
            self.notify("notifications/tools/list_changed", json!({"_meta": {format!("{META}subscriptionId"): id}}));
        }
    }

    pub fn log(&self, call: &Call, level: &str, text: &str) {
        let wanted = match call.modern {
            true => call.meta(&format!("{META}logLevel")).is_some(),
            false => self.state().log_level.is_some(),
        };
        if wanted {
            self.notify("notifications/message", json!({"level": level, "logger": "fake", "data": text}));
        }
    }
}

/// Handles one line of input.
pub fn handle(server: &Arc<Server>, line: &str) {
    let Ok(Value::Object(mut message)) = serde_json::from_str(line) else {
        return server.send(json!({"id": null, "error": {"code": -32700, "message": "Parse error"}}));
    };
    let Some(Value::String(method)) = message.remove("method") else {
        let id = message.get("id").and_then(Value::as_u64);
        if let Some(sender) = id.and_then(|id| server.state().asked.remove(&id)) {
            let _ = sender.send(message.remove("result").unwrap_or_default());
        }
        return;
    };
    let params = match message.remove("params") {
        Some(Value::Object(params)) => params,
        _ => Map::new(),
    };
    *server.state().seen.entry(method.clone()).or_default() += 1;
    let Some(id) = message.remove("id") else { return notified(server, &method, &params) };

    let hangs = server.modes.hang_after.is_some_and(|after| server.state().calls >= after)
        || server.modes.hang_at_call && server.state().seen.contains_key("tools/call");
    if hangs {
        // For whoever wants to know that it has come so far.
        eprintln!("hanging at {method}");
    }
    if server.modes.never_ready || hangs {
        return;
    }
    let modern = method == "server/discover" || params.get("_meta").is_some_and(|meta| version(meta).is_some());
    let call = Call { id, modern: modern || server.modes.era == Eras::Modern, params };
    if method != "tools/call" {
        let answer = request(server, &method, &call);
        return finish(server, &call, answer);
    }
    {
        let mut state = server.state();
        if server.modes.crash_after.is_some_and(|after| state.calls >= after) {
            std::process::exit(1);
        }
        state.calls += 1;
        state.open.insert(call.id.to_string(), false);
    }
    let run = {
        let server = server.clone();
        move || {
            let answer = check(&server, &call).and_then(|()| tools::call(&server, &call));
            finish(&server, &call, Some(answer));
        }
    };
    match tools::is_slow(line) {
        true => drop(thread::spawn(run)),
        false => run(),
    }
}

fn notified(server: &Server, method: &str, params: &Map<String, Value>) {
    if let ("notifications/cancelled", Some(id)) = (method, params.get("requestId")) {
        let mut state = server.state();
        state.listens.remove(&id.to_string());
        if let Some(cancelled) = state.open.get_mut(&id.to_string()) {
            *cancelled = true;
            state.cancelled.push(id.clone());
        }
        server.changed.notify_all();
    }
}

fn version(meta: &Value) -> Option<&Value> {
    meta.get(format!("{META}protocolVersion"))
}

/// The rules for the `_meta` of a modern request.
fn check(server: &Server, call: &Call) -> Result<(), Refusal> {
    if !call.modern {
        return Ok(());
    }
    if server.modes.era == Eras::Legacy {
        return Err(refusal(-32601, "Method not found"));
    }
    let version = call.meta(&format!("{META}protocolVersion"));
    let (Some(version), Some(Value::Object(_))) = (version, call.meta(&format!("{META}clientCapabilities"))) else {
        return Err(refusal(-32602, "Invalid params: protocolVersion and clientCapabilities are needed in _meta"));
    };
    if version != MODERN {
        return Err(unsupported(version));
    }
    Ok(())
}

fn unsupported(requested: &Value) -> Refusal {
    let data = json!({"supported": [MODERN], "requested": requested});
    Refusal { data, ..refusal(-32022, "Unsupported protocol version") }
}

/// `None`: no answer (yet).
fn request(server: &Server, method: &str, call: &Call) -> Option<Answer> {
    let capabilities = json!({"tools": {"listChanged": true}, "logging": {}, "resources": {"subscribe": true}});
    let cached = |mut result: Value| {
        if let (true, Some(object)) = (call.modern, result.as_object_mut()) {
            object.insert("ttlMs".into(), 1000.into());
            object.insert("cacheScope".into(), "public".into());
        }
        result
    };
    if method == "server/discover" {
        if server.modes.crash_on_discover {
            std::process::exit(1);
        }
        if server.modes.silent_discover {
            return None;
        }
    } else if method == "initialize" {
        let requested = call.params.get("protocolVersion").cloned().unwrap_or_default();
        if server.modes.era == Eras::Modern {
            return Some(Err(unsupported(&requested)));
        }
        let version = LEGACY.into_iter().find(|version| requested == *version).unwrap_or(LEGACY[0]);
        return Some(Ok(json!({
            "protocolVersion": version,
            "capabilities": capabilities,
            "serverInfo": info(),
            "instructions": "A server for tests",
        })));
    }
    if let Err(refusal) = check(server, call) {
        return Some(Err(refusal));
    }
    Some(match (method, call.modern) {
        ("server/discover", true) => Ok(cached(json!({
            "supportedVersions": [MODERN],
            "capabilities": capabilities,
            "instructions": "A server for tests",
        }))),
        ("tools/list", _) => Ok(cached(json!({"tools": tools::list(server.state().changes)}))),
        ("subscriptions/listen", true) => {
            let wants_tools = call.params.get("notifications").and_then(|wanted| wanted.get("toolsListChanged"));
            let tools = wants_tools == Some(&Value::Bool(true));
            server.state().listens.insert(call.id.to_string(), tools);
            let id = json!({format!("{META}subscriptionId"): call.id});
            let acknowledged = json!({"_meta": id, "notifications": {"toolsListChanged": tools}});
            server.notify("notifications/subscriptions/acknowledged", acknowledged);
            return None;
        }
        ("ping", false) => Ok(json!({})),
        ("resources/subscribe" | "resources/unsubscribe", false) => {
            let uri = call.params.get("uri").and_then(Value::as_str).unwrap_or_default().to_owned();
            let subscriptions = &mut server.state().subscriptions;
            match method {
                "resources/subscribe" => subscriptions.insert(uri),
                _ => subscriptions.remove(&uri),
            };
            Ok(json!({}))
        }
        ("logging/setLevel", false) => {
            server.state().log_level = call.params.get("level").and_then(Value::as_str).map(Into::into);
            Ok(json!({}))
        }
        _ => Err(refusal(-32601, format!("Method not found: {method}"))),
    })
}

fn info() -> Value {
    json!({"name": "fake-mcp-server", "version": env!("CARGO_PKG_VERSION")})
}

fn finish(server: &Server, call: &Call, answer: Option<Answer>) {
    let cancelled = server.state().open.remove(&call.id.to_string()) == Some(true);
    let Some(answer) = answer.filter(|_| !cancelled) else { return };
    // A question in the other era's words is no beginning.
    let first = answer.is_ok() && !std::mem::replace(&mut server.state().answered, true);
    if let (true, Some(bytes)) = (first, server.modes.big_line) {
        server.write_long(r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"data":""#, bytes, r#""}}"#);
    }
    if let (true, Some(bytes)) = (first, server.modes.big_garbage) {
        server.write_long("", bytes, "");
    }
    if server.modes.garbage_stdout {
        let _one_at_a_time = server.output.lock();
        println!("Server listening on stdio {{\n[1,2]\n\n\"text\"\n\u{1b}[31mred");
    }
    if server.modes.unknown_ids {
        for id in [json!(987_654_321), json!("1"), json!(null), json!(-1), json!(1.5), json!({"a": 1})] {
            server.send(json!({"id": id, "result": {"content": [{"type": "text", "text": "for somebody else"}]}}));
        }
    }
    let message = match answer {
        Ok(mut result) => {
            if let (true, Some(object)) = (call.modern, result.as_object_mut()) {
                object.entry("resultType").or_insert("complete".into());
                object.insert("_meta".into(), json!({format!("{META}serverInfo"): info()}));
            }
            json!({"id": call.id, "result": result})
        }
        Err(Refusal { code, message, data }) => {
            json!({"id": call.id, "error": {"code": code, "message": message, "data": data}})
        }
    };
    let is_call = call.params.contains_key("arguments");
    match server.modes.backwards {
        Some(count) if is_call => {
            let mut state = server.state();
            state.held_back.push(message);
            let ready = if state.held_back.len() >= count { std::mem::take(&mut state.held_back) } else { Vec::new() };
            drop(state);
            ready.into_iter().rev().for_each(|message| server.send(message));
        }
        _ => server.send(message),
    }
    if server.modes.answer_twice && is_call {
        server.send(json!({"id": call.id, "result": {"content": [{"type": "text", "text": "once more"}]}}));
    }
    if first && server.modes.close_stdout {
        let _ = modes::close_stdout();
    }
}
