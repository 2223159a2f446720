//! An agent with an app for each fault, and the words for what happens to them.

use super::{
    processes::Traces,
    rows::{Client, Row, Shown, rows},
};
use crate::{
    lifecycle::world::{Agent, World, app},
    support::{Era, Got, PlainClient, eventually},
};
use mcpfleet::{
    protocol::codes,
    status::model::{AppState, AppStatus},
};
use serde_json::{Value, json};
use std::{fs, path::PathBuf, time::Duration};
use tokio::task::JoinHandle;

/// How long a client waits for a server that hangs. All others have the patience of the test.
const CLIENTS_PATIENCE: Duration = Duration::from_secs(1);

pub struct Stage<'w> {
    pub world: &'w World,
    pub agent: Agent<'w>,
    pub gateway: String,
    pub era: Era,
    good: bool,
}

impl<'w> Stage<'w> {
    /// An agent with an app of each row, named after its fault, or with good ones under these names.
    pub async fn start(world: &'w World, era: Era, good: bool) -> Stage<'w> {
        let service = json!({
            "resources": [{"labels": {"*": "*"}}],
            "shutdown_timeout": "60s",
            // Those that are silent must not make the others wait: that is not what this is about.
            "parallel_starts": rows(era).len(),
        });
        let config = world
            .configure(&json!({"app_service": service, "prune": {"allow_empty": true}, "gateway": {"auth": "open"}}));
        for row in rows(era) {
            put(world, era, row, if good { Version::Good } else { Version::Faulty });
        }
        let mut agent = world.run_with(&["-c", &config, "--set", "gateway.listen=127.0.0.1:0"]);
        let gateway = agent.until("a status", |status| Some(status.agent.gateway.clone())).await;
        Stage { world, agent, gateway, era, good }
    }

    pub fn rows(&self) -> Vec<&'static Row> {
        rows(self.era)
    }

    /// Waits until the status shows this of each row.
    pub async fn shows(&mut self, when: &str, shown: impl Fn(&Row) -> Shown) {
        for row in self.rows() {
            let shown = shown(row);
            let what = format!("{when}: {shown:?}");
            self.agent.app(row.fault, &what, |app| is_shown(app, shown)).await;
        }
    }

    /// A call for each row. Those that come to an end only when the test says so do when there is a file
    /// [`Stage::release`]; this returns once the server has them.
    pub async fn open_calls(&mut self) -> Vec<Open> {
        let mut calls = Vec::new();
        for row in self.rows() {
            let opened = PlainClient::of_era(&self.gateway, row.fault, self.era).await;
            let (client, arguments) = (opened.as_ref().ok().cloned(), json!({"path": self.release()}));
            let call = tokio::spawn(async move {
                match opened {
                    Ok(client) => client.call("hold", arguments).await,
                    Err(got) => got,
                }
            });
            let open = Open { row, client, call };
            eventually(&format!("{}: an open call, or its end", row.fault), async || {
                (open.call.is_finished() || self.is_held(row, open.client.as_ref()).await).then_some(())
            })
            .await;
            calls.push(open);
        }
        calls
    }

    async fn is_held(&self, row: &Row, client: Option<&PlainClient>) -> bool {
        match client {
            // The question would be the call at which it ends.
            _ if row.call == Client::Gone && !self.good => false,
            // It would not answer.
            _ if row.call == Client::Silence && !self.good => self.log(row).await.contains("hanging at tools/call"),
            Some(client) => {
                let stats = client.call("stats", json!({})).await;
                stats.text().is_some_and(|stats| stats.contains("call:hold"))
            }
            None => false,
        }
    }

