//! Clients that vanish in the middle of a call.

use super::{MIB, Scene, modern};
use crate::support::{Era, PlainClient, eventually};
use serde_json::{Value, json};

#[tokio::test]
async fn clients_that_vanish_while_they_are_waited_for() {
    let scene = Scene::new(&["--era", "modern"]).await;
    let client = scene.client("app");
    let stats = async || {
        let got = client.call("stats", json!({})).await;
        serde_json::from_str::<Value>(got.text().expect("the server answers")).unwrap()
    };
    let before = scene.memory();
    let call = modern("hold", json!({ "path": "/nowhere/at/all" }));
    for round in 1..=5 {
        let open: Vec<_> = futures_util::future::join_all((0..60).map(|_| scene.send(&call))).await;
        eventually("the server has them", async || {
            (stats().await["seen"]["call:hold"].as_u64() == Some(round * 60)).then_some(())
        })
        .await;
        // Half of them say goodbye, half break off.
        for (number, stream) in open.into_iter().enumerate() {
            if number % 2 == 0 {
                stream.set_zero_linger().unwrap();
            }
        }
        eventually("each is cancelled at the server", async || {
            (stats().await["cancelled"].as_array().map(Vec::len) == Some(usize::try_from(round * 60).unwrap()))
                .then_some(())
        })
        .await;
        scene.others_are_served().await;
    }
    assert!(scene.memory().saturating_sub(before) < 32 * MIB);
    let gone = scene.agent.says(&["audit", "--outcome", "gone", "-n", "1000", "-o", "json"]).await;
    assert_eq!(gone.lines().count(), 300);
    scene.agent.stop().await;
}

#[tokio::test]
async fn clients_of_sessions_that_vanish_and_come_back() {
    let scene = Scene::new(&["--era", "legacy"]).await;
    let client = PlainClient::of_era(&scene.gateway(), "app", Era::Legacy).await.unwrap();
    for _ in 0..50 {
        client.call_within(std::time::Duration::from_millis(20), "sleep", json!({ "ms": 1_000 })).await;
    }
    // In this era a call runs on; the session is as good as before.
    let text = "back again";
    assert_eq!(client.call("echo", json!({ "text": text })).await.text(), Some(text));
    scene.others_are_served().await;
    scene.agent.stop().await;
}
