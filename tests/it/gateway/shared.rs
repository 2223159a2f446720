use super::stage::{Events, Stage, answer};
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
