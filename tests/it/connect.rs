//! `mcpfleet mcp connect`: the official SDK's client over stdio, through the bridge and the gateway, to the demo server.

use crate::support::{Agent, Era, RealClient, arguments, demo_app, eventually, fake_app, text};
use rmcp::{
    model::{CallToolRequest, CallToolRequestParams, ClientRequest, ReadResourceRequestParams},
    service::PeerRequestOptions,
};
use serde_json::json;
use std::sync::atomic::Ordering;

fn call(tool: &'static str, value: serde_json::Value) -> CallToolRequestParams {
    CallToolRequestParams::new(tool).with_arguments(arguments(value))
}

#[tokio::test]
async fn a_real_client_of_either_era_works_through_the_bridge() {
    let agent = Agent::start(&[("demo.yaml", &demo_app("demo"))]).await;
    for era in Era::BOTH {
        let handler = RealClient::new(era);
        let client = handler.clone().spawn(agent.command(&["mcp", "connect", "demo"])).await;
        assert_eq!(client.peer_info().unwrap().protocol_version, era.version());
        assert_eq!(client.list_all_tools().await.unwrap().len(), 7, "{era:?}");
        assert_eq!(text(&client.call_tool(call("add", json!({"a": 20, "b": 22}))).await.unwrap()), "42");
        let about = client.read_resource(ReadResourceRequestParams::new("demo://about")).await.unwrap();
        assert_eq!(about.contents.len(), 1);
        assert!(client.call_tool(call("no_such_tool", json!({}))).await.is_err());

        let done = client.call_tool(call("countdown", json!({"from": 3, "interval_ms": 1}))).await.unwrap();
        assert_eq!(text(&done), "Lift-off!");
        eventually("three notes of progress", async || (handler.progress.lock().unwrap().len() == 3).then_some(()))
            .await;

        // Many at once: every answer finds its question.
        let calls = (0..50).map(|n| {
            let client = &client;
            async move { (n, text(&client.call_tool(call("echo", json!({"message": format!("{n}")}))).await.unwrap())) }
        });
        for (n, answer) in futures_util::future::join_all(calls).await {
            assert_eq!(answer, n.to_string(), "{era:?}");
        }
        client.cancel().await.unwrap();
    }
}

/// What the gateway does not take is refused, and the client goes on.
#[tokio::test]
async fn a_message_that_is_too_large_is_refused_by_itself() {
    let agent = Agent::start(&[("demo.yaml", &demo_app("demo"))]).await;
    for era in Era::BOTH {
        let client = RealClient::new(era).spawn(agent.command(&["mcp", "connect", "demo"])).await;
        for size in [5 << 20, 17 << 20] {
            let answer = client.call_tool(call("echo", json!({"message": "x".repeat(size)}))).await;
            assert!(answer.is_err(), "{era:?}: {size} bytes pass");
        }
        let large = "x".repeat(1 << 20);
        let echoed = client.call_tool(call("echo", json!({"message": large}))).await.unwrap();
        assert!(text(&echoed) == large, "{era:?}");
    }
}

#[tokio::test]
async fn a_legacy_session_ends_with_its_client() {
    let agent = Agent::start(&[("demo.yaml", &demo_app("demo"))]).await;
    let sessions = async || {
        let status: serde_json::Value = serde_json::from_str(&agent.says(&["status", "-o", "json"]).await).unwrap();
        status["apps"][0]["sessions"].as_u64().unwrap()
    };
    let client = RealClient::new(Era::Legacy).spawn(agent.command(&["mcp", "connect", "demo"])).await;
    client.list_all_tools().await.unwrap();
    assert_eq!(sessions().await, 1);
    client.cancel().await.unwrap();
    eventually("the end of the session", async || (sessions().await == 0).then_some(())).await;
}

/// The agent is restarted under its clients, which notice nothing.
#[tokio::test]
async fn clients_outlive_the_agent() {
    let mut agent = Agent::start(&[("demo.yaml", &demo_app("demo"))]).await;
    let mut clients = Vec::new();
    for era in Era::BOTH {
        clients.push((era, RealClient::new(era).spawn(agent.command(&["mcp", "connect", "demo"])).await));
    }
    for round in 0..3 {
        for (era, client) in &clients {
            let sum = client.call_tool(call("add", json!({"a": round, "b": 1}))).await;
            let sum = sum.unwrap_or_else(|error| panic!("{era:?} after {round} restarts: {error}\n{}", agent.log()));
            assert_eq!(text(&sum), (round + 1).to_string(), "{era:?}");
        }
        let listen = agent.listen.clone();
        let home = agent.stop().await;
        agent = Agent::start_in(home, &listen).await;
    }
}

