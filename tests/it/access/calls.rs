//! What a client gets of the apps and tools that it may use, and of the others.

use super::fleet::{Client, answer, call, outcome, start};
use reqwest::StatusCode;
use serde_json::{Value, json};

#[tokio::test]
async fn everybody_gets_what_they_may_use() {
    let agent = start().await;
    let (ada, bob, eve) = (Client::of(&agent, "ada"), Client::of(&agent, "bob"), Client::of(&agent, "eve"));
    assert_eq!(ada.tools("alpha").await.unwrap(), ["echo", "hold", "pid"]);
    let tools = bob.tools("beta").await.unwrap();
    assert!(tools.len() > 10 && tools.iter().any(|tool| tool == "sleep"), "{tools:?}");
    assert!(!tools.iter().any(|tool| tool == "crash"), "{tools:?}");
    for (client, app) in [(&ada, "beta"), (&bob, "alpha"), (&eve, "alpha"), (&eve, "beta"), (&ada, "gamma")] {
        assert_eq!(client.tools(app).await, None, "{app}");
    }
    let called = answer(ada.call("alpha", "echo", json!({"text": "hi"}))).await;
    assert_eq!(outcome(&called), Ok("hi".into()));
    for (client, app, tool) in [(&ada, "alpha", "sleep"), (&bob, "beta", "crash"), (&ada, "alpha", "nope")] {
        let called = answer(client.call(app, tool, json!({}))).await;
        assert_eq!(outcome(&called), Err((200, -32602)), "{tool}: {called:?}");
    }
    // In both eras.
    let session = ada.session("alpha").await;
    let in_session = async |message: Value| answer(ada.in_session("alpha", &session, message.to_string())).await;
    assert_eq!(outcome(&in_session(call("echo", json!({"text": "hi"}))).await), Ok("hi".into()));
    assert_eq!(outcome(&in_session(call("sleep", json!({}))).await), Err((200, -32602)));
    let (_, listed) = in_session(json!({"jsonrpc": "2.0", "id": "l", "method": "tools/list"})).await;
    let names: Vec<_> = listed["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
    assert_eq!(names, ["echo", "hold", "pid"]);
    // And at the endpoint of all apps.
    let (status, all) = answer(ada.modern("", "tools/list", json!({}))).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{all}");
    let all = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}}});
    let all = async |client: &Client| {
        let request = client
            .request(reqwest::Method::POST, "/mcp")
            .header("content-type", "application/json")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/list")
            .body(all.to_string());
        let (status, answer) = answer(request).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let tools = answer["result"]["tools"].as_array().unwrap().clone();
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let names = all(&ada).await;
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names.iter().all(|name| name.starts_with("alpha")), "{names:?}");
    assert!(all(&bob).await.iter().all(|name| name.starts_with("beta") && !name.ends_with("crash")));
    assert_eq!(all(&eve).await, [""; 0]);
}

#[tokio::test]
async fn an_app_that_one_may_not_use_is_like_one_that_is_not_there() {
    let agent = start().await;
    let ada = Client::of(&agent, "ada");
    // What differs is the name that was asked for.
    let shape = async |app: &str, request: reqwest::RequestBuilder| {
        let response = request.send().await.unwrap();
        let mut headers: Vec<String> =
            response.headers().iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
        headers.retain(|header| !header.starts_with("date") && !header.starts_with("content-length"));
        headers.sort();
        (response.status(), headers, response.text().await.unwrap().replace(app, "APP"))
    };
    let body = call("echo", json!({})).to_string();
    let requests = |app: &str| {
        vec![
            ada.call(app, "echo", json!({})),
            ada.modern(app, "tools/list", json!({})),
            ada.modern(app, "server/discover", json!({})),
            ada.post(app, body.clone()),
            ada.post(app, "not json"),
            ada.post(app, json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}).to_string()),
            ada.in_session(app, "0123456789abcdef0123456789abcdef", body.clone()),
            ada.get(&format!("/mcp/{app}")),
            ada.request(reqwest::Method::DELETE, &format!("/mcp/{app}")).header("mcp-session-id", "x"),
            ada.request(reqwest::Method::PUT, &format!("/mcp/{app}")),
            ada.get(&format!("/v1/apps/{app}/logs")),
            ada.get(&format!("/v1/apps/{app}/logs?follow=true")),
            ada.get(&format!("/v1/events?app={app}")),
            ada.request(reqwest::Method::POST, &format!("/v1/apps/{app}/restart")).json(&json!({})),
            ada.request(reqwest::Method::POST, "/v1/suspend").json(&json!({"app": app})),
            ada.request(reqwest::Method::POST, "/v1/resume").json(&json!({"app": app})),
        ]
    };
    for (n, (forbidden, unknown)) in requests("beta").into_iter().zip(requests("zeta")).enumerate() {
        let (forbidden, unknown) = (shape("beta", forbidden).await, shape("zeta", unknown).await);
        assert_eq!(forbidden, unknown, "request {n}");
        assert_eq!(forbidden.0, if n == 12 { 200 } else { 404 }, "request {n}: {forbidden:?}");
    }
}
