//! Servers whose tools change although their definition does not.

use super::world::{World, app, condition, only_pid};
use mcpfleet::status::model::{AppState, AppStatus, ConditionKind};
use serde_json::{Value, json};
use std::fs;

/// An app with `number` tools more than usual, as it begins the next time.
fn with_tools(world: &World, number: u64, policy: &str, flags: &[&str]) -> Value {
    fs::write(world.path("number"), number.to_string()).unwrap();
    let file = world.path("number");
    let mut one = world.app("one", &[&["--changes-file", file.to_str().unwrap()], flags].concat());
    one["spec"]["mcp"]["on_tool_change"] = json!(policy);
    one["spec"]["mcp"]["restart"] = json!({"initial_backoff": "100ms"});
    one
}

fn changed(app: &AppStatus) -> Option<&str> {
    condition(app, ConditionKind::ToolsChanged)
}

#[tokio::test]
async fn a_change_is_told_and_remembered() {
    let world = World::new();
    world.put("one.yaml", &with_tools(&world, 0, "warn", &[]));
    let mut agent = world.run();
    let before = agent.app("one", "looked at", |app| app.tools.is_some()).await;
    let tools = before.tools.unwrap();
    fs::write(world.path("number"), "1").unwrap();
    agent.says(&["restart", "one", "--wait"]).await;
    let row = agent.app("one", "changed", |app| changed(app).is_some()).await;
    assert!(changed(&row).unwrap().contains("new: extra-1"), "{row:?}");
    assert_eq!(row.state, Some(AppState::Ready), "a warning is no more than that");
    let now = row.tools.unwrap();
    assert!(now.count == tools.count + 1 && now.digest != tools.digest);
    let shown = agent.says(&["status"]).await;
    assert!(shown.contains("ToolsChanged: ") && shown.contains("new: extra-1"), "{shown}");
    agent.stop().await;
    // Over restarts of the agent too, until somebody accepts it or the definition changes.
    let mut agent = world.run();
    agent.app("one", "still changed", |app| changed(app).is_some()).await;
    agent.says(&["restart", "one", "--accept-tools", "--wait"]).await;
    agent.app("one", "accepted", |app| app.tools.is_some() && changed(app).is_none()).await;
    fs::write(world.path("number"), "3").unwrap();
    agent.says(&["restart", "one"]).await;
    agent.app("one", "changed again", |app| changed(app).is_some_and(|text| text.contains("extra-3"))).await;
    world.put("one.yaml", &with_tools(&world, 3, "warn", &["--era", "modern"]));
    agent
        .app("one", "another definition", |app| {
            app.tools.as_ref().is_some_and(|t| t.count == tools.count + 3) && changed(app).is_none()
        })
        .await;
    agent.stop().await;
}

#[tokio::test]
async fn changed_tools_can_be_kept_from_clients() {
    let world = World::new();
    world.put("one.yaml", &with_tools(&world, 0, "block", &[]));
    let mut agent = world.run();
    let pid = agent.pid("one").await;
    // A restart finds other tools: the old process goes on.
    fs::write(world.path("number"), "1").unwrap();
    let restarted = agent.cli(&["restart", "one", "--wait", "--timeout", "5m"]).await;
    assert_eq!(restarted.status.code(), Some(1), "nobody waits for what will not come: {restarted:?}");
    let row = agent.app("one", "degraded", |app| app.state == Some(AppState::Degraded)).await;
    assert!(row.reason.as_deref().is_some_and(|reason| reason.contains("new: extra-1")), "{row:?}");
    assert_eq!(agent.call("one", "pid", json!({})).await.unwrap(), pid.to_string());
    // After a crash there is none that could go on.
    agent.call("one", "crash", json!({"code": 1})).await.unwrap_err();
    let row = agent.app("one", "kept from clients", |app| app.state == Some(AppState::Failed)).await;
    assert!(row.reason.unwrap().contains("--accept-tools"));
    let refused = agent.call("one", "pid", json!({})).await.unwrap_err();
    assert!(refused.contains("extra-1"), "{refused}");
    // What is not carried out accepts nothing.
    agent.says(&["suspend", "one"]).await;
    let refused = agent.cli(&["restart", "one", "--accept-tools"]).await;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    agent.says(&["resume", "one"]).await;
    agent.app("one", "kept from clients again", |app| app.state == Some(AppState::Failed)).await;
    agent.says(&["restart", "one", "--accept-tools", "--wait"]).await;
    agent.until("served again", |status| app(status, "one").and_then(only_pid)).await;
    assert!(agent.call("one", "pid", json!({})).await.is_ok());
    agent.stop().await;
}

#[tokio::test]
async fn a_server_that_changes_its_tools_as_it_runs() {
    for policy in ["warn", "block"] {
        let world = World::new();
        let mut one = with_tools(&world, 0, policy, &["--era", "legacy"]);
        one["spec"]["mcp"]["sessions"] = json!("shared");
        world.put("one.yaml", &one);
        let mut agent = world.run();
        agent.app("one", "looked at", |app| app.tools.is_some() && app.state == Some(AppState::Ready)).await;
        agent.call("one", "change", json!({})).await.unwrap();
        if policy == "warn" {
            let row = agent.app("one", "changed", |app| changed(app).is_some()).await;
            assert_eq!((row.state, row.restarts), (Some(AppState::Ready), 0), "{row:?}");
        } else {
            // A process that begins with the tools of before takes its place.
            let replaced = |app: &AppStatus| app.restarts == 1 && app.state == Some(AppState::Ready);
            let row = agent.app("one", "replaced", replaced).await;
            assert_eq!(changed(&row), None);
            let events = agent.says(&["events", "one"]).await;
            assert!(events.contains("tools-changed"), "{events}");
        }
        assert!(agent.call("one", "pid", json!({})).await.is_ok());
        agent.stop().await;
    }
}
