//! Sessions with a process of their own stay on the version that they began with, for as long as they may.

use super::fleet::{gateway, put, run, serves, version};
use crate::{
    lifecycle::world::{World, only_pid},
    support::{Era, Got, PlainClient, eventually, processes::marked},
};
use mcpfleet::status::model::InstanceRole;
use serde_json::{Value, json};
use std::{fs, path::Path};
use tokio::task::JoinHandle;

const FLAGS: &[&str] = &["--era", "legacy"];
const UPDATES: u64 = 50;

/// A call that is open until there is a file, in a task of its own.
fn hold(client: &PlainClient, file: &Path) -> JoinHandle<Got> {
    let (client, arguments) = (client.clone(), json!({"path": file}));
    tokio::spawn(async move { client.call("hold", arguments).await })
}

/// Waits until the server of the session has such a call.
async fn holds(client: &PlainClient) {
    eventually("an open call", async || {
        let stats: Value = serde_json::from_str(client.call("stats", json!({})).await.text()?).unwrap();
        stats["seen"]["call:hold"].as_u64().map(drop)
    })
    .await;
}

/// Whether such a call has not come to an end; says what it has come to if it has.
async fn is_open(held: &mut JoinHandle<Got>) -> bool {
    if held.is_finished() {
        println!("an open call came to {:?}", held.await);
        return false;
    }
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_session_with_a_long_call_breaks_over_50_updates() {
    let world = World::new();
    let release = world.path("release");
    put(&world, "one", FLAGS, &json!({}), 0);
    let mut agent = run(&world);
    let gateway = gateway(&mut agent).await;
    let mut sessions = Vec::new();
    for update in 0..UPDATES {
        let session = PlainClient::of_era(&gateway, "one", Era::Legacy).await.unwrap();
        let held = hold(&session, &release);
        holds(&session).await;
        sessions.push((update, session, held));
        put(&world, "one", FLAGS, &json!({}), update + 1);
        eventually("new sessions are on the new version", async || {
            let session = PlainClient::of_era(&gateway, "one", Era::Legacy).await.unwrap();
            let found = version(&session).await.unwrap();
            session.delete().await;
            (found == update + 1).then_some(())
        })
        .await;
        // None of the calls has come to an end, and every session goes on beside its call.
        for (version_of, session, held) in &mut sessions {
            assert!(is_open(held).await, "the call of version {version_of}");
            assert_eq!(version(session).await, Ok(*version_of));
        }
    }
    let status = agent.app("one", "all its sessions", |app| app.sessions == sessions.len()).await;
    let draining = status.instances.iter().filter(|i| i.draining && i.role == InstanceRole::Session).count();
    assert_eq!(draining, sessions.len(), "{status:#?}");

    fs::write(&release, "").unwrap();
    for (version_of, session, held) in sessions {
        assert_eq!(held.await.unwrap(), Got::Text("held".into()), "the call of version {version_of}");
        assert_eq!(version(&session).await, Ok(version_of), "the session goes on after its call");
        assert_eq!(session.delete().await, Some(204));
    }
    // The newest version's first process and the one that is kept warm.
    eventually("nothing of the old versions is left", async || (marked(&world.mark()).len() == 2).then_some(())).await;
    agent.stop().await;
    assert_eq!(marked(&world.mark()), Vec::<u32>::new());
}

#[tokio::test]
async fn after_drain_timeout_a_session_ends_and_its_open_call_does_not() {
    let world = World::new();
    let (release, settings) = (world.path("release"), json!({"stop": {"drain_timeout": "2s"}, "warm": 0}));
    put(&world, "one", FLAGS, &settings, 1);
    let mut agent = run(&world);
    let gateway = gateway(&mut agent).await;
    let session = PlainClient::of_era(&gateway, "one", Era::Legacy).await.unwrap();
    let mut held = hold(&session, &release);
    holds(&session).await;
    put(&world, "one", FLAGS, &settings, 2);
    let refused = eventually("the session has ended", async || match version(&session).await {
        Ok(version) => {
            assert_eq!(version, 1, "a session never changes its version");
            None
        }
        Err(got) => Some(got),
    })
    .await;
    let Got::Error { status: 404, code: -32013, .. } = refused else { panic!("{refused:?}") };
    assert!(is_open(&mut held).await, "an open call is not lost");
    let fresh = PlainClient::of_era(&gateway, "one", Era::Legacy).await.unwrap();
    serves(&fresh, 2).await;
    fs::write(&release, "").unwrap();
    assert_eq!(held.await.unwrap(), Got::Text("held".into()));
    fresh.delete().await;
    let pid = agent.app("one", "one process", |app| only_pid(app).is_some()).await.instances[0].pid;
    assert_eq!(marked(&world.mark()), Vec::from_iter(pid));
    agent.stop().await;
}
