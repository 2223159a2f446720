//! Servers that do wrong, and what others see of it.

use super::{server::Speaks, stage};
use crate::{
    gateway::stage::{Events, Session, answer, text},
    support::eventually,
};
use mcpfleet::status::model::AppState;
use serde_json::{Value, json};

async fn got(session: &Session<'_>, tool: &str, arguments: Value) -> Result<String, (i64, String)> {
    let answer = answer(session.call(1, tool, arguments).send().await.unwrap()).await;
    match answer["error"]["code"].as_i64() {
        Some(code) => Err((code, answer["error"]["message"].as_str().unwrap().to_owned())),
        None => Ok(text(&answer)),
    }
}

#[tokio::test]
async fn one_bad_answer_is_the_trouble_of_one_request() {
    let (_server, stage) = stage(Speaks::Legacy).await;
    let session = stage.session().await;
    for (tool, arguments, code, words) in [
        ("drop", json!({}), -32011, "was lost before the answer was complete"),
        ("text", json!({}), -32603, "neither JSON nor a stream of events"),
        ("nonsense", json!({}), -32603, "no message"),
        ("status", json!({"status": 500}), -32010, "answers HTTP 500"),
        ("status", json!({"status": 401}), -32010, "answers HTTP 401"),
        ("status", json!({"status": 418}), -32010, "answers HTTP 418"),
        ("status", json!({"status": 204}), -32603, "HTTP 204"),
        ("huge", json!({"mib": 65}), -32603, "longer than 64 MiB"),
    ] {
        let (got_code, got_words) = got(&session, tool, arguments.clone()).await.unwrap_err();
        assert_eq!(got_code, code, "{tool} {arguments}: {got_words}");
        assert!(got_words.contains(words), "{tool} {arguments}: {got_words}");
        // The words of the server are for the log.
        assert!(!got_words.contains("words of the server"), "{got_words}");
    }
    for (tool, expected) in [("twice", "first"), ("garbage", "after all"), ("lines", "in lines"), ("resume", "resumed")]
    {
        assert_eq!(got(&session, tool, json!({})).await, Ok(expected.to_owned()), "{tool}");
    }
    assert_eq!(got(&session, "echo", json!({"text": "well"})).await, Ok("well".to_owned()));
    assert_eq!(stage.state("app"), AppState::Ready);
    let log = stage.gateway.fleet.get("app").unwrap().logs.tail(100);
    assert!(
        log.iter().any(|line| line.text.contains("HTTP 500 Internal Server Error: the words of the server")),
        "{log:#?}"
    );
}

#[tokio::test]
async fn requests_that_hang_hold_up_nobody() {
    let (server, stage) = stage(Speaks::Legacy).await;
    let (slow, other) = (stage.session().await, stage.session().await);
    let mut hanging = Vec::new();
    for id in 0..100 {
        hanging.push(tokio::spawn(slow.call(id + 10, "hang", json!({})).send()));
    }
    eventually("all of them there", async || (server.seen("tools/call").len() == 100).then_some(())).await;
    assert_eq!(got(&slow, "echo", json!({"text": "a"})).await, Ok("a".to_owned()));
    assert_eq!(got(&other, "echo", json!({"text": "b"})).await, Ok("b".to_owned()));
    // With the session everything of it goes.
    slow.delete().send().await.unwrap();
    eventually("nothing held", async || {
        (server.inner.held.load(std::sync::atomic::Ordering::Relaxed) <= 2).then_some(())
    })
    .await;
    hanging.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_session_that_the_server_forgets_is_over() {
    // Some say 404, as they should, and some 400.
    for status in [404, 400] {
        let (server, stage) = stage(Speaks::Legacy).await;
        server.fault(|faults| faults.unknown_session = Some(status));
        let session = stage.session().await;
        assert_eq!(session.text("echo", json!({"text": "a"})).await, "a");
        server.forget();
        // Whether the call is before or after the end of the session is chance.
        let _ = session.call(1, "echo", json!({})).send().await.unwrap();
        eventually("a session that is over", async || {
            (session.call(1, "echo", json!({})).send().await.unwrap().status() == 404).then_some(())
        })
        .await;
        // What clients do then.
        stage.ready("app").await;
        eventually("a new session", async || {
            let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
            stage.initialize(params).await.1
        })
        .await;
    }
}

#[tokio::test]
async fn a_400_that_is_no_lost_session_ends_none() {
    let (_server, stage) = stage(Speaks::Legacy).await;
    let session = stage.session().await;
    for _ in 0..3 {
        assert!(got(&session, "status", json!({"status": 400})).await.is_err());
    }
    assert_eq!(got(&session, "echo", json!({"text": "still"})).await, Ok("still".to_owned()));
}

#[tokio::test]
async fn a_server_without_a_stream_serves() {
    let (server, stage) = stage(Speaks::Legacy).await;
    server.fault(|faults| faults.no_stream = true);
    let session = stage.session().await;
    let before = server.all().iter().filter(|seen| seen.method == "GET").count();
    assert_eq!(session.text("echo", json!({"text": "a"})).await, "a");
    let mut events = Events::new(session.call(1, "ask", json!({})).send().await.unwrap());
    assert_eq!(events.next().await.unwrap()["method"], "elicitation/create");
    let after = server.all().iter().filter(|seen| seen.method == "GET").count();
    assert!(after <= before + 1, "it is not asked for again");
}
