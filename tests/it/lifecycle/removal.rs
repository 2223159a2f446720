//! Removals, few and many.

use super::world::{World, app, condition, gone, only_pid, runs};
use mcpfleet::status::model::{AgentState, ConditionKind};
use std::fs;

#[tokio::test]
async fn the_only_app_can_be_removed() {
    let world = World::new();
    world.put("one.yaml", &world.app("one", &[]));
    let mut agent = world.run();
    let pid = agent.pid("one").await;
    world.remove("one.yaml");
    agent.soon("an empty fleet", |status| status.apps.is_empty().then_some(())).await;
    gone(pid).await;
    let status = agent.ready().await;
    assert_eq!(status.sources[0].files, 0);
    agent.stop().await;
}

#[tokio::test]
async fn a_mass_removal_is_held_until_somebody_confirms() {
    let world = World::new();
    let most = ["a", "b", "c", "d"];
    for name in most {
        world.put(&format!("most/{name}.yaml"), &world.app(name, &[]));
    }
    world.put("e.yaml", &world.app("e", &[]));
    let mut agent = world.run();
    let mut pids = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        pids.push(agent.pid(name).await);
    }
    // All at once.
    fs::rename(world.file("most"), world.path("away")).unwrap();
    let status = agent
        .soon("four removals of five are held", |status| {
            let held = |name: &str| app(status, name).is_some_and(|app| condition(app, ConditionKind::Held).is_some());
            most.iter().all(|name| held(name)).then(|| status.clone())
        })
        .await;
    assert_eq!(status.agent.state, AgentState::Stalled);
    for (name, pid) in most.iter().zip(&pids) {
        assert_eq!(app(&status, name).and_then(only_pid), Some(*pid));
        assert!(runs(*pid));
    }
    let text = agent.says(&["status"]).await;
    assert!(text.contains("Held") && text.contains("mcpfleet reconcile --prune"), "{text}");
    // Other changes go on meanwhile, and looking again changes nothing.
    world.put("f.yaml", &world.app("f", &[]));
    agent.soon("a new app while removals are held", |status| app(status, "f").and_then(only_pid)).await;
    agent.look_again().await;
    assert!(pids.iter().all(|pid| runs(*pid)));

    agent.says(&["reconcile", "--prune"]).await;
    agent.soon("the removals", |s| most.iter().all(|name| app(s, name).is_none()).then_some(())).await;
    for pid in pids.iter().take(most.len()) {
        gone(*pid).await;
    }
    assert_eq!(agent.pid("e").await, pids[4]);
    agent.ready().await;
    agent.stop().await;
}

#[tokio::test]
async fn a_few_removals_pass() {
    let world = World::new();
    for name in ["a", "b", "c"] {
        world.put(&format!("{name}.yaml"), &world.app(name, &[]));
    }
    for name in ["d", "e"] {
        world.put(&format!("some/{name}.yaml"), &world.app(name, &[]));
    }
    let mut agent = world.run();
    let (a, d, e) = (agent.pid("a").await, agent.pid("d").await, agent.pid("e").await);
    agent.ready().await;
    fs::rename(world.file("some"), world.path("away")).unwrap();
    agent.soon("two of five removed", |s| ["d", "e"].iter().all(|name| app(s, name).is_none()).then_some(())).await;
    gone(d).await;
    gone(e).await;
    assert_eq!(agent.pid("a").await, a);
    agent.stop().await;
}
