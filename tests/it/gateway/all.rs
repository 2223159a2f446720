//! The tools of all apps at one endpoint.

use super::stage::{Events, Session, Stage, answer, call, messages, text};
use crate::support::eventually;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// A server of each era.
async fn stage() -> Stage {
    let stage = Stage::new().await.at("/mcp");
    stage.run("old", &["--era", "legacy"], json!({}));
    stage.run("new.server", &["--era", "modern"], json!({}));
    stage.ready("old").await;
    stage.ready("new.server").await;
    stage
}

fn ask(stage: &Stage, method: &str, params: Value) -> RequestBuilder {
    stage.modern(&json!(1), method, params)
}

async fn names(stage: &Stage) -> Vec<String> {
    let listed = answer(ask(stage, "tools/list", json!({})).send().await.unwrap()).await;
    let tools = listed["result"]["tools"].as_array().unwrap_or_else(|| panic!("{listed}"));
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

fn named(names: &[String], app: &str, tool: &str) -> String {
    let name = mcpfleet::gateway::all::names::name(app, tool);
    assert!(names.contains(&name), "{name} of {names:?}");
    name
}

#[tokio::test]
async fn tools_of_all_apps_are_listed_and_called_in_both_eras() {
    let stage = stage().await;
    let names = names(&stage).await;
    let session = stage.session().await;
    for app in ["old", "new.server"] {
        let name = named(&names, app, "echo");
        let params = json!({"name": name, "arguments": {"text": app}});
        assert_eq!(text(&answer(ask(&stage, "tools/call", params).send().await.unwrap()).await), app);
        assert_eq!(session.text(&name, json!({"text": app})).await, app);
    }
    for name in ["old__none", "none__echo", "echo", "", "old__"] {
        let response = ask(&stage, "tools/call", json!({"name": name, "arguments": {}})).send().await.unwrap();
        let (status, refused) = (response.status(), answer(response).await);
        // What the server of an app does not have is its own to refuse.
        let refusals = [json!(-32602), json!(-32601)];
        assert!(refusals.contains(&refused["error"]["code"]), "{name}: {status} {refused}");
    }
    for method in ["prompts/list", "resources/list", "ping"] {
        let response = ask(&stage, method, json!({})).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{method}");
    }
}

#[tokio::test]
async fn a_session_with_all_is_asked_by_servers_of_both_eras() {
    let stage = stage().await;
    let names = names(&stage).await;
    let session = stage.session().await;
    for app in ["old", "new.server"] {
        let name = named(&names, app, "ask");
        let mut stream = Events::new(session.call(app, &name, json!({"text": "why?"})).send().await.unwrap());
        let question = stream.next().await.unwrap();
        assert_eq!(question["method"], "sampling/createMessage", "{question}");
        let reply = json!({"role": "assistant", "model": "m", "content": {"type": "text", "text": app}});
        session.post(json!({"jsonrpc": "2.0", "id": question["id"], "result": reply})).send().await.unwrap();
        let done = stream.next().await.unwrap();
        assert_eq!((&done["id"], text(&done)), (&json!(app), app.to_owned()));
    }
    // Progress comes under the client's own token, and what is cancelled ends.
    let mut slow = call("slow", &named(&names, "old", "sleep"), json!({"ms": 60_000, "steps": 60}));
    slow["params"]["_meta"] = json!({"progressToken": "p"});
    let mut stream = Events::new(session.post(slow).send().await.unwrap());
    assert_eq!(stream.next().await.unwrap()["params"]["progressToken"], "p");
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "slow"}});
    session.post(cancel).send().await.unwrap();
    while stream.next().await.is_some() {}
}

#[tokio::test]
async fn who_listens_hears_of_apps_that_come_and_go() {
    let stage = stage().await;
    let session = stage.session().await;
    let wanted = json!({"notifications": {"toolsListChanged": true}});
    let mut streams = [
        Events::new(ask(&stage, "subscriptions/listen", wanted).send().await.unwrap()),
        Events::new(session.stream().send().await.unwrap()),
    ];
    let first = streams[0].next().await.unwrap();
    assert_eq!(first["params"]["notifications"], json!({"toolsListChanged": true}));
    let before = names(&stage).await;
    stage.run("third", &["--era", "modern"], json!({}));
    for stream in &mut streams {
        assert_eq!(stream.next().await.unwrap()["method"], "notifications/tools/list_changed");
    }
    eventually("its tools are listed", async || (names(&stage).await.len() > before.len()).then_some(())).await;
    named(&names(&stage).await, "third", "echo");
    stage.gateway.fleet.stop("third");
    for stream in &mut streams {
        assert_eq!(stream.next().await.unwrap()["method"], "notifications/tools/list_changed");
    }
    assert_eq!(names(&stage).await, before);
    // A tool that a server adds is heard of, too.
    let params = json!({"name": named(&before, "new.server", "change"), "arguments": {}});
    messages(ask(&stage, "tools/call", params).send().await.unwrap()).await;
    assert_eq!(streams[1].next().await.unwrap()["method"], "notifications/tools/list_changed");
    eventually("it is listed", async || (names(&stage).await.len() > before.len()).then_some(())).await;
}

#[tokio::test]
async fn a_session_with_all_belongs_to_no_app() {
    let stage = stage().await;
    let id = stage.session().await.id;
    let stage = stage.at("/mcp/old");
    let session = Session { stage: &stage, id };
    assert_eq!(session.call(1, "echo", json!({"text": "x"})).send().await.unwrap().status(), StatusCode::NOT_FOUND);
}
