//! What happened, as the agent tells it afterwards and while it happens.

use crate::{
    git_source::{Stage, reaches},
    lifecycle::world::{Agent, World, only_pid},
    support::{PATIENCE, eventually},
};
use mcpfleet::status::model::{
    AppState,
    event::{Event, EventKind, EventLevel},
};
use serde_json::json;
use std::fs;
use tokio::time::timeout;

/// The events that are kept, of an app or of all.
async fn events(agent: &Agent<'_>, app: Option<&str>) -> Vec<Event> {
    let mut lines = agent.client.events(app, usize::MAX, false).await.unwrap();
    let mut events = Vec::new();
    while let Some(event) = lines.next().await.unwrap() {
        events.push(event);
    }
    events
}

fn kinds(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| &*event.kind).collect()
}

/// Waits for an event of an app and gives all that there are then.
async fn until(agent: &Agent<'_>, app: &str, kind: &str) -> Vec<Event> {
    let found = async || Some(events(agent, Some(app)).await).filter(|events| kinds(events).contains(&kind));
    eventually(&format!("{app}: {kind}"), found).await
}

fn last<'e>(events: &'e [Event], kind: &str) -> &'e Event {
    events.iter().rfind(|event| event.kind == kind).unwrap_or_else(|| panic!("no {kind} in {:?}", kinds(events)))
}

#[tokio::test]
async fn the_life_of_an_app() {
    let world = World::new();
    let mut one = world.app("one", &[]);
    one["spec"]["mcp"]["restart"] = json!({"initial_backoff": "1s"});
    world.put("one.yaml", &one);
    let mut agent = world.run();
    let pid = agent.pid("one").await;
    let start = events(&agent, Some("one")).await;
    let expected = ["app-start", "state-changed", "started", "answered", "state-changed"];
    assert_eq!(kinds(&start), expected, "{start:#?}");
    assert!(start.iter().all(|event| event.level == EventLevel::Info && event.app.as_deref() == Some("one")));
    let started = last(&start, "started");
    assert_eq!((started.details.pid, started.instance.as_deref()), (Some(pid), Some("one-1")));
    let answered = last(&start, "answered");
    assert_eq!((answered.details.era.as_deref(), answered.details.took_ms.is_some()), (Some("modern"), true));
    assert_eq!(start.last().unwrap().details.state, Some(AppState::Ready));
    let source = start[0].details.source.clone().expect("the source of the definition");
    assert_eq!(start[0].details.path.as_deref(), Some("one.yaml"));

    agent.call("one", "crash", json!({"code": 3})).await.unwrap_err();
    agent.app("one", "ready again", |app| app.restarts == 1 && only_pid(app).is_some()).await;
    let crash = events(&agent, Some("one")).await.split_off(start.len());
    let expected = ["ended", "backoff", "state-changed", "started", "answered", "state-changed"];
    assert_eq!(kinds(&crash), expected, "{crash:#?}");
    let ended = last(&crash, "ended");
    assert_eq!((ended.level, ended.details.exit, ended.details.expected), (EventLevel::Warning, Some(3), Some(false)));
    let backoff = last(&crash, "backoff");
    assert_eq!((backoff.details.state, backoff.details.restarts), (Some(AppState::Backoff), Some(1)));
    assert!(backoff.details.next_attempt.is_some_and(|next| next > backoff.time), "{backoff:?}");
    assert!(backoff.message.starts_with("exit status 3; next start in "), "{}", backoff.message);

    one["spec"]["mcp"]["args"] = json!(["--start-delay", "1"]);
    world.put("one.yaml", &one);
    until(&agent, "one", "switched").await;
    world.remove("one.yaml");
    agent.until("it is gone", |status| status.apps.is_empty().then_some(())).await;
    let rest = events(&agent, Some("one")).await.split_off(start.len() + crash.len());
    let switched = last(&rest, "switched");
    assert!(switched.message.contains(" serves; ") && switched.details.spec.is_some(), "{}", switched.message);
    assert_eq!(last(&rest, "app-replace").details.source.as_ref(), Some(&source));
    assert!(kinds(&rest).contains(&"app-stop"));
    let ends: Vec<_> = rest.iter().filter(|event| event.kind == "ended").collect();
    let expected = |event: &&&Event| event.details.expected == Some(true) && event.level == EventLevel::Info;
    assert_eq!((ends.len(), ends.iter().filter(expected).count()), (2, 2), "{ends:#?}");

    // All of it in one order, and in the log once.
    let all = events(&agent, None).await;
    assert!(all.is_sorted_by(|a, b| a.sequence < b.sequence));
    let log = world.log();
    for event in all.iter().filter(|event| event.kind == "ended" || event.kind == "backoff") {
        assert!(log.contains(&event.message), "{}: {log}", event.message);
    }
    assert_eq!(log.matches("exit status 3 after").count(), 1, "{log}");
    agent.stop().await;
}

