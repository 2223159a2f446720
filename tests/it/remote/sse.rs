//! The transport of 2024-11-05.

use super::{
    server::{Server, Speaks},
    spec, stage,
};
use crate::{
    gateway::stage::{Events, Stage, call, text},
    support::eventually,
};
use mcpfleet::status::model::AppState;
use serde_json::json;

#[tokio::test]
async fn calls_questions_and_notifications() {
    let (server, stage) = stage(Speaks::Sse).await;
    let session = stage.session().await;
    assert_eq!(session.text("echo", json!({"text": "old"})).await, "old");
    assert!(server.seen("server/discover").is_empty(), "this transport has one era only");
    let posted = server.seen("tools/call").pop().unwrap();
    assert_eq!(posted.uri.path(), "/messages");

    let mut events = Events::new(session.call(1, "ask", json!({})).send().await.unwrap());
    let asked = events.next().await.unwrap();
    let reply = json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "decline"}});
    session.post(reply).send().await.unwrap();
    assert_eq!(text(&events.next().await.unwrap()), r#"{"action":"decline"}"#);

    let mut body = call(2, "progress", json!({"steps": 3}));
    body["params"]["_meta"] = json!({"progressToken": 9});
    let mut events = Events::new(session.post(body).send().await.unwrap());
    for step in 0..3 {
        assert_eq!(events.next().await.unwrap()["params"], json!({"progressToken": 9, "progress": step}));
    }
    assert_eq!(text(&events.next().await.unwrap()), "done");

    let mut stream = Events::new(session.stream().send().await.unwrap());
    let changed = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
    server.announce(&changed);
    assert_eq!(stream.next().await.unwrap(), changed);
}

#[tokio::test]
async fn the_end_of_the_stream_is_the_end_of_the_session() {
    let (server, stage) = stage(Speaks::Sse).await;
    let session = stage.session().await;
    server.forget();
    eventually("a session that is over", async || {
        (session.call(1, "echo", json!({})).send().await.unwrap().status() == 404).then_some(())
    })
    .await;
    stage.ready("app").await;
    let again = stage.session().await;
    assert_eq!(again.text("echo", json!({"text": "again"})).await, "again");
}

#[tokio::test]
async fn an_endpoint_on_another_server_is_not_used() {
    let (server, other) = (Server::start(Speaks::Sse).await, Server::start(Speaks::Sse).await);
    let endpoint = format!("http://{}/messages?session=1", other.address);
    server.fault(|faults| faults.endpoint = Some(endpoint));
    let stage = Stage::new().await;
    stage.run_spec("app", spec(&server, Speaks::Sse));
    let reason = eventually("a failure", async || {
        let view = stage.gateway.fleet.get("app")?.view.borrow().clone();
        view.reason.filter(|_| matches!(view.state, AppState::Backoff | AppState::Failed))
    })
    .await;
    assert!(reason.contains("an endpoint on another server, which is not used"), "{reason}");
    assert!(other.all().is_empty());
}
