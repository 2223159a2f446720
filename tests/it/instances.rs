//! The processes of sessions under a running agent: kept warm, bounded, ended when idle. And what they, and others that
//! take their time, mean for the agent as a whole.

use crate::{
    lifecycle::world::{Agent, World, app, gone, only_pid},
    support::{Era, Got, PlainClient, eventually, processes::marked},
};
use mcpfleet::status::model::{AgentState, AppState, InstanceRole};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::fs;

const LEGACY: &[&str] = &["--era", "legacy"];

fn with(world: &World, name: &str, flags: &[&str], settings: &Value) -> Value {
    let mut app = world.app(name, flags);
    for (field, value) in settings.as_object().expect("an object") {
        app["spec"]["mcp"][field] = value.clone();
    }
    app
}

async fn gateway(agent: &mut Agent<'_>) -> String {
    agent.until("a status", |status| Some(status.agent.gateway.clone())).await
}

/// The process of an app in this role, if there is just one.
async fn of_role(agent: &mut Agent<'_>, wanted: InstanceRole) -> u32 {
    agent
        .until(&format!("one {wanted:?}"), |status| {
            let mut pids = app(status, "one")?.instances.iter().filter(|i| i.role == wanted).map(|i| i.pid);
            pids.next().filter(|_| pids.next().is_none()).flatten()
        })
        .await
}

#[tokio::test]
async fn a_session_gets_the_warm_process_and_another_is_made() {
    let world = World::new();
    world.put("one.yaml", &with(&world, "one", LEGACY, &json!({})));
    let mut agent = world.run();
    let warm = of_role(&mut agent, InstanceRole::Warm).await;
    let client = PlainClient::new(&gateway(&mut agent).await, "one");
    let session = client.open().await.unwrap();
    assert_eq!(session.call("pid", json!({})).await, Got::Text(warm.to_string()));
    assert_eq!(of_role(&mut agent, InstanceRole::Session).await, warm);
    assert_ne!(of_role(&mut agent, InstanceRole::Warm).await, warm);
    agent.stop().await;
}

#[tokio::test]
async fn the_bound_on_instances_is_answered_with_the_time_to_ask_again() {
    let world = World::new();
    world.put("one.yaml", &with(&world, "one", LEGACY, &json!({"max_instances": 1})));
    let mut agent = world.run();
    agent.ready().await;
    let client = PlainClient::new(&gateway(&mut agent).await, "one");
    let session = client.open().await.unwrap();
    let refused = client.open().await.unwrap_err();
    let Got::Error { status: 503, code: -32010, message, retry_after: Some(1..), .. } = &refused else {
        panic!("{refused:?}");
    };
    assert_eq!(message, "all 1 instances are in use");
    session.delete().await;
    eventually("room for another", async || client.open().await.ok()).await;
    agent.stop().await;
}

#[tokio::test]
async fn an_idle_session_ends_with_its_process() {
    let world = World::new();
    world.put("one.yaml", &with(&world, "one", LEGACY, &json!({"idle_timeout": "1s"})));
    let mut agent = world.run();
    agent.ready().await;
    let client = PlainClient::of_era(&gateway(&mut agent).await, "one", Era::Legacy).await.unwrap();
    let pid: u32 = client.call("pid", json!({})).await.text().unwrap().parse().unwrap();
    gone(pid).await;
    let got = client.call("pid", json!({})).await;
    let Got::Error { status: 404, code: -32013, .. } = got else { panic!("{got:?}") };
    agent.app("one", "no session", |app| app.sessions == 0).await;
    // What stands for the app, and what is kept warm, is not idle.
    eventually("two processes", async || (marked(&world.mark()).len() == 2).then_some(())).await;
    agent.stop().await;
}

async fn readiness(gateway: &str) -> u16 {
    reqwest::get(format!("{gateway}/readyz")).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn an_agent_that_is_ready_stays_so_until_it_stops() {
    let world = World::new();
    let restart = json!({"initial_backoff": "10ms", "max_backoff": "10ms"});
    world.put("one.yaml", &with(&world, "one", &["--start-delay", "1500"], &json!({"restart": restart})));
    world.put("two.yaml", &world.app("two", &["--ignore-eof", "--ignore-sigterm"]));
    let mut agent = world.run();
    let gateway = gateway(&mut agent).await;
    agent.app("two", "ready", |app| app.state == Some(AppState::Ready)).await;
    assert_eq!(readiness(&gateway).await, 503, "one is being started");
    agent.ready().await;
    eventually("ready", async || (readiness(&gateway).await == 200).then_some(())).await;

    let crashed = agent.call("one", "crash", json!({"code": 3})).await;
    assert!(crashed.is_err(), "{crashed:?}");
    agent.app("one", "being started again", |app| app.state == Some(AppState::Starting)).await;
    assert_eq!(readiness(&gateway).await, 200, "one is being started again");
    world.put("three.yaml", &world.app("three", &["--never-ready"]));
    agent.app("three", "being started", |app| app.state == Some(AppState::Starting)).await;
    assert_eq!(readiness(&gateway).await, 200, "another has come");

    agent.signal(Signal::SIGTERM);
    agent.app("two", "being stopped", |app| app.state == Some(AppState::Draining)).await;
    assert_eq!(readiness(&gateway).await, 503, "no more clients");
    agent.signal(Signal::SIGTERM);
    agent.ended().await;
}

#[tokio::test]
async fn a_silent_server_does_not_keep_others_from_starting() {
    let world = World::new();
    let mute = json!({"startup_timeout": "1h", "stop": {"grace_period": "1h"}});
    world.put("mute.yaml", &with(&world, "mute", &["--never-ready"], &mute));
    let service = json!({"resources": [{"labels": {"*": "*"}}], "parallel_starts": 1, "shutdown_timeout": "1h"});
    let mut agent = world.run_configured(&json!({"app_service": service}));
    agent.app("mute", "being started", |app| app.state == Some(AppState::Starting) && app.instances.len() == 1).await;
    world.put("one.yaml", &world.app("one", &[]));
    agent.pid("one").await;
    agent.app("mute", "still being started", |app| app.state == Some(AppState::Starting)).await;
    // Nor does it keep the agent from stopping: the gateway's own question is nobody's open call.
    agent.stop().await;
}

/// How long a change is waited for before it is read is set so long that there is no doubt about what comes first.
#[tokio::test]
async fn a_change_that_has_not_been_read_yet_is_no_reason_to_say_that_all_is_done() {
    let world = World::new();
    world.put("one.yaml", &world.app("one", &[]));
    let source = json!({"name": "local", "directory": {"path": world.path("fleet"), "window": "3s"}});
    let config = world.configure_sources(&[source]);
    let mut agent = world.run_with(&["-c", &config, "--set", "gateway.listen=127.0.0.1:0"]);
    let pid = agent.pid("one").await;
    let before = agent.ready().await.sources[0].revision.clone();
    // What is no resource may change all the time, and says nothing.
    fs::write(world.file("notes.txt"), "").unwrap();
    agent.look_again().await;
    agent.ready().await;
    world.put("one.yaml", &with(&world, "one", &[], &json!({"max_instances": 3})));
    agent
        .until("that there is something to do", |status| {
            let unread = status.sources[0].revision == before;
            (unread && status.agent.state == AgentState::Reconciling).then_some(())
        })
        .await;
    let status = agent.ready().await;
    assert_ne!(status.sources[0].revision, before);
    assert_ne!(app(&status, "one").and_then(only_pid), Some(pid));
    agent.stop().await;
}
