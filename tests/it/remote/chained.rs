//! A gateway behind a gateway.

use crate::{
    gateway::stage::{Events, Stage, answer, text},
    support::{Era, RealClient, arguments, text as text_of},
};
use rmcp::model::CallToolRequestParams;
use serde_json::json;

/// A gateway with the fake server in one era, and one before it that knows only the first.
async fn chain(era: &str) -> (Stage, Stage) {
    let behind = Stage::with(&["--era", era], json!({})).await;
    let front = Stage::new().await;
    front.run_spec("app", json!({ "uri": format!("mcp+{}", behind.endpoint()) }));
    front.ready("app").await;
    (behind, front)
}

#[tokio::test]
async fn both_eras_pass_two_gateways() {
    for (era, name) in [(Era::Legacy, "legacy"), (Era::Modern, "modern")] {
        let (_behind, front) = chain(name).await;
        let client = RealClient::new(era).connect(&front.endpoint()).await;
        let call = CallToolRequestParams::new("echo").with_arguments(arguments(json!({"text": "far"})));
        assert_eq!(text_of(&client.call_tool(call).await.unwrap()), "far", "{name}");
        let tools = client.list_all_tools().await.unwrap();
        assert!(tools.iter().any(|tool| tool.name == "echo"), "{name}");
        client.cancel().await.unwrap();
    }
}

#[tokio::test]
async fn questions_and_the_end_of_a_session_pass_too() {
    let (behind, front) = chain("legacy").await;
    let session = front.session().await;
    let mut events = Events::new(session.call(1, "ask", json!({"text": "who?"})).send().await.unwrap());
    let asked = events.next().await.unwrap();
    assert_eq!(asked["method"], "sampling/createMessage", "{asked}");
    let result = json!({"role": "assistant", "model": "m", "content": {"type": "text", "text": "me"}});
    session.post(json!({"jsonrpc": "2.0", "id": asked["id"], "result": result})).send().await.unwrap();
    assert!(text(&events.next().await.unwrap()).contains("me"));
    // The server behind both crashes: the client hears of it, and can go on in a new session.
    let crashed = answer(session.call(2, "crash", json!({"code": 3})).send().await.unwrap()).await;
    assert!(crashed.get("error").is_some(), "{crashed}");
    behind.ready("app").await;
    let again = front.session().await;
    assert_eq!(again.text("echo", json!({"text": "again"})).await, "again");
}
