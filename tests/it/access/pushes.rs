//! The same by a push to a real repository, with roles and users that are judged like everything in it.

use super::fleet::{Client, answer, becomes, call, outcome, role, token};
use crate::{
    git_source::{Stage, reaches},
    support::PATIENCE,
};
use mcpfleet::resource::Digest;
use reqwest::StatusCode;
use serde_json::json;
use tokio::time::timeout;

fn bob(stage: &Stage, roles: &str, with_token: bool) -> String {
    let digest = Digest::of_bytes(token("bob").as_bytes());
    let tokens = if with_token { format!("[{digest}]") } else { "[]".to_owned() };
    format!(
        "kind: user\nversion: v2\nmetadata: {{name: bob}}\nspec:\n  roles: [{roles}]\n  git:\n    emails: [bob@example.com]\n    \
         signing_keys:\n      - {}\n  gateway: {{token_sha256: {tokens}}}\n",
        stage.bob.public()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_revokes_takes_effect_on_what_is_open() {
    let stage = Stage::new();
    let mut agent = stage.run_with(&["--root", &stage.root.to_string(), "--set", "gateway.auth=required"]);
    let tools =
        |tools: &str| role("users-a", &format!("{{allow: {{app_labels: {{team: a}}, mcp: {{tools: {tools}}}}}}}"));
    let (file, rights, user) = (stage.app("a", "a", &[]), tools("[echo, hold]"), bob(&stage, "team-a, users-a", true));
    let first = stage.push(
        Some(&stage.alice),
        &[("apps/a.yaml", Some(&file)), ("roles/users-a.yaml", Some(&rights)), ("users/bob.yaml", Some(&user))],
    );
    let status = reaches(&mut agent, first).await;
    let client = Client::with(status.agent.gateway.trim_start_matches("http://"), Some(&token("bob")));
    assert_eq!(client.tools("a").await.unwrap(), ["echo", "hold"]);
    let session = client.session("a").await;
    let mut stream = client.stream("a", &session).await;
    let hold = call("hold", json!({"path": stage.world.path("never")})).to_string();
    let held = tokio::spawn(answer(client.in_session("a", &session, hold)));
    let echo = call("echo", json!({"text": "x"})).to_string();
    assert_eq!(outcome(&answer(client.in_session("a", &session, echo.clone())).await), Ok("x".into()));

    // Bob cannot give himself more: what he may change is apps.
    let all = tools("[\"*\"]");
    let refused = stage.push(Some(&stage.bob), &[("roles/users-b.yaml", Some(&all.replace("users-a", "users-b")))]);
    agent
        .until("the refusal", |status| {
            let git = status.sources.first()?.git.as_ref()?;
            git.refused.iter().any(|refused_change| refused_change.commit == refused.to_string()).then_some(())
        })
        .await;
    assert_eq!(client.tools("a").await.unwrap(), ["echo", "hold"]);

    // A tool: its call ends, the session goes on.
    let fewer = tools("[echo]");
    let commit = stage.push(Some(&stage.alice), &[("roles/users-a.yaml", Some(&fewer))]);
    reaches(&mut agent, commit).await;
    let ended = timeout(PATIENCE, held).await.expect("the call ends").unwrap();
    assert_eq!(outcome(&ended), Err((200, -32602)));
    assert_eq!(client.tools("a").await.unwrap(), ["echo"]);
    assert_eq!(outcome(&answer(client.in_session("a", &session, echo)).await), Ok("x".into()));

    // The role: the stream ends, there is no such app.
    let without = bob(&stage, "team-a", true);
    stage.push(Some(&stage.alice), &[("users/bob.yaml", Some(&without))]);
    timeout(PATIENCE, async { while stream.chunk().await.unwrap().is_some() {} }).await.expect("the stream ends");
    assert_eq!(client.tools("a").await, None);

    // The token: nobody.
    let without = bob(&stage, "team-a", false);
    stage.push(Some(&stage.alice), &[("users/bob.yaml", Some(&without))]);
    becomes("a token of nobody", StatusCode::UNAUTHORIZED, async || {
        client.modern("a", "tools/list", json!({})).send().await.unwrap().status()
    })
    .await;
    agent.stop().await;
}
