//! Calls through the gateway: whose span is below whose, and what servers are told.

use super::collector::{CLIENT, Collector, SERVER, Span};
use crate::support::{Agent, Era, RealClient, arguments, eventually, fake_app, text};
use reqwest::RequestBuilder;
use rmcp::model::CallToolRequestParams;
use serde_json::{Value, json};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

fn caller() -> String {
    format!("00-{TRACE}-{CALLER}-01")
}

/// An agent with a server of each era that shows what it is told.
async fn agent(collector: Option<&Collector>, more: &[&str]) -> Agent {
    let setting = collector.map(Collector::setting);
    let settings: Vec<&str> = setting.as_deref().into_iter().chain(more.iter().copied()).collect();
    let files = [
        ("old.yaml", fake_app("old", &["--era", "legacy"])),
        ("new.yaml", fake_app("new", &["--era", "modern"])),
        ("shared.yaml", fake_app("shared", &["--era", "legacy"]).replace("args:", "sessions: shared, args:")),
    ];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    Agent::start_with(&files, &settings).await
}

/// A client of one endpoint.
struct Client {
    url: String,
    session: Option<String>,
}

impl Client {
    async fn of_era(agent: &Agent, endpoint: &str, era: Era) -> Client {
        let mut client = Client { url: format!("http://{}{endpoint}", agent.listen), session: None };
        if era == Era::Legacy {
            client.open("2025-11-25").await;
        }
        client
    }

    async fn open(&mut self, version: &str) {
        let info = json!({"name": "it", "version": "1"});
        let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": info});
        let request = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        let response = self.post(&request.to_string()).send().await.unwrap();
        self.session = Some(response.headers()["mcp-session-id"].to_str().unwrap().to_owned());
    }

    fn post(&self, body: &str) -> RequestBuilder {
        let request = reqwest::Client::new().post(&self.url).header("content-type", "application/json");
        let request = request.header("accept", "application/json, text/event-stream").body(body.to_owned());
        match &self.session {
            Some(session) => request.header("mcp-session-id", session),
            None => request,
        }
    }

    fn call(&self, tool: &str, arguments: Value, mut meta: Value) -> RequestBuilder {
        if self.session.is_some() {
            let params = json!({"name": tool, "arguments": arguments, "_meta": meta});
            return self
                .post(&json!({"jsonrpc": "2.0", "id": "c-1", "method": "tools/call", "params": params}).to_string());
        }
        meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
        meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
        let params = json!({"name": tool, "arguments": arguments, "_meta": meta});
        let body = json!({"jsonrpc": "2.0", "id": "c-1", "method": "tools/call", "params": params});
        let request = self.post(&body.to_string()).header("mcp-protocol-version", "2026-07-28");
        request.header("mcp-method", "tools/call").header("mcp-name", tool)
    }

    /// The `_meta` that the server has got for a call.
    async fn meta(&self, tool: &str, meta: Value) -> Value {
        seen(self.call(tool, json!({}), meta)).await
    }
}

async fn answer(request: RequestBuilder) -> Value {
    let body = request.send().await.unwrap().text().await.unwrap();
    let last = body.lines().filter_map(|line| line.strip_prefix("data: ")).next_back();
    serde_json::from_str(last.unwrap_or(&body)).unwrap_or_else(|error| panic!("{error}: {body:?}"))
}

async fn seen(request: RequestBuilder) -> Value {
    let answer = answer(request).await;
    let text = answer.pointer("/result/content/0/text").and_then(Value::as_str);
    serde_json::from_str(text.unwrap_or_else(|| panic!("{answer}"))).unwrap()
}

/// The client's span at a server that has been told this.
async fn told(collector: &Collector, meta: &Value) -> Span {
    let traceparent = meta["traceparent"].as_str().unwrap_or_else(|| panic!("{meta}"));
    collector.span("the span that the server was told of", |span| span.traceparent() == traceparent).await
}

async fn parent(collector: &Collector, of: &Span) -> Span {
    collector.span("a parent", |span| span.id == of.parent && span.trace == of.trace).await
}

