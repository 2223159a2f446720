use super::stage::{Events, Stage, answer};
use crate::support::eventually;
use mcpfleet::status::model::AppState;
use reqwest::StatusCode;
use serde_json::json;

#[tokio::test]
async fn sessions_of_a_shared_server_meet_one_process() {
    let stage = Stage::with(&["--era", "legacy"], json!({ "sessions": "shared" })).await;
    let (a, b) = (stage.session().await, stage.session().await);
    assert_eq!(a.text("pid", json!({})).await, b.text("pid", json!({})).await);
    assert_eq!(stage.gateway.sessions.shared_by_app()["app"], 2);
    // The older of the two versions is agreed on, and a version that nobody knows becomes the server's own.
    for (asked, agreed) in [("2025-06-18", "2025-06-18"), ("1999-01-01", "2025-11-25")] {
        let (_, _, answer) = stage.initialize(json!({ "protocolVersion": asked, "capabilities": {} })).await;
        assert_eq!(answer["result"]["protocolVersion"], agreed);
    }
}

#[tokio::test]
async fn what_concerns_all_reaches_all_and_nobody_can_be_asked() {
    let stage = Stage::with(&["--era", "legacy"], json!({ "sessions": "shared" })).await;
    let (a, b) = (stage.session().await, stage.session().await);
    let mut streams = [Events::new(a.stream().send().await.unwrap()), Events::new(b.stream().send().await.unwrap())];
    a.text("echo", json!({ "text": "attach" })).await;
    b.text("echo", json!({ "text": "attach" })).await;
    a.text("change", json!({})).await;
    for stream in &mut streams {
        assert_eq!(stream.next().await.unwrap()["method"], "notifications/tools/list_changed");
    }
    let response = a.call(1, "ask", json!({ "text": "who?" })).send().await.unwrap();
    let refused = answer(response).await.to_string();
    assert!(refused.contains("no answer"), "{refused}");
}

#[tokio::test]
async fn sessions_of_a_shared_server_outlive_its_process() {
    let shared = |version: u32| json!({ "sessions": "shared", "env": { "VERSION": version.to_string() } });
    let stage = Stage::with(&["--era", "legacy"], shared(1)).await;
    let session = stage.session().await;
    let mut stream = Events::new(session.stream().send().await.unwrap());
    let first = session.text("pid", json!({})).await;
    stage.run("app", &["--era", "legacy"], shared(2));
    eventually("the first process is gone", async || {
        let gone = !crate::support::processes::exists(first.parse().unwrap());
        // Only the stream listens meanwhile; each of these is answered by whichever version serves.
        (gone && stage.state("app") == AppState::Ready).then_some(())
    })
    .await;
    let other = stage.session().await;
    for _ in 0..3 {
        other.text("echo", json!({ "text": "attached once, however often it asks" })).await;
    }
    other.text("change", json!({})).await;
    assert_eq!(stream.next().await.unwrap()["method"], "notifications/tools/list_changed");
    session.text("echo", json!({ "text": "it serves still" })).await;
    other.text("change", json!({})).await;
    let mut heard = Vec::new();
    stage.gateway.fleet.stop("app");
    while let Some(message) = stream.next().await {
        heard.push(message["method"].clone());
    }
    assert_eq!(heard, ["notifications/tools/list_changed"], "each change is told once");
}

#[tokio::test]
async fn a_session_does_not_go_to_a_server_that_it_does_not_fit() {
    let stage = Stage::with(&["--era", "legacy"], json!({ "sessions": "shared" })).await;
    let session = stage.session().await;
    stage.run("app", &["--era", "legacy"], json!({}));
    eventually("the client has to initialize again", async || {
        let response = session.call(1, "echo", json!({ "text": "x" })).send().await.unwrap();
        (response.status() == StatusCode::NOT_FOUND).then_some(())
    })
    .await;
}

#[tokio::test]
async fn one_session_cannot_cancel_the_request_of_another() {
    let stage = Stage::with(&["--era", "legacy"], json!({ "sessions": "shared" })).await;
    let (a, b) = (stage.session().await, stage.session().await);
    let slow = a.call("same", "sleep", json!({ "ms": 300 })).send();
    let cancel = async {
        crate::support::eventually("it is open", async || {
            b.text("stats", json!({})).await.contains("call:sleep").then_some(())
        })
        .await;
        let cancel =
            json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": "same" } });
        b.post(cancel).send().await.unwrap();
    };
    let (slow, ()) = tokio::join!(slow, cancel);
    assert!(answer(slow.unwrap()).await["result"].is_object());
}
