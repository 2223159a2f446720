//! Real servers in a sandbox, under the real agent.

use crate::support::{Agent, outside};
use mcpfleet::sys;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn app(name: &str, mcp: &Value) -> String {
    json!({"kind": "app", "version": "v3", "metadata": {"name": name}, "spec": {"mcp": mcp}}).to_string()
}

async fn calls(agent: &Agent, app: &str, tool: &str, arguments: &Value, expected: &str) {
    let said = agent.says(&["mcp", "call", app, tool, &arguments.to_string()]).await;
    assert!(said.contains(expected), "{said}");
}

/// Whether the sandbox of a server that has the agent's own user is whole: only landlock's version 9 keeps it from the
/// agent's control socket.
fn is_whole() -> bool {
    nix::unistd::Uid::effective().is_root() || sys::landlock_version().is_ok_and(|version| version >= 9)
}

async fn started(files: &[(&str, &str)]) -> Agent {
    let settings: &[&str] = if is_whole() { &[] } else { &["app_service.enforcement=best_effort"] };
    Agent::start_with(files, settings).await
}

fn in_force(status: &Value) {
    let shown = status["apps"][0]["confinement"].as_array().expect("what is in force");
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(shown.iter().all(|one| one["by"].is_string()), "{shown:?}");
    let gap = shown.iter().find_map(|one| one["gap"].as_str());
    assert_eq!(gap.is_none(), is_whole(), "{gap:?}");
    assert!(gap.is_none_or(|gap| gap.contains("control socket")), "{gap:?}");
}

#[tokio::test]
async fn the_own_binary_runs_in_a_sandbox() {
    let mcp = json!({"command": "mcpfleet", "args": ["demo-server"], "sandbox": {"network": false}});
    let mut agent = started(&[("demo.yaml", &app("demo", &mcp))]).await;
    in_force(&agent.ready().await);
    calls(&agent, "demo", "add", &json!({"a": 2, "b": 40}), "42").await;
    agent.stop().await;
}

#[tokio::test]
async fn nodes_server_runs_in_a_sandbox() {
    let Some(npm) = outside("npm's server in a sandbox", "MCPFLEET_TEST_SERVER_EVERYTHING") else { return };
    let script = npm.join("node_modules/@modelcontextprotocol/server-everything/dist/index.js");
    let mcp = json!({"command": "node", "args": [script], "sandbox": {"read": [npm], "network": false}});
    let mut agent = started(&[("everything.yaml", &app("everything", &mcp))]).await;
    in_force(&agent.ready().await);
    calls(&agent, "everything", "echo", &json!({"message": "grüß dich"}), "grüß dich").await;
    agent.stop().await;
}

#[tokio::test]
async fn pythons_server_runs_in_a_sandbox() {
    let Some(server) = outside("PyPI's server in a sandbox", "MCPFLEET_TEST_SERVER_TIME") else { return };
    let environment = server.ancestors().nth(2).expect("ENVIRONMENT/bin/PROGRAM");
    let python = std::fs::canonicalize(environment.join("bin/python")).expect("the Python of the environment");
    let installed: PathBuf = python.ancestors().nth(2).expect("PREFIX/bin/python").into();
    let read: Vec<&Path> = vec![environment, &installed];
    let mcp = json!({"command": server, "sandbox": {"read": read, "network": false}});
    let mut agent = started(&[("time.yaml", &app("time", &mcp))]).await;
    in_force(&agent.ready().await);
    let given = json!({"source_timezone": "Asia/Tokyo", "time": "09:00", "target_timezone": "Asia/Kolkata"});
    calls(&agent, "time", "convert_time", &given, "T05:30:00+05:30").await;
    agent.stop().await;
}
