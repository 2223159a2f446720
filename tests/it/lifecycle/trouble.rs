//! Servers that crash, do not start, or ask for what this version does not have.

use super::world::{World, app, only_pid, runs};
use mcpfleet::status::model::{AgentState, AppState};
use serde_json::json;

#[tokio::test]
async fn a_crash_is_followed_by_a_restart() {
    let world = World::new();
    let mut one = world.app("one", &[]);
    one["spec"]["mcp"]["restart"] = json!({"initial_backoff": "1s"});
    world.put("one.yaml", &one);
    world.put("two.yaml", &world.app("two", &[]));
    let mut agent = world.run();
    let (pid, two) = (agent.pid("one").await, agent.pid("two").await);
    let error = agent.call("one", "crash", json!({"code": 3})).await.unwrap_err();
    assert!(error.contains("exit status 3"), "{error}");
    let row = agent.app("one", "waiting for its restart", |app| app.state == Some(AppState::Backoff)).await;
    assert!(row.next_attempt.is_some() && row.instances.is_empty(), "{row:?}");
    assert_eq!(row.last_exit.as_deref(), Some("exit status 3"));
    let row = agent.app("one", "ready again", |app| only_pid(app).is_some()).await;
    assert_ne!(only_pid(&row), Some(pid));
    assert_eq!((row.restarts, row.next_attempt, row.reason), (1, None, None));
    assert_eq!(agent.pid("two").await, two);
    agent.stop().await;
}

#[tokio::test]
async fn a_crash_loop_is_seen() {
    let world = World::new();
    let mut one = world.app("one", &["--exit", "7"]);
    one["spec"]["mcp"]["restart"] = json!({"initial_backoff": "100ms"});
    world.put("one.yaml", &one);
    let mut agent = world.run();
    let looping = |app: &mcpfleet::status::model::AppStatus| app.state == Some(AppState::Backoff) && app.restarts >= 3;
    let row = agent.app("one", "in a crash loop", looping).await;
    assert_eq!(row.reason.as_deref(), Some("the server ended before it answered: exit status 7"));
    let text = agent.says(&["status"]).await;
    assert!(text.contains("Backoff") && text.contains("exit status 7"), "{text}");
    let error = agent.cli(&["mcp", "tools", "one"]).await;
    assert_eq!(error.status.code(), Some(1), "{error:?}");
    let error = String::from_utf8(error.stderr).unwrap();
    assert!(error.contains("exit status 7"), "{error}");
    // A new definition does not wait for the old one's next turn.
    world.put("one.yaml", &world.app("one", &[]));
    agent.soon("a mended app", |status| app(status, "one").and_then(only_pid)).await;
    agent.stop().await;
}

#[tokio::test]
async fn a_server_that_never_answers_and_one_that_is_not_there() {
    let world = World::new();
    let mut mute = world.app("mute", &["--never-ready"]);
    mute["spec"]["mcp"]["startup_timeout"] = json!("1s");
    world.put("mute.yaml", &mute);
    let mut none = world.app("none", &[]);
    none["spec"]["mcp"]["command"] = json!("no-such-program");
    world.put("none.yaml", &none);
    let mut agent = world.run();
    agent.app("mute", "starting", |app| app.state == Some(AppState::Starting)).await;
    let row = agent.app("mute", "given up", |app| app.state == Some(AppState::Backoff)).await;
    let reason = row.reason.unwrap();
    assert!(reason.contains("1s") || reason.contains("1 s"), "{reason}");
    // Nothing but a change can help that one, so nobody waits for it. It is tried again all the same.
    let row = agent.app("none", "given up", |app| app.state == Some(AppState::Failed)).await;
    let reason = row.reason.unwrap();
    assert!(reason.contains("`no-such-program`") && reason.contains("not found in PATH"), "{reason}");
    assert!(row.next_attempt.is_some());
    world.remove("mute.yaml");
    let started = std::time::Instant::now();
    let waited = agent.cli(&["reconcile", "--wait", "--timeout", "5m"]).await;
    assert_eq!(waited.status.code(), Some(1), "{waited:?}");
    assert!(started.elapsed() < crate::support::PATIENCE);
    agent.stop().await;
}

#[tokio::test]
async fn a_version_that_does_not_start_leaves_the_old_one_serving() {
    let world = World::new();
    let good = world.app("one", &[]);
    world.put("one.yaml", &good);
    let mut agent = world.run();
    let pid = agent.pid("one").await;
    let mut absent = world.app("one", &[]);
    absent["spec"] = json!({"uri": "mcp+http://127.0.0.1:9/"});
    for (bad, why) in [(world.app("one", &["--exit", "7"]), "exit status 7"), (absent, "cannot connect")] {
        world.put("one.yaml", &bad);
        let row = agent.app("one", why, |app| app.state == Some(AppState::Degraded)).await;
        assert!(row.reason.as_deref().is_some_and(|reason| reason.contains(why)), "{row:?}");
        assert_eq!(row.instances.iter().find(|instance| !instance.draining).and_then(|i| i.pid), Some(pid), "{row:?}");
        assert_eq!(agent.call("one", "pid", json!({})).await.unwrap(), pid.to_string());
        let status = agent.until("a status", |status| Some(status.clone())).await;
        assert_eq!(status.agent.state, AgentState::Stalled, "{}", status.agent.message);
        world.put("one.yaml", &good);
        agent
            .soon("the old definition again", |s| app(s, "one").filter(|app| only_pid(app) == Some(pid)).map(drop))
            .await;
    }
    let row = agent.app("one", "well", |_| true).await;
    assert_eq!((row.reason, row.restarts), (None, 0));
    assert!(runs(pid));
    agent.stop().await;
}
