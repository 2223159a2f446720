//! The demo server, driven by the official SDK's client in both eras.

use crate::support::{Era, Home, RealClient, arguments, eventually, text};
use rmcp::model::{CallToolRequestParams, GetPromptRequestParams, ReadResourceRequestParams, ResourceContents};
use serde_json::json;

fn call(tool: &'static str, value: serde_json::Value) -> CallToolRequestParams {
    CallToolRequestParams::new(tool).with_arguments(arguments(value))
}

#[tokio::test]
async fn demo_server_speaks_both_eras() {
    for era in Era::BOTH {
        let home = Home::new();
        let client = RealClient::new(era).spawn(home.mcpfleet(["demo-server"])).await;
        assert_eq!(client.peer_info().expect("negotiated").protocol_version, era.version());

        let mut tools: Vec<String> =
            client.list_all_tools().await.unwrap().into_iter().map(|tool| tool.name.into_owned()).collect();
        tools.sort();
        assert_eq!(tools, ["add", "countdown", "echo", "now", "roll_dice", "whoami", "word_count"], "{era:?}");

        let echoed = client.call_tool(call("echo", json!({"message": "grüß dich\n\u{1f44b}"}))).await.unwrap();
        assert_eq!(text(&echoed), "grüß dich\n\u{1f44b}");
        assert_eq!(text(&client.call_tool(call("add", json!({"a": 1, "b": 2}))).await.unwrap()), "3");
        assert_eq!(text(&client.call_tool(call("add", json!({"a": 0.5, "b": -2}))).await.unwrap()), "-1.5");

        let counted = client.call_tool(call("word_count", json!({"text": "one two\nthree"}))).await.unwrap();
        assert_eq!(counted.structured_content, Some(json!({"lines": 2, "words": 3, "characters": 13})));

        let me = client.call_tool(call("whoami", json!({}))).await.unwrap().structured_content.unwrap();
        assert_eq!(me["directory"], json!(home.path().canonicalize().unwrap()));
        assert!(me["environment"].as_array().unwrap().contains(&json!("XDG_STATE_HOME")));

        let prompt = GetPromptRequestParams::new("greeting").with_arguments(arguments(json!({"name": "Ada"})));
        let prompt = client.get_prompt(prompt).await.unwrap();
        assert!(serde_json::to_string(&prompt.messages).unwrap().contains("Greet Ada"));

        let resources = client.list_all_resources().await.unwrap();
        let contents = client.read_resource(ReadResourceRequestParams::new(&resources[0].uri)).await.unwrap().contents;
        assert!(
            matches!(&contents[..], [ResourceContents::TextResourceContents { text, .. }] if text.contains("whoami"))
        );

        client.cancel().await.unwrap();
    }
}

#[tokio::test]
async fn demo_server_refuses_what_makes_no_sense_as_a_tool_error() {
    let home = Home::new();
    let client = RealClient::new(Era::Modern).spawn(home.mcpfleet(["demo-server"])).await;
    for (tool, value) in [
        ("roll_dice", json!({"sides": 1})),
        ("roll_dice", json!({"count": 101})),
        ("countdown", json!({"from": 0})),
        ("countdown", json!({"interval_ms": 10_001})),
        ("now", json!({"time_zone": "Middle/Earth"})),
    ] {
        let result = client.call_tool(call(tool, value.clone())).await.unwrap();
        assert_eq!(result.is_error, Some(true), "{tool} {value}");
    }
    let rolled = client.call_tool(call("roll_dice", json!({"count": 100, "sides": 2}))).await.unwrap();
    let rolls = rolled.structured_content.unwrap()["rolls"].as_array().unwrap().clone();
    assert_eq!(rolls.len(), 100);
    assert!(rolls.iter().all(|roll| [json!(1), json!(2)].contains(roll)), "{rolls:?}");
    assert!(client.call_tool(call("no_such_tool", json!({}))).await.is_err());
}

#[tokio::test]
async fn demo_server_reports_progress() {
    for era in Era::BOTH {
        let home = Home::new();
        let handler = RealClient::new(era);
        let client = handler.clone().spawn(home.mcpfleet(["demo-server"])).await;
        let done = client.call_tool(call("countdown", json!({"from": 3, "interval_ms": 1}))).await.unwrap();
        assert_eq!(text(&done), "Lift-off!");
        // The SDK hands notifications to the handler beside the answer, not before it.
        let mut told: Vec<f64> = eventually("three notes of progress", async || {
            let told = handler.progress.lock().unwrap();
            (told.len() == 3).then(|| told.iter().map(|note| note.progress).collect())
        })
        .await;
        told.sort_by(f64::total_cmp);
        assert_eq!(told, [0.0, 1.0, 2.0], "{era:?}");
    }
}

#[tokio::test]
async fn demo_server_ends_when_its_stdin_does() {
    let home = Home::new();
    let output = home.mcpfleet(["demo-server"]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stdout.is_empty(), "only messages may be written to stdout: {output:?}");
}
