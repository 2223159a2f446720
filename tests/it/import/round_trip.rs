//! Imported, validated, run, called.

use crate::support::{Agent, Home, outside, processes::mode};
use serde_json::{Value, json};
use std::{fs, path::Path};

/// Imports a file of this name into the folder that an agent will watch, and validates what has come of it.
async fn imported(home: &Home, name: &str, file: &Value, arguments: &[&str]) -> String {
    let path = home.path().join(name);
    fs::write(&path, format!("{file:#}")).unwrap();
    fs::create_dir_all(home.path().join("fleet")).unwrap();
    let import = ["import", path.to_str().unwrap(), "--repo", "fleet"];
    let output = home.mcpfleet(import.iter().chain(arguments)).output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let validate = home.mcpfleet(["validate", "fleet"]).output().await.unwrap();
    assert_eq!(validate.status.code(), Some(0), "{validate:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn script(folder: &Path, package: &str) -> String {
    let script = folder.join("node_modules/@modelcontextprotocol").join(package).join("dist/index.js");
    assert!(script.is_file(), "{}", script.display());
    script.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn three_servers_of_claude_desktop() {
    const TEST: &str = "import: three servers of Claude Desktop";
    let Some(everything) = outside(TEST, "MCPFLEET_TEST_SERVER_EVERYTHING") else { return };
    let Some(memory) = outside(TEST, "MCPFLEET_TEST_SERVER_MEMORY") else { return };
    let Some(time) = outside(TEST, "MCPFLEET_TEST_SERVER_TIME") else { return };
    let home = Home::new();
    let file = json!({"mcpServers": {
        "everything": {"command": "node", "args": [script(&everything, "server-everything"), "stdio"]},
        "memory": {"command": "node", "args": [script(&memory, "server-memory")],
            "env": {"MEMORY_FILE_PATH": "/tmp/mcpfleet-import-memory-of-nobody.jsonl"}},
        "time": {"command": time, "args": ["--local-timezone", "Europe/Berlin"]},
    }});
    imported(&home, "claude_desktop_config.json", &file, &["--label", "env=dev"]).await;
    let agent = Agent::start_in(home, "127.0.0.1:0").await;
    for (app, tool, given, expected) in [
        ("everything", "echo", r#"{"message": "grüß dich"}"#, "Echo: grüß dich"),
        ("memory", "search_nodes", r#"{"query": "nobody"}"#, "entities"),
        (
            "time",
            "convert_time",
            r#"{"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}"#,
            "21:00",
        ),
    ] {
        let answer = agent.says(&["mcp", "call", app, tool, given]).await;
        assert!(answer.contains(expected), "{app}: {answer}");
    }
    agent.stop().await;
}

#[tokio::test]
async fn a_secret_that_vs_code_asks_for() {
    let home = Home::new();
    let file = json!({
        "inputs": [{"type": "promptString", "id": "api-key", "description": "The key", "password": true}],
        "servers": {"fake": {"type": "stdio", "command": "fake-mcp-server", "env": {"API_KEY": "${input:api-key}"}}},
    });
    let said = imported(&home, "mcp.json", &file, &[]).await;
    assert!(said.contains("  api-key  what clients ask for as `The key` (for fake.env.API_KEY)\n"), "{said}");
    let resource = fs::read_to_string(home.path().join("fleet/apps/fake.yaml")).unwrap();
    assert!(resource.contains("API_KEY: {secret: api-key}\n"), "{resource}");

    let secrets = home.path().join("secrets");
    fs::create_dir(&secrets).unwrap();
    fs::set_permissions(&secrets, mode(0o700)).unwrap();
    fs::write(secrets.join("api-key"), "what-the-user-would-have-typed\n").unwrap();
    let setting = format!("app_service.secrets_dir={}", secrets.display());
    let agent = Agent::start_in_with(home, &[("apps/fake.yaml", &resource)], &[&setting]).await;
    let answer = agent.says(&["mcp", "call", "fake", "env", "{}"]).await;
    let variables: Value = serde_json::from_str(answer.trim()).unwrap_or_else(|error| panic!("{error}: {answer}"));
    assert_eq!(variables["API_KEY"], "what-the-user-would-have-typed");
    assert!(!agent.log().contains("what-the-user-would-have-typed"));
    agent.stop().await;
}

#[tokio::test]
async fn a_remote_of_a_registry() {
    let home = Home::new();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/import/server-remote.json");
    let file: Value = serde_json::from_slice(&fs::read(fixture).unwrap()).unwrap();
    let said = imported(&home, "server.json", &file, &["--var", "region=us"]).await;
    assert!(said.contains("remote_hosts: [us.weather.example.com]\n"), "{said}");
    let resource = fs::read_to_string(home.path().join("fleet/apps/weather.yaml")).unwrap();
    assert!(resource.contains("  uri: mcp+https://us.weather.example.com/mcp\n"), "{resource}");
    assert!(resource.contains("- name: Authorization\n        value: {secret: weather-authorization}\n"), "{resource}");
}
