use super::stage::{Events, MODERN, Stage, answer, messages, text};
use crate::support::eventually;
use reqwest::StatusCode;
use serde_json::{Value, json};

fn tool(name: &str, arguments: Value) -> Value {
    json!({ "name": name, "arguments": arguments })
}

#[tokio::test]
async fn all_clients_share_one_process() {
    let stage = Stage::with(&["--era", "both"], json!({})).await;
    let mut pids = Vec::new();
    for id in [json!(1), json!(1), json!("1")] {
        let response = stage.modern(&id, "tools/call", tool("pid", json!({}))).send().await.unwrap();
        let answer = answer(response).await;
        assert_eq!(answer["id"], id);
        pids.push(text(&answer));
    }
    assert!(pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");
}

#[tokio::test]
async fn both_eras_are_served_at_one_url() {
    let stage = Stage::with(&["--era", "both"], json!({})).await;
    let session = stage.session().await;
    let own = session.text("pid", json!({})).await;
    let response = stage.modern(&json!(1), "tools/call", tool("pid", json!({}))).send().await.unwrap();
    assert_ne!(text(&answer(response).await), own);
}

#[tokio::test]
async fn errors_have_the_status_that_the_protocol_gives_them() {
    let stage = Stage::with(&["--era", "modern"], json!({})).await;
    let send = async |request: reqwest::RequestBuilder| {
        let response = request.send().await.unwrap();
        (response.status().as_u16(), answer(response).await["error"]["code"].as_i64().unwrap_or_default())
    };
    let id = json!(1);
    assert_eq!(send(stage.modern(&id, "no/such", json!({}))).await, (404, -32601));
    assert_eq!(send(stage.modern(&id, "initialize", json!({}))).await, (404, -32601));
    assert_eq!(
        send(stage.modern(&id, "tools/call", tool("echo", json!({}))).header("mcp-method", "x")).await,
        (400, -32020)
    );
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {} }).to_string();
    let request = stage.post(body).header("mcp-protocol-version", MODERN).header("mcp-method", "tools/list");
    assert_eq!(send(request).await, (400, -32602));
    let future = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2031-01-01","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    let request = stage.post(future).header("mcp-protocol-version", "2031-01-01").header("mcp-method", "tools/list");
    assert_eq!(send(request).await, (400, -32022));
}

#[tokio::test]
async fn closing_the_stream_cancels() {
    let stage = Stage::with(&["--era", "modern"], json!({})).await;
    let mut params = tool("sleep", json!({ "ms": 60_000, "steps": 1000 }));
    params["_meta"]["progressToken"] = json!(5);
    let mut events = Events::new(stage.modern(&json!(1), "tools/call", params).send().await.unwrap());
    let progress = events.next().await.unwrap();
    assert_eq!(progress["params"]["progressToken"], 5);
    drop(events);
    eventually("the server is told", async || {
        let response = stage.modern(&json!(2), "tools/call", tool("stats", json!({}))).send().await.unwrap();
        text(&answer(response).await).contains("cancelled").then_some(())
    })
    .await;
}

#[tokio::test]
async fn listeners_hear_what_they_asked_for_by_their_own_ids() {
    let stage = Stage::with(&["--era", "modern"], json!({})).await;
    let listen = json!({ "notifications": { "toolsListChanged": true } });
    let mut streams = Vec::new();
    for id in [json!("a"), json!("b")] {
        let response = stage.modern(&id, "subscriptions/listen", listen.clone()).send().await.unwrap();
        let mut events = Events::new(response);
        let first = events.next().await.unwrap();
        assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
        streams.push((id, events));
    }
    stage.modern(&json!(1), "tools/call", tool("change", json!({}))).send().await.unwrap();
    for (id, events) in &mut streams {
        let changed = events.next().await.unwrap();
        assert_eq!(changed["method"], "notifications/tools/list_changed");
        assert_eq!(changed["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], *id);
    }
    // A new version ends the streams gracefully, so that clients listen to it again.
    stage.run("app", &["--era", "modern"], json!({ "env": { "VERSION": "2" } }));
    for (id, events) in &mut streams {
        let end = events.next().await.unwrap();
        assert_eq!((&end["id"], &end["result"]["resultType"]), (&*id, &json!("complete")), "{end}");
        assert_eq!(events.next().await, None);
    }
}

#[tokio::test]
async fn an_update_fails_no_request() {
    let stage = Stage::with(&["--era", "modern"], json!({})).await;
    let done = tokio_util::sync::CancellationToken::new();
    let calls = async {
        let mut count = 0;
        while !done.is_cancelled() {
            let response = stage.modern(&json!(count), "tools/call", tool("sleep", json!({ "ms": 5 }))).send().await;
            let response = response.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            let answer = answer(response).await;
            assert!(answer["result"].is_object(), "{answer}");
            count += 1;
        }
        count
    };
    let updates = async {
        for version in 0..10 {
            stage.run("app", &["--era", "modern"], json!({ "env": { "VERSION": version.to_string() } }));
            eventually("the new version serves", async || {
                let response = stage.modern(&json!("v"), "tools/call", tool("env", json!({}))).send().await.unwrap();
                let env = text(&answer(response).await);
                env.contains(&format!("\"VERSION\":\"{version}\"")).then_some(())
            })
            .await;
        }
        done.cancel();
    };
    let (count, ()) = tokio::join!(calls, updates);
    assert!(count > 10, "{count}");
}

#[tokio::test]
async fn servers_that_are_odd_about_the_first_question_are_understood() {
    for flag in ["--silent-discover", "--crash-on-discover", "--garbage-stdout"] {
        let stage = Stage::with(&["--era", "legacy", flag], json!({})).await;
        assert_eq!(stage.session().await.text("echo", json!({ "text": flag })).await, flag);
    }
}

#[tokio::test]
async fn a_slow_server_is_greeted_twice_at_most_once() {
    for era in ["modern", "both"] {
        // Slower than the silence after which the gateway tries the other greeting.
        let stage = Stage::with(&["--era", era, "--start-delay", "2300"], json!({})).await;
        let response = stage.modern(&json!(1), "tools/call", tool("pid", json!({}))).send().await.unwrap();
        text(&answer(response).await);
        assert_eq!(stage.gateway.fleet.get("app").unwrap().view.borrow().restarts, 0);
    }
}

#[tokio::test]
async fn a_crash_is_told_and_mended() {
    let settings = json!({ "restart": { "policy": "always", "initial_backoff": "10ms" } });
    let stage = Stage::with(&["--era", "modern"], settings).await;
    let response = stage.modern(&json!("c"), "tools/call", tool("crash", json!({ "code": 3 }))).send().await.unwrap();
    let last = messages(response).await.pop().unwrap();
    assert_eq!((&last["id"], &last["error"]["code"]), (&json!("c"), &json!(-32011)), "{last}");
    eventually("it serves again", async || {
        let response = stage.modern(&json!(1), "tools/call", tool("echo", json!({"text": "x"}))).send().await.unwrap();
        (response.status() == StatusCode::OK).then_some(())
    })
    .await;
}