#[tokio::test]
async fn a_call_is_a_tree_from_its_client_to_its_server() {
    let collector = Collector::start().await;
    let agent = agent(Some(&collector), &[]).await;
    for (endpoint, app, prefix) in [
        ("/mcp/old", "old", ""),
        ("/mcp/new", "new", ""),
        ("/mcp/shared", "shared", ""),
        ("/mcp", "old", "old__"),
        ("/mcp", "new", "new__"),
    ] {
        for era in Era::BOTH {
            let what = format!("{endpoint} {app} {era:?}");
            let client = Client::of_era(&agent, endpoint, era).await;
            let tool = format!("{prefix}meta");
            let given = json!({"traceparent": caller(), "tracestate": "a=1,b=\"2", "baggage": "k=v", "own": 1.50});
            let meta = client.meta(&tool, given).await;
            assert_eq!((&meta["tracestate"], &meta["baggage"]), (&json!("a=1,b=\"2"), &json!("k=v")), "{what}");
            assert_eq!(meta["own"].to_string(), "1.5", "{what}");
            let below = told(&collector, &meta).await;
            assert_eq!((below.kind, below.name.as_str()), (CLIENT, "tools/call meta"), "{what}");
            assert_eq!((below.get("mcpfleet.app.name"), below.get("network.transport")), (app, "pipe"), "{what}");
            let above = parent(&collector, &below).await;
            assert_eq!((above.kind, above.name), (SERVER, format!("tools/call {tool}")), "{what}");
            assert_eq!((above.trace.as_str(), above.parent.as_str()), (TRACE, CALLER), "{what}");
            for (key, value) in [
                ("mcp.method.name", "tools/call"),
                ("gen_ai.tool.name", tool.as_str()),
                ("gen_ai.operation.name", "execute_tool"),
                ("jsonrpc.request.id", "c-1"),
                ("mcpfleet.app.name", app),
                ("network.protocol.name", "http"),
            ] {
                assert_eq!(above.attributes.get(key).map(String::as_str), Some(value), "{what}: {key}");
            }
            assert_eq!(above.attributes.contains_key("mcp.session.id"), era == Era::Legacy, "{what}");
            assert!(!above.failed && !below.failed, "{what}");
            assert_eq!(above.resource["service.name"], "mcpfleet");
        }
    }
}

#[tokio::test]
async fn a_real_client_begins_traces_here() {
    let collector = Collector::start().await;
    let agent = agent(Some(&collector), &[]).await;
    for (app, era) in [("old", Era::Legacy), ("new", Era::Modern), ("new", Era::Legacy), ("old", Era::Modern)] {
        let client = RealClient::new(era).connect(&agent.url(app)).await;
        let request = CallToolRequestParams::new("meta").with_arguments(arguments(json!({})));
        let meta: Value = serde_json::from_str(&text(&client.call_tool(request).await.unwrap())).unwrap();
        let below = told(&collector, &meta).await;
        let above = parent(&collector, &below).await;
        assert_eq!((above.kind, above.parent.as_str()), (SERVER, ""), "{app} {era:?}");
        client.cancel().await.unwrap();
    }
    let opened =
        collector.span("the opening of a session", |span| span.name == "initialize" && span.kind == SERVER).await;
    assert!(!opened.failed, "{opened:?}");
}

#[tokio::test]
async fn what_makes_no_sense_is_left_behind() {
    let collector = Collector::start().await;
    let agent = agent(Some(&collector), &[]).await;
    let client = Client::of_era(&agent, "/mcp/new", Era::Modern).await;
    // Another trace begins, and the state of the other one does not go on.
    let meta = client.meta("meta", json!({"traceparent": format!("{}-x", caller()), "tracestate": "a=1"})).await;
    let above = parent(&collector, &told(&collector, &meta).await).await;
    assert_eq!((above.parent.as_str(), &meta["tracestate"]), ("", &json!("")));
    assert_ne!(above.trace, TRACE);
    // Of a good parent with a bad state, the parent stays.
    let meta = client.meta("meta", json!({"traceparent": caller(), "tracestate": "no state"})).await;
    let above = parent(&collector, &told(&collector, &meta).await).await;
    assert_eq!((above.trace.as_str(), &meta["tracestate"]), (TRACE, &json!("")));
    // Where the message says nothing, the HTTP request does; where both do, the message counts and the other is linked.
    let other = format!("00-{}-b7ad6b7169203331-01", "1".repeat(32));
    let request = client.call("meta", json!({}), json!({})).header("traceparent", &other).header("tracestate", "h=1");
    let meta = seen(request).await;
    let above = parent(&collector, &told(&collector, &meta).await).await;
    assert_eq!((above.parent.as_str(), &meta["tracestate"]), ("b7ad6b7169203331", &json!("h=1")));
    let request = client.call("meta", json!({}), json!({"traceparent": caller()})).header("traceparent", &other);
    let above = parent(&collector, &told(&collector, &seen(request).await).await).await;
    assert_eq!((above.parent.as_str(), above.links), (CALLER, vec!["b7ad6b7169203331".to_owned()]));
}

#[tokio::test]
async fn what_its_client_does_not_collect_is_not_collected_here() {
    let collector = Collector::start().await;
    let agent = agent(Some(&collector), &[]).await;
    let client = Client::of_era(&agent, "/mcp/old", Era::Legacy).await;
    let unsampled = format!("00-{}-{CALLER}-00", "2".repeat(32));
    let meta = client.meta("meta", json!({"traceparent": unsampled})).await;
    let told = meta["traceparent"].as_str().unwrap();
    // The server is told so, and that it belongs to the same trace.
    assert!(told.starts_with(&unsampled[..36]) && told.ends_with("-00"), "{told}");
    client.meta("meta", json!({"traceparent": caller()})).await;
    collector.span("a later span", |span| span.trace == TRACE).await;
    assert!(!collector.spans().iter().any(|span| span.trace.starts_with("22")), "{:?}", collector.spans());
}

