//! What is taken away is gone at once, also from who is in the middle of using it.

use super::fleet::{Client, answer, becomes, call, outcome, role, start, token, user};
use crate::support::{Agent, PATIENCE};
use mcpfleet::resource::Digest;
use reqwest::{Response, StatusCode};
use serde_json::json;
use tokio::{task::JoinHandle, time::timeout};

/// A stream, and a call that the server does not answer, of a session of ada's.
struct Open {
    stream: Response,
    call: JoinHandle<(StatusCode, serde_json::Value)>,
}

impl Open {
    async fn new(agent: &Agent) -> Open {
        let ada = Client::of(agent, "ada");
        let session = ada.session("alpha").await;
        let stream = ada.stream("alpha", &session).await;
        let hold = call("hold", json!({"path": agent.home.path().join("never")})).to_string();
        let call = tokio::spawn(answer(ada.in_session("alpha", &session, hold)));
        // It has got there: what comes later is answered.
        let echo = super::fleet::call("echo", json!({"text": "x"})).to_string();
        assert_eq!(outcome(&answer(ada.in_session("alpha", &session, echo)).await), Ok("x".into()));
        Open { stream, call }
    }

    /// Waits for the end of the call, which is an error.
    async fn call_ends(&mut self) {
        let ended = timeout(PATIENCE, &mut self.call).await.expect("the call ends").unwrap();
        assert_eq!(outcome(&ended), Err((200, -32602)), "{ended:?}");
    }

    /// Waits for the end of the stream.
    async fn stream_ends(mut self) {
        let drained = async { while self.stream.chunk().await.unwrap().is_some() {} };
        timeout(PATIENCE, drained).await.expect("the stream ends");
    }
}

#[tokio::test]
async fn a_role_that_is_taken_away() {
    let agent = start().await;
    let mut open = Open::new(&agent).await;
    agent.write("ada.yaml", &user("ada", &[]));
    open.call_ends().await;
    open.stream_ends().await;
    assert_eq!(Client::of(&agent, "ada").tools("alpha").await, None);
}

#[tokio::test]
async fn an_app_whose_labels_change() {
    let agent = start().await;
    let mut open = Open::new(&agent).await;
    agent.write("alpha.yaml", &super::fleet::app("alpha", "b", "both"));
    open.call_ends().await;
    open.stream_ends().await;
    let bob = Client::of(&agent, "bob");
    becomes("its new users", true, async || bob.tools("alpha").await.is_some()).await;
}

#[tokio::test]
async fn a_tool_that_is_taken_away() {
    let agent = start().await;
    let mut open = Open::new(&agent).await;
    agent.write("deny.yaml", &role("deny", "{deny: {mcp: {tools: [hold]}}}"));
    agent.write("ada.yaml", &user("ada", &["team-a", "deny"]));
    open.call_ends().await;
    // The rest of what the session may do stays.
    let ada = Client::of(&agent, "ada");
    assert_eq!(ada.tools("alpha").await.unwrap(), ["echo", "pid"]);
    agent.write("ada.yaml", &user("ada", &["deny"]));
    open.stream_ends().await;
}

#[tokio::test]
async fn a_token_that_is_revoked() {
    let agent = start().await;
    let mut open = Open::new(&agent).await;
    let other = Digest::of_bytes(b"another").to_string();
    agent.write(
        "ada.yaml",
        &user("ada", &["team-a"]).replace(&Digest::of_bytes(token("ada").as_bytes()).to_string(), &other),
    );
    open.call_ends().await;
    open.stream_ends().await;
    let (old, new) = (Client::of(&agent, "ada"), Client::with(&agent.listen, Some("another")));
    let refused = old.call("alpha", "echo", json!({})).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(new.tools("alpha").await.unwrap(), ["echo", "hold", "pid"]);
}

#[tokio::test]
async fn what_cannot_be_read_revokes_nothing_and_the_last_user_opens_nothing() {
    let agent = start().await;
    let ada = Client::of(&agent, "ada");
    // Broken: as it was, with what was there before.
    agent.write("team-a.yaml", "kind: role\nversion: v8\nmetadata: {name: team-a}\nspec: {alow: {}}\n");
    agent.write("team-b.yaml", "kind: role\nversion: v8\nmetadata: {name: team-b}\nspec: {}\n");
    let bob = Client::of(&agent, "bob");
    becomes("the other change", None, async || bob.tools("beta").await).await;
    assert_eq!(ada.tools("alpha").await.unwrap(), ["echo", "hold", "pid"]);
    // All users gone.
    for name in ["ada", "bob", "eve"] {
        std::fs::remove_file(agent.folder().join(format!("{name}.yaml"))).unwrap();
    }
    let status =
        async |client: &Client| client.call("alpha", "echo", json!({})).send().await.unwrap().status().as_u16();
    becomes("nobody is known", 401, async || status(&ada).await).await;
    let nobody = Client::with(&agent.listen, None);
    assert_eq!(status(&nobody).await, 401);
    assert_eq!(nobody.get("/v1/status").send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_is_followed_ends_too() {
    let agent = start().await;
    let ada = Client::of(&agent, "ada");
    let mut logs = ada.get("/v1/apps/alpha/logs?follow=true").send().await.unwrap();
    let mut events = ada.get("/v1/events?follow=true").send().await.unwrap();
    assert_eq!((logs.status(), events.status()), (StatusCode::OK, StatusCode::OK));
    agent.write("ada.yaml", &user("ada", &[]));
    timeout(PATIENCE, async { while logs.chunk().await.unwrap().is_some() {} }).await.expect("the logs end");
    std::fs::remove_file(agent.folder().join("ada.yaml")).unwrap();
    timeout(PATIENCE, async { while events.chunk().await.unwrap().is_some() {} }).await.expect("the events end");
}

#[tokio::test]
async fn a_session_hears_that_its_tools_have_changed() {
    let agent = start().await;
    let ada = Client::of(&agent, "ada");
    let session = ada.session("alpha").await;
    let mut stream = ada.stream("alpha", &session).await;
    agent.write("team-a.yaml", &role("team-a", "{allow: {app_labels: {team: a}, mcp: {tools: [echo, pid]}}}"));
    let heard = async {
        let mut text = String::new();
        while !text.contains("notifications/tools/list_changed") {
            let chunk = stream.chunk().await.unwrap().expect("the stream goes on");
            text.push_str(&String::from_utf8_lossy(&chunk));
        }
    };
    timeout(PATIENCE, heard).await.expect("it is told");
    assert_eq!(ada.tools("alpha").await.unwrap(), ["echo", "pid"]);
}
