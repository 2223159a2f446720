//! Servers of the stateless era.

use super::{server::Speaks, stage};
use crate::{
    gateway::stage::{Events, answer, text},
    support::eventually,
};
use serde_json::{Value, json};
use std::sync::atomic::Ordering::Relaxed;

#[tokio::test]
async fn each_request_says_in_its_headers_what_it_is() {
    let (server, stage) = stage(Speaks::Modern).await;
    let response = stage.modern(&json!("x"), "tools/call", json!({"name": "echo", "arguments": {"text": "hi"}}));
    let answered = answer(response.send().await.unwrap()).await;
    assert_eq!((text(&answered).as_str(), &answered["id"]), ("hi", &json!("x")));
    let seen = server.seen("tools/call").pop().unwrap();
    assert_eq!(seen.header("mcp-protocol-version"), Some("2026-07-28"));
    assert_eq!((seen.header("mcp-method"), seen.header("mcp-name")), (Some("tools/call"), Some("echo")));
    assert_eq!(seen.header("mcp-session-id"), None);
    // Nothing of the legacy era was tried.
    assert!(server.seen("initialize").is_empty());
    assert!(server.all().iter().all(|seen| seen.method == "POST"));
}

#[tokio::test]
async fn an_error_with_a_status_is_the_answer() {
    let (_server, stage) = stage(Speaks::Modern).await;
    let response = stage.modern(&json!(5), "unheard/of", json!({})).send().await.unwrap();
    let answered = answer(response).await;
    assert_eq!((&answered["id"], &answered["error"]["code"]), (&json!(5), &json!(-32601)), "{answered}");
}

#[tokio::test]
async fn arguments_are_repeated_in_the_headers_that_the_tool_names() {
    let (server, stage) = stage(Speaks::Modern).await;
    let call = async |region: &str| {
        let params = json!({"name": "region", "arguments": {"region": region, "text": region}});
        let response = stage.modern(&json!(1), "tools/call", params).header("mcp-param-region", region);
        answer(response.header("mcp-param-zone", region).send().await.unwrap()).await
    };
    // The gateway has looked at the tools itself.
    eventually("a look at the tools", async || server.seen("tools/list").pop()).await;
    let first =
        eventually("the header", async || Some(call("us-west1").await).filter(|a: &Value| a.get("result").is_some()))
            .await;
    assert_eq!(text(&first), "us-west1");
    // From one call to the next it is another one.
    *server.inner.header.lock().unwrap() = "Zone";
    assert_eq!(text(&call("us-east1").await), "us-east1");
    let seen = server.seen("tools/call").pop().unwrap();
    assert_eq!((seen.header("mcp-param-zone"), seen.header("mcp-param-region")), (Some("us-east1"), None));
}

#[tokio::test]
async fn a_client_that_goes_is_gone_there_too() {
    let (server, stage) = stage(Speaks::Modern).await;
    let params = json!({"name": "hang", "arguments": {}});
    let hanging = tokio::spawn(stage.modern(&json!(1), "tools/call", params).send());
    eventually("a call that is held", async || (server.inner.held.load(Relaxed) == 1).then_some(())).await;
    hanging.abort();
    eventually("a call that is let go", async || (server.inner.held.load(Relaxed) == 0).then_some(())).await;
    // On HTTP that is all there is to say.
    assert!(server.seen("notifications/cancelled").is_empty());
}

#[tokio::test]
async fn subscriptions_have_the_ids_of_their_clients() {
    let (server, stage) = stage(Speaks::Modern).await;
    let listen = async |id: &str| {
        let params = json!({"notifications": {"toolsListChanged": true}});
        Events::new(stage.modern(&json!(id), "subscriptions/listen", params).send().await.unwrap())
    };
    let (mut one, mut two) = (listen("same").await, listen("same").await);
    let key = "io.modelcontextprotocol/subscriptionId";
    for stream in [&mut one, &mut two] {
        let told = stream.next().await.unwrap();
        assert_eq!(told["method"], "notifications/subscriptions/acknowledged");
        assert_eq!(told["params"]["_meta"][key], "same");
    }
    let ids: Vec<Value> = server.seen("subscriptions/listen").iter().map(|seen| seen.message()["id"].clone()).collect();
    assert_ne!(ids[0], ids[1]);
    let params = json!({"_meta": {key: ids[0]}});
    server.announce(&json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": params}));
    let told = one.next().await.unwrap();
    assert_eq!(
        (&told["method"], &told["params"]["_meta"][key]),
        (&json!("notifications/tools/list_changed"), &json!("same"))
    );
    drop((one, two));
    eventually("both let go", async || (server.inner.held.load(Relaxed) == 0).then_some(())).await;
}
