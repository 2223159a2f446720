//! Real servers and real clients that are not ours, with the real agent between them.

use crate::support::{Agent, Era, RealClient, arguments, demo_app, outside, text};
use rmcp::{RoleClient, model::CallToolRequestParams, service::RunningService};
use serde_json::{Value, json};
use std::path::Path;

/// A resource file for a server from elsewhere.
fn resource(name: &str, command: &Path, args: &[&Path]) -> String {
    let mcp = json!({"command": command, "args": args});
    json!({"kind": "app", "version": "v3", "metadata": {"name": name}, "spec": {"mcp": mcp}}).to_string()
}

/// Node's server with everything in it.
fn everything(folder: &Path) -> String {
    let script = folder.join("node_modules/@modelcontextprotocol/server-everything/dist/index.js");
    resource("everything", Path::new("node"), &[&script])
}

/// What a client should find: a tool of an app, what to call it with, and what the answer has in it.
struct Call {
    app: &'static str,
    tool: &'static str,
    given: Value,
    answer: &'static str,
}

fn demo() -> Call {
    Call { app: "demo", tool: "add", given: json!({"a": 2, "b": 40}), answer: "42" }
}

fn echo() -> Call {
    Call { app: "everything", tool: "echo", given: json!({"message": "grüß dich"}), answer: "Echo: grüß dich" }
}

fn time() -> Call {
    let given = json!({"source_timezone": "Asia/Tokyo", "time": "09:00", "target_timezone": "Asia/Kolkata"});
    Call { app: "time", tool: "convert_time", given, answer: "T05:30:00+05:30" }
}

type Rmcp = RunningService<RoleClient, RealClient>;

/// The official Rust SDK, over HTTP and through the bridge.
async fn rmcp(agent: &Agent, era: Era, app: &'static str) -> [Rmcp; 2] {
    let bridge = agent.command(&["mcp", "connect", app]);
    [RealClient::new(era).connect(&agent.url(app)).await, RealClient::new(era).spawn(bridge).await]
}

async fn check(client: Rmcp, era: Era, call: &Call) {
    assert_eq!(client.peer_info().expect("negotiated").protocol_version, era.version());
    let tools = client.list_all_tools().await.expect("a list of tools");
    assert!(tools.iter().any(|tool| tool.name == call.tool), "{tools:?}");
    let request = CallToolRequestParams::new(call.tool).with_arguments(arguments(call.given.clone()));
    let result = client.call_tool(request).await.expect("a result");
    assert!(text(&result).contains(call.answer), "{result:?}");
    client.cancel().await.expect("the client ends");
}

#[tokio::test]
async fn rmcp_in_both_eras_with_the_demo_server() {
    let agent = Agent::start(&[("demo.yaml", &demo_app("demo"))]).await;
    for era in Era::BOTH {
        for client in rmcp(&agent, era, "demo").await {
            check(client, era, &demo()).await;
        }
    }
    agent.stop().await;
}

#[tokio::test]
async fn rmcp_with_the_servers_of_npm_and_pypi() {
    let test = "rmcp with servers of npm and PyPI";
    let Some(npm) = outside(test, "MCPFLEET_TEST_SERVER_EVERYTHING") else { return };
    let Some(time_server) = outside(test, "MCPFLEET_TEST_SERVER_TIME") else { return };
    let time_resource = resource("time", &time_server, &[]);
    let agent = Agent::start(&[("everything.yaml", &everything(&npm)), ("time.yaml", &time_resource)]).await;
    for call in [echo(), time()] {
        for client in rmcp(&agent, Era::Legacy, call.app).await {
            check(client, Era::Legacy, &call).await;
        }
    }
    agent.stop().await;
}

/// `MCPFLEET_TEST_PYTHON`: a Python that has the package `mcp`.
#[tokio::test]
async fn the_python_sdk_lists_and_calls() {
    let test = "the client of PyPI's mcp";
    let Some(python) = outside(test, "MCPFLEET_TEST_PYTHON") else { return };
    let Some(npm) = outside(test, "MCPFLEET_TEST_SERVER_EVERYTHING") else { return };
    let agent = Agent::start(&[("demo.yaml", &demo_app("demo")), ("everything.yaml", &everything(&npm))]).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/python_sdk.py");
    for call in [demo(), echo()] {
        let bridge = agent.command(&["mcp", "connect", call.app]);
        let given = call.given.to_string();
        let ways = [vec![agent.url(call.app)], words(bridge.as_std())];
        for (mode, way) in ["legacy", "auto"].into_iter().flat_map(|mode| ways.iter().map(move |way| (mode, way))) {
            let mut client = tokio::process::Command::new(&python);
            client.arg(&script).args([mode, call.tool, &given]).args(way);
            client.env("MCPFLEET_AGENT", agent.socket());
            let output = client.kill_on_drop(true).output().await.expect("the client starts");
            let said = String::from_utf8_lossy(&output.stdout);
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{mode} {way:?}: {said}{stderr}");
            assert!(said.contains(call.answer), "{mode} {way:?}: {said}{stderr}");
            let modern = mode == "auto" && call.app == "demo";
            let expected = if modern { Era::Modern } else { Era::Legacy }.version();
            assert_eq!(said.lines().next(), Some(expected.as_str()), "{mode} {way:?}");
        }
    }
    agent.stop().await;
}

fn words(command: &std::process::Command) -> Vec<String> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_str().expect("a readable word").to_owned()).collect()
}
