use super::*;
use crate::client::fake::{FakeAgent, Seen, events, json as answer, status};
use crate::protocol::{MODERN_VERSION, meta};
use axum::response::Response;
use futures_util::stream;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

fn result(seen: &Seen, result: Value) -> Response {
    let request: Value = serde_json::from_str(&seen.body).unwrap();
    answer(json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }).to_string())
}

fn error(seen: &Seen, code: i64, message: &str) -> Response {
    let request: Value = serde_json::from_str(&seen.body).unwrap();
    let error = json!({ "code": code, "message": message });
    answer(json!({ "jsonrpc": "2.0", "id": request["id"], "error": error }).to_string())
}

/// A server of the modern era whose other answers `rest` gives.
async fn modern(rest: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> FakeAgent {
    let rest = Arc::new(rest);
    FakeAgent::start(move |seen| {
        let rest = rest.clone();
        async move {
            match seen.rpc().as_str() {
                "server/discover" => result(&seen, json!({"supportedVersions": ["2025-11-25", "2026-07-28"]})),
                _ => rest(&seen),
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_modern_server_is_used_without_a_handshake() {
    let agent = modern(|seen| result(seen, json!({"content": [], "n": 1.0e3}))).await;
    let client = McpClient::connect(agent.client(), "a").await.unwrap();
    let called = client.call_tool("t", &json!({"x": 1}), &mut |_| {}).await.unwrap();
    assert_eq!(called.get(), r#"{"content":[],"n":1000.0}"#);
    client.close().await;
    let seen = agent.seen();
    let said: Vec<String> = seen.iter().map(Seen::rpc).collect();
    assert_eq!(said, ["server/discover", "tools/call"]);
    assert_eq!(seen[1].header("mcp-name"), Some("t"));
    let body: Value = serde_json::from_str(&seen[1].body).unwrap();
    assert_eq!(body["params"]["arguments"], json!({"x": 1}));
    assert_eq!(body["params"]["_meta"][meta::PROTOCOL_VERSION], MODERN_VERSION);
    assert_eq!(body["params"]["_meta"]["progressToken"], 1);
}

#[tokio::test]
async fn a_legacy_server_gets_its_handshake_and_its_goodbye() {
    // What servers and gateways say to `server/discover` who do not know it.
    for refusal in [(200, -32601), (404, -32601), (400, -32600), (400, -32022)] {
        let agent = FakeAgent::start(move |seen| async move {
            match (seen.method.as_str(), seen.rpc().as_str()) {
                (_, "server/discover") => {
                    let (http, code) = refusal;
                    let mut response = error(&seen, code, "no");
                    *response.status_mut() = http.try_into().unwrap();
                    response
                }
                (_, "initialize") => {
                    let mut response = result(&seen, json!({"protocolVersion": "2025-03-26", "capabilities": {}}));
                    response.headers_mut().insert("mcp-session-id", "s1".parse().unwrap());
                    response
                }
                (_, "notifications/initialized") => status(202, ""),
                ("DELETE", _) => status(204, ""),
                _ => result(&seen, json!({"tools": [{"name": "a"}]})),
            }
        })
        .await;
        let client = McpClient::connect(agent.client(), "a").await.unwrap();
        assert_eq!(client.list_tools().await.unwrap().len(), 1);
        client.close().await;
        let seen = agent.seen();
        let said: Vec<String> = seen.iter().map(|seen| format!("{} {}", seen.method, seen.rpc())).collect();
        let expected =
            ["POST server/discover", "POST initialize", "POST notifications/initialized", "POST tools/list", "DELETE "];
        assert_eq!(said, expected, "{refusal:?}");
        for seen in &seen[2..] {
            assert_eq!(seen.header("mcp-session-id"), Some("s1"));
            assert_eq!(seen.header("mcp-protocol-version"), Some("2025-03-26"));
        }
    }
}

#[tokio::test]
async fn all_pages_are_listed_unless_they_never_end() {
    let agent = modern(|seen| {
        let request: Value = serde_json::from_str(&seen.body).unwrap();
        match request["params"]["cursor"].as_str() {
            None => result(seen, json!({"tools": [{"name": "a"}, {"name": "b"}], "nextCursor": "2"})),
            Some(_) => result(seen, json!({"tools": [{"name": "c"}]})),
        }
    })
    .await;
    let client = McpClient::connect(agent.client(), "a").await.unwrap();
    let names: Vec<String> = client
        .list_tools()
        .await
        .unwrap()
        .iter()
        .map(|tool| serde_json::from_str::<Tool>(tool.get()).unwrap().name)
        .collect();
    assert_eq!(names, ["a", "b", "c"]);

    let agent = modern(|seen| result(seen, json!({"tools": [], "nextCursor": "again"}))).await;
    let client = McpClient::connect(agent.client(), "a").await.unwrap();
    assert!(matches!(client.list_tools().await, Err(McpError::EndlessList)));
}

#[tokio::test]
async fn what_comes_before_the_answer_is_seen() {
    let agent = modern(|seen| {
        let request: Value = serde_json::from_str(&seen.body).unwrap_or_default();
        if request["method"].is_null() {
            return status(202, "");
        }
        let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}});
        let ping = json!({"jsonrpc": "2.0", "id": "p", "method": "ping"});
        let done = json!({"jsonrpc": "2.0", "id": request["id"], "result": {}});
        events(stream::iter([progress, ping, done].map(|message| format!("data: {message}\n\n"))))
    })
    .await;
    let client = McpClient::connect(agent.client(), "a").await.unwrap();
    let mut told = Vec::new();
    client.call_tool("t", &json!({}), &mut |message| told.push(message["params"]["progress"].clone())).await.unwrap();
    assert_eq!(told, [json!(1)]);
    assert!(agent.seen().iter().any(|seen| seen.body.contains(r#""id":"p""#) && seen.body.contains("result")));
}

#[tokio::test]
async fn refusals_keep_their_reason() {
    let agent = modern(|seen| error(seen, -32602, "no such tool")).await;
    let client = McpClient::connect(agent.client(), "a").await.unwrap();
    let refused = client.call_tool("t", &json!({}), &mut |_| {}).await.unwrap_err();
    assert!(matches!(&refused, McpError::Rpc { code: -32602, message } if message == "no such tool"), "{refused:?}");

    for (code, body, expected) in [
        (401, r#"{"error":{"code":"unauthenticated","message":"who are you"}}"#, "who are you"),
        (500, "", "the agent answered 500 Internal Server Error"),
    ] {
        let agent = FakeAgent::start(move |_| async move { status(code, body) }).await;
        let refused = McpClient::connect(agent.client(), "a").await.unwrap_err();
        assert!(matches!(refused, McpError::Api(ApiError::Refused { .. })), "{refused:?}");
        assert_eq!(refused.to_string(), expected);
    }
    let agent = FakeAgent::start(|_| async { status(202, "") }).await;
    assert!(matches!(McpClient::connect(agent.client(), "a").await, Err(McpError::NoAnswer)));
}

#[tokio::test]
async fn an_app_that_starts_is_waited_for() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let agent = FakeAgent::start(move |seen| {
        let attempt = count.fetch_add(1, Ordering::SeqCst);
        async move {
            match attempt {
                0 => status(503, ""),
                _ => result(&seen, json!({"supportedVersions": [MODERN_VERSION]})),
            }
        }
    })
    .await;
    McpClient::connect(agent.client(), "a").await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}
