//! What the agent says of git: an app's history, the commits of a source, what waits, and what a branch would bring.

mod changes;
mod detail;
mod history;
mod preview;

use crate::lifecycle::world::Agent;
use mcpfleet::{
    authorize::ObjectId,
    client::{endpoint::Endpoint, http::HttpClient},
};
use serde_json::Value;
use std::path::PathBuf;

/// What is answered on a control socket: the status and the body.
async fn ask(socket: PathBuf, path: &str) -> (u16, Value) {
    ask_at(Endpoint::Unix(socket), path).await
}

async fn ask_at(endpoint: Endpoint, path: &str) -> (u16, Value) {
    let client = HttpClient::new(vec![endpoint], None);
    let response = client.send(hyper::Method::GET, path, hyper::HeaderMap::new(), bytes::Bytes::new()).await.unwrap();
    let status = response.status.as_u16();
    let body = response.body.read(64 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{path}: {error}")))
}

/// The same of an agent, which must have an answer.
async fn get(agent: &Agent<'_>, path: &str) -> Value {
    let (status, answer) = ask(agent.control_socket(), path).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

/// The status and the code of a refusal.
async fn refusal(agent: &Agent<'_>, path: &str) -> (u16, String) {
    let (status, answer) = ask(agent.control_socket(), path).await;
    assert!(answer["error"]["message"].as_str().is_some_and(|message| message.len() > 10), "{path}: {answer}");
    (status, answer["error"]["code"].as_str().unwrap_or_default().to_owned())
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().unwrap_or_else(|| panic!("no list {name} in {value}"))
}

/// Some fields of each item of a list.
fn fields<const N: usize>(items: &[Value], names: [&str; N]) -> Vec<[String; N]> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    items.iter().map(|item| names.map(|name| text(&item[name]))).collect()
}

/// Rows as [`fields`] gives them.
fn rows<const N: usize>(rows: &[[&str; N]]) -> Vec<[String; N]> {
    rows.iter().map(|row| row.map(str::to_owned)).collect()
}

/// The ids, to be compared with.
fn ids<const N: usize>(commits: [ObjectId; N]) -> [String; N] {
    commits.map(|commit| commit.to_string())
}
