//! What somebody has suspended stays so until it is resumed, whatever happens meanwhile.

use super::world::{World, app, gone, only_pid, runs};
use crate::support::processes::marked;
use mcpfleet::status::model::{AgentState, AppState};
use nix::sys::signal::Signal;
use serde_json::json;

#[tokio::test]
async fn an_app_that_is_suspended_stays_stopped() {
    let world = World::new();
    world.put("one.yaml", &world.app("one", &[]));
    world.put("two.yaml", &world.app("two", &[]));
    let mut agent = world.run();
    let (one, two) = (agent.pid("one").await, agent.pid("two").await);
    agent.says(&["suspend", "one"]).await;
    let row = agent.app("one", "suspended", |app| app.state == Some(AppState::Suspended)).await;
    assert!(row.instances.is_empty(), "{row:?}");
    gone(one).await;
    let refused = agent.call("one", "pid", json!({})).await.unwrap_err();
    assert!(refused.contains("Suspended"), "{refused}");
    // Neither a new definition, nor a restart of it or of the agent, brings it back.
    world.put("one.yaml", &world.app("one", &["--era", "legacy"]));
    agent.look_again().await;
    let restarted = agent.cli(&["restart", "one"]).await;
    assert_eq!(restarted.status.code(), Some(1), "{restarted:?}");
    let status = agent.ready().await;
    assert!(status.agent.message.contains("suspended: one"), "{}", status.agent.message);
    assert_eq!(app(&status, "two").and_then(only_pid), Some(two));
    agent.stop().await;

    let mut agent = world.run();
    agent.pid("two").await;
    agent.app("one", "still suspended", |app| app.state == Some(AppState::Suspended)).await;
    assert_eq!(marked(&world.mark()).len(), 1);
    agent.says(&["resume", "one"]).await;
    let row = agent.app("one", "ready", |app| app.state == Some(AppState::Ready)).await;
    assert_eq!(row.era.as_deref(), Some("legacy"), "with its newest definition");
    for (command, name) in [("resume", "one"), ("suspend", "none"), ("resume", "none")] {
        let refused = agent.cli(&[command, name]).await;
        assert_eq!(refused.status.code(), Some(1), "{command} {name}: {refused:?}");
    }
    agent.stop().await;
}

#[tokio::test]
async fn an_agent_that_is_suspended_applies_nothing_new() {
    let world = World::new();
    world.put("one.yaml", &world.app("one", &[]));
    world.put("gone.yaml", &world.app("gone", &[]));
    let mut agent = world.run();
    let (one, pid) = (agent.pid("one").await, agent.pid("gone").await);
    agent.says(&["suspend"]).await;
    world.put("one.yaml", &world.app("one", &["--era", "legacy"]));
    world.put("new.yaml", &world.app("new", &[]));
    world.remove("gone.yaml");
    let stalled = |status: &mcpfleet::status::model::Status| {
        let waits = status.agent.message.contains("3 changes wait");
        (status.agent.state == AgentState::Stalled && waits).then(|| status.clone())
    };
    let status = agent.until("changes that wait", stalled).await;
    assert!(status.agent.suspended.is_some());
    assert_eq!(
        (app(&status, "one").and_then(only_pid), app(&status, "gone").and_then(only_pid)),
        (Some(one), Some(pid))
    );
    assert!(app(&status, "new").is_none());
    // Nor after a restart, which is no reason to stop what runs: it runs what it ran.
    agent.signal(Signal::SIGKILL);
    agent.ended().await;
    gone(pid).await;
    let mut agent = world.run();
    agent.until("the same changes", stalled).await;
    let row = agent.app("gone", "run again", |app| only_pid(app).is_some()).await;
    assert_ne!(only_pid(&row), Some(pid));
    assert_eq!(agent.app("one", "ready", |app| only_pid(app).is_some()).await.era.as_deref(), Some("modern"));

    agent.says(&["resume"]).await;
    agent
        .soon("all of it at once", |status| {
            let legacy = app(status, "one")?.era.as_deref() == Some("legacy");
            (legacy && app(status, "new").and_then(only_pid).is_some() && app(status, "gone").is_none()).then_some(())
        })
        .await;
    gone(only_pid(&row).unwrap()).await;
    agent.stop().await;
    assert!(!runs(one));
}
