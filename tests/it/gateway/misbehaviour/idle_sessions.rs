//! Many sessions in which nothing happens.

use super::Scene;
use crate::support::{PlainClient, fake_app};
use futures_util::{StreamExt, stream};
use serde_json::json;

const SESSIONS: usize = 10_000;

#[tokio::test]
async fn ten_thousand_idle_sessions() {
    let app = fake_app("app", &["--era", "legacy"]).replace("args:", "sessions: shared, args:");
    let settings = ["gateway.limits.sessions_per_principal=20000", "gateway.limits.sessions=10010"];
    let scene = Scene::with(&app, &settings).await;
    let client = scene.client("app");
    client.open().await.expect("a session").delete().await;
    let before = scene.memory();
    let sessions: Vec<PlainClient> =
        stream::iter(0..SESSIONS).map(|_| client.open()).buffer_unordered(16).map(Result::unwrap).collect().await;
    let grown = scene.memory().saturating_sub(before);
    let each = grown / SESSIONS as u64;
    assert!(each < 4_096, "{each} bytes a session");
    scene.others_are_served().await;
    for session in [&sessions[0], &sessions[SESSIONS / 2], &sessions[SESSIONS - 1]] {
        assert_eq!(session.call("echo", json!({ "text": "x" })).await.text(), Some("x"));
    }
    // The bound on all of them holds, and one that ends makes room.
    let mut more = Vec::new();
    let refused = loop {
        match client.open().await {
            Ok(session) => more.push(session),
            Err(refused) => break refused,
        }
        assert!(more.len() <= 10, "no bound");
    };
    assert!(format!("{refused:?}").contains("gateway.limits.sessions"), "{refused:?}");
    assert_eq!(sessions[0].delete().await, Some(204));
    client.open().await.expect("there is room for one").delete().await;
    scene.others_are_served().await;
    scene.agent.stop().await;
}
