//! The client's side of the command line against a real agent.

use crate::support::{Agent, Home, PATIENCE, demo_app, eventually};
use serde_json::{Value, json};
use std::process::Output;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn demo() -> Agent {
    Agent::start(&[("demo.yaml", &demo_app("demo")), ("other.yaml", &demo_app("other"))]).await
}

#[tokio::test]
async fn ls_lists_what_runs() {
    let agent = demo().await;
    let text = agent.says(&["mcp", "ls"]).await;
    let lines: Vec<Vec<&str>> =
        text.lines().map(|line| line.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect()).collect();
    assert_eq!(
        lines,
        [
            ["NAME", "DESCRIPTION", "TYPE", "STATE", "LABELS", "ALLOWED TOOLS"],
            ["demo", "A playground", "stdio", "Ready", "env=dev,team=a", "*"],
            ["other", "A playground", "stdio", "Ready", "env=dev,team=a", "*"],
        ]
    );
    assert!(agent.says(&["mcp", "ls", "-v"]).await.contains("demo-server"));
    let listed: Value = serde_json::from_str(&agent.says(&["mcp", "ls", "-o", "json"]).await).unwrap();
    assert_eq!(listed[0]["name"], "demo");
    assert_eq!(listed[0]["labels"], json!({"env": "dev", "team": "a"}));
    assert_eq!(listed[0]["url"], json!(format!("http://{}/mcp/demo", agent.listen)));
    assert!(agent.says(&["mcp", "ls", "-o", "yaml"]).await.contains("  description: A playground\n"));
}

