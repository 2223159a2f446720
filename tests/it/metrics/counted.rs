//! What clients do is counted, and nothing that they choose is a label.

use super::stage::scrape;
use crate::{
    access::fleet::{Client, answer, call, start_with, usual},
    metrics::exposition::Exposition,
    support::{Agent, eventually},
};
use mcpfleet::protocol::{MODERN_VERSION, meta};
use serde_json::{Value, json};
use std::time::Duration;

async fn started() -> (Agent, String) {
    let agent = start_with(&usual(), &["admin_listen=127.0.0.1:0"]).await;
    let admin = eventually("the address of the metrics", async || {
        let log = agent.log();
        let line = log.lines().find(|line| line.contains("metrics and health are served"))?.to_owned();
        line.split_once("address=").map(|(_, address)| address.trim().to_owned())
    });
    let admin = admin.await;
    (agent, admin)
}

/// A request to the endpoint of all apps.
fn of_all(client: &Client, method: &str, mut params: Value) -> reqwest::RequestBuilder {
    let name = params.get("name").and_then(Value::as_str).map(str::to_owned);
    params["_meta"] = json!({meta::PROTOCOL_VERSION: MODERN_VERSION, meta::CLIENT_CAPABILITIES: {}});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let request = client.request(reqwest::Method::POST, "/mcp").body(body.to_string());
    let request = request.header("content-type", "application/json").header("accept", "application/json");
    let request = request.header("mcp-protocol-version", MODERN_VERSION).header("mcp-method", method);
    match name {
        Some(name) => request.header("mcp-name", name),
        None => request,
    }
}

fn requests(read: &Exposition, app: &str, era: &str, outcome: &str) -> f64 {
    let labels = [("app", app), ("era", era), ("outcome", outcome)];
    read.value("mcpfleet_gateway_requests_total", &labels).unwrap_or_default()
}

#[tokio::test]
async fn requests_are_counted_by_app_era_and_outcome() {
    let (agent, admin) = started().await;
    let ada = Client::of(&agent, "ada");
    for _ in 0..3 {
        ada.call("alpha", "echo", json!({"text": "x"})).send().await.unwrap();
    }
    ada.modern("alpha", "tools/list", json!({})).send().await.unwrap();
    // Not one of her tools, and an app that is none of hers.
    ada.call("alpha", "crash", json!({})).send().await.unwrap();
    ada.call("beta", "echo", json!({})).send().await.unwrap();
    let session = ada.session("alpha").await;
    ada.in_session("alpha", &session, call("echo", json!({"text": "y"})).to_string()).send().await.unwrap();
    let read = scrape(&admin).await;
    for (app, era, outcome, expected) in [
        ("alpha", "modern", "ok", 4.0),
        ("alpha", "modern", "denied", 1.0),
        // `initialize` and a call.
        ("alpha", "legacy", "ok", 2.0),
        ("beta", "modern", "denied", 0.0),
    ] {
        assert_eq!(requests(&read, app, era, outcome), expected, "{app} {era} {outcome}");
    }
    let count = |era| read.value("mcpfleet_gateway_request_duration_seconds_count", &[("app", "alpha"), ("era", era)]);
    assert_eq!((count("modern"), count("legacy")), (Some(4.0), Some(2.0)), "what was denied took no time");
    assert_eq!(read.value("mcpfleet_gateway_refused_requests_total", &[("code", "unknown-app")]), Some(1.0));
    assert_eq!(read.value("mcpfleet_gateway_sessions", &[]), Some(1.0));
    assert_eq!(read.value("mcpfleet_app_sessions", &[("app", "alpha")]), Some(1.0));

    // By the endpoint of all apps a call is the app's; what is about all of them is of none.
    let (_, listed) = answer(of_all(&ada, "tools/list", json!({}))).await;
    let tool = listed["result"]["tools"][0]["name"].as_str().unwrap_or_else(|| panic!("a tool: {listed}")).to_owned();
    let (status, called) = answer(of_all(&ada, "tools/call", json!({"name": tool, "arguments": {"text": "z"}}))).await;
    assert!(status == 200 && called.get("result").is_some(), "{status}: {called}");
    let read = scrape(&admin).await;
    assert_eq!(requests(&read, "(all)", "modern", "ok"), 1.0);
    assert_eq!(requests(&read, "alpha", "modern", "ok"), 5.0);
    agent.stop().await;
}

#[tokio::test]
async fn a_client_that_goes_away_is_counted() {
    let (agent, admin) = started().await;
    let ada = Client::of(&agent, "ada");
    // It may be gone before it was there: then another is sent.
    eventually("a client that has gone", async || {
        let hold = ada.call("alpha", "hold", json!({"path": "/nowhere/at/all"}));
        assert!(hold.timeout(Duration::from_millis(200)).send().await.is_err(), "nobody answers it");
        (requests(&scrape(&admin).await, "alpha", "modern", "gone") > 0.0).then_some(())
    })
    .await;
    agent.stop().await;
}

#[tokio::test]
async fn nothing_that_a_client_chooses_is_a_label() {
    let (agent, admin) = started().await;
    let ada = Client::of(&agent, "ada");
    let series = async || {
        let read = scrape(&admin).await;
        read.samples.iter().filter(|sample| sample.name.starts_with("mcpfleet_gateway")).count()
    };
    // All kinds of things once, so that what they are counted by is there.
    let mischief = async |number: usize| {
        let word = format!("chosen-{number}");
        ada.call(&word, "echo", json!({})).send().await.unwrap();
        ada.call("alpha", &word, json!({})).send().await.unwrap();
        ada.modern("alpha", &word, json!({})).send().await.unwrap();
        ada.post("alpha", format!("{{\"{word}\": 1}}")).send().await.unwrap();
        ada.get(&format!("/{word}")).send().await.unwrap();
        let stranger = Client::with(&agent.listen, Some(&word));
        stranger.get("/v1/status").header("user-agent", &word).header("mcp-session-id", &word).send().await.unwrap();
    };
    mischief(0).await;
    let before = series().await;
    for number in 1..20 {
        mischief(number).await;
    }
    assert_eq!(series().await, before);
    let text = super::stage::get(&admin, "").await;
    assert!(!text.contains("chosen"), "{text}");
    agent.stop().await;
}
