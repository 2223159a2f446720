//! Whoever is slow, or says too much, harms nobody else, and memory stays bounded.

use super::stage::{Stage, answer, text};
use crate::support::eventually;
use mcpfleet::status::model::AppState;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn tool(name: &str, arguments: Value) -> Value {
    json!({ "name": name, "arguments": arguments })
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_up_nobody() {
    let stage = Stage::with(&["--era", "modern"], json!({})).await;
    let request = stage.modern(&json!(1), "tools/call", tool("big", json!({ "bytes": 30_000_000 }))).build().unwrap();
    let mut head = String::from("POST /mcp/app HTTP/1.1\r\nhost: localhost\r\n");
    for (name, value) in request.headers() {
        head += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    let body = request.body().unwrap().as_bytes().unwrap();
    head += &format!("content-length: {}\r\n\r\n", body.len());
    let mut lazy = tokio::net::TcpStream::connect(stage.url.trim_start_matches("http://")).await.unwrap();
    lazy.write_all(head.as_bytes()).await.unwrap();
    lazy.write_all(body).await.unwrap();
    // The answer has begun to arrive, and most of it can go nowhere.
    lazy.read_exact(&mut [0; 17]).await.unwrap();
    for number in 0..20 {
        let message = format!("{number}");
        let response = stage.modern(&json!(1), "tools/call", tool("echo", json!({ "text": message }))).send().await;
        assert_eq!(text(&answer(response.unwrap()).await), message);
    }
    let mut rest = Vec::new();
    while rest.len() < 30_000_000 {
        assert_ne!(lazy.read_buf(&mut rest).await.unwrap(), 0, "the whole answer is there for whoever comes back");
    }
}

#[tokio::test]
async fn a_server_that_does_not_read_makes_clients_come_back_later() {
    let stage = Stage::with(&["--era", "modern"], json!({})).await;
    let response = stage.modern(&json!(1), "tools/call", tool("pid", json!({}))).send().await.unwrap();
    let pid = Pid::from_raw(text(&answer(response).await).parse().unwrap());
    kill(pid, Signal::SIGSTOP).unwrap();
    let large = "x".repeat(3 << 20);
    let calls = (0..10).map(|id| stage.modern(&json!(id), "tools/call", tool("echo", json!({ "text": large }))).send());
    let mut calls: Vec<_> = calls.map(Box::pin).collect();
    // Some have to wait for the server, and are not answered before it goes on.
    let (refused, _, rest) = futures_util::future::select_all(std::mem::take(&mut calls)).await;
    let refused = refused.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    kill(pid, Signal::SIGCONT).unwrap();
    let mut answered = 0;
    for response in futures_util::future::join_all(rest).await {
        answered += usize::from(response.unwrap().status() == StatusCode::OK);
    }
    assert!((4..10).contains(&answered), "{answered} of those that were taken are answered");
}

#[tokio::test]
async fn a_server_that_sends_a_line_without_end_is_ended() {
    let stage = Stage::new().await;
    stage.run("app", &["--era", "legacy", "--big-line", "70000000"], json!({}));
    eventually("the reason", async || {
        let view = stage.gateway.fleet.get("app").unwrap().view.borrow().clone();
        let told = view.reason.as_deref().is_some_and(|reason| reason.contains("more than 64 MiB"));
        (view.state == AppState::Backoff && told).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_server_that_closes_its_stdout_is_replaced() {
    let settings = json!({ "restart": { "initial_backoff": "10ms" } });
    let stage = Stage::new().await;
    stage.run("app", &["--era", "modern", "--close-stdout"], settings);
    eventually("it was started again", async || {
        (stage.gateway.fleet.get("app").unwrap().view.borrow().restarts > 0).then_some(())
    })
    .await;
}
