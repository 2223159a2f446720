//! The log of an agent's life, as JSON and as text.

use super::collector::Collector;
use crate::{
    lifecycle::world::{World, app},
    support::eventually,
};
use mcpfleet::status::model::AppState;
use serde_json::{Value, json};

/// What no log may have in a line.
fn harmless(line: &str) -> bool {
    !line.chars().any(|c| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}'))
}

const HOSTILE: &str = "\u{1b}[2Jowned\r\n{\"level\":\"ERROR\"}\u{202e}\u{9b}";

/// An agent from its start to its stop, with hostile servers and clients: what it has written to stderr.
async fn life(settings: &[&str]) -> (String, World) {
    let world = World::new();
    world.put("good.yaml", &world.app("good", &[]));
    world.put("bad.yaml", &world.app("bad", &["--no-such-flag"]));
    world.write("broken.yaml", format!("kind: app\n# {HOSTILE}\nversion: {HOSTILE}\n"));
    let mut command = world.command(&[&["fleet", "--set", "gateway.listen=127.0.0.1:0"], settings].concat());
    command.env("RUST_LOG", "debug");
    let mut agent = world.spawn(command);
    agent.app("good", "ready", |app| app.state == Some(AppState::Ready)).await;
    agent.app("bad", "failing", |app| matches!(app.state, Some(AppState::Backoff | AppState::Failed))).await;
    agent.call("good", "stderr", json!({"text": HOSTILE, "lines": 3})).await.unwrap();
    agent.call("good", "log", json!({"text": HOSTILE})).await.unwrap();
    let _ = agent.call("good", HOSTILE, json!({})).await;
    let _ = agent.call("good", "crash", json!({"code": 1})).await;
    // A remote server's address, a source that goes and comes back.
    world.put("good.yaml", &world.app("good", &["--start-delay", "1"]));
    agent
        .until("the change", |status| app(status, "good").filter(|app| app.state == Some(AppState::Ready)).map(drop))
        .await;
    agent.stop().await;
    let log = std::fs::read_to_string(world.path("agent.log")).expect("text");
    (log, world)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_a_life_is_json() {
    let collector = Collector::start().await;
    let (log, _world) = life(&["--set", "telemetry.log=json", "--set", &collector.setting()]).await;
    let mut lines = Vec::new();
    for line in log.lines() {
        assert!(harmless(line), "{line:?}");
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for own in ["timestamp", "level", "target", "message"] {
            assert!(line[own].is_string(), "{own}: {line}");
        }
        let time = line["timestamp"].as_str().unwrap();
        assert!(time.parse::<jiff::Timestamp>().is_ok() && time.ends_with('Z') && time.len() == 27, "{time}");
        assert!(["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&line["level"].as_str().unwrap()), "{line}");
        lines.push(line);
    }
    let said = |words: &str| lines.iter().any(|line| line["message"].as_str().unwrap().contains(words));
    assert!(said("new revision") && said("a directory has no author checks") && said("stopping"), "{log}");
    assert!(lines.iter().any(|line| line["kind"] == "answered" && line["app"] == "good"), "{log}");
    // What happened in the course of something says of what, and that is a span that was sent.
    let traced = lines.iter().find(|line| line["trace_id"].is_string()).unwrap_or_else(|| panic!("{log}"));
    let trace = traced["trace_id"].as_str().unwrap();
    collector.span("the trace of a line", |span| span.trace == trace).await;
    assert!(traced["span_id"].as_str().is_some_and(|id| id.len() == 16), "{traced}");
}

#[tokio::test(flavor = "multi_thread")]
async fn text_has_a_line_for_each_event_and_nothing_that_a_terminal_obeys() {
    let (log, _world) = life(&[]).await;
    for line in log.lines() {
        assert!(harmless(line), "{line:?}");
        let mut words = line.split_whitespace();
        assert!(words.next().is_some_and(|time| time.parse::<jiff::Timestamp>().is_ok()), "{line}");
        assert!(words.next().is_some_and(|level| ["ERROR", "WARN", "INFO", "DEBUG"].contains(&level)), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_cannot_go_on_says_so_in_json_too() {
    let world = World::new();
    world.put("good.yaml", &world.app("good", &[]));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("gateway.listen={}", taken.local_addr().unwrap());
    let (code, said) = world.refused(&["fleet", "--set", &listen, "--set", "telemetry.log=json"]).await;
    assert_eq!(code, Some(3), "{said}");
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert!(
        lines
            .iter()
            .any(|line| line["level"] == "ERROR" && line["message"].as_str().unwrap().contains("cannot listen")),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_cannot_flood_it() {
    let world = World::new();
    std::fs::write(world.path("secret"), "s3cret").unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let hook = json!({"name": "a", "source": "local", "scheme": "token", "secret_file": world.path("secret")});
    let config =
        json!({"gateway": {"auth": "open"}, "webhook_listen": format!("127.0.0.1:{port}"), "webhooks": [hook]});
    let command = world.command(&["-c", &world.configure(&config), "--set", "gateway.listen=127.0.0.1:0"]);
    let mut agent = world.spawn(command);
    agent.ready().await;
    let client = reqwest::Client::new();
    for _ in 0..50 {
        let call = client.post(format!("http://127.0.0.1:{port}/hooks/a")).header("x-gitlab-token", "wrong").body("{}");
        assert_eq!(call.send().await.unwrap().status(), 401);
    }
    let log = || std::fs::read_to_string(world.path("agent.log")).unwrap();
    eventually("the first of them", async || log().contains("a call was refused").then_some(())).await;
    agent.stop().await;
    // One each ten seconds: fifty calls take no minute.
    assert!(log().matches("a call was refused").count() < 7, "{}", log());
}
