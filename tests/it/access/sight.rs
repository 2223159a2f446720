//! What each sees of apps, their logs and events, and of the agent.

use super::fleet::{Client, answer, becomes, role, start, start_with, user, usual};
use crate::support::eventually;
use reqwest::StatusCode;
use serde_json::{Value, json};

fn names(status: &Value) -> Vec<&str> {
    status["apps"].as_array().unwrap().iter().map(|app| app["name"].as_str().unwrap()).collect()
}

async fn lines(client: &Client, path: &str) -> (u16, Vec<Value>) {
    let response = client.get(path).send().await.unwrap();
    let (status, text) = (response.status().as_u16(), response.text().await.unwrap());
    (status, text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

#[tokio::test]
async fn the_status_is_everybodys_own() {
    let mut files = usual();
    files.push(("idle.yaml", super::fleet::app("Alpha-idle", "a", "both")));
    files.push(("broken.yaml", "kind: app\nversion: v3\nmetadata: {name: x}\nspec: {secret-plan: {}}\n".into()));
    let agent = start_with(&files[..files.len() - 1], &[]).await;
    agent.write("broken.yaml", &files[files.len() - 1].1);
    let (ada, bob, eve) = (Client::of(&agent, "ada"), Client::of(&agent, "bob"), Client::of(&agent, "eve"));
    let whole = eventually("the mistake", async || {
        let status: Value = serde_json::from_str(&agent.says(&["status", "-o", "json"]).await).unwrap();
        (!status["sources"][0]["diagnostics"].as_array()?.is_empty()).then_some(status)
    })
    .await;
    assert_eq!(names(&whole), ["Alpha-idle", "alpha", "beta"]);
    // What may be read is shown in full, what may be used as much as that needs.
    let of_ada = ada.status().await;
    assert_eq!(names(&of_ada), ["Alpha-idle", "alpha"]);
    let alpha = &of_ada["apps"][1];
    assert!(alpha["command"].as_array().is_some_and(|command| !command.is_empty()), "{alpha}");
    assert!(alpha["path"] == "alpha.yaml" && !alpha["instances"].as_array().unwrap().is_empty(), "{alpha}");
    let of_bob = bob.status().await;
    assert_eq!(names(&of_bob), ["beta"]);
    let beta = &of_bob["apps"][0];
    assert_eq!((&beta["command"], &beta["path"], &beta["instances"]), (&json!([]), &json!(""), &json!([])), "{beta}");
    assert_eq!(beta["allowed_tools"], json!({"allow": ["*"], "deny": ["crash"]}));
    assert_eq!((&beta["state"], &beta["labels"]["team"]), (&json!("Ready"), &json!("b")));
    assert_eq!(names(&eve.status().await), [""; 0]);
    for (name, status) in [("ada", &of_ada), ("bob", &of_bob)] {
        assert_eq!(status["agent"]["principal"], name);
        assert_eq!((&status["sources"], &status["agent"]["pid"]), (&json!([]), &Value::Null));
        assert_eq!(status["agent"]["state"], "Ready", "what others have broken is not theirs");
        let text = status.to_string();
        assert!(!text.contains("secret-plan") && !text.contains("diagnostics"), "{text}");
    }
    // Who may look at the agent sees what it says of sources, and no more of apps than before.
    agent.write("watcher.yaml", &role("watcher", "{allow: {rules: [{resources: [agent], verbs: [read]}]}}"));
    agent.write("eve.yaml", &user("eve", &["watcher"]));
    becomes("the sources", true, async || eve.status().await.to_string().contains("secret-plan")).await;
    assert_eq!(names(&eve.status().await), [""; 0]);
}

#[tokio::test]
async fn logs_and_events_are_for_who_may_read() {
    let agent = start().await;
    let (ada, bob, eve) = (Client::of(&agent, "ada"), Client::of(&agent, "bob"), Client::of(&agent, "eve"));
    for (who, app) in [(&bob, "beta")] {
        let written = answer(who.call(app, "stderr", json!({"text": "private", "lines": 1}))).await;
        assert_eq!(written.0, StatusCode::OK, "{}", written.1);
    }
    for (client, app, status) in [
        (&ada, "alpha", 200),
        (&ada, "beta", 404),
        (&bob, "alpha", 404),
        (&bob, "beta", 403),
        (&eve, "alpha", 404),
        (&eve, "none", 404),
    ] {
        let (got, lines) = lines(client, &format!("/v1/apps/{app}/logs")).await;
        assert_eq!(got, status, "{app}: {lines:?}");
    }
    let about = async |client: &Client, query: &str| {
        let (status, lines) = lines(client, &format!("/v1/events{query}")).await;
        assert_eq!(status, 200);
        let mut apps: Vec<String> =
            lines.iter().map(|event| event["app"].as_str().unwrap_or("(agent)").to_owned()).collect();
        apps.dedup();
        apps
    };
    assert_eq!(about(&ada, "").await, ["alpha"]);
    assert_eq!(about(&ada, "?tail=1").await, ["alpha"], "the last one of those that count");
    assert_eq!(about(&ada, "?app=beta").await, [""; 0]);
    assert_eq!(about(&bob, "").await, [""; 0]);
    let all = agent.says(&["events"]).await;
    assert!(all.contains("beta") && all.contains("alpha"), "{all}");
    // What comes is chosen likewise.
    let mut following = ada.get("/v1/events?follow=true&tail=0").send().await.unwrap();
    agent.says(&["restart", "beta"]).await;
    agent.says(&["restart", "alpha"]).await;
    let chunk = tokio::time::timeout(crate::support::PATIENCE, following.chunk()).await.unwrap().unwrap().unwrap();
    let text = String::from_utf8(chunk.to_vec()).unwrap();
    assert!(text.contains("alpha") && !text.contains("beta"), "{text}");
}
