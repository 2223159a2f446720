//! Servers that hang, and operators who restart them.

use super::world::{World, app, gone, only_pid, runs};
use mcpfleet::{
    client::mcp::McpClient,
    status::model::{AppState, AppStatus, InstanceRole},
};
use serde_json::{Value, json};

/// An app whose health is checked often.
fn watched(world: &World, flags: &[&str]) -> Value {
    let mut one = world.app("one", flags);
    one["spec"]["mcp"]["health"] = json!({"interval": "200ms", "timeout": "300ms", "failures": 2});
    one["spec"]["mcp"]["restart"] = json!({"initial_backoff": "100ms"});
    one["spec"]["mcp"]["stop"] = json!({"grace_period": "300ms"});
    one
}

#[tokio::test]
async fn a_server_that_hangs_is_degraded_and_then_replaced() {
    let world = World::new();
    for (era, flags) in [("modern", vec![]), ("legacy", vec!["--era", "legacy"])] {
        // It ignores what it can, so that only SIGKILL helps.
        let hanging = ["--hang-after", "1", "--ignore-sigterm", "--ignore-eof"];
        let mut one = watched(&world, &[&flags[..], &hanging[..]].concat());
        one["spec"]["mcp"]["sessions"] = json!("shared");
        world.put("one.yaml", &one);
        let mut agent = world.run();
        let row = agent.app("one", "ready", |app| app.state == Some(AppState::Ready)).await;
        assert_eq!(row.era.as_deref(), Some(era));
        let pid = primary(&row).unwrap();
        agent.call("one", "pid", json!({})).await.unwrap();
        let row = agent.app("one", "unwell", |app| app.state == Some(AppState::Degraded)).await;
        let reason = row.reason.unwrap();
        assert!(reason.contains("health check") && reason.contains("has not answered"), "{reason}");
        let row = agent.app("one", "replaced", |app| primary(app).is_some_and(|new| new != pid)).await;
        assert!(row.restarts >= 1, "{row:?}");
        gone(pid).await;
        agent.stop().await;
    }
}

#[tokio::test]
async fn a_server_that_answers_is_left_alone() {
    let world = World::new();
    world.put("one.yaml", &watched(&world, &[]));
    let mut agent = world.run();
    let pid = agent.pid("one").await;
    // It has been asked more often than it may fail to answer.
    crate::support::eventually("some health checks", async || {
        let stats: Value = serde_json::from_str(&agent.call("one", "stats", json!({})).await.ok()?).ok()?;
        // The client that asks for the numbers discovers the server each time, too.
        let by_checks =
            stats["seen"]["server/discover"].as_u64()?.checked_sub(stats["seen"]["call:stats"].as_u64()?)?;
        (by_checks > 6).then_some(())
    })
    .await;
    let row = agent.app("one", "well", |_| true).await;
    assert_eq!((row.state, row.restarts, only_pid(&row)), (Some(AppState::Ready), 0, Some(pid)));
    agent.stop().await;
}

#[tokio::test]
async fn a_restart_replaces_all_processes_and_loses_no_call() {
    let world = World::new();
    let mut one = world.app("one", &["--era", "legacy"]);
    one["spec"]["mcp"]["stop"] = json!({"grace_period": "30s"});
    world.put("one.yaml", &one);
    let mut agent = world.run();
    agent.app("one", "ready", |app| app.state == Some(AppState::Ready)).await;
    let session = McpClient::open_session(agent.client.clone(), "one").await.unwrap();
    let row = agent.app("one", "one session", |app| app.sessions == 1 && app.state == Some(AppState::Ready)).await;
    let old: Vec<u32> = row.instances.iter().filter_map(|instance| instance.pid).collect();
    let long = async { session.call_tool("sleep", &json!({"ms": 1500}), &mut |_| {}).await };
    let restart = async {
        let said = agent.says(&["restart", "one", "--wait"]).await;
        assert!(said.starts_with("Ready"), "{said}");
        let row =
            agent.app("one", "with other processes", |app| primary(app).is_some_and(|pid| !old.contains(&pid))).await;
        assert_eq!((row.state, row.restarts), (Some(AppState::Ready), 0));
    };
    let (answer, ()) = tokio::join!(long, restart);
    answer.expect("the open call is answered by the old process");
    for pid in old {
        gone(pid).await;
    }
    // The session has ended with its process; the next one is on the new version.
    let error = session.call_tool("pid", &json!({}), &mut |_| {}).await.unwrap_err().to_string();
    assert!(error.contains("session"), "{error}");
    assert!(agent.call("one", "pid", json!({})).await.is_ok());
    agent.stop().await;
}

#[tokio::test]
async fn a_restart_does_not_wait_for_the_next_attempt() {
    let world = World::new();
    let mut one = world.app("one", &["--changes-file", world.path("n").to_str().unwrap()]);
    one["spec"]["mcp"]["command"] = json!(world.path("later"));
    one["spec"]["mcp"]["restart"] = json!({"initial_backoff": "1h", "max_backoff": "1h"});
    world.put("one.yaml", &one);
    let mut agent = world.run();
    agent.app("one", "failed", |app| app.state == Some(AppState::Failed)).await;
    world.copy(&world.path("fake"), "later");
    agent.says(&["restart", "one", "--wait"]).await;
    let pid = agent.pid("one").await;
    // A process that crashed and waits is not waited for either.
    agent.call("one", "crash", json!({"code": 1})).await.unwrap_err();
    agent.app("one", "waiting", |app| app.state == Some(AppState::Backoff)).await;
    agent.says(&["restart", "one", "--wait"]).await;
    assert_ne!(agent.pid("one").await, pid);
    let unknown = agent.cli(&["restart", "none"]).await;
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");
    agent.stop().await;
}

#[tokio::test]
async fn a_restart_that_fails_leaves_the_old_processes() {
    let world = World::new();
    let one = world.app("one", &[]);
    world.put("one.yaml", &one);
    let mut agent = world.run();
    let pid = agent.pid("one").await;
    std::fs::rename(world.path("fake"), world.path("away")).unwrap();
    let restarted = agent.cli(&["restart", "one", "--wait"]).await;
    assert_eq!(restarted.status.code(), Some(1), "{restarted:?}");
    let row = agent.app("one", "degraded", |app| app.state == Some(AppState::Degraded)).await;
    assert!(row.reason.unwrap().contains("the new version does not start"));
    assert_eq!(agent.call("one", "pid", json!({})).await.unwrap(), pid.to_string());
    assert!(runs(pid));
    std::fs::rename(world.path("away"), world.path("fake")).unwrap();
    agent.says(&["restart", "one", "--wait"]).await;
    agent.until("another process", |status| app(status, "one").and_then(only_pid).filter(|new| *new != pid)).await;
    agent.stop().await;
}

fn primary(app: &AppStatus) -> Option<u32> {
    let is_it = |instance: &&mcpfleet::status::model::InstanceStatus| {
        instance.role == InstanceRole::Primary && !instance.draining && app.state == Some(AppState::Ready)
    };
    app.instances.iter().find(is_it)?.pid
}