    /// What the app has written to its stderr.
    async fn log(&self, row: &Row) -> String {
        let url = format!("{}/v1/apps/{}/logs?tail=2000", self.gateway, row.fault);
        match reqwest::get(url).await {
            Ok(response) => response.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// The file that makes open calls end.
    pub fn release(&self) -> PathBuf {
        self.world.path("release")
    }

    pub fn let_calls_end(&self) {
        fs::write(self.release(), "").unwrap();
    }

    pub fn put(&self, row: &Row, version: Version) {
        put(self.world, self.era, row, version);
    }

    /// What all processes of a faulty server have in their environment.
    pub fn mark(&self, row: &Row) -> String {
        mark(self.world, row, Version::Faulty)
    }

    pub fn traces(&self) -> Traces {
        Traces::of(&self.agent)
    }

    /// What a call gets.
    pub async fn call(&self, row: &Row) -> Got {
        match PlainClient::of_era(&self.gateway, row.fault, self.era).await {
            Ok(client) if row.call == Client::Silence => {
                client.call_within(CLIENTS_PATIENCE, "echo", json!({"text": row.fault})).await
            }
            Ok(client) => client.call("echo", json!({"text": row.fault})).await,
            Err(got) => got,
        }
    }

    pub async fn is_gone(&mut self, row: &Row) {
        self.agent.until("the app is gone", |status| app(status, row.fault).is_none().then_some(())).await;
    }
}

/// A call that is open.
pub struct Open {
    pub row: &'static Row,
    client: Option<PlainClient>,
    call: JoinHandle<Got>,
}

impl Open {
    /// What it came to in the end. Its client leaves then.
    pub async fn end(self) -> Got {
        let got = self.call.await.unwrap();
        if let Some(client) = &self.client {
            client.delete().await;
        }
        got
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    Good,
    Faulty,
}

fn put(world: &World, era: Era, row: &Row, version: Version) {
    let flags: &[&str] = if version == Version::Good { &[] } else { row.flags };
    let flags = [flags, &["--era", if era == Era::Legacy { "legacy" } else { "modern" }]].concat();
    let mut app = world.app(row.fault, &flags);
    let mcp = &mut app["spec"]["mcp"];
    let (name, value) =
        mark(world, row, version).split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap();
    mcp["env"][name] = json!(value);
    mcp["startup_timeout"] = json!(row.startup_timeout);
    if row.health {
        mcp["health"] = json!({"interval": "200ms", "timeout": "500ms", "failures": 1});
    }
    if let Some(memory) = row.memory.filter(|_| version == Version::Faulty) {
        mcp["limits"] = json!({"memory": memory});
    }
    // Once it has failed it stays so for as long as anybody looks.
    mcp["restart"] = json!({"initial_backoff": "1h", "max_backoff": "1h"});
    mcp["stop"] = stop(row, version);
    let (draft, file) = (world.file(&format!(".{}.draft", row.fault)), world.file(&format!("{}.yaml", row.fault)));
    fs::write(&draft, app.to_string()).unwrap();
    fs::rename(draft, file).unwrap();
}

/// An answer that comes when the test says so must not be cut off; what does not answer must not hold up the test.
fn stop(row: &Row, version: Version) -> Value {
    let clings = row.flags.contains(&"--ignore-sigterm");
    match row.stopped {
        _ if version == Version::Good => json!({"grace_period": "60s", "drain_timeout": "60s"}),
        Client::Answer if !clings => json!({"grace_period": "60s", "drain_timeout": "60s"}),
        Client::Answer => json!({"grace_period": "3s", "drain_timeout": "60s"}),
        _ => json!({"grace_period": "500ms", "drain_timeout": "500ms"}),
    }
}

fn mark(world: &World, row: &Row, version: Version) -> String {
    format!("FAULT={}:{}:{version:?}", world.path("").display(), row.fault)
}

pub fn is_shown(app: &AppStatus, shown: Shown) -> bool {
    match shown {
        Shown::Well => app.state == Some(AppState::Ready) && app.reason.is_none(),
        Shown::Because(state, why) => {
            app.state == Some(state) && app.reason.as_deref().unwrap_or_default().contains(why)
        }
    }
}

/// Whether this is what a client was to get.
pub fn is_got(got: &Got, wanted: Client, answer: &str) -> bool {
    match (wanted, got) {
        (Client::Answer, Got::Text(text)) => text == answer,
        (Client::Gone, Got::Error { code: codes::SERVER_GONE, status: 200, message, .. }) => {
            message.starts_with("the server ended before it answered: ")
        }
        (Client::Unready(wanted), Got::Error { code: codes::UNAVAILABLE, status: 503, state, retry_after, .. }) => {
            *state == Some(wanted.to_string()) && retry_after.is_some_and(|seconds| seconds > 0)
        }
        (Client::Silence, Got::Silence) | (Client::Broken, Got::Broken(_)) => true,
        _ => false,
    }
}
