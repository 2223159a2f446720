//! The reference server of the protocol, in its own HTTP modes.

use crate::{
    gateway::stage::{Events, Stage, call, text},
    support::{eventually, outside},
};
use serde_json::json;
use std::{net::SocketAddr, path::Path};
use tokio::process::{Child, Command};

const SERVER: &str = "node_modules/@modelcontextprotocol/server-everything/dist/index.js";

async fn run(folder: &Path, mode: &str) -> (Child, SocketAddr) {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let child = Command::new("node")
        .args([folder.join(SERVER).to_str().unwrap(), mode])
        .env("PORT", address.port().to_string())
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("node runs");
    eventually("the server listens", async || tokio::net::TcpStream::connect(address).await.ok()).await;
    (child, address)
}

#[tokio::test]
async fn the_reference_server_works_from_afar() {
    let Some(folder) = outside("remote::everything", "MCPFLEET_TEST_SERVER_EVERYTHING") else { return };
    for (mode, uri) in [("streamableHttp", "mcp+http://ADDRESS/mcp"), ("sse", "mcp+sse+http://ADDRESS/sse")] {
        let (mut child, address) = run(&folder, mode).await;
        let stage = Stage::new().await;
        let uri = uri.replace("ADDRESS", &address.to_string());
        stage.run_spec("app", json!({"uri": uri, "mcp": {"restart": {"max_backoff": "1s"}}}));
        stage.ready("app").await;
        let session = stage.session().await;
        assert_eq!(session.text("echo", json!({"message": "far"})).await, "Echo: far", "{mode}");
        let arguments = json!({"duration": 0.2, "steps": 2});
        let mut body = call(3, "trigger-long-running-operation", arguments);
        body["params"]["_meta"] = json!({"progressToken": "p"});
        let mut events = Events::new(session.post(body).send().await.unwrap());
        let mut progress = 0;
        let answer = loop {
            let message = events.next().await.unwrap();
            match message["method"].as_str() {
                Some("notifications/progress") => progress += 1,
                Some(_) => {}
                None => break message,
            }
        };
        assert!(progress >= 2 && text(&answer).contains("completed"), "{mode}: {answer}");

        // It is started anew, and knows no session any more.
        child.kill().await.unwrap();
        drop(child);
        eventually("an app that is not ready", async || {
            let _ = session.call(1, "echo", json!({"message": "x"})).send().await.unwrap();
            (stage.state("app") != mcpfleet::status::model::AppState::Ready).then_some(())
        })
        .await;
        let mut again = Command::new("node");
        again.args([folder.join(SERVER).to_str().unwrap(), mode]).env("PORT", address.port().to_string());
        again
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let _again = again.kill_on_drop(true).spawn().unwrap();
        stage.ready("app").await;
        let session = stage.session().await;
        assert_eq!(session.text("echo", json!({"message": "again"})).await, "Echo: again", "{mode}");
    }
}
