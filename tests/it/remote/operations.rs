//! What an operator sees of servers elsewhere.

use super::server::{Server, Speaks};
use crate::{
    lifecycle::world::{World, app},
    support::eventually,
};
use mcpfleet::status::model::AppState;
use serde_json::{Value, json};

fn put(world: &World, uri: &str, mcp: Value) {
    let spec = json!({"uri": uri, "mcp": mcp});
    world.put("far.yaml", &json!({"kind": "app", "version": "v3", "metadata": {"name": "far"}, "spec": spec}));
}

#[tokio::test]
async fn a_remote_server_is_listed_like_any_other() {
    let server = Server::start(Speaks::Legacy).await;
    let world = World::new();
    put(&world, &format!("mcp+{}", server.url()), json!({}));
    let mut agent = world.run();
    let row =
        agent.app("far", "ready with its tools", |app| app.state == Some(AppState::Ready) && app.tools.is_some()).await;
    assert_eq!(
        (row.transport.as_str(), row.era.as_deref(), row.server.as_deref()),
        ("streamable-http", Some("legacy"), Some("far-away 1"))
    );
    assert_eq!(row.instances.iter().map(|instance| instance.pid).collect::<Vec<_>>(), [None]);
    assert_eq!(agent.call("far", "echo", json!({"text": "hello"})).await.as_deref(), Ok("hello"));
    assert_eq!(row.remote.as_deref(), Some(&*server.url()));
    let listed = agent.says(&["mcp", "ls"]).await;
    assert!(listed.contains("far"), "{listed}");
    let tools = agent.says(&["mcp", "tools", "far"]).await;
    assert!(tools.contains("echo"), "{tools}");
    let events = agent.says(&["events", "far"]).await;
    assert!(events.contains(&format!("connected to {}", server.address)), "{events}");
    // An update: what is asked for from now on is the other server's.
    let other = Server::start(Speaks::Modern).await;
    put(&world, &format!("mcp+{}", other.url()), json!({}));
    agent
        .soon("the other one", |status| app(status, "far").filter(|app| app.era.as_deref() == Some("modern")).map(drop))
        .await;
    assert_eq!(agent.call("far", "echo", json!({"text": "you"})).await.as_deref(), Ok("you"));
    assert_eq!(other.seen("tools/call").len(), 1);
    agent.stop().await;
    eventually("no session left", async || (server.sessions() == 0).then_some(())).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_is_tried_again() {
    let address = {
        let server = Server::start(Speaks::Modern).await;
        server.address
    };
    let world = World::new();
    put(&world, &format!("mcp+http://{address}/mcp"), json!({"restart": {"max_backoff": "1s"}}));
    let mut agent = world.run();
    let row = agent.app("far", "in backoff", |app| app.state == Some(AppState::Backoff)).await;
    let reason = row.reason.unwrap();
    assert!(reason.starts_with(&format!("cannot connect to {address}: Connection refused")), "{reason}");
    let server = Server::start_at(Speaks::Modern, address).await;
    agent.app("far", "ready", |app| app.state == Some(AppState::Ready)).await;

    // It goes: nothing is sent for a while, and then it is no longer there for the gateway either.
    drop(server);
    let refused = agent.call("far", "echo", json!({})).await.unwrap_err();
    assert!(refused.contains("cannot connect to") || refused.contains("was lost"), "{refused}");
    let _ = agent.call("far", "echo", json!({})).await;
    let row = agent.app("far", "in backoff again", |app| app.state == Some(AppState::Backoff)).await;
    assert!(row.reason.is_some() && row.last_exit.is_some(), "{row:#?}");
    let log = agent.says(&["logs", "far", "--tail", "1000"]).await;
    assert!(log.contains(&format!("cannot connect to {address}")), "{log}");
    let _server = Server::start_at(Speaks::Legacy, address).await;
    let row = agent.app("far", "ready as another", |app| app.state == Some(AppState::Ready)).await;
    assert_eq!(row.era.as_deref(), Some("legacy"));
    agent.stop().await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_well_is_unwell() {
    let server = Server::start(Speaks::Modern).await;
    let world = World::new();
    let health = json!({"interval": "100ms", "timeout": "5s", "failures": 3});
    put(&world, &format!("mcp+{}", server.url()), json!({"health": health, "restart": {"max_backoff": "1s"}}));
    let mut agent = world.run();
    agent.app("far", "ready", |app| app.state == Some(AppState::Ready)).await;
    server.fault(|faults| faults.status = Some(503));
    let row = agent.app("far", "not ready", |app| app.state != Some(AppState::Ready)).await;
    assert!(row.reason.unwrap().contains("answers HTTP 503"));
    let row = agent.app("far", "in backoff", |app| app.state == Some(AppState::Backoff)).await;
    assert!(row.reason.unwrap().contains("answers HTTP 503"));
    server.fault(|faults| faults.status = None);
    let row = agent.app("far", "ready again", |app| app.state == Some(AppState::Ready)).await;
    // It was not taken for one of the other era while it said nothing.
    assert_eq!(row.era.as_deref(), Some("modern"));
    agent.stop().await;
}

#[tokio::test]
async fn a_broken_update_leaves_what_serves() {
    let server = Server::start(Speaks::Legacy).await;
    let world = World::new();
    put(&world, &format!("mcp+{}", server.url()), json!({}));
    let mut agent = world.run();
    agent.app("far", "ready", |app| app.state == Some(AppState::Ready)).await;
    put(&world, "mcp+http://127.0.0.1:1/mcp", json!({}));
    let row = agent.app("far", "degraded", |app| app.state == Some(AppState::Degraded)).await;
    let reason = row.reason.unwrap();
    assert!(reason.contains("the new version does not start: cannot connect to 127.0.0.1:1"), "{reason}");
    assert_eq!(agent.call("far", "echo", json!({"text": "on"})).await.as_deref(), Ok("on"));
    agent.stop().await;
}

#[tokio::test]
async fn a_command_of_a_label_is_run_here() {
    let server = Server::start(Speaks::Modern).await;
    let world = World::new();
    let labels = json!({"where": {"command": ["echo", "here"], "period": "1s"}});
    let spec = json!({"uri": format!("mcp+{}", server.url()), "dynamic_labels": labels});
    world.put("far.yaml", &json!({"kind": "app", "version": "v3", "metadata": {"name": "far"}, "spec": spec}));
    let mut agent = world.run();
    let ready = |app: &mcpfleet::status::model::AppStatus| app.state == Some(AppState::Ready);
    let row = agent.app("far", "labelled", |app| ready(app) && !app.dynamic_labels.is_empty()).await;
    assert_eq!(row.dynamic_labels["where"], "here");
    agent.stop().await;
}
