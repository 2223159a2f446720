//! Clients and servers of different eras.

use super::stage::{Events, Session, Stage, answer, call, messages, text};
use crate::support::eventually;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

const LEGACY: &[&str] = &["--era", "legacy"];
const MODERN: &[&str] = &["--era", "modern"];

/// A request of a stateless client that has declared capabilities, and wants this in its `_meta`.
fn stateless(stage: &Stage, capabilities: Value, meta: Value, method: &str, mut params: Value) -> RequestBuilder {
    let name = params.get("name").or(params.get("uri")).and_then(Value::as_str).map(str::to_owned);
    params["_meta"] = meta;
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities;
    params["_meta"]["io.modelcontextprotocol/clientInfo"] = json!({"name": "test", "version": "1"});
    let body = json!({"jsonrpc": "2.0", "id": "s", "method": method, "params": params});
    let request =
        stage.post(body.to_string()).header("mcp-protocol-version", "2026-07-28").header("mcp-method", method);
    match name {
        Some(name) => request.header("mcp-name", name),
        None => request,
    }
}

async fn tool(stage: &Stage, name: &str, arguments: Value) -> String {
    let params = json!({"name": name, "arguments": arguments});
    text(&answer(stateless(stage, json!({}), json!({}), "tools/call", params).send().await.unwrap()).await)
}

#[tokio::test]
async fn a_stateless_client_finds_a_server_of_sessions_to_be_of_its_era() {
    let stage = Stage::with(LEGACY, json!({})).await;
    let ask = async |method: &str, params| {
        let response = stateless(&stage, json!({}), json!({}), method, params).send().await.unwrap();
        (response.status(), answer(response).await)
    };
    let (status, discovered) = ask("server/discover", json!({})).await;
    let result = &discovered["result"];
    assert_eq!((status, &discovered["id"], &result["resultType"]), (StatusCode::OK, &json!("s"), &json!("complete")));
    assert_eq!(result["supportedVersions"][0], "2026-07-28");
    assert_eq!(result["capabilities"]["tools"], json!({"listChanged": true}));
    assert!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"].is_string(), "{result}");

    let (_, listed) = ask("tools/list", json!({})).await;
    let result = &listed["result"];
    assert!(result["tools"].as_array().is_some_and(|tools| !tools.is_empty()));
    assert_eq!((&result["ttlMs"], &result["cacheScope"]), (&json!(0), &json!("private")));
    for gone in ["ping", "logging/setLevel", "resources/subscribe", "initialize", "no/such"] {
        let (status, refused) = ask(gone, json!({"uri": "a://1", "level": "info"})).await;
        let expected = if gone.starts_with("resources") { StatusCode::NOT_FOUND } else { status };
        assert_eq!((status, &refused["error"]["code"]), (expected, &json!(-32601)), "{gone}: {refused}");
        assert_eq!(status, StatusCode::NOT_FOUND, "{gone}");
    }
    let (status, failed) = ask("tools/call", json!({"name": "refuse", "arguments": {}})).await;
    assert_eq!((status, &failed["error"]["code"]), (StatusCode::OK, &json!(-32603)));
}

#[tokio::test]
async fn calls_that_nothing_can_be_asked_for_share_a_process_and_others_have_their_own() {
    let stage = Stage::with(LEGACY, json!({})).await;
    let first = tool(&stage, "pid", json!({})).await;
    let (a, b) = tokio::join!(tool(&stage, "pid", json!({})), tool(&stage, "pid", json!({})));
    assert_eq!((&a, &b), (&first, &first));

    let sampling = json!({"sampling": {}});
    let sleep = json!({"name": "sleep", "arguments": {"ms": 100}});
    let pid = async || {
        let params = json!({"name": "pid", "arguments": {}});
        let response = stateless(&stage, sampling.clone(), json!({}), "tools/call", params).send().await.unwrap();
        text(&answer(response).await)
    };
    let own = pid().await;
    assert_ne!(own, first);
    assert_eq!(pid().await, own, "it is kept for the next call");
    let busy = stateless(&stage, sampling.clone(), json!({}), "tools/call", sleep).send();
    let (busy, meanwhile) = tokio::join!(busy, async {
        eventually("the other call has its process", async || (pid().await != own).then_some(())).await;
    });
    let ((), busy) = (meanwhile, busy.unwrap());
    assert_eq!(text(&answer(busy).await), "slept 100 ms");
}

