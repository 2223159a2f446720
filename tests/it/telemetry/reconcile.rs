//! From a push to what it brings about.

use super::collector::{CLIENT, Collector, Span};
use crate::git_source::{Stage, reaches};
use crate::lifecycle::world::app;
use mcpfleet::status::model::AppState;

async fn child(collector: &Collector, of: &Span, name: &str) -> Span {
    let what = format!("`{name}` below `{}`", of.name);
    collector.span(&what, |span| span.parent == of.id && span.trace == of.trace && span.name == name).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_a_trace_from_the_look_to_the_servers() {
    let collector = Collector::start().await;
    let stage = Stage::new();
    let setting = collector.setting();
    let mut agent = stage.run_with(&["--root", &stage.root.to_string(), "--set", &setting]);
    reaches(&mut agent, stage.root).await;

    let look = async |commit: &str| {
        let look =
            collector.span("the look", |span| span.get("mcpfleet.revision") == commit && span.name == "source look");
        let look = look.await;
        assert_eq!(
            (look.parent.as_str(), look.get("mcpfleet.source.kind"), look.failed),
            ("", "git", false),
            "{look:?}"
        );
        for part in ["git list", "git fetch"] {
            child(&collector, &look, part).await;
        }
        let judged = child(&collector, &look, "git judge").await;
        assert_eq!(judged.get("vcs.ref.head.revision"), commit);
        child(&collector, &judged, "source read").await;
        look
    };
    let created = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&stage.app("a", "a", &[])))]);
    reaches(&mut agent, created).await;
    let found = look(&created.to_string()).await;
    let plan = child(&collector, &found, "reconcile").await;
    let counts = ["start", "replace", "update", "stop"].map(|verb| plan.get(&format!("mcpfleet.plan.{verb}")));
    assert_eq!((counts, plan.get("mcpfleet.revision")), (["1", "0", "0", "0"], &*created.to_string()), "{plan:?}");
    let start = child(&collector, &plan, "app start").await;
    assert_eq!((start.get("mcpfleet.app.name"), start.failed), ("a", false), "{start:?}");
    // What the server was asked before it was ready.
    collector.span("a question to the server", |span| span.kind == CLIENT && span.parent == start.id).await;

    let changed = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&stage.app("a", "a", &["--start-delay", "5"])))]);
    reaches(&mut agent, changed).await;
    let plan = child(&collector, &look(&changed.to_string()).await, "reconcile").await;
    let switch = child(&collector, &plan, "app switch").await;
    assert!(!switch.failed, "{switch:?}");

    // One that does not start.
    let broken = stage.push(Some(&stage.bob), &[("apps/b.yaml", Some(&stage.app("b", "a", &["--no-such-flag"])))]);
    agent.app("b", "failing", |app| matches!(app.state, Some(AppState::Backoff | AppState::Failed))).await;
    let plan = child(&collector, &look(&broken.to_string()).await, "reconcile").await;
    let failed = child(&collector, &plan, "app start").await;
    assert_eq!((failed.failed, failed.get("error.type")), (true, "start_failed"), "{failed:?}");

    let deleted = stage.push(Some(&stage.bob), &[("apps/a.yaml", None), ("apps/b.yaml", None)]);
    let status = reaches(&mut agent, deleted).await;
    assert!(app(&status, "a").is_none_or(|app| app.state.is_none()));
    let plan = child(&collector, &look(&deleted.to_string()).await, "reconcile").await;
    for name in ["a", "b"] {
        let stopped =
            |span: &Span| span.parent == plan.id && span.name == "app stop" && span.get("mcpfleet.app.name") == name;
        collector.span("the end of an app", stopped).await;
    }
    agent.stop().await;
}
