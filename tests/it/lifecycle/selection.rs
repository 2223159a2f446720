//! Which apps an agent runs: selectors, static apps, expiry.

use super::world::{World, app, condition, gone, only_pid};
use jiff::{SignedDuration, Timestamp};
use mcpfleet::status::model::ConditionKind;
use serde_json::json;

#[tokio::test]
async fn an_app_that_no_selector_matches_any_more_is_dropped() {
    let world = World::new();
    let mut one = world.app("one", &[]);
    one["metadata"]["labels"] = json!({"env": "prod"});
    world.put("one.yaml", &one);
    let mut two = world.app("two", &[]);
    two["metadata"]["labels"] = json!({"env": "staging"});
    world.put("two.yaml", &two);
    world.put("three.yaml", &world.app("three", &[]));
    let selectors = json!([{"labels": {"env": "prod"}}, {"labels": {"env": ["test", "^stag.*$"]}}]);
    let mut agent = world.run_configured(&json!({"app_service": {"resources": selectors}}));
    let (pid, two) = (agent.pid("one").await, agent.pid("two").await);
    let three = agent.app("three", "listed", |_| true).await;
    assert_eq!((three.state, three.instances.len()), (None, 0));
    assert!(condition(&three, ConditionKind::NotSelected).is_some(), "{three:?}");

    one["metadata"]["labels"] = json!({"env": "dev"});
    world.put("one.yaml", &one);
    agent
        .soon("an app that is not selected any more", |status| {
            app(status, "one")
                .filter(|app| app.state.is_none() && condition(app, ConditionKind::NotSelected).is_some())
                .map(drop)
        })
        .await;
    gone(pid).await;
    one["metadata"]["labels"] = json!({"env": "test"});
    world.put("one.yaml", &one);
    let row = agent
        .soon("an app that is selected again", |status| {
            app(status, "one").filter(|app| only_pid(app).is_some()).cloned()
        })
        .await;
    assert!(row.selected_by.as_deref().is_some_and(|selector| selector.contains("stag")), "{row:?}");
    assert_eq!(agent.pid("two").await, two);
    agent.stop().await;
}

#[tokio::test]
async fn static_apps_go_before_resources() {
    let world = World::new();
    world.put("one.yaml", &world.app("one", &["--never-ready"]));
    world.put("two.yaml", &world.app("two", &[]));
    let mut fixed = world.app("one", &[]);
    fixed.as_object_mut().unwrap().retain(|key, _| key == "metadata" || key == "spec");
    let service = json!({"apps": [fixed], "resources": [{"labels": {"*": "*"}}]});
    let mut agent = world.run_configured(&json!({"app_service": service}));
    let pid = agent.pid("one").await;
    agent
        .until("the shadowed resource", |status| {
            status
                .apps
                .iter()
                .find(|app| app.name == "one" && condition(app, ConditionKind::Shadowed).is_some())
                .map(drop)
        })
        .await;
    // Whatever happens to the resource, the static app does not mind.
    world.remove("one.yaml");
    agent
        .soon("only the static app", |status| {
            let mut rows = status.apps.iter().filter(|app| app.name == "one");
            (rows.next().is_some_and(|row| only_pid(row) == Some(pid)) && rows.next().is_none()).then_some(())
        })
        .await;
    agent.stop().await;
}

#[tokio::test]
async fn nothing_runs_where_apps_are_not_enabled() {
    let world = World::new();
    world.put("one.yaml", &world.app("one", &[]));
    let service = json!({"enabled": false, "resources": [{"labels": {"*": "*"}}]});
    let mut agent = world.run_configured(&json!({"app_service": service}));
    let status = agent.ready().await;
    let row = app(&status, "one").unwrap();
    assert_eq!((row.state, row.instances.len()), (None, 0));
    let why = condition(row, ConditionKind::NotSelected).unwrap();
    assert!(why.contains("not enabled"), "{why}");
    agent.stop().await;
}

#[tokio::test]
async fn an_app_stops_by_itself_when_it_expires() {
    let world = World::new();
    let mut one = world.app("one", &[]);
    let expires = Timestamp::now() + SignedDuration::from_secs(3);
    one["metadata"]["expires"] = json!(expires.to_string());
    world.put("one.yaml", &one);
    world.put("two.yaml", &world.app("two", &[]));
    let mut agent = world.run();
    let (pid, two) = (agent.pid("one").await, agent.pid("two").await);
    agent
        .until("an app that has expired", |status| {
            app(status, "one")
                .filter(|app| app.state.is_none() && condition(app, ConditionKind::Expired).is_some())
                .map(drop)
        })
        .await;
    let late = Timestamp::now().duration_since(expires);
    assert!(late >= SignedDuration::ZERO && late < SignedDuration::from_secs(5), "{late:?} late");
    gone(pid).await;
    assert_eq!(agent.pid("two").await, two);
    agent.stop().await;
}
