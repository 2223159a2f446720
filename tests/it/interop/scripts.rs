//! Clients that are driven by a script in `tests/clients`.

use super::{
    World,
    world::{Call, calls},
};
use crate::support::Era;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{path::Path, time::Duration};
use tokio::process::Command;

/// What a script has found at a server.
#[derive(Debug, Deserialize)]
struct Visited {
    version: String,
    tools: Vec<String>,
    results: Vec<Outcome>,
}

#[derive(Debug, Deserialize)]
struct Outcome {
    text: String,
    progress: u64,
}

/// Lets a client visit all servers in both eras, over HTTP and through the bridge. `script` makes the command, but for
/// the plan at its end.
async fn visit(world: &World, eras: &[Era], script: impl Fn(Era) -> Command) {
    let calls = calls();
    let mut apps: Vec<&str> = calls.iter().map(|call| call.app).collect();
    apps.dedup();
    for era in eras {
        for way in 0..2 {
            let plan: Vec<Value> = apps.iter().map(|app| plan(world, app, way, &calls)).collect();
            let mut client = script(*era);
            client.arg(json!(plan).to_string()).kill_on_drop(true);
            let output = tokio::time::timeout(Duration::from_secs(120), client.output()).await;
            let output = output.expect("the client ends").expect("the client starts");
            let (said, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            let told = format!("{era:?} {plan:?}: {said}\n{stderr}\n{}", world.agent.log());
            assert!(output.status.success(), "{told}");
            let visited: Vec<Visited> = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {told}"));
            assert_eq!(visited.len(), apps.len(), "{told}");
            for (app, visited) in apps.iter().zip(visited) {
                check(*era, app, &visited, &calls);
            }
        }
    }
}

fn plan(world: &World, app: &str, way: usize, calls: &[Call]) -> Value {
    let calls = calls.iter().filter(|call| call.app == app);
    let calls: Vec<Value> = calls.map(|call| json!({"tool": call.tool, "arguments": call.given})).collect();
    json!({"way": world.ways(app)[way], "calls": calls})
}

fn check(era: Era, app: &str, visited: &Visited, calls: &[Call]) {
    assert_eq!(visited.version, era.version().as_str(), "{era:?} {app}");
    let calls: Vec<&Call> = calls.iter().filter(|call| call.app == app).collect();
    assert_eq!(visited.results.len(), calls.len(), "{visited:?}");
    for (call, outcome) in calls.into_iter().zip(&visited.results) {
        assert!(visited.tools.iter().any(|tool| tool == call.tool), "{era:?} {app}: no {} in {visited:?}", call.tool);
        let found = outcome.text.contains(call.answer) && outcome.progress >= call.progress;
        assert!(found, "{era:?} {app} {}: {outcome:?}", call.tool);
    }
}

fn script(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

/// How a client is told which era it shall prefer.
fn mode(era: Era) -> &'static str {
    match era {
        Era::Legacy => "legacy",
        Era::Modern => "auto",
    }
}

/// `MCPFLEET_TEST_PYTHON`: a Python that has the package `mcp`.
#[tokio::test]
async fn the_python_sdk() {
    let Some((world, python)) = World::with("the client of PyPI's mcp", "MCPFLEET_TEST_PYTHON").await else { return };
    visit(&world, &Era::BOTH, |era| {
        let mut client = Command::new(&python);
        client.arg(script("python_sdk.py")).arg(mode(era));
        client
    })
    .await;
    world.agent.stop().await;
}

/// `MCPFLEET_TEST_FASTMCP`: a Python that has the package `fastmcp`.
#[tokio::test]
async fn fastmcp() {
    let Some((world, python)) = World::with("the client of PyPI's fastmcp", "MCPFLEET_TEST_FASTMCP").await else {
        return;
    };
    visit(&world, &Era::BOTH, |era| {
        let mut client = Command::new(&python);
        client.arg(script("fastmcp_client.py")).arg(mode(era));
        client
    })
    .await;
    world.agent.stop().await;
}

/// `MCPFLEET_TEST_CLIENTS_NPM`: a folder with npm's `@modelcontextprotocol/client` and `@modelcontextprotocol/sdk`.
async fn npm(package: &str, eras: &[Era]) {
    let test = format!("the client of npm's {package}");
    let Some((world, folder)) = World::with(&test, "MCPFLEET_TEST_CLIENTS_NPM").await else { return };
    visit(&world, eras, |era| {
        let mut client = Command::new("node");
        client.arg(script("npm.mjs")).arg(&folder).args([package, mode(era)]);
        client
    })
    .await;
    world.agent.stop().await;
}

#[tokio::test]
async fn the_typescript_sdk() {
    npm("client", &Era::BOTH).await;
}

/// Version 1 of it, which will stay with the era of sessions.
#[tokio::test]
async fn the_old_typescript_sdk() {
    npm("sdk", &[Era::Legacy]).await;
}
