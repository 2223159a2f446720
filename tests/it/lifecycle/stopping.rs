//! The end of an agent: asked for, forced, or by surprise. Nothing of a server is ever left.

use super::world::{Agent, World, app, runs};
use crate::support::{
    eventually,
    processes::{all_processes, marked, standing},
};
use mcpfleet::status::model::AppState;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::{
    fs,
    time::{Duration, Instant},
};

/// With these, a server ends by SIGKILL only, and has descendants in its own and in another session.
const STUBBORN: &[&str] = &["--ignore-eof", "--ignore-sigterm", "--fork-grandchild", "--setsid-grandchild"];

fn keepers(agent: &Agent<'_>) -> Vec<u32> {
    all_processes().filter(|pid| standing(*pid).is_some_and(|(_, parent, _)| parent == agent.id())).collect()
}

/// Waits until a call of `sleep` is open in the app's server.
async fn sleeping(agent: &Agent<'_>, name: &str) {
    eventually("an open call", async || {
        let stats = agent.call(name, "stats", json!({})).await.ok()?;
        let stats: Value = serde_json::from_str(&stats).unwrap();
        stats["seen"]["call:sleep"].as_u64().map(drop)
    })
    .await;
}

#[tokio::test]
async fn a_stop_waits_for_open_calls() {
    let world = World::new();
    world.put("one.yaml", &world.app("one", &[]));
    world.put("two.yaml", &world.app("two", &[]));
    let mut agent = world.run();
    let (one, two) = (agent.pid("one").await, agent.pid("two").await);
    let (answer, ()) = tokio::join!(agent.call("one", "sleep", json!({"ms": 1500})), async {
        sleeping(&agent, "one").await;
        agent.signal(Signal::SIGTERM);
        // What nobody uses does not wait for what somebody does.
        eventually("the idle server gone", async || (!runs(two)).then_some(())).await;
        assert!(runs(one));
    });
    assert_eq!(answer.as_deref(), Ok("slept 1500 ms"));
    assert_eq!(agent.ended().await.code(), Some(0), "{}", world.log());
    assert!(!runs(one) && marked(&world.mark()).is_empty());
    assert!(!world.control_socket().exists());
}

#[tokio::test]
async fn a_second_signal_forces() {
    let world = World::new();
    let mut one = world.app("one", STUBBORN);
    one["spec"]["mcp"]["stop"] = json!({"grace_period": "60s"});
    world.put("one.yaml", &one);
    let mut agent = world.run();
    let pid = agent.pid("one").await;
    agent.signal(Signal::SIGTERM);
    let draining = |status: &_| app(status, "one").filter(|app| app.state == Some(AppState::Draining)).map(drop);
    agent.until("the app is being stopped", draining).await;
    assert!(runs(pid));
    let forced = Instant::now();
    agent.signal(Signal::SIGTERM);
    assert_eq!(agent.ended().await.code(), Some(0), "{}", world.log());
    assert!(forced.elapsed() < Duration::from_secs(10), "{:?}", forced.elapsed());
    assert_eq!(marked(&world.mark()), Vec::<u32>::new());
}

/// The old server has an hour for its open call, under a name that another one has taken over: the agent's stop is for
/// both.
#[tokio::test]
async fn a_stop_reaches_what_is_being_stopped_already() {
    let world = World::new();
    let mut one = world.app("one", &[]);
    one["spec"]["mcp"]["stop"] = json!({"grace_period": "1h"});
    world.put("one.yaml", &one);
    let service = json!({"resources": [{"labels": {"*": "*"}}], "shutdown_timeout": "1s"});
    let mut agent = world.run_configured(&json!({"app_service": service}));
    let old = agent.pid("one").await;
    let (answer, ()) = tokio::join!(agent.call("one", "sleep", json!({"ms": 3_600_000})), async {
        sleeping(&agent, "one").await;
        world.remove("one.yaml");
        eventually("the app is being stopped", async || {
            let status = agent.client.status().await.ok()?;
            app(&status, "one").filter(|app| app.state == Some(AppState::Draining)).map(drop)
        })
        .await;
        one["metadata"]["description"] = json!("again");
        world.put("one.yaml", &one);
        eventually("a new server under the name", async || {
            let status = agent.client.status().await.ok()?;
            app(&status, "one").filter(|app| app.state == Some(AppState::Ready)).map(drop)
        })
        .await;
        assert!(runs(old));
        agent.signal(Signal::SIGTERM);
    });
    assert!(answer.is_err(), "{answer:?}");
    assert_eq!(agent.ended().await.code(), Some(0), "{}", world.log());
    assert_eq!(marked(&world.mark()), Vec::<u32>::new());
}

#[tokio::test]
async fn nothing_outlives_an_agent_that_is_killed() {
    let world = World::new();
    world.put("plain.yaml", &world.app("plain", &[]));
    world.put("stubborn.yaml", &world.app("stubborn", STUBBORN));
    let mut agent = world.run();
    let (plain, stubborn) = (agent.pid("plain").await, agent.pid("stubborn").await);
    let keepers = keepers(&agent);
    assert_eq!(keepers.len(), 2);
    let all = marked(&world.mark());
    // The two servers, the child of one and what it left behind in another session.
    assert!(all.len() >= 4 && all.contains(&plain) && all.contains(&stubborn), "{all:?}");

    agent.signal(Signal::SIGKILL);
    agent.ended().await;
    eventually("no process is left", async || {
        (marked(&world.mark()).is_empty() && !keepers.iter().any(|pid| runs(*pid))).then_some(())
    })
    .await;
    assert!(world.control_socket().exists(), "this test is about what is left behind");

    // The next agent takes over where this one was: same state, same socket.
    let mut agent = world.run();
    let again = agent.pid("plain").await;
    assert_ne!(again, plain);
    let left: Vec<_> = fs::read_dir(world.path("state/run")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    agent.pid("stubborn").await;
    agent.signal(Signal::SIGKILL);
    agent.ended().await;
    eventually("no process is left", async || marked(&world.mark()).is_empty().then_some(())).await;
}

#[tokio::test]
async fn a_hangup_makes_it_look_again() {
    let world = World::new();
    world.put("one.yaml", &world.app("one", &[]));
    let mut agent = world.run();
    let pid = agent.pid("one").await;
    let before = agent.ready().await.sources[0].last_read;
    agent.signal(Signal::SIGHUP);
    agent.soon("another look", |status| (status.sources[0].last_read > before).then_some(())).await;
    assert_eq!(agent.pid("one").await, pid);
    agent.stop().await;
}
