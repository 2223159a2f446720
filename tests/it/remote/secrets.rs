//! Headers from secrets.

use super::server::{Seen, Server, Speaks};
use crate::{lifecycle::world::World, support::processes::mode};
use mcpfleet::status::model::AppState;
use serde_json::{Value, json};
use std::fs;

fn put_secret(world: &World, name: &str, value: &str) {
    let folder = world.path("secrets");
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, mode(0o700)).unwrap();
    fs::write(folder.join(".new"), value).unwrap();
    fs::rename(folder.join(".new"), folder.join(name)).unwrap();
}

fn put_app(world: &World, server: &Server, secret: &str) {
    let headers = json!([{"name": "Authorization", "value": {"secret": secret}}, "X-Team: platform"]);
    let spec = json!({"uri": format!("mcp+{}", server.url()), "rewrite": {"headers": headers}});
    let metadata = json!({"name": "far", "labels": {"team": "platform"}});
    world.put("far.yaml", &json!({"kind": "app", "version": "v3", "metadata": metadata, "spec": spec}));
}

fn config(world: &World, granted: Value) -> Value {
    json!({
        "gateway": {"auth": "open"},
        "app_service": {
            "resources": [{"labels": {"*": "*"}}], "secrets_dir": world.path("secrets"), "secrets": granted,
        },
    })
}

#[tokio::test]
async fn the_server_gets_the_value_and_nobody_else_sees_it() {
    const FIRST: &str = "hush-4711-correct-horse";
    const SECOND: &str = "hush-4712-battery-staple";
    let server = Server::start(Speaks::Legacy).await;
    let world = World::new();
    put_secret(&world, "token", &format!("Bearer {FIRST}\n"));
    server.fault(|faults| faults.password = Some(format!("Bearer {FIRST}")));
    put_app(&world, &server, "token");
    let mut agent = world.run_configured(&config(&world, json!({"token": {"team": "platform"}})));
    agent.app("far", "ready", |app| app.state == Some(AppState::Ready)).await;
    assert_eq!(agent.call("far", "echo", json!({"text": "in"})).await.as_deref(), Ok("in"));
    let all = |word: &'static str| server.all().into_iter().filter(move |seen: &Seen| seen.method == word);
    for seen in all("POST").chain(all("GET")) {
        assert_eq!(seen.header("authorization"), Some(&*format!("Bearer {FIRST}")), "{seen:?}");
        assert_eq!(seen.header("x-team"), Some("platform"));
    }

    // A changed secret makes a new version, and nothing else than the new value is sent by it.
    server.fault(|faults| faults.password = Some(format!("Bearer {SECOND}")));
    put_secret(&world, "token", &format!("Bearer {SECOND}\n"));
    agent
        .until("the new value", |_| {
            all("POST").any(|seen| seen.header("authorization") == Some(&*format!("Bearer {SECOND}"))).then_some(())
        })
        .await;
    agent.app("far", "ready", |app| app.state == Some(AppState::Ready) && !app.updating).await;
    assert_eq!(agent.call("far", "echo", json!({"text": "still in"})).await.as_deref(), Ok("still in"));

    // Nor does the server's echo of it come to light.
    agent.call("far", "leak", json!({})).await.unwrap_err();
    let seen = [
        agent.says(&["logs", "far", "--tail", "1000"]).await,
        agent.says(&["status", "-o", "json"]).await,
        agent.says(&["events", "far"]).await,
        world.log(),
    ];
    assert!(seen[0].contains("who says [secret]?"), "{}", seen[0]);
    for text in seen {
        assert!(!text.contains("hush-"), "{text}");
    }
    agent.stop().await;
}

#[tokio::test]
async fn a_wrong_or_missing_secret_is_said() {
    let server = Server::start(Speaks::Modern).await;
    server.fault(|faults| faults.password = Some("Bearer right-one".into()));
    let world = World::new();
    put_secret(&world, "token", "Bearer wrong-one");
    put_secret(&world, "lines", "Bearer two\nlines");
    put_app(&world, &server, "token");
    let mut agent = world.run_configured(&config(&world, json!({"token": {"team": "platform"}, "lines": {"*": "*"}})));
    let row = agent.app("far", "refused by the server", |app| app.state == Some(AppState::Backoff)).await;
    let reason = row.reason.unwrap();
    assert!(reason.contains("answers HTTP 401 Unauthorized"), "{reason}");
    put_app(&world, &server, "lines");
    let row = agent.app("far", "failed", |app| app.state == Some(AppState::Failed)).await;
    assert!(row.reason.as_ref().unwrap().contains("secret `lines` has a line break"), "{row:#?}");
    put_app(&world, &server, "other");
    let has = |app: &mcpfleet::status::model::AppStatus, text: &str| {
        app.reason.as_ref().is_some_and(|reason| reason.contains(text))
    };
    agent.app("far", "not granted", |app| has(app, "secret `other` is not granted to app `far`")).await;
    // What was wrong is mended.
    put_app(&world, &server, "token");
    put_secret(&world, "token", "Bearer right-one");
    agent.app("far", "ready", |app| app.state == Some(AppState::Ready)).await;
    agent.stop().await;
}
