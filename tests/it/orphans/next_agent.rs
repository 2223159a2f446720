//! What the next agent does about what an earlier one has left, and what it leaves alone.

use super::scene::{Everything, agent_id, keepers, kill_all, kill_hard};
use crate::{
    lifecycle::world::{World, runs},
    support::{
        eventually,
        processes::{all_processes, marked, standing},
    },
};
use nix::sys::signal::Signal;
use serde_json::json;
use std::process::{Child, Command, Stdio};

const CLINGING: &[&str] = &["--ignore-eof", "--ignore-sigterm", "--fork-grandchild", "--setsid-grandchild"];

/// An app whose server ends by SIGKILL only.
fn clinging(world: &World, name: &str) -> serde_json::Value {
    let mut app = world.app(name, CLINGING);
    app["spec"]["mcp"]["stop"] = json!({"grace_period": "1s"});
    app
}

fn sleeper(marker: &str) -> Child {
    let mut command = Command::new("sleep");
    command.arg("600").env("MCPFLEET_INSTANCE", marker).stdin(Stdio::null()).spawn().unwrap()
}

#[tokio::test]
async fn what_outlives_agent_and_keepers_ends_when_the_next_agent_starts() {
    let world = World::new();
    world.put("one.yaml", &clinging(&world, "one"));
    let mut agent = world.run();
    agent.pid("one").await;
    eventually("all of the server runs", async || (marked(&world.mark()).len() == 3).then_some(())).await;
    kill_all(&world, &mut agent).await;
    // The kernel has killed the server itself. Otherwise there would be nothing to test here.
    eventually("its children alone", async || (Everything::of(&world, false).processes.len() == 2).then_some(())).await;

    world.remove("one.yaml");
    let mut agent = world.run();
    agent.ready().await;
    assert!(Everything::of(&world, false).is_nothing());
    assert!(world.log().contains("killed processes that an earlier agent left behind"), "{}", world.log());
    agent.stop().await;
}

#[tokio::test]
async fn keepers_that_are_at_it_may_finish() {
    let world = World::new();
    world.put("one.yaml", &clinging(&world, "one"));
    let mut agent = world.run();
    agent.pid("one").await;
    let before = Everything::of(&world, false);
    assert_eq!(before.keepers.len(), 1);
    agent.signal(Signal::SIGKILL);
    agent.ended().await;
    // The keeper has a second for the server, during which the next agent starts.
    let mut agent = world.run();
    agent.pid("one").await;
    assert!(Everything::of(&world, false).is_free_of(&before));
    assert!(!world.log().contains("left behind"), "{}", world.log());
    agent.stop().await;
}

#[tokio::test]
async fn an_agent_that_is_refused_kills_nothing() {
    let world = World::new();
    world.put("one.yaml", &world.app("one", &[]));
    let mut agent = world.run();
    let pid = agent.pid("one").await;
    let mut earlier = sleeper(&format!("{}.0123.one-1", agent_id(&world)));
    let mut others = sleeper("0123456789abcdef.0123.one-1");

    let run = ["fleet", "--set", "gateway.listen=127.0.0.1:0"];
    let (code, error) = world.refused(&run).await;
    assert!(code == Some(3) && error.contains("another agent uses the state_dir"), "{error}");
    let elsewhere = format!("state_dir={}", world.path("other").display());
    let mut command = world.command(&run);
    let refused = command.args(["--set", &elsewhere]).output().await.unwrap();
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(3) && error.contains("another agent answers"), "{error}");
    assert_eq!((earlier.try_wait().unwrap(), agent.pid("one").await), (None, pid));
    assert!(runs(pid));
    agent.stop().await;

    let listening = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = format!("gateway.listen={}", listening.local_addr().unwrap());
    let (code, error) = world.refused(&["fleet", "--set", &taken]).await;
    assert!(code == Some(3) && error.contains("cannot listen"), "{error}");
    assert_eq!(earlier.try_wait().unwrap(), None);

    let mut agent = world.run();
    agent.pid("one").await;
    assert_eq!(earlier.wait().unwrap().code(), None);
    assert_eq!(others.try_wait().unwrap(), None);
    others.kill().unwrap();
    others.wait().unwrap();
    agent.stop().await;
}

#[tokio::test]
async fn a_lost_keeper_takes_all_of_its_server_along_and_no_other() {
    let world = World::new();
    world.put("one.yaml", &clinging(&world, "one"));
    let mut agent = world.run();
    let one = agent.pid("one").await;
    eventually("all of the server runs", async || (marked(&world.mark()).len() == 3).then_some(())).await;
    let before = Everything::of(&world, false);
    world.put("two.yaml", &clinging(&world, "two"));
    let two = agent.pid("two").await;
    let (_, keeper, _) = standing(one).unwrap();
    kill_hard([keeper]);
    agent.app("one", "restarted", |app| app.instances.iter().any(|i| i.pid.is_some_and(|pid| pid != one))).await;
    assert!(Everything::of(&world, false).is_free_of(&before));
    assert!(runs(two));
    // Neither keepers nor what they had stay with the agent as zombies.
    let zombie = |pid: &u32| standing(*pid).is_some_and(|(state, parent, _)| state == 'Z' && parent == agent.id());
    eventually("no zombie", async || (!all_processes().any(|pid| zombie(&pid))).then_some(())).await;
    agent.stop().await;
    assert!(Everything::of(&world, false).processes.is_empty());
}

#[tokio::test]
async fn servers_know_their_instance_and_cannot_deny_it() {
    let world = World::new();
    let mut one = world.app("one", &[]);
    one["spec"]["mcp"]["env"]["MCPFLEET_INSTANCE"] = json!("mine");
    world.put("one.yaml", &one);
    let mut agent = world.run();
    agent.pid("one").await;
    let environment = agent.call("one", "env", json!({})).await.unwrap();
    let environment: serde_json::Value = serde_json::from_str(&environment).unwrap();
    let marker = environment["MCPFLEET_INSTANCE"].as_str().unwrap();
    assert!(marker.starts_with(&format!("{}.", agent_id(&world))) && marker.ends_with(".one-1"), "{marker}");
    assert_eq!(keepers(&world).len(), 1);
    agent.stop().await;
}