#[tokio::test]
async fn an_update_that_fails_and_a_source_that_is_gone() {
    let world = World::new();
    world.put("one.yaml", &world.app("one", &[]));
    let mut agent = world.run();
    agent.pid("one").await;
    let mut bad = world.app("one", &["--exit", "7"]);
    bad["spec"]["mcp"]["restart"] = json!({"initial_backoff": "100ms"});
    world.put("one.yaml", &bad);
    let failed = until(&agent, "one", "update-failed").await;
    let failed = last(&failed, "update-failed");
    assert_eq!((failed.level, failed.details.state), (EventLevel::Warning, Some(AppState::Degraded)));
    assert!(failed.message.contains("exit status 7") && failed.details.next_attempt.is_some(), "{failed:?}");

    fs::rename(world.path("fleet"), world.path("away")).unwrap();
    eventually("a source that failed", async || {
        kinds(&events(&agent, None).await).contains(&"source-failed").then_some(())
    })
    .await;
    fs::rename(world.path("away"), world.path("fleet")).unwrap();
    eventually("a source that is back", async || {
        kinds(&events(&agent, None).await).contains(&"source-recovered").then_some(())
    })
    .await;
    let all = events(&agent, None).await;
    let (first, gone) = (last(&all, "revision-applied"), last(&all, "source-failed"));
    assert_eq!((&first.details.source, first.app.as_ref()), (&gone.details.source, None));
    assert!(gone.message.contains("stays in force") && gone.details.source.is_some(), "{gone:?}");
    // A source that says the same as before says no new revision.
    let revisions: Vec<_> = all.iter().filter_map(|event| event.details.revision.as_ref()).collect();
    assert!(revisions.len() >= 2, "{revisions:?}");
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_changes_and_the_commits_that_are_applied() {
    let stage = Stage::new();
    let start = stage.push(Some(&stage.alice), &[("apps/a.yaml", Some(&stage.app("a", "a", &[])))]);
    let mut agent = stage.run();
    reaches(&mut agent, start).await;
    let bad = stage.push(Some(&stage.bob), &[("apps/b.yaml", Some(&stage.app("b", "b", &[])))]);
    reaches(&mut agent, bad).await;
    let refused = eventually("a refused change", async || {
        events(&agent, None).await.into_iter().find(|event| event.kind == "change-refused")
    })
    .await;
    let details = &refused.details;
    assert_eq!(
        (refused.level, details.commit.as_deref(), details.signer.as_deref(), details.code.as_deref()),
        (EventLevel::Warning, Some(&*bad.to_string()), Some("bob"), Some("not-allowed"))
    );
    assert!(details.author.as_deref().is_some_and(|author| author.contains("bob@example.com")), "{refused:?}");
    assert!(refused.message.contains("create of app/b in apps/b.yaml") && details.reason.is_some(), "{refused:?}");
    let all = events(&agent, None).await;
    let applied: Vec<_> = all
        .iter()
        .filter(|event| event.kind == "revision-applied")
        .filter_map(|e| e.details.revision.clone())
        .collect();
    assert!(applied.contains(&start.to_string()), "{applied:?}");
    let started = all.iter().find(|event| event.kind == "app-start").expect("the start of a");
    assert_eq!(
        (started.details.revision.as_deref(), started.details.signer.as_deref()),
        (Some(&*start.to_string()), Some("alice"))
    );
    assert_eq!(all.iter().filter(|event| event.kind == "change-refused").count(), 1, "told once");
    agent.stop().await;
}

#[tokio::test]
async fn followers_see_it_happen() {
    let world = World::new();
    for name in ["one", "two"] {
        world.put(&format!("{name}.yaml"), &world.app(name, &[]));
    }
    let mut agent = world.run();
    agent.ready().await;
    let mut all = agent.client.events(None, 1, true).await.unwrap();
    let mut one = agent.client.events(Some("one"), 0, true).await.unwrap();
    assert!(timeout(PATIENCE, all.next()).await.unwrap().unwrap().is_some(), "the last one is told first");
    for app in ["two", "one"] {
        agent.call(app, "crash", json!({"code": 4})).await.unwrap_err();
        let ended = async {
            loop {
                let event = all.next().await.unwrap().expect("it goes on");
                if event.kind == "ended" && event.app.as_deref() == Some(app) {
                    return event;
                }
            }
        };
        assert_eq!(timeout(PATIENCE, ended).await.unwrap().details.exit, Some(4));
    }
    let first = timeout(PATIENCE, one.next()).await.unwrap().unwrap().unwrap();
    assert_eq!((&*first.kind, first.app.as_deref()), ("ended", Some("one")), "{first:?}");
    agent.stop().await;
}

#[tokio::test]
async fn as_commands_show_it() {
    let world = World::new();
    world.put("one.yaml", &world.app("one", &[]));
    world.put("two.yaml", &world.app("two", &[]));
    let mut agent = world.run();
    agent.ready().await;
    let text = agent.says(&["events", "one"]).await;
    let line = text.lines().find(|line| line.contains(" started ")).expect("a start");
    assert!(line.contains("Z started one-") && line.contains(": process "), "{line}");
    assert!(!text.contains("two"), "{text}");
    assert!(agent.says(&["events"]).await.contains("two"));
    let json = agent.says(&["events", "--tail", "2", "-o", "json"]).await;
    let events: Vec<Event> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 2, "{json}");
    let yaml = agent.says(&["events", "-n", "1", "-o", "yaml"]).await;
    assert!(yaml.starts_with("---\n") && yaml.contains("\nkind: "), "{yaml}");
    assert_eq!(agent.says(&["events", "no-such-app"]).await, "");

    let bare = agent.says(&["status", "-v"]).await;
    assert!(!bare.contains("LAST EXIT"), "{bare}");
    agent.call("one", "crash", json!({})).await.unwrap_err();
    agent.app("one", "ended", |app| app.last_exit_at.is_some()).await;
    let status = agent.says(&["status", "-v"]).await;
    let row = status.lines().skip_while(|line| !line.contains("LAST EXIT")).nth(1).expect("a row");
    assert!(row.starts_with("one  killed by SIGABRT") && row.contains(" ago"), "{status}");
    agent.stop().await;
}

#[test]
fn every_kind_is_documented() {
    let page = include_str!("../../docs/operations.md");
    let missing: Vec<_> =
        EventKind::ALL.iter().map(|kind| kind.word()).filter(|word| !page.contains(&format!("`{word}`"))).collect();
    assert!(missing.is_empty(), "docs/operations.md does not say what {missing:?} are");
}

#[tokio::test]
async fn what_somebody_asked_for_is_told() {
    let world = World::new();
    world.put("one.yaml", &world.app("one", &[]));
    let mut agent = world.run();
    agent.pid("one").await;
    agent.says(&["restart", "one", "--wait"]).await;
    agent.says(&["suspend", "one"]).await;
    agent.app("one", "suspended", |app| app.state == Some(AppState::Suspended)).await;
    agent.says(&["resume", "one"]).await;
    agent.pid("one").await;
    let told = events(&agent, Some("one")).await;
    for kind in ["restart-asked", "switched", "suspended", "resumed"] {
        assert!(kinds(&told).contains(&kind), "{kind}: {:?}", kinds(&told));
    }
    assert!(last(&told, "switched").message.contains("same version"), "{told:?}");
    agent.stop().await;
}
