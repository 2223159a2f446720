//! Servers that answer twice, what nobody asked, in another order, or never.

use super::{MIB, Scene};
use crate::support::{Era, Got, PlainClient, fake_app};
use futures_util::future::join_all;
use serde_json::json;
use std::time::Duration;

/// Clients of both eras, ready to call.
async fn clients(scene: &Scene) -> Vec<PlainClient> {
    let mut clients = Vec::new();
    for era in [Era::Modern, Era::Legacy] {
        clients.push(PlainClient::of_era(&scene.gateway(), "app", era).await.unwrap());
    }
    clients
}

#[tokio::test]
async fn servers_that_answer_twice_or_what_nobody_asked() {
    for flag in ["--answer-twice", "--unknown-ids"] {
        let scene = Scene::new(&[flag]).await;
        let clients = clients(&scene).await;
        let before = scene.memory();
        for round in 0..20 {
            let calls = clients.iter().flat_map(|client| (0..10).map(move |number| (client, number)));
            let calls = calls.map(async |(client, number)| {
                let text = format!("{round}-{number}");
                assert_eq!(client.call("echo", json!({ "text": text })).await, Got::Text(text), "{flag}");
            });
            join_all(calls).await;
        }
        scene.others_are_served().await;
        assert!(scene.memory().saturating_sub(before) < 32 * MIB);
        scene.agent.stop().await;
    }
}

#[tokio::test]
async fn a_server_that_answers_in_another_order() {
    let scene = Scene::new(&["--era", "modern", "--backwards", "8"]).await;
    let client = scene.client("app");
    for round in 0..10 {
        let calls = (0..8).map(|number| {
            let text = format!("{round}-{number}");
            let client = client.clone();
            async move { (client.call("echo", json!({ "text": text })).await, text) }
        });
        for (got, text) in join_all(calls).await {
            assert_eq!(got, Got::Text(text), "each gets its own");
        }
    }
    scene.others_are_served().await;
    scene.agent.stop().await;
}

#[tokio::test]
async fn a_server_that_never_answers() {
    let app = fake_app("app", &["--hang-at-call"]);
    let scene = Scene::with(&app, &["gateway.limits.concurrent_requests=2000"]).await;
    let client = scene.client("app");
    let before = scene.memory();
    for _ in 0..3 {
        let calls = (0..200).map(|_| client.call_within(Duration::from_secs(1), "echo", json!({ "text": "x" })));
        for got in join_all(calls).await {
            assert!(matches!(got, Got::Silence | Got::Broken(_) | Got::Error { .. }), "{got:?}");
        }
        scene.others_are_served().await;
    }
    let grown = scene.memory().saturating_sub(before);
    assert!(grown < 48 * MIB, "{} MiB", grown / MIB);
    scene.agent.stop().await;
}
