//! An agent with an app that is updated again and again, by edits of its file.

use crate::{
    lifecycle::world::{Agent, World},
    support::{Got, PlainClient, eventually},
};
use serde_json::{Value, json};
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
};
use tokio::task::JoinSet;

/// How long edits are collected: shorter than usual, because here they come one after another.
const WINDOW: &str = "20ms";

/// Runs an agent on the world's folder.
pub fn run(world: &World) -> Agent<'_> {
    let source = json!({"name": "local", "directory": {"path": world.path("fleet"), "window": WINDOW}});
    let config = world.configure_sources(&[source]);
    world.run_with(&["-c", &config, "--set", "gateway.listen=127.0.0.1:0"])
}

/// Where the gateway is.
pub async fn gateway(agent: &mut Agent<'_>) -> String {
    agent.ready().await.agent.gateway
}

/// Puts a version of an app into force: whole, as an editor does, so that no half of it is ever read.
pub fn put(world: &World, name: &str, flags: &[&str], settings: &Value, version: u64) {
    let mut app = world.app(name, flags);
    for (field, value) in settings.as_object().expect("an object") {
        app["spec"]["mcp"][field] = value.clone();
    }
    app["spec"]["mcp"]["env"]["VERSION"] = json!(version.to_string());
    let draft = world.file(&format!(".{name}.draft"));
    fs::write(&draft, app.to_string()).unwrap();
    fs::rename(draft, world.file(&format!("{name}.yaml"))).unwrap();
}

/// The version of the server that answers.
pub async fn version(client: &PlainClient) -> Result<u64, Got> {
    let got = client.call("env", json!({})).await;
    let version = got.text().and_then(|text| {
        let environment: Value = serde_json::from_str(text).ok()?;
        environment["VERSION"].as_str()?.parse().ok()
    });
    version.ok_or(got)
}

/// Waits until this version answers. That any does not answer is a failure.
pub async fn serves(client: &PlainClient, wanted: u64) {
    eventually(&format!("version {wanted} serves"), async || {
        let version = version(client).await.unwrap_or_else(|got| panic!("while {wanted} was awaited: {got:?}"));
        (version == wanted).then_some(())
    })
    .await;
}

/// Clients that call without pause, and what they got.
pub struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    clients: JoinSet<(u64, Vec<Got>)>,
}

impl Load {
    /// Each client has connections of its own.
    pub fn start(clients: impl IntoIterator<Item = PlainClient>) -> Load {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let clients = clients.into_iter().enumerate().map(|(number, client)| {
            let (stop, answered) = (stop.clone(), answered.clone());
            async move {
                let (mut calls, mut failed) = (0, Vec::new());
                while !stop.load(SeqCst) {
                    let text = format!("{number}/{calls}");
                    match client.call("echo", json!({"text": text})).await {
                        Got::Text(echoed) if echoed == text => _ = answered.fetch_add(1, SeqCst),
                        other => failed.push(other),
                    }
                    calls += 1;
                }
                (calls, failed)
            }
        });
        Load { clients: clients.collect(), stop, answered }
    }

    /// Waits until so many more calls have been answered.
    pub async fn goes_on(&self, calls: u64) {
        let before = self.answered.load(SeqCst);
        eventually("clients are answered", async || (self.answered.load(SeqCst) >= before + calls).then_some(())).await;
    }

    /// Ends it. Every call must have been answered, and every client have called. How many calls there were.
    pub async fn end(self) -> u64 {
        self.stop.store(true, SeqCst);
        let mut all = 0;
        for (calls, failed) in self.clients.join_all().await {
            assert_eq!(failed, [], "of {calls} calls of one client");
            assert!(calls > 0, "a client came to no call");
            all += calls;
        }
        all
    }
}