/// A server of either era only is used in its own.
#[tokio::test]
async fn servers_of_one_era_are_used_in_theirs() {
    let files = [
        ("old.yaml", fake_app("old", &["--era", "legacy"])),
        ("silent.yaml", fake_app("silent", &["--era", "legacy", "--silent-discover"])),
        ("new.yaml", fake_app("new", &["--era", "modern"])),
    ];
    let agent = Agent::start(&files.each_ref().map(|(name, text)| (*name, text.as_str()))).await;
    for app in ["old", "silent", "new"] {
        assert!(agent.says(&["mcp", "tools", app]).await.contains("Gives `text` back"), "{app}");
        assert_eq!(agent.says(&["mcp", "call", app, "echo", r#"{"text": "x"}"#]).await, "x\n", "{app}");
        let failed = agent.cli(&["mcp", "call", app, "fail"]).await;
        assert_eq!(failed.status.code(), Some(1), "{app}");
        assert!(String::from_utf8_lossy(&failed.stderr).contains("It failed, as asked"), "{app}: {failed:?}");
    }
    for (era, app) in [(Era::Legacy, "old"), (Era::Modern, "new")] {
        let client = RealClient::new(era).spawn(agent.command(&["mcp", "connect", app])).await;
        assert_eq!(text(&client.call_tool(call("echo", json!({"text": "x"}))).await.unwrap()), "x");
        client.cancel().await.unwrap();
    }
}

#[tokio::test]
async fn what_the_server_asks_and_tells_reaches_the_client() {
    let agent = Agent::start(&[("old.yaml", &fake_app("old", &["--era", "legacy"]))]).await;
    let handler = RealClient::new(Era::Legacy);
    let client = handler.clone().spawn(agent.command(&["mcp", "connect", "old"])).await;
    let answer = client.call_tool(call("ask", json!({"text": "why?"}))).await.unwrap();
    assert_eq!(text(&answer), "you asked: why?");
    let tools = client.list_all_tools().await.unwrap().len();
    client.call_tool(call("change", json!({}))).await.unwrap();
    eventually("word of the change", async || (handler.changes.load(Ordering::SeqCst) > 0).then_some(())).await;
    assert_eq!(client.list_all_tools().await.unwrap().len(), tools + 1);
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn a_cancelled_call_is_cancelled_at_the_server() {
    let files =
        [("old.yaml", fake_app("old", &["--era", "legacy"])), ("new.yaml", fake_app("new", &["--era", "modern"]))];
    let agent = Agent::start(&files.each_ref().map(|(name, text)| (*name, text.as_str()))).await;
    for (era, app) in [(Era::Legacy, "old"), (Era::Modern, "new")] {
        let client = RealClient::new(era).spawn(agent.command(&["mcp", "connect", app])).await;
        let stats = async || {
            let stats = client.call_tool(call("stats", json!({}))).await.unwrap();
            serde_json::from_str::<serde_json::Value>(&text(&stats)).unwrap()
        };
        let sleep = ClientRequest::CallToolRequest(CallToolRequest::new(call("sleep", json!({"ms": 60_000}))));
        let open = client.send_cancellable_request(sleep, PeerRequestOptions::no_options()).await.unwrap();
        eventually("the call", async || (stats().await["seen"]["call:sleep"] == 1).then_some(())).await;
        open.cancel(None).await.unwrap();
        eventually("the cancel", async || (stats().await["cancelled"].as_array()?.len() == 1).then_some(())).await;
        client.cancel().await.unwrap();
    }
}

/// The server of a session dies: the open call fails, the next one finds a new server.
#[tokio::test]
async fn a_crash_costs_one_call() {
    let agent = Agent::start(&[("fake.yaml", &fake_app("fake", &[]))]).await;
    for era in Era::BOTH {
        let client = RealClient::new(era).spawn(agent.command(&["mcp", "connect", "fake"])).await;
        let before = text(&client.call_tool(call("pid", json!({}))).await.unwrap());
        assert!(client.call_tool(call("crash", json!({"code": 3}))).await.is_err(), "{era:?}");
        let after = client.call_tool(call("pid", json!({}))).await;
        let after = text(&after.unwrap_or_else(|error| panic!("{era:?}: {error}\n{}", agent.log())));
        assert_ne!(before, after, "{era:?}");
        client.cancel().await.unwrap();
    }
}
