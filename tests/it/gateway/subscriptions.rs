//! What clients of a shared server have subscribed to outlives the server's process.

use super::stage::{Events, Session, Stage, answer};
use crate::support::{PATIENCE, eventually};
use mcpfleet::status::model::AppState;
use serde_json::json;

async fn subscribe(session: &Session<'_>, uri: &str) {
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "resources/subscribe", "params": {"uri": uri}});
    let answer = answer(session.post(request).send().await.unwrap()).await;
    assert!(answer["result"].is_object(), "{answer}");
}

#[tokio::test]
async fn a_process_that_comes_later_is_told_of_subscriptions() {
    let settings = |version: u32| {
        json!({
            "sessions": "shared",
            "restart": {"initial_backoff": "10ms", "max_backoff": "10ms"},
            "env": {"VERSION": version.to_string()},
        })
    };
    let stage = Stage::with(&["--era", "legacy"], settings(1)).await;
    let (listener, other) = (stage.session().await, stage.session().await);
    subscribe(&listener, "a://1").await;
    subscribe(&listener, "a://2").await;
    let mut stream = Events::new(listener.stream().send().await.unwrap());

    let first = other.text("pid", json!({})).await;
    other.call(1, "crash", json!({"code": 1})).send().await.unwrap();
    eventually("it has been started again", async || {
        let view = stage.gateway.fleet.get("app").unwrap().view.borrow().clone();
        (view.restarts > 0 && view.state == AppState::Ready).then_some(())
    })
    .await;
    let second = other.text("pid", json!({})).await;
    assert_ne!(first, second);
    hears(&other, &mut stream, "a://2").await;

    stage.run("app", &["--era", "legacy"], settings(2));
    eventually("a new version serves", async || (other.text("pid", json!({})).await != second).then_some(())).await;
    hears(&other, &mut stream, "a://1").await;
}

/// Has the server tell of this resource, and of one that nobody has subscribed to, until the first is heard of. The
/// client asks nothing meanwhile: it has its stream.
async fn hears(other: &Session<'_>, stream: &mut Events, uri: &str) {
    let touching = async {
        loop {
            other.text("touch", json!({"uri": "a://nobody"})).await;
            other.text("touch", json!({"uri": uri})).await;
        }
    };
    let hearing = async {
        loop {
            let told = stream.next().await.expect("a notification");
            assert_eq!(told["method"], "notifications/resources/updated");
            assert_ne!(told["params"]["uri"], "a://nobody");
            // What was told of another before may still be on its way.
            if told["params"]["uri"] == uri {
                return;
            }
        }
    };
    tokio::select! {
        () = hearing => {}
        () = touching => unreachable!("it goes on for ever"),
        () = tokio::time::sleep(PATIENCE) => panic!("nothing heard of {uri}"),
    }
}