#[tokio::test]
async fn what_a_server_asks_is_required_as_input() {
    let stage = Stage::with(LEGACY, json!({})).await;
    let ask = json!({"name": "ask", "arguments": {"text": "capital of France?"}});
    let send = async |capabilities: Value, params: Value| {
        let response = stateless(&stage, capabilities, json!({}), "tools/call", params).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        answer(response).await
    };
    let sampling = json!({"sampling": {}});
    let again = |state: &Value, responses: Value| {
        let mut params = ask.clone();
        (params["requestState"], params["inputResponses"]) = (state.clone(), responses);
        params
    };
    let required = send(sampling.clone(), ask.clone()).await;
    let result = &required["result"];
    assert_eq!(result["resultType"], "input_required", "{required}");
    let (key, question) = result["inputRequests"].as_object().unwrap().iter().next().unwrap();
    assert_eq!(question["method"], "sampling/createMessage");
    assert_eq!(question["params"]["messages"][0]["content"]["text"], "capital of France?");
    let state = &result["requestState"];

    // Another call, though it knows the state, gets nothing of it.
    let mut other = again(state, json!({}));
    other["name"] = json!("echo");
    assert_eq!(send(sampling.clone(), other).await["error"]["code"], -32602);
    // Without the answer it is asked again.
    let repeated = send(sampling.clone(), again(state, json!({"other": {}}))).await;
    assert_eq!(repeated["result"]["inputRequests"][key], *question, "{repeated}");
    let renewed = &repeated["result"]["requestState"];
    assert_ne!(renewed, state);
    assert_eq!(send(sampling.clone(), again(state, json!({}))).await["error"]["code"], -32602, "it was used before");

    let reply = json!({"role": "assistant", "model": "m", "content": {"type": "text", "text": "Paris"}});
    let done = send(sampling.clone(), again(renewed, json!({ key: reply }))).await;
    assert_eq!((text(&done), &done["result"]["resultType"]), ("Paris".to_owned(), &json!("complete")));
    // Who has not said that it can be asked is not.
    assert_eq!(text(&send(json!({}), ask.clone()).await), "no answer");
}

#[tokio::test]
async fn a_stateless_client_gets_its_own_progress_and_the_logs_that_it_wants() {
    let stage = Stage::with(LEGACY, json!({})).await;
    let sleep = json!({"name": "sleep", "arguments": {"ms": 50, "steps": 2}});
    let response = stateless(&stage, json!({}), json!({"progressToken": "mine"}), "tools/call", sleep).send().await;
    let said = messages(response.unwrap()).await;
    let progress: Vec<_> = said.iter().filter(|m| m["method"] == "notifications/progress").collect();
    assert!(progress.len() == 2 && progress.iter().all(|m| m["params"]["progressToken"] == "mine"), "{said:?}");

    let log = json!({"name": "log", "arguments": {"text": "hear"}});
    let level = json!({"io.modelcontextprotocol/logLevel": "debug"});
    let said = messages(stateless(&stage, json!({}), level, "tools/call", log.clone()).send().await.unwrap()).await;
    assert!(said.iter().any(|m| m["method"] == "notifications/message"), "{said:?}");
    let said = messages(stateless(&stage, json!({}), json!({}), "tools/call", log).send().await.unwrap()).await;
    assert_eq!(said.len(), 1, "{said:?}");
}

