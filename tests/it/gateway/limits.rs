//! How much one client may ask for, and that it takes nothing from another.

use super::stage::{Stage, answer, call, text};
use crate::support::eventually;
use mcpfleet::gateway::Limits;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

/// A client from another address of this machine.
fn elsewhere() -> reqwest::Client {
    reqwest::Client::builder().local_address(std::net::IpAddr::from([127, 0, 0, 2])).build().unwrap()
}

async fn stage(limits: Limits, sessions: &str) -> Stage {
    let stage = Stage::within(limits).await;
    stage.run("app", &["--era", "both"], json!({ "sessions": sessions }));
    stage.ready("app").await;
    stage
}

async fn echo(stage: &Stage, http: &reqwest::Client) -> Response {
    let request = stage.modern(&json!(1), "tools/call", json!({ "name": "echo", "arguments": { "text": "here" } }));
    http.execute(request.build().unwrap()).await.unwrap()
}

/// The refusal as its sender sees it.
async fn assert_limited(response: Response) {
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(wait >= 1, "{wait}");
    let answer: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(-32012), &Value::Null), "{answer}");
    assert!(answer["error"]["message"].as_str().unwrap().contains("gateway.limits"), "{answer}");
}

#[tokio::test]
async fn so_many_requests_a_second() {
    let stage = stage(Limits { requests_per_second: Some(1), ..Limits::default() }, "per_session").await;
    let responses = futures_util::future::join_all((0..20).map(|_| echo(&stage, &stage.http))).await;
    let (fine, limited): (Vec<_>, Vec<_>) = responses.into_iter().partition(|r| r.status() == StatusCode::OK);
    assert!(!fine.is_empty() && limited.len() > 5, "{} {}", fine.len(), limited.len());
    for response in limited {
        assert_limited(response).await;
    }
    assert_eq!(echo(&stage, &elsewhere()).await.status(), StatusCode::OK, "another has a share of its own");
    let health = stage.http.get(format!("{}/healthz", stage.url)).send().await.unwrap();
    assert_eq!(health.status(), StatusCode::OK, "probes are not measured");
    eventually("it may go on after a while", async || {
        (echo(&stage, &stage.http).await.status() == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn each_message_of_a_batch_counts() {
    let stage = stage(Limits { requests_per_second: Some(10), ..Limits::default() }, "per_session").await;
    let params =
        json!({ "protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
    let (_, id, _) = stage.initialize(params).await;
    let batch: Vec<Value> = (0..100).map(|_| json!({ "jsonrpc": "2.0", "method": "notifications/x" })).collect();
    let sent = stage.post(json!(batch).to_string()).header("mcp-session-id", id.unwrap()).send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::ACCEPTED);
    // It owes the tokens of nine seconds.
    assert_limited(echo(&stage, &stage.http).await).await;
    assert_eq!(echo(&stage, &elsewhere()).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn so_many_requests_at_a_time() {
    let stage = stage(Limits { concurrent_requests: 2, ..Limits::default() }, "per_session").await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("go");
    let hold = || {
        let arguments = json!({ "name": "hold", "arguments": { "path": path } });
        tokio::spawn(stage.modern(&json!(1), "tools/call", arguments).send())
    };
    let held = [hold(), hold()];
    let limited = eventually("both are there", async || {
        let response = echo(&stage, &stage.http).await;
        (response.status() != StatusCode::OK).then_some(response)
    })
    .await;
    assert_limited(limited).await;
    assert_eq!(echo(&stage, &elsewhere()).await.status(), StatusCode::OK);
    std::fs::write(&path, "").unwrap();
    for held in held {
        assert_eq!(text(&answer(held.await.unwrap().unwrap()).await), "held");
    }
    eventually("there is room again", async || {
        (echo(&stage, &stage.http).await.status() == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn so_many_sessions() {
    let stage = stage(Limits { sessions_per_principal: 2, ..Limits::default() }, "shared").await;
    let params =
        json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
    let one = stage.session().await;
    let _two = stage.session().await;
    let (status, id, refused) = stage.initialize(params.clone()).await;
    assert_eq!((status, id), (StatusCode::SERVICE_UNAVAILABLE, None));
    assert!(refused["error"]["message"].as_str().unwrap().contains("sessions_per_principal"), "{refused}");
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
    let other = elsewhere().execute(stage.post(body.to_string()).build().unwrap()).await.unwrap();
    assert_eq!(other.status(), StatusCode::OK);
    assert_eq!(one.delete().send().await.unwrap().status(), StatusCode::NO_CONTENT);
    let three = stage.session().await;
    let said = three.post(call(1, "echo", json!({ "text": "three" }))).send().await.unwrap();
    assert_eq!(text(&answer(said).await), "three");
}