#[tokio::test]
async fn tools_are_listed_and_called() {
    let agent = demo().await;
    let tools = agent.says(&["mcp", "tools", "demo"]).await;
    assert!(tools.contains("add\n    Adds two numbers.\n    a* (number): The first number.\n"), "{tools}");
    let tools: Value = serde_json::from_str(&agent.says(&["mcp", "tools", "demo", "-o", "json"]).await).unwrap();
    assert_eq!(tools.as_array().unwrap().len(), 7);

    assert_eq!(agent.says(&["mcp", "call", "demo", "add", r#"{"a": 1, "b": 2}"#]).await, "3\n");
    assert_eq!(agent.says(&["mcp", "call", "demo", "countdown", r#"{"interval_ms": 1}"#]).await, "Lift-off!\n");
    let echoed = agent.says(&["mcp", "call", "demo", "echo", r#"{"message": "\u001b[31mred"}"#]).await;
    assert_eq!(echoed, "\\u{1b}[31mred\n", "a server cannot paint our terminal");
    let raw = agent.says(&["mcp", "call", "demo", "word_count", r#"{"text": "a b"}"#, "-o", "json"]).await;
    let raw: Value = serde_json::from_str(&raw).unwrap();
    assert_eq!(raw["structuredContent"], json!({"lines": 1, "words": 2, "characters": 3}));

    let mut child =
        agent.command(&["mcp", "call", "demo", "echo", "-"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(br#"{"message": "from stdin"}"#).await.unwrap();
    assert_eq!(child.wait_with_output().await.unwrap().stdout, b"from stdin\n");
}

#[tokio::test]
async fn exit_codes_say_whose_fault_it_is() {
    let agent = demo().await;
    for (arguments, code, words) in [
        (&["mcp", "call", "demo", "roll_dice", r#"{"sides": 1}"#][..], 1, "2 to 1000 sides"),
        (&["mcp", "call", "demo", "no_such_tool"], 1, "tool"),
        (&["mcp", "call", "demo", "add", "{"], 2, "must be a JSON object"),
        (&["mcp", "call", "demo", "add", "[1]"], 2, "this is an array"),
        (&["mcp", "tools", "nothing"], 1, "nothing"),
        (&["logs", "nothing"], 1, "nothing"),
        (&["mcp", "config", "--client", "cursor", "nothing"], 1, "nothing"),
        (&["mcp", "config", "--client", "claude-desktop", "--http"], 2, "leave --http out"),
        (&["mcp", "ls", "--agent", "https://fleet.invalid"], 3, "https://fleet.invalid"),
        (&["mcp", "ls", "--token-file", "/nowhere"], 2, "cannot be read"),
        (&["mcp", "ls", "--agent", "/nowhere.sock"], 3, "/nowhere.sock"),
    ] {
        let output = agent.cli(arguments).await;
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        assert!(stderr(&output).contains(words), "{arguments:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
    }
    // Actions are for those who own the control socket.
    let url = format!("http://{}", agent.listen);
    let refused = agent.cli(&["reconcile", "--agent", &url]).await;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert_eq!(agent.says(&["mcp", "call", "demo", "add", r#"{"a": 1, "b": 1}"#, "--agent", &url]).await, "2\n");
    agent.says(&["reconcile"]).await;
}

#[tokio::test]
async fn no_agent_is_said_with_all_that_was_tried() {
    let home = Home::new();
    let output = home.mcpfleet(["mcp", "ls", "--agent", "127.0.0.1:1"]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = stderr(&output);
    assert!(
        said.contains("no agent answers") && said.contains("http://127.0.0.1:1") && said.contains("mcpfleet run"),
        "{said}"
    );
}

#[tokio::test]
async fn status_tells_what_is_and_waits_for_what_will_be() {
    let mut agent = demo().await;
    let text = agent.says(&["status", "-v"]).await;
    for words in ["Ready", "demo", "other", "fleet", &agent.listen] {
        assert!(text.contains(words), "{words}: {text}");
    }
    agent.says(&["status", "--wait", "--timeout", "30s"]).await;

    agent.write("broken.yaml", "kind: app\nversion: v3\nmetadata: {name: [}\n");
    let said = eventually("the diagnostic", async || {
        let text = agent.says(&["status"]).await;
        text.contains("broken.yaml:3:").then_some(text)
    })
    .await;
    assert!(said.contains("demo"), "a broken file takes nothing down: {said}");
    std::fs::remove_file(agent.folder().join("broken.yaml")).unwrap();
    agent.ready().await;
}

/// Most files disappear at once: a slip, perhaps. What ran goes on until somebody says that it was meant.
#[tokio::test]
async fn held_removals_are_shown_and_let_go() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let files = names.map(|name| (format!("{name}.yaml"), demo_app(name)));
    let mut agent = Agent::start(&files.each_ref().map(|(name, text)| (name.as_str(), text.as_str()))).await;
    for name in &names[1..] {
        std::fs::remove_file(agent.folder().join(format!("{name}.yaml"))).unwrap();
    }
    let text = eventually("the held removals", async || {
        let text = agent.says(&["status"]).await;
        text.contains("reconcile --prune").then_some(text)
    })
    .await;
    assert!(text.contains("held: 5 would be removed: b, c, d, e, f."), "{text}");
    assert_eq!(agent.says(&["mcp", "ls"]).await.lines().count(), 7);
    agent.says(&["reconcile", "--prune"]).await;
    eventually("the removals", async || (agent.says(&["mcp", "ls"]).await.lines().count() == 2).then_some(())).await;
    agent.ready().await;
}

#[tokio::test]
async fn logs_are_shown_and_followed() {
    let agent = demo().await;
    let logs = eventually("the server's greeting", async || {
        let text = agent.says(&["logs", "demo"]).await;
        text.contains("demo server ready").then_some(text)
    })
    .await;
    assert!(!logs.contains('\u{1b}'));
    let mut follower = agent.command(&["logs", "demo", "-f", "-n", "0"]).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    // The log is being followed from some moment on; what is written after that arrives.
    let followed = eventually("a followed line", async || {
        agent.says(&["mcp", "call", "demo", "echo", r#"{"message": "x"}"#]).await;
        tokio::time::timeout(std::time::Duration::from_millis(500), lines.next_line()).await.ok()?.unwrap()
    })
    .await;
    assert!(followed.contains("called tool=\"echo\""), "{followed}");
    follower.kill().await.unwrap();
}

#[tokio::test]
async fn clients_are_configured() {
    let agent = demo().await;
    let binary = std::fs::canonicalize(env!("CARGO_BIN_EXE_mcpfleet")).unwrap();
    let url = |name: &str| json!(format!("http://{}/mcp/{name}", agent.listen));
    let args = |name: &str| json!(["mcp", "connect", name, "--agent", agent.socket()]);
    let home = agent.home.path();
    for (client, file, expected) in [
        (
            "claude-desktop",
            "config/Claude/claude_desktop_config.json",
            json!({"mcpServers": {"demo": {"command": binary, "args": args("demo")}}}),
        ),
        ("claude-code", ".claude.json", json!({"mcpServers": {"demo": {"type": "http", "url": url("demo")}}})),
        ("cursor", ".cursor/mcp.json", json!({"mcpServers": {"demo": {"url": url("demo")}}})),
        ("vscode", "config/Code/User/mcp.json", json!({"servers": {"demo": {"type": "http", "url": url("demo")}}})),
    ] {
        let printed = agent.says(&["mcp", "config", "--client", client, "demo"]).await;
        assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), expected, "{client}");
        assert!(!home.join(file).exists(), "printing writes nothing");
        let said = agent.says(&["mcp", "config", "--client", client, "demo", "--write"]).await;
        assert!(said.contains("added: demo") && said.contains(file), "{said}");
        let written: Value = serde_json::from_slice(&std::fs::read(home.join(file)).unwrap()).unwrap();
        assert_eq!(written, expected, "{client}");
        let said = agent.says(&["mcp", "config", "--client", client, "--write"]).await;
        assert!(said.contains("added: other\nunchanged: demo\n") && said.contains(".bak"), "{said}");
    }
    let own = home.join("own.json");
    let own = own.to_str().unwrap();
    std::fs::write(own, r#"{"mcpServers": {"demo": {"command": "mine"}}}"#).unwrap();
    let refused = agent.cli(&["mcp", "config", "--client", "cursor", "--write", "--file", own, "demo"]).await;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(stderr(&refused).contains("--force"), "{refused:?}");
    agent.says(&["mcp", "config", "--client", "cursor", "--stdio", "--write", "--file", own, "demo", "--force"]).await;
    let written: Value = serde_json::from_slice(&std::fs::read(own).unwrap()).unwrap();
    assert_eq!(written["mcpServers"]["demo"]["args"], args("demo"));
}

/// `mcpfleet mcp ls | head -0` must not end in a panic.
#[tokio::test]
async fn a_reader_that_goes_away_is_no_error() {
    let agent = demo().await;
    let mut child = agent.command(&["mcp", "ls"]).spawn().unwrap();
    drop(child.stdout.take());
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
}

#[tokio::test]
async fn every_command_has_an_example() {
    let home = Home::new();
    for command in [
        &["mcp", "ls"][..],
        &["mcp", "tools"],
        &["mcp", "call"],
        &["mcp", "connect"],
        &["mcp", "config"],
        &["status"],
        &["logs"],
        &["reconcile"],
        &["demo-server"],
    ] {
        let output = home.mcpfleet(command).arg("--help").output().await.unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && help.contains("Example"), "{command:?}: {help}");
    }
}
