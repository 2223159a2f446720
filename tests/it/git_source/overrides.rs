//! What the operators of the agent's host say over the repository's head.

use super::{Stage, git, reaches, refuses, running, source};
use mcpfleet::authorize::ObjectId;
use serde_json::{Value, json};
use std::fs;

/// Gives the order, as `mcpfleet trust set` does.
fn trust_set(stage: &Stage, commit: ObjectId) {
    let order = json!({"version": 1, "commit": commit.to_string(), "reason": "a test", "by": "root", "at": "2026-11-23T12:00:00Z"});
    write(stage, "override.json", &order);
}

fn write(stage: &Stage, name: &str, value: &Value) {
    let file = stage.state_dir().join(name);
    fs::write(file.with_extension("tmp"), value.to_string()).unwrap();
    fs::rename(file.with_extension("tmp"), file).unwrap();
}

fn log(stage: &Stage) -> Vec<Value> {
    let text = fs::read_to_string(stage.state_dir().join("overrides.log")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_override_begins_anew() {
    let stage = Stage::new();
    let start = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&stage.app("a", "a", &[])))]);
    let mut agent = stage.run();
    reaches(&mut agent, start).await;
    let rewritten = stage.repo.commit(
        &[stage.root],
        Some(&stage.alice),
        &[("apps/b.yaml", Some(&stage.app("b", "b", &[])))],
        "Else",
    );
    stage.push_commit(rewritten);
    refuses(&mut agent, rewritten).await;

    // One that does not exist is not taken, and said to be so.
    let missing: ObjectId = "0123456789abcdef0123456789abcdef01234567".parse().unwrap();
    trust_set(&stage, missing);
    agent.client.reconcile(false).await.unwrap();
    let error = agent
        .until("an order that cannot be carried out", |status| {
            source(status).error.clone().filter(|error| error.code.as_deref() == Some("override"))
        })
        .await;
    assert!(error.message.contains("does not have it"), "{}", error.message);
    assert_eq!(stage.trust()["state"]["commit"], start.to_string());

    trust_set(&stage, rewritten);
    agent.client.reconcile(false).await.unwrap();
    let status = reaches(&mut agent, rewritten).await;
    assert_eq!(running(&status), ["b"]);
    assert!(!stage.state_dir().join("override.json").exists());
    let log = log(&stage);
    assert_eq!((log.len(), &log[0]["commit"], &log[0]["reason"]), (1, &json!(rewritten.to_string()), &json!("a test")));
    assert_eq!((&stage.trust()["root"], &stage.trust()["began"]), (&json!(rewritten.to_string()), &json!("override")));

    // It holds although the configuration still names the old root.
    agent.stop().await;
    let mut agent = stage.run();
    let next = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&stage.app("a", "a", &[])))]);
    assert_eq!(running(&reaches(&mut agent, next).await), ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_override_mends_what_is_damaged() {
    let stage = Stage::new();
    let mut agent = stage.run();
    reaches(&mut agent, stage.root).await;
    agent.stop().await;
    fs::write(stage.state_dir().join("trust.json"), "{").unwrap();
    trust_set(&stage, stage.root);
    let mut agent = stage.run();
    reaches(&mut agent, stage.root).await;
    assert_eq!(stage.trust()["began"], "override");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_key_signs_nothing_any_more() {
    let stage = Stage::new();
    let before = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&stage.app("a", "a", &[])))]);
    let mut agent = stage.run();
    reaches(&mut agent, before).await;
    let denied = json!([{"key": stage.bob.public(), "reason": "stolen", "by": "root", "at": "2026-11-23T12:00:00Z"}]);
    write(&stage, "denied-keys.json", &json!({"version": 1, "keys": denied}));
    let after = stage.push(Some(&stage.bob), &[("apps/a2.yaml", Some(&stage.app("a2", "a", &[])))]);
    let status = reaches(&mut agent, after).await;
    assert_eq!(running(&status), ["a"], "what was accepted before stays");
    assert_eq!(git(&status).refused.first().and_then(|change| change.code.as_deref()), Some("denied-key"));
    assert_eq!(log(&stage)[0]["action"], "deny-key");

    // A list that cannot be read denies more than it lists: nothing moves.
    fs::write(stage.state_dir().join("denied-keys.json"), "{").unwrap();
    let next = stage.push(Some(&stage.alice), &[("apps/b.yaml", Some(&stage.app("b", "b", &[])))]);
    let error = agent.until("an error", |status| source(status).error.clone()).await;
    assert!(error.message.contains("denied-keys.json is damaged"), "{}", error.message);
    assert_ne!(git(&agent.status().await.unwrap()).accepted, Some(next.to_string()));
}
