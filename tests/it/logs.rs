//! What servers write to stderr: what is kept of it, of which process, and that a flood harms nobody else.

use crate::{
    lifecycle::world::{Agent, World, only_pid},
    support::{PATIENCE, eventually, processes::Stage},
};
use mcpfleet::{
    client::api::LogsWanted,
    instance::{
        journal::Journal,
        launch::{Exit, Start},
        link::Sharing,
        logs::LogRing,
        redact::Redaction,
        running,
    },
    resource::Stop,
    status::model::{AppState, LogLine},
};
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::timeout;

const ALL: LogsWanted<'static> = LogsWanted { tail: usize::MAX, follow: false, instance: None, previous: false };

async fn lines(agent: &Agent<'_>, app: &str, wanted: &LogsWanted<'_>) -> Vec<LogLine> {
    let mut lines = agent.client.logs(app, wanted).await.unwrap();
    let mut found = Vec::new();
    while let Some(line) = lines.next().await.unwrap() {
        found.push(line);
    }
    found
}

fn texts(lines: &[LogLine]) -> Vec<&str> {
    lines.iter().map(|line| line.text.as_str()).collect()
}

async fn write(agent: &Agent<'_>, app: &str, text: &str) {
    agent.call(app, "stderr", json!({"text": text, "lines": 1})).await.unwrap();
    let written = async || lines(agent, app, &ALL).await.iter().any(|line| line.text == text).then_some(());
    eventually(&format!("a line {text}"), written).await;
}

#[tokio::test]
async fn the_last_words_of_the_run_before() {
    let world = World::new();
    let mut one = world.app("one", &[]);
    one["spec"]["mcp"]["restart"] = json!({"initial_backoff": "100ms"});
    world.put("one.yaml", &one);
    let mut agent = world.run();
    agent.pid("one").await;
    let none = agent.cli(&["logs", "one", "--previous"]).await;
    assert_eq!(none.status.code(), Some(1), "{none:?}");
    assert!(String::from_utf8_lossy(&none.stderr).contains("has ended yet"), "{none:?}");

    write(&agent, "one", "first words").await;
    agent.call("one", "crash", json!({"code": 3})).await.unwrap_err();
    agent.app("one", "ready again", |app| app.restarts == 1 && only_pid(app).is_some()).await;
    write(&agent, "one", "second words").await;
    let previous = agent.says(&["logs", "one", "--previous"]).await;
    assert!(previous.contains("first words") && !previous.contains("second words"), "{previous}");
    let all = lines(&agent, "one", &ALL).await;
    assert_eq!(texts(&all), ["first words", "second words"]);
    let (first, second) = (&all[0].instance, &all[1].instance);
    assert_ne!(first, second);
    let of_second = agent.says(&["logs", "one", "--instance", second, "-o", "json"]).await;
    assert!(of_second.contains("second words") && !of_second.contains("first words"), "{of_second}");
    let unknown = agent.cli(&["logs", "one", "--instance", "one-99"]).await;
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");
    let wrong = agent.cli(&["logs", "one", "--instance", second, "--previous"]).await;
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");

    // Through an update too, and not beyond the app.
    one["spec"]["mcp"]["args"] = json!(["--start-delay", "1"]);
    world.put("one.yaml", &one);
    agent.app("one", "updated", |app| only_pid(app).is_some() && app.instances[0].id != *second).await;
    assert_eq!(texts(&lines(&agent, "one", &ALL).await), ["first words", "second words"]);
    world.remove("one.yaml");
    agent.until("it is gone", |status| status.apps.is_empty().then_some(())).await;
    assert!(agent.client.logs("one", &ALL).await.is_err());
    world.put("one.yaml", &one);
    agent.pid("one").await;
    assert_eq!(texts(&lines(&agent, "one", &ALL).await), [""; 0]);
    agent.stop().await;
}

