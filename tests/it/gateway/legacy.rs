use super::stage::{Events, Stage, answer, call, is_stream, messages, text};
use crate::support::eventually;
use mcpfleet::gateway::access::Principal;
use mcpfleet::status::model::AppState;
use reqwest::StatusCode;
use serde_json::json;

#[tokio::test]
async fn every_session_has_a_process_of_its_own() {
    let stage = Stage::with(&["--era", "legacy"], json!({})).await;
    let (a, b) = (stage.session().await, stage.session().await);
    let (of_a, of_b) = (a.text("pid", json!({})).await, b.text("pid", json!({})).await);
    assert_ne!(of_a, of_b);
    assert_eq!(a.text("pid", json!({})).await, of_a);
}

#[tokio::test]
async fn a_session_ends_with_delete_and_its_process_too() {
    let stage = Stage::with(&["--era", "legacy"], json!({})).await;
    let session = stage.session().await;
    let pid: u32 = session.text("pid", json!({})).await.parse().unwrap();
    assert_eq!(session.delete().send().await.unwrap().status(), StatusCode::NO_CONTENT);
    let after = session.call(2, "pid", json!({})).send().await.unwrap();
    assert_eq!(after.status(), StatusCode::NOT_FOUND);
    assert_eq!(session.delete().send().await.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(session.stream().send().await.unwrap().status(), StatusCode::NOT_FOUND);
    eventually("the process is gone", async || (!crate::support::processes::exists(pid)).then_some(())).await;
}

#[tokio::test]
async fn an_open_stream_does_not_keep_the_process_of_a_session_that_has_ended() {
    let stage = Stage::with(&["--era", "legacy"], json!({})).await;
    let session = stage.session().await;
    let pid: u32 = session.text("pid", json!({})).await.parse().unwrap();
    let mut stream = Events::new(session.stream().send().await.unwrap());
    assert_eq!(session.delete().send().await.unwrap().status(), StatusCode::NO_CONTENT);
    eventually("the process is gone", async || (!crate::support::processes::exists(pid)).then_some(())).await;
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn a_session_is_not_idle_while_its_client_waits_for_an_answer() {
    let stage = Stage::with(&["--era", "legacy"], json!({ "idle_timeout": "50ms" })).await;
    let session = stage.session().await;
    let gateway = stage.gateway.clone();
    let sweeping = async {
        loop {
            gateway.sessions.sweep(&gateway.fleet);
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let response = tokio::select! {
        response = session.call(1, "sleep", json!({ "ms": 400 })).send() => response.unwrap(),
        () = sweeping => unreachable!("it goes on for ever"),
    };
    assert!(answer(response).await["result"].is_object());
    eventually("it is idle, and ended", async || {
        stage.gateway.sessions.sweep(&stage.gateway.fleet);
        stage.gateway.sessions.get(&session.id, "app", &Principal::Anonymous).is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_client_that_takes_no_events_is_not_asked() {
    let stage = Stage::with(&["--era", "legacy"], json!({})).await;
    let session = stage.session().await;
    let mut stream = Events::new(session.stream().send().await.unwrap());
    let request = stage.http.post(stage.endpoint()).header("content-type", "application/json");
    let request = request.header("accept", "application/json").header("mcp-session-id", &session.id);
    let asking = request.body(call("c", "ask", json!({ "text": "why?" })).to_string()).send();
    let answering = async {
        // The question comes on the stream instead.
        let question = stream.next().await.unwrap();
        let result = json!({ "role": "assistant", "content": { "type": "text", "text": "because" }, "model": "m" });
        let reply = json!({ "jsonrpc": "2.0", "id": question["id"], "result": result });
        session.post(reply).send().await.unwrap();
    };
    let (asked, ()) = tokio::join!(asking, answering);
    assert!(text(&answer(asked.unwrap()).await).contains("because"));
}

#[tokio::test]
async fn requests_of_the_server_reach_the_client_and_its_answer_the_server() {
    let stage = Stage::with(&["--era", "legacy"], json!({})).await;
    let session = stage.session().await;
    let mut events = Events::new(session.call("c", "ask", json!({ "text": "why?" })).send().await.unwrap());
    let question = events.next().await.unwrap();
    assert_eq!(question["method"], "sampling/createMessage", "{question}");
    // Only what was asked for is passed on.
    let forged = json!({ "jsonrpc": "2.0", "id": "not asked", "result": {} });
    assert_eq!(session.post(forged).send().await.unwrap().status(), StatusCode::ACCEPTED);
    let result = json!({ "role": "assistant", "content": { "type": "text", "text": "because" }, "model": "m" });
    let reply = json!({ "jsonrpc": "2.0", "id": question["id"], "result": result });
    assert_eq!(session.post(reply).send().await.unwrap().status(), StatusCode::ACCEPTED);
    let last = events.next().await.unwrap();
    assert_eq!(last["id"], "c");
    assert!(text(&last).contains("because"), "{last}");
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn progress_has_the_token_that_the_client_gave() {
    let stage = Stage::with(&["--era", "legacy"], json!({})).await;
    let session = stage.session().await;
    let mut request = call(7, "sleep", json!({ "ms": 30, "steps": 3 }));
    request["params"]["_meta"] = json!({ "progressToken": "my token" });
    let messages = messages(session.post(request).send().await.unwrap()).await;
    let progress: Vec<_> = messages.iter().filter(|m| m["method"] == "notifications/progress").collect();
    assert_eq!(progress.len(), 3, "{messages:?}");
    assert!(progress.iter().all(|m| m["params"]["progressToken"] == "my token"));
    assert_eq!(messages.last().unwrap()["id"], 7);
}

#[tokio::test]
async fn what_belongs_to_no_request_goes_to_the_stream_of_the_session() {
    let stage = Stage::with(&["--era", "legacy"], json!({})).await;
    let session = stage.session().await;
    let mut stream = Events::new(session.stream().send().await.unwrap());
    let changed = session.call(1, "change", json!({})).send().await.unwrap();
    assert!(!is_stream(&changed), "the notice belongs to the stream");
    assert_eq!(stream.next().await.unwrap()["method"], "notifications/tools/list_changed");
    // A second stream takes the place of the first.
    let mut second = Events::new(session.stream().send().await.unwrap());
    assert_eq!(stream.next().await, None);
    session.call(2, "change", json!({})).send().await.unwrap();
    assert_eq!(second.next().await.unwrap()["method"], "notifications/tools/list_changed");
}

#[tokio::test]
async fn a_cancelled_request_ends_without_an_answer() {
    let stage = Stage::with(&["--era", "legacy"], json!({})).await;
    let session = stage.session().await;
    let mut request = call("slow", "sleep", json!({ "ms": 60_000, "steps": 1000 }));
    request["params"]["_meta"] = json!({ "progressToken": 1 });
    let mut events = Events::new(session.post(request).send().await.unwrap());
    assert_eq!(events.next().await.unwrap()["method"], "notifications/progress");
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": "slow" } });
    assert_eq!(session.post(cancel).send().await.unwrap().status(), StatusCode::ACCEPTED);
    while let Some(message) = events.next().await {
        assert_eq!(message["method"], "notifications/progress", "{message}");
    }
    let stats = session.text("stats", json!({})).await;
    assert!(stats.contains("cancelled"), "the server was told: {stats}");
}

#[tokio::test]
async fn the_end_of_a_server_fails_its_open_calls_and_its_session() {
    let stage = Stage::with(&["--era", "legacy"], json!({})).await;
    let session = stage.session().await;
    let (slow, crash) = tokio::join!(session.call("slow", "sleep", json!({ "ms": 60_000 })).send(), async {
        eventually("both are open", async || {
            let stats = session.text("stats", json!({})).await;
            stats.contains("call:sleep").then_some(())
        })
        .await;
        session.call("crash", "crash", json!({ "code": 3 })).send().await
    });
    for (response, id) in [(slow, "slow"), (crash, "crash")] {
        let answer = answer(response.unwrap()).await;
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(id), &json!(-32011)), "{answer}");
    }
    let after = session.call(1, "pid", json!({})).send().await.unwrap();
    assert_eq!(after.status(), StatusCode::NOT_FOUND, "the client has to initialize again");
    stage.session().await.text("pid", json!({})).await;
}

#[tokio::test]
async fn the_bound_on_instances_is_told() {
    let stage = Stage::with(&["--era", "legacy"], json!({ "max_instances": 2 })).await;
    let (first, _second) = (stage.session().await, stage.session().await);
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {} });
    let (status, _, answer) = stage.initialize(params).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer["error"]["message"].as_str().unwrap().contains("all 2 instances"), "{answer}");
    first.delete().send().await.unwrap();
    eventually("room for another", async || {
        let (status, ..) = stage.initialize(json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"} })).await;
        (status == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn batches_exist_in_one_version_only() {
    let stage = Stage::with(&["--era", "legacy"], json!({})).await;
    let session = stage.session().await;
    let batch = json!([call(1, "echo", json!({ "text": "a" })), call(2, "echo", json!({ "text": "b" }))]);
    let refused = session.post(batch.clone()).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert_eq!(answer(refused).await["error"]["code"], -32600);

    let params =
        json!({ "protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"} });
    let (_, id, agreed) = stage.initialize(params).await;
    assert_eq!(agreed["result"]["protocolVersion"], "2025-03-26");
    let old = super::stage::Session { stage: &stage, id: id.unwrap() };
    let mut answers = messages(old.post(batch).send().await.unwrap()).await;
    answers.sort_by_key(|answer| answer["id"].as_u64());
    assert_eq!(answers.iter().map(text).collect::<Vec<_>>(), ["a", "b"]);
    // To cancel one of a batch leaves the others alone.
    let batch = json!([call("slow", "sleep", json!({ "ms": 60_000 })), call("quick", "sleep", json!({ "ms": 300 }))]);
    let open = old.post(batch).send();
    let cancel = async {
        eventually("it is open", async || old.text("stats", json!({})).await.contains("call:sleep").then_some(()))
            .await;
        let cancel =
            json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": "slow" } });
        old.post(cancel).send().await.unwrap();
    };
    let (open, ()) = tokio::join!(open, cancel);
    let answers = messages(open.unwrap()).await;
    assert_eq!(answers.iter().map(|answer| &answer["id"]).collect::<Vec<_>>(), ["quick"]);
    let smuggled =
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"a\",\"name\":\"b\"}}]";
    let refused = stage.post(smuggled).header("mcp-session-id", &old.id).send().await.unwrap();
    assert_eq!(answer(refused).await["error"]["code"], -32600);
}

#[tokio::test]
async fn an_update_leaves_open_sessions_and_calls_alone() {
    let stage = Stage::with(&["--era", "legacy"], json!({})).await;
    let old = stage.session().await;
    let before = old.text("pid", json!({})).await;
    stage.run("app", &["--era", "legacy"], json!({ "env": { "VERSION": "2" } }));
    eventually("the new version serves", async || {
        let fresh = stage.session().await;
        fresh.text("env", json!({})).await.contains("VERSION").then_some(())
    })
    .await;
    assert_eq!(old.text("pid", json!({})).await, before, "the old session stays where it is");
    assert_eq!(stage.state("app"), AppState::Ready);
}
