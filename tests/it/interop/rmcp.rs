//! The official Rust SDK.

use super::world::{Call, calls, everything, resource};
use crate::support::{Agent, Era, Home, RealClient, arguments, demo_app, outside, text, write_fixture_app};
use rmcp::{RoleClient, model::CallToolRequestParams, service::RunningService};
use serde_json::json;

type Rmcp = RunningService<RoleClient, RealClient>;

/// Over HTTP and through the bridge.
async fn connect(agent: &Agent, era: Era, app: &'static str) -> [Rmcp; 2] {
    let bridge = agent.command(&["mcp", "connect", app]);
    [RealClient::new(era).connect(&agent.url(app)).await, RealClient::new(era).spawn(bridge).await]
}

async fn check(client: Rmcp, era: Era, calls: &[Call]) {
    assert_eq!(client.peer_info().expect("negotiated").protocol_version, era.version());
    let tools = client.list_all_tools().await.expect("a list of tools");
    for call in calls {
        assert!(tools.iter().any(|tool| tool.name == call.tool), "{tools:?}");
        let request = CallToolRequestParams::new(call.tool).with_arguments(arguments(call.given.clone()));
        let result = client.call_tool(request).await.expect("a result");
        assert!(text(&result).contains(call.answer), "{era:?}: {result:?}");
    }
    client.cancel().await.expect("the client ends");
}

#[tokio::test]
async fn in_both_eras_with_our_servers() {
    let home = Home::new();
    write_fixture_app(&home, "fixture", "both");
    std::fs::write(home.path().join("fleet/demo.yaml"), demo_app("demo")).expect("the home is ours");
    let agent = Agent::start_in(home, "127.0.0.1:0").await;
    for era in Era::BOTH {
        for app in ["demo", "fixture"] {
            let mut calls = calls();
            // This client has a model, and no user. It is told of progress in tests of its own.
            calls.retain(|call| call.app == app && call.tool != "test_elicitation");
            calls.iter_mut().filter(|call| call.tool == "test_sampling").for_each(|call| call.answer = "you asked: ");
            for client in connect(&agent, era, app).await {
                check(client, era, &calls).await;
            }
        }
    }
    agent.stop().await;
}

fn time() -> Call {
    let given = json!({"source_timezone": "Asia/Tokyo", "time": "09:00", "target_timezone": "Asia/Kolkata"});
    Call { app: "time", tool: "convert_time", given, answer: "T05:30:00+05:30", progress: 0 }
}

#[tokio::test]
async fn with_the_servers_of_npm_and_pypi() {
    let test = "rmcp with servers of npm and PyPI";
    let Some(npm) = outside(test, "MCPFLEET_TEST_SERVER_EVERYTHING") else { return };
    let Some(time_server) = outside(test, "MCPFLEET_TEST_SERVER_TIME") else { return };
    let time_resource = resource("time", &time_server, &[]);
    let agent = Agent::start(&[("everything.yaml", &everything(&npm)), ("time.yaml", &time_resource)]).await;
    for era in Era::BOTH {
        for client in connect(&agent, era, "everything").await {
            let mut calls = calls();
            calls.retain(|call| call.app == "everything" && ["echo", "trigger-sampling-request"].contains(&call.tool));
            check(client, era, &calls).await;
        }
        for client in connect(&agent, era, "time").await {
            check(client, era, &[time()]).await;
        }
    }
    agent.stop().await;
}
