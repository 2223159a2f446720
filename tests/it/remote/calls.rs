//! What a legacy client and a legacy server far away say to each other.

use super::{server::Speaks, stage};
use crate::{
    gateway::stage::{Events, answer, call, text},
    support::eventually,
};
use axum::http::Method;
use serde_json::json;

#[tokio::test]
async fn a_session_is_a_session_of_its_own() {
    let (server, stage) = stage(Speaks::Legacy).await;
    let before = server.sessions();
    let session = stage.session().await;
    assert_eq!(session.text("echo", json!({"text": "hello"})).await, "hello");
    assert_eq!(server.sessions(), before + 1);
    let called = server.seen("tools/call").pop().unwrap();
    assert_eq!(called.header("mcp-protocol-version"), Some("2025-11-25"));
    assert_eq!(called.header("accept"), Some("application/json, text/event-stream"));
    assert!(called.header("mcp-session-id").unwrap().starts_with("session-"));
    let messages = server.all();
    let of_session = |seen: &&super::server::Seen| seen.header("mcp-session-id") == called.header("mcp-session-id");
    let methods: Vec<_> = messages.iter().filter(of_session).map(|seen| seen.message()["method"].clone()).collect();
    assert_eq!(methods.first(), Some(&json!("notifications/initialized")), "{methods:?}");
    assert!(session.delete().send().await.unwrap().status().is_success());
    eventually("the remote session ended too", async || (server.sessions() == before).then_some(())).await;
    let deleted = server.all().into_iter().rfind(|seen| seen.method == Method::DELETE).unwrap();
    assert_eq!(deleted.header("mcp-session-id"), called.header("mcp-session-id"));
}

#[tokio::test]
async fn nothing_of_the_clients_own_headers_goes_there() {
    let (server, stage) = stage(Speaks::Legacy).await;
    let session = stage.session().await;
    let sent = session.call(1, "echo", json!({"text": "x"})).header("authorization", "Bearer mine");
    let sent = sent.header("cookie", "c=mine").header("x-mine", "mine").send().await.unwrap();
    assert_eq!(text(&answer(sent).await), "x");
    for seen in server.all() {
        assert!(!format!("{:?}", seen.headers).contains("mine"), "{seen:?}");
    }
}

#[tokio::test]
async fn the_server_asks_the_client_that_called() {
    let (_server, stage) = stage(Speaks::Legacy).await;
    let sessions = [stage.session().await, stage.session().await];
    let mut calls = Vec::new();
    for session in &sessions {
        calls.push(Events::new(session.call("same", "ask", json!({})).send().await.unwrap()));
    }
    for (index, (session, events)) in sessions.iter().zip(&mut calls).enumerate() {
        let asked = events.next().await.unwrap();
        assert_eq!(asked["method"], "elicitation/create", "{asked}");
        let reply =
            json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "accept", "content": {"n": index}}});
        assert_eq!(session.post(reply).send().await.unwrap().status(), 202);
        let answer = events.next().await.unwrap();
        assert_eq!(answer["id"], "same");
        assert_eq!(text(&answer), format!(r#"{{"action":"accept","content":{{"n":{index}}}}}"#));
    }
}

#[tokio::test]
async fn progress_comes_before_the_answer_and_in_order() {
    let (_server, stage) = stage(Speaks::Legacy).await;
    let session = stage.session().await;
    let mut body = call(7, "progress", json!({"steps": 50}));
    body["params"]["_meta"] = json!({"progressToken": "mine"});
    let mut events = Events::new(session.post(body).send().await.unwrap());
    for step in 0..50 {
        let message = events.next().await.unwrap();
        assert_eq!(message["params"], json!({"progressToken": "mine", "progress": step}));
    }
    assert_eq!(text(&events.next().await.unwrap()), "done");
}

#[tokio::test]
async fn what_belongs_to_no_request_comes_over_the_stream() {
    let (server, stage) = stage(Speaks::Legacy).await;
    let session = stage.session().await;
    let mut stream = Events::new(session.stream().send().await.unwrap());
    let changed = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
    // Of the instance that stands for the app, and of the session.
    eventually("both streams", async || (server.announce(&changed) == 2).then_some(())).await;
    assert_eq!(stream.next().await.unwrap(), changed);
    // The gateway itself has heard it too.
    let listed = server.seen("tools/list").len();
    eventually("another look at the tools", async || (server.seen("tools/list").len() > listed).then_some(())).await;
}

#[tokio::test]
async fn a_cancelled_request_is_cancelled_there() {
    let (server, stage) = stage(Speaks::Legacy).await;
    let session = stage.session().await;
    let hanging = session.call("h", "hang", json!({})).send().await.unwrap();
    eventually("the call there", async || server.seen("tools/call").pop()).await;
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "h"}});
    assert_eq!(session.post(cancel).send().await.unwrap().status(), 202);
    let told = eventually("the cancellation there", async || server.seen("notifications/cancelled").pop()).await;
    assert_eq!(told.message()["params"]["requestId"], server.seen("tools/call")[0].message()["id"]);
    drop(hanging);
}