#[tokio::test]
async fn going_away_cancels_at_a_server_of_sessions() {
    let stage = Stage::with(LEGACY, json!({})).await;
    let params = json!({"name": "sleep", "arguments": {"ms": 60_000, "steps": 60}});
    let meta = json!({"progressToken": 1});
    let mut stream = Events::new(stateless(&stage, json!({}), meta, "tools/call", params).send().await.unwrap());
    assert_eq!(stream.next().await.unwrap()["method"], "notifications/progress");
    drop(stream);
    eventually("the server is told", async || {
        let stats: Value = serde_json::from_str(&tool(&stage, "stats", json!({})).await).unwrap();
        stats.to_string().contains("notifications/cancelled").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stateless_client_listens_to_a_server_of_sessions() {
    for sessions in ["auto", "shared"] {
        let stage = Stage::with(LEGACY, json!({ "sessions": sessions })).await;
        let wanted = json!({"notifications": {"toolsListChanged": true, "promptsListChanged": true, "resourceSubscriptions": ["a://1"]}});
        let response = stateless(&stage, json!({}), json!({}), "subscriptions/listen", wanted).send().await.unwrap();
        let mut stream = Events::new(response);
        let first = stream.next().await.unwrap();
        assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
        let granted = json!({"toolsListChanged": true, "resourceSubscriptions": ["a://1"]});
        assert_eq!(first["params"]["notifications"], granted);
        tool(&stage, "change", json!({})).await;
        let changed = stream.next().await.unwrap();
        assert_eq!(changed["method"], "notifications/tools/list_changed");
        assert_eq!(changed["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "s");
        tool(&stage, "touch", json!({"uri": "a://2"})).await;
        tool(&stage, "touch", json!({"uri": "a://1"})).await;
        assert_eq!(stream.next().await.unwrap()["params"]["uri"], "a://1");
        // A call with a process of its own is heard of as well.
        let params = json!({"name": "touch", "arguments": {"uri": "a://1"}});
        stateless(&stage, json!({"sampling": {}}), json!({}), "tools/call", params).send().await.unwrap();
        assert_eq!(stream.next().await.unwrap()["params"]["uri"], "a://1");
        // Another version takes the place of this one: the client is told to come back.
        stage.run("app", LEGACY, json!({"sessions": sessions, "env": {"VERSION": "2"}}));
        let end = loop {
            let message = stream.next().await.expect("an end");
            if message.get("result").is_some() {
                break message;
            }
        };
        assert_eq!((&end["id"], &end["result"]["resultType"]), (&json!("s"), &json!("complete")));
    }
}

/// A session with what is there of a stateless server.
async fn session(stage: &Stage) -> Session<'_> {
    let session = stage.session().await;
    let processes = stage.gateway.sessions.shared_by_app();
    assert_eq!(processes.get("app"), Some(&1), "the session has no process of its own");
    session
}

#[tokio::test]
async fn a_session_on_a_stateless_server() {
    let stage = Stage::with(MODERN, json!({})).await;
    let (status, id, initialized) =
        stage.initialize(json!({"protocolVersion": "2025-06-18", "capabilities": {}})).await;
    assert_eq!((status, &initialized["result"]["protocolVersion"]), (StatusCode::OK, &json!("2025-06-18")));
    assert!(initialized["result"]["serverInfo"]["name"].is_string(), "{initialized}");
    let session = Session { stage: &stage, id: id.unwrap() };
    let ask = async |method: &str, params: Value| {
        let request = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        answer(session.post(request).send().await.unwrap()).await
    };
    assert_eq!(ask("ping", json!({})).await, json!({"jsonrpc": "2.0", "id": 7, "result": {}}));
    assert_eq!(ask("logging/setLevel", json!({"level": "loud"})).await["error"]["code"], -32602);
    assert_eq!(ask("logging/setLevel", json!({"level": "debug"})).await["result"], json!({}));
    let listed = ask("tools/list", json!({})).await;
    assert!(listed["result"]["tools"].is_array() && listed["result"].get("resultType").is_none(), "{listed}");
    assert_eq!(session.text("echo", json!({"text": "hi"})).await, "hi");
    let said = messages(session.call(1, "log", json!({"text": "hear"})).send().await.unwrap()).await;
    assert!(said.iter().any(|m| m["method"] == "notifications/message"), "{said:?}");

    let pid = session.text("pid", json!({})).await;
    stage.run("app", MODERN, json!({"env": {"VERSION": "2"}}));
    eventually("the session goes on with the next version", async || {
        (session.text("pid", json!({})).await != pid).then_some(())
    })
    .await;
    assert_eq!(session.delete().send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(session.call(1, "pid", json!({})).send().await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_client_of_a_session_is_asked_what_a_stateless_server_wants_to_know() {
    let stage = Stage::with(MODERN, json!({})).await;
    let session = session(&stage).await;
    let mut stream = Events::new(session.call("q", "ask", json!({"text": "why?"})).send().await.unwrap());
    let question = stream.next().await.unwrap();
    assert_eq!(question["method"], "sampling/createMessage");
    assert_eq!(question["params"]["messages"][0]["content"]["text"], "why?");
    let reply = json!({"role": "assistant", "model": "m", "content": {"type": "text", "text": "because"}});
    let told = session.post(json!({"jsonrpc": "2.0", "id": question["id"], "result": reply})).send().await.unwrap();
    assert_eq!(told.status(), StatusCode::ACCEPTED);
    let done = stream.next().await.unwrap();
    assert_eq!((&done["id"], text(&done)), (&json!("q"), "because".to_owned()));

    // A client that refuses ends the call; one that cancels has no answer.
    let mut stream = Events::new(session.call("r", "ask", json!({"text": "why?"})).send().await.unwrap());
    let question = stream.next().await.unwrap();
    let refusal = json!({"code": -1, "message": "none of your business"});
    session.post(json!({"jsonrpc": "2.0", "id": question["id"], "error": refusal})).send().await.unwrap();
    let failed = stream.next().await.unwrap();
    assert!(failed["error"]["message"].as_str().unwrap().contains("none of your business"), "{failed}");
    let mut stream = Events::new(session.call("c", "ask", json!({"text": "why?"})).send().await.unwrap());
    stream.next().await.unwrap();
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "c"}});
    session.post(cancel).send().await.unwrap();
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn the_stream_of_a_session_hears_a_stateless_server() {
    let stage = Stage::with(MODERN, json!({})).await;
    let session = session(&stage).await;
    let mut stream = Events::new(session.stream().send().await.unwrap());
    eventually("a change is heard of", async || {
        session.text("change", json!({})).await;
        let heard = tokio::time::timeout(std::time::Duration::from_millis(200), stream.next()).await.ok().flatten()?;
        (heard["method"] == "notifications/tools/list_changed" && heard["params"].get("_meta").is_none()).then_some(())
    })
    .await;
    // It goes on with the next version of the server.
    let pid = session.text("pid", json!({})).await;
    stage.run("app", MODERN, json!({"env": {"VERSION": "2"}}));
    eventually("the next version serves", async || (session.text("pid", json!({})).await != pid).then_some(())).await;
    eventually("a change of the next version is heard of", async || {
        session.text("change", json!({})).await;
        tokio::time::timeout(std::time::Duration::from_millis(200), stream.next()).await.ok().flatten().map(drop)
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_call_of_a_session_is_cancelled_at_a_stateless_server() {
    let stage = Stage::with(MODERN, json!({})).await;
    let session = session(&stage).await;
    let mut slow = call("slow", "sleep", json!({"ms": 60_000, "steps": 60}));
    slow["params"]["_meta"] = json!({"progressToken": "p"});
    let mut stream = Events::new(session.post(slow).send().await.unwrap());
    assert_eq!(stream.next().await.unwrap()["params"]["progressToken"], "p");
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "slow"}});
    session.post(cancel).send().await.unwrap();
    while stream.next().await.is_some() {}
    let stats = session.text("stats", json!({})).await;
    assert!(stats.contains("notifications/cancelled"), "{stats}");
}

#[tokio::test]
async fn a_batch_of_a_session_on_a_stateless_server() {
    let stage = Stage::with(MODERN, json!({})).await;
    let (_, id, _) = stage.initialize(json!({"protocolVersion": "2025-03-26", "capabilities": {}})).await;
    let session = Session { stage: &stage, id: id.unwrap() };
    let batch = json!([
        call("a", "echo", json!({"text": "1"})),
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": "b", "method": "ping"},
        call("c", "echo", json!({"text": "2"})),
    ]);
    let said = messages(session.post(batch).send().await.unwrap()).await;
    let ids: Vec<_> = said.iter().map(|m| m["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["a", "b", "c"]);
}