#[tokio::test]
async fn failures_are_told_and_arguments_are_not() {
    let collector = Collector::start().await;
    let agent = agent(Some(&collector), &[]).await;
    for era in Era::BOTH {
        let client = Client::of_era(&agent, "/mcp/old", era).await;
        for (tool, expected) in [("fail", "tool_error"), ("refuse", "-32603"), ("no such\u{1b}tool", "-32602")] {
            let trace = format!("{:032x}", 1 + tool.len() + if era == Era::Legacy { 100 } else { 0 });
            if era == Era::Modern && tool.contains('\u{1b}') {
                // No header has such a name as it is.
                continue;
            }
            let request = client.call(
                tool,
                json!({"text": "hunter2"}),
                json!({"traceparent": format!("00-{trace}-{CALLER}-01")}),
            );
            answer(request).await;
            for kind in [SERVER, CLIENT] {
                let span = collector
                    .span("a failed call", |span| {
                        span.trace == trace && span.kind == kind && span.name.starts_with("tools/call")
                    })
                    .await;
                assert!(span.failed, "{span:?}");
                assert_eq!(span.get("error.type"), expected, "{span:?}");
                assert_eq!(
                    span.get("rpc.response.status_code"),
                    expected.strip_prefix("tool_error").unwrap_or(expected)
                );
                assert!(!format!("{span:?}").contains("hunter2") && !span.name.contains('\u{1b}'), "{span:?}");
            }
        }
    }
}

#[tokio::test]
async fn each_message_of_a_batch_has_its_own() {
    let collector = Collector::start().await;
    let agent = agent(Some(&collector), &[]).await;
    for endpoint in ["/mcp/old", "/mcp/new"] {
        let mut client = Client { url: format!("http://{}{endpoint}", agent.listen), session: None };
        client.open("2025-03-26").await;
        let trace = |n: u8| format!("{n:032x}");
        let call = |n: u8| {
            let meta = json!({"traceparent": format!("00-{}-{CALLER}-01", trace(n))});
            json!({"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": {"name": "meta", "_meta": meta}})
        };
        let first = if endpoint.ends_with("old") { 1 } else { 11 };
        let batch = json!([call(first), {"jsonrpc": "2.0", "method": "notifications/x"}, call(first + 1)]);
        let response = client.post(&batch.to_string()).send().await.unwrap();
        assert!(response.status().is_success(), "{}: {}", response.status(), response.text().await.unwrap());
        for n in [first, first + 1] {
            let below = collector.span("a call", |span| span.trace == trace(n) && span.kind == CLIENT).await;
            assert_eq!(parent(&collector, &below).await.parent, CALLER);
        }
    }
}

#[tokio::test]
async fn without_a_collector_everything_passes_as_it_is() {
    let agent = agent(None, &[]).await;
    for (endpoint, era) in [("/mcp/old", Era::Legacy), ("/mcp/new", Era::Modern)] {
        let client = Client::of_era(&agent, endpoint, era).await;
        for given in [caller(), "nonsense".to_owned()] {
            let request = client.call("meta", json!({}), json!({"traceparent": given, "tracestate": "??"}));
            let meta = seen(request.header("traceparent", caller())).await;
            assert_eq!((&meta["traceparent"], &meta["tracestate"]), (&json!(given), &json!("??")), "{endpoint}");
        }
        let request = client.call("meta", json!({}), json!({"x": 1})).header("traceparent", caller());
        assert_eq!(seen(request).await.get("traceparent"), None);
    }
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_spans() {
    let collector = Collector::start().await;
    let agent = agent(Some(&collector), &[]).await;
    let client = Client::of_era(&agent, "/mcp/new", Era::Modern).await;
    let waiting = agent.home.path().join("never");
    let request = client.call("hold", json!({"path": waiting}), json!({"traceparent": caller()}));
    let call = tokio::spawn(request.send());
    let other = Client::of_era(&agent, "/mcp/new", Era::Modern).await;
    eventually("a call under way", async || {
        let stats = seen(other.call("stats", json!({}), json!({}))).await;
        (stats["seen"]["call:hold"] == 1).then_some(())
    })
    .await;
    call.abort();
    for kind in [SERVER, CLIENT] {
        let span = collector
            .span("a cancelled call", |span| span.trace == TRACE && span.kind == kind && span.name == "tools/call hold")
            .await;
        assert_eq!((span.failed, span.get("error.type")), (true, "cancelled"), "{span:?}");
    }
}
