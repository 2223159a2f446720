//! Clients that come, do something, and go in every way there is.

use super::{chance::Chance, fleet::Fleet};
use crate::support::{Era, Got, PlainClient};
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What became of calls, by kind.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<Mutex<BTreeMap<String, usize>>>);

impl Tally {
    fn count(&self, what: &str) {
        *self.0.lock().unwrap().entry(what.to_owned()).or_default() += 1;
    }

    pub fn of(&self, what: &str) -> usize {
        self.0.lock().unwrap().get(what).copied().unwrap_or_default()
    }

    pub fn all(&self) -> BTreeMap<String, usize> {
        self.0.lock().unwrap().clone()
    }
}

/// Clients that work until the token says so.
pub fn churn(
    gateway: &str,
    clients: usize,
    chance: &mut Chance,
    tally: &Tally,
    stop: &CancellationToken,
) -> JoinSet<()> {
    let mut churning = JoinSet::new();
    for _ in 0..clients {
        let (gateway, mut chance, tally) = (gateway.to_owned(), chance.fork(), tally.clone());
        let stop = stop.clone();
        churning.spawn(async move {
            while !stop.is_cancelled() {
                visit(&gateway, &mut chance, &tally).await;
                tokio::time::sleep(chance.millis(1, 60)).await;
            }
        });
    }
    churning
}

async fn visit(gateway: &str, chance: &mut Chance, tally: &Tally) {
    let app = chance.of_these(&Fleet::names()).clone();
    match chance.below(12) {
        0 => follow(gateway, &app, chance, tally).await,
        1 => broken(gateway, &app, chance, tally).await,
        _ => calls(gateway, &app, chance, tally).await,
    }
}

async fn calls(gateway: &str, app: &str, chance: &mut Chance, tally: &Tally) {
    let era = *chance.of_these(&Era::BOTH);
    let client = match PlainClient::of_era(gateway, app, era).await {
        Ok(client) => client,
        Err(got) => return tally.count(kind(&got)),
    };
    for _ in 0..1 + chance.below(8) {
        let got = match chance.below(10) {
            // It gives up in the middle of it.
            0 => client.call_within(chance.millis(5, 50), "sleep", json!({"ms": 300})).await,
            1 => client.call("sleep", json!({"ms": 50, "steps": 5})).await,
            2 => client.call("crash", json!({"code": 7})).await,
            3 => client.call("big", json!({"bytes": 200_000})).await,
            _ => client.call("echo", json!({"text": app})).await,
        };
        tally.count(kind(&got));
    }
    match chance.below(3) {
        // Without a word.
        0 => {}
        _ => drop(client.delete().await),
    }
}

/// Reads what the page reads, and goes in the middle of it.
async fn follow(gateway: &str, app: &str, chance: &mut Chance, tally: &Tally) {
    let paths = [
        "/v1/events?follow=true",
        "/v1/apps/APP/logs?follow=true",
        "/v1/watch",
        "/v1/status",
        "/v1/apps/APP",
        "/v1/apps/APP/history",
        "/v1/changes",
        "/metrics",
    ];
    let path = chance.of_these(&paths).replace("APP", app);
    let Ok(mut response) = reqwest::get(format!("{gateway}{path}")).await else { return tally.count("broken") };
    let read = async { while let Ok(Some(_)) = response.chunk().await {} };
    let _ = tokio::time::timeout(chance.millis(10, 500), read).await;
    tally.count("followed");
}

/// Sends what is no message, or half of one.
async fn broken(gateway: &str, app: &str, chance: &mut Chance, tally: &Tally) {
    use tokio::io::AsyncWriteExt as _;
    let address = gateway.trim_start_matches("http://");
    let Ok(mut stream) = tokio::net::TcpStream::connect(address).await else { return tally.count("broken") };
    let head = format!("POST /mcp/{app} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n");
    let rest = *chance.of_these(&["content-length: 100\r\n\r\n{\"jsonrpc\"", "content-length: 3\r\n\r\n{]}", "x"]);
    let _ = stream.write_all(format!("{head}{rest}").as_bytes()).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    tally.count("half a message");
}

/// An answer, an error that says what is wrong, or none of these.
fn kind(got: &Got) -> &'static str {
    match got {
        Got::Text(_) => "answered",
        Got::Error { .. } => "told why not",
        Got::Silence => "gave up",
        Got::Broken(why) => {
            println!("broken: {why}");
            "broken"
        }
    }
}