#[tokio::test]
async fn a_follower_gets_one_process_or_all() {
    let world = World::new();
    world.put("one.yaml", &world.app("one", &[]));
    let mut agent = world.run();
    agent.pid("one").await;
    let mut all = agent.client.logs("one", &LogsWanted { follow: true, ..ALL }).await.unwrap();
    write(&agent, "one", "of the first").await;
    let line = timeout(PATIENCE, all.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(line.text, "of the first");
    let wanted = LogsWanted { follow: true, instance: Some(&line.instance), ..ALL };
    let mut first = agent.client.logs("one", &wanted).await.unwrap();
    assert_eq!(timeout(PATIENCE, first.next()).await.unwrap().unwrap().unwrap(), line);

    let mut other = world.app("one", &["--start-delay", "1"]);
    other["spec"]["mcp"]["stop"] = json!({"grace_period": "1s"});
    world.put("one.yaml", &other);
    agent.app("one", "updated", |app| only_pid(app).is_some() && app.instances[0].id != line.instance).await;
    write(&agent, "one", "of the second").await;
    assert_eq!(timeout(PATIENCE, all.next()).await.unwrap().unwrap().unwrap().text, "of the second");
    assert!(timeout(Duration::from_millis(300), first.next()).await.is_err(), "the first has said nothing more");
    agent.stop().await;
}

/// The slowest of some calls.
async fn slowest(agent: &Agent<'_>, app: &str) -> Duration {
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let started = Instant::now();
        assert_eq!(agent.call(app, "echo", json!({"text": "there"})).await.unwrap(), "there");
        slowest = slowest.max(started.elapsed());
    }
    slowest
}

#[tokio::test]
async fn floods_are_read_slowly_and_harm_nobody() {
    let world = World::new();
    world.put("calm.yaml", &world.app("calm", &[]));
    for (name, flag) in [("stderr", "--flood-stderr"), ("stdout", "--flood-stdout")] {
        world.put(&format!("{name}.yaml"), &world.app(name, &[flag]));
    }
    let mut agent = world.run();
    agent.ready().await;
    let took = slowest(&agent, "calm").await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    // The flooding ones themselves go on answering.
    for name in ["stderr", "stdout"] {
        assert_eq!(agent.call(name, "echo", json!({"text": "me too"})).await.unwrap(), "me too");
    }
    // A follower that reads nothing for a while is told what it has missed.
    let mut follower = agent.client.logs("stderr", &LogsWanted { tail: 0, follow: true, ..ALL }).await.unwrap();
    let missed = async {
        loop {
            let line = follower.next().await.unwrap().expect("it goes on");
            if let Some(missed) = line.missed {
                return (missed, line);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let (missed, line) = timeout(PATIENCE, missed).await.unwrap();
    assert!(missed > 0 && line.text.starts_with(&format!("{missed} lines")), "{line:?}");

    // What it wrote last is kept when it ends, and the log of the agent is not flooded.
    agent.call("stderr", "crash", json!({"code": 5})).await.unwrap_err();
    agent.app("stderr", "in trouble", |app| app.state == Some(AppState::Backoff) && !app.last_lines.is_empty()).await;
    agent.app("stderr", "back", |app| app.restarts == 1 && app.state == Some(AppState::Ready)).await;
    let previous = lines(&agent, "stderr", &LogsWanted { previous: true, ..ALL }).await;
    assert!(previous.len() > 500, "{} lines of the run before", previous.len());
    assert!(previous.iter().all(|line| line.instance == previous[0].instance));
    assert!(world.log().lines().count() < 20_000);
    agent.stop().await;
}

#[tokio::test]
async fn secrets_are_left_out() {
    let stage = Stage::new();
    let mut spec = stage.spec("sh", &["-c", "echo token is hunter2-hunter2 >&2; printf 'and hunter2-hun' >&2; exit 3"]);
    spec.redaction = Arc::new(Redaction::new(["hunter2-hunter2"]));
    let (ring, journal) = (LogRing::new("test"), Journal::default());
    let started = running::start(
        &stage.launcher,
        Start::Process(Box::new(spec)),
        Sharing::Shared,
        Stop::default(),
        ring.clone(),
        journal.clone(),
    )
    .await;
    let (_, owned) = started.unwrap();
    assert_eq!(owned.run().await, Exit::Code(3));
    let written: Vec<_> = ring.tail(10).iter().map(|line| line.text.clone()).collect();
    assert_eq!(written, ["token is [secret]", "and [secret]"]);
    let told: Vec<_> = journal.tail(Some("test"), 10).iter().map(|event| event.kind.to_string()).collect();
    assert_eq!(told, ["started", "ended"]);
}
