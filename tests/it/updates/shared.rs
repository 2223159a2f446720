//! A server that all clients share is replaced under them.

use super::fleet::{Load, gateway, put, run, serves};
use crate::{
    lifecycle::world::{World, only_pid},
    support::{Era, PlainClient, processes::marked},
};
use serde_json::{Value, json};

const CLIENTS: usize = 32;
const UPDATES: u64 = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_of_the_stateless_era_fails_over_200_updates() {
    no_call_fails(Era::Modern, &["--era", "modern"], &json!({})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_of_a_session_fails_over_200_updates_of_a_shared_server() {
    no_call_fails(Era::Legacy, &["--era", "legacy"], &json!({"sessions": "shared"})).await;
}

async fn no_call_fails(era: Era, flags: &[&str], settings: &Value) {
    let world = World::new();
    put(&world, "one", flags, settings, 0);
    let mut agent = run(&world);
    let gateway = gateway(&mut agent).await;
    let mut clients = Vec::new();
    for _ in 0..=CLIENTS {
        clients.push(PlainClient::of_era(&gateway, "one", era).await.unwrap());
    }
    let watcher = clients.pop().unwrap();
    let load = Load::start(clients);
    for update in 1..=UPDATES {
        put(&world, "one", flags, settings, update);
        serves(&watcher, update).await;
        load.goes_on(CLIENTS as u64).await;
    }
    let calls = load.end().await;
    println!("{era:?}: {calls} calls over {UPDATES} updates");
    // None of the versions before has left anything.
    let pid = agent.app("one", "one process", |app| only_pid(app).is_some()).await.instances[0].pid;
    assert_eq!(marked(&world.mark()), Vec::from_iter(pid));
    agent.stop().await;
    assert_eq!(marked(&world.mark()), Vec::<u32>::new());
}
