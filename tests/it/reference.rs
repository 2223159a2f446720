//! The reference system's resource, unchanged: a server in a container, started as the host user `docker`.

use crate::support::{Agent, missing};
use serde_json::Value;
use std::process::{Command, Stdio};

/// Documented with the reference system. Not a byte of it is ours.
const REFERENCE: &str = r#"kind: app
version: v3
metadata:
  name: everything
  description: The Everything MCP server
  labels:
    env: dev
spec:
  mcp:
    command: "docker"
    args: ["run", "-i", "--rm", "mcp/everything"]
    run_as_host_user: "docker"
"#;

#[tokio::test]
async fn reference_resource_works_unchanged() {
    const TEST: &str = "the reference resource";
    if !nix::unistd::Uid::effective().is_root() {
        return missing(TEST, "only root can start servers as another user");
    }
    let image = ["image", "inspect", "mcp/everything"];
    let has_image = Command::new("docker").args(image).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !has_image.is_ok_and(|status| status.success()) {
        return missing(TEST, "there is no Docker engine with the image mcp/everything");
    }
    let agent = Agent::start(&[("everything.yaml", REFERENCE)]).await;

    let listed: Value = serde_json::from_str(&agent.says(&["mcp", "ls", "-o", "json"]).await).expect("JSON");
    let everything = listed.get(0).expect("an app");
    for (pointer, expected) in [
        ("/name", "everything"),
        ("/description", "The Everything MCP server"),
        ("/type", "stdio"),
        ("/state", "Ready"),
        ("/labels/env", "dev"),
    ] {
        assert_eq!(everything.pointer(pointer).and_then(Value::as_str), Some(expected), "{everything:#}");
    }
    let labels = ["ps", "--filter", "label=mcpfleet.instance", "--format", r#"{{.Label "mcpfleet.instance"}}"#];
    let output = Command::new("docker").args(labels).output().expect("docker");
    let id = std::fs::read_to_string(agent.home.path().join("state/mcpfleet/agent")).expect("the agent's identity");
    let own = id.split_whitespace().next().expect("a word");
    let listed = String::from_utf8(output.stdout).expect("text");
    let marker = listed.lines().find(|label| label.starts_with(own)).expect("a labelled container").to_owned();
    assert!(marker.ends_with(".everything-1"), "{marker}");

    let tools = agent.says(&["mcp", "tools", "everything"]).await;
    assert!(tools.lines().any(|line| line == "echo"), "{tools}");
    let answer = agent.says(&["mcp", "call", "everything", "echo", r#"{"message":"hi"}"#]).await;
    assert_eq!(answer.trim(), "Echo: hi");
    agent.stop().await;

    let label = format!("label=mcpfleet.instance={marker}");
    let output = Command::new("docker").args(["ps", "--all", "--quiet", "--filter", &label]).output().expect("docker");
    assert!(output.status.success() && output.stdout.is_empty(), "a container is left: {output:?}");
}
