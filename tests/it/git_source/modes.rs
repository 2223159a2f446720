//! Modes in which what is not authorized takes effect all the same.

use super::{Stage, git, reaches, running, source};
use crate::lifecycle::world::app;
use mcpfleet::status::model::AgentState;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn audit_applies_everything_and_says_what_it_would_have_refused() {
    let stage = Stage::new();
    let start = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&stage.app("a", "a", &[])))]);
    let mut agent = stage.run_configured(&json!({"mode": "audit", "root": {"commit": stage.root.to_string()}}));
    reaches(&mut agent, start).await;
    let bad = stage.push(Some(&stage.bob), &[("apps/b.yaml", Some(&stage.app("b", "b", &[])))]);
    let status = reaches(&mut agent, bad).await;
    assert_eq!(running(&status), ["a", "b"]);
    assert_eq!(git(&status).mode, "audit");
    assert!(git(&status).warnings.iter().any(|warning| warning.contains("takes effect all the same")));
    let refused = &git(&status).refused[0];
    assert_eq!((&*refused.path, refused.code.as_deref()), ("apps/b.yaml", Some("not-allowed")));
    assert!(app(&status, "b").is_some_and(|app| app.conditions.is_empty()), "nothing is held");
    assert!(stage.world.log().contains("although it is not authorized (audit)"), "{}", stage.world.log());
    agent.until("its maker", |status| app(status, "b").filter(|b| b.author.is_some()).map(|_| ())).await;

    // Not even what cannot be judged is held up.
    let rewritten = stage.repo.commit(&[stage.root], None, &[("apps/c.yaml", Some(&stage.app("c", "b", &[])))], "Else");
    stage.push_commit(rewritten);
    let status = agent
        .until("the rewritten history in force", |status| {
            (status.agent.state == AgentState::Ready && running(status) == ["c"]).then(|| status.clone())
        })
        .await;
    assert!(source(&status).error.is_none());
    let warnings = git(&status).warnings.join(" ");
    assert!(warnings.contains("without having been judged"), "{warnings}");
    assert_eq!(stage.trust()["state"]["commit"], bad.to_string(), "what was judged stays so");
    agent.stop().await;

    // Whoever enforces again goes on from what was judged.
    let merge =
        stage.repo.commit(&[bad], Some(&stage.alice), &[("apps/d.yaml", Some(&stage.app("d", "b", &[])))], "Back");
    stage.push_commit(merge);
    let mut agent = stage.run();
    assert_eq!(running(&reaches(&mut agent, merge).await), ["a", "d"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn off_judges_nothing_and_says_so() {
    let stage = Stage::new();
    let start = stage.push(None, &[("apps/a.yaml", Some(&stage.app("a", "a", &[])))]);
    let mut agent = stage.run_configured(&json!({"mode": "off"}));
    let status = reaches(&mut agent, start).await;
    assert_eq!(running(&status), ["a"]);
    assert!(git(&status).warnings.iter().any(|warning| warning.contains("decides what runs here")));
    assert!(agent.says(&["status"]).await.contains("authors are not checked"));
    assert!(!stage.state_dir().join("trust.json").exists());
    agent.stop().await;

    // What was applied last runs also when the repository cannot be reached.
    std::fs::rename(stage.repo.path(), stage.world.path("elsewhere.git")).unwrap();
    let mut agent = stage.run_configured(&json!({"mode": "off"}));
    agent.until("the app and the error", |s| (running(s) == ["a"] && source(s).error.is_some()).then_some(())).await;
}
