//! What outlasts the agent: what is trusted, and what runs while the repository cannot be reached.

use super::{Stage, git, reaches, running, source};
use crate::{lifecycle::world::app, support::Key};
use mcpfleet::status::model::Status;
use serde_json::json;
use std::fs;

fn error_of(status: &Status) -> Option<(String, String)> {
    let error = source(status).error.as_ref()?;
    Some((error.code.clone()?, error.message.clone()))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_goes_on_where_the_one_before_was() {
    let stage = Stage::new();
    let start = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&stage.app("a", "a", &[])))]);
    let bad = stage.push(Some(&stage.bob), &[("apps/b.yaml", Some(&stage.app("b", "b", &[])))]);
    let mut agent = stage.run();
    let before = reaches(&mut agent, bad).await;
    agent.stop().await;

    // Without the repository, and without a word on what to trust.
    fs::rename(stage.repo.path(), stage.world.path("elsewhere.git")).unwrap();
    let mut agent = stage.run_with(&[]);
    let (status, error) = agent
        .until("an app that runs and an error", |status| {
            let error = error_of(status).filter(|_| app(status, "a").is_some_and(|app| app.signer.is_some()))?;
            Some((status.clone(), error))
        })
        .await;
    assert_eq!(error.0, "not-found");
    assert_eq!(running(&status), ["a"]);
    assert_eq!(git(&status).accepted, git(&before).accepted);
    assert_eq!(git(&status).refused, git(&before).refused);
    let made = app(&status, "a").map(|app| (app.revision.clone(), app.signer.clone()));
    assert_eq!(made, Some((Some(start.to_string()), Some("bob".to_owned()))));

    fs::rename(stage.world.path("elsewhere.git"), stage.repo.path()).unwrap();
    let next = stage.push(Some(&stage.bob), &[("apps/a2.yaml", Some(&stage.app("a2", "a", &[])))]);
    assert_eq!(running(&reaches(&mut agent, next).await), ["a", "a2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_is_lost_is_made_anew() {
    let stage = Stage::new();
    let start = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&stage.app("a", "a", &[])))]);
    let mut agent = stage.run();
    reaches(&mut agent, start).await;
    agent.stop().await;
    let trust = stage.trust();
    fs::remove_dir_all(stage.state_dir().join("mirror.git")).unwrap();
    let mut agent = stage.run();
    reaches(&mut agent, start).await;
    assert_eq!(stage.trust(), trust);
    // Under its feet.
    fs::remove_dir_all(stage.state_dir().join("mirror.git/objects")).unwrap();
    let next = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&stage.app("a", "a", &["--start-delay", "1"])))]);
    reaches(&mut agent, next).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_trust_is_not_taken_for_none() {
    let stage = Stage::new();
    let start = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&stage.app("a", "a", &[])))]);
    let mut agent = stage.run_with(&["--trust-first"]);
    reaches(&mut agent, start).await;
    agent.stop().await;
    let file = stage.state_dir().join("trust.json");
    let good = fs::read(&file).unwrap();
    for bad in [&good[..good.len() / 2], b"", b"{\"version\": 2}"] {
        fs::write(&file, bad).unwrap();
        let mut agent = stage.run_with(&["--trust-first"]);
        let (code, message) = agent.until("an error", error_of).await;
        assert_eq!(code, "state");
        assert!(message.contains("trust.json is damaged") && message.contains("mcpfleet trust set"), "{message}");
        let status = agent.status().await.unwrap();
        assert_eq!((running(&status), git(&status).accepted.clone()), (vec![], None));
        assert_eq!(fs::read(&file).unwrap(), bad, "nobody has written it");

        // No new start is needed once it is mended.
        fs::write(&file, &good).unwrap();
        agent.client.reconcile(false).await.unwrap();
        reaches(&mut agent, start).await;
        agent.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_root_must_be_one_that_what_is_trusted_descends_from() {
    let stage = Stage::new();
    let start = stage.push(Some(&stage.alice), &[("apps/a.yaml", Some(&stage.app("a", "a", &[])))]);
    let mut agent = stage.run_with(&["--root", &start.to_string()]);
    reaches(&mut agent, start).await;
    agent.stop().await;

    // Older: fine.
    let mut agent = stage.run();
    reaches(&mut agent, start).await;
    agent.stop().await;

    // Elsewhere, and newer than what is trusted: not.
    let side = stage.repo.commit(&[stage.root], Some(&stage.alice), &[], "Side");
    let side =
        stage.repo.commit(&[side], Some(&stage.alice), &[("apps/s.yaml", Some(&stage.app("s", "a", &[])))], "Side");
    let merge = stage.repo.commit(
        &[start, side],
        Some(&stage.alice),
        &[("apps/s.yaml", Some(&stage.app("s", "a", &[])))],
        "Merge",
    );
    stage.push_commit(merge);
    let trust = stage.trust();
    let mut agent = stage.run_with(&["--root", &side.to_string()]);
    let (code, message) = agent.until("an error", error_of).await;
    assert_eq!(code, "root");
    assert!(message.contains("does not descend from it") && message.contains("mcpfleet trust set"), "{message}");
    assert_eq!(stage.trust(), trust);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_must_be_what_the_configuration_says() {
    let stage = Stage::new();
    let (root, mallory) = (stage.root.to_string(), Key::new("mallory"));
    let by = |key: &Key| json!({"root": {"commit": root, "signer": key.public()}});
    let mut agent = stage.run_configured(&by(&mallory));
    let (code, message) = agent.until("an error", error_of).await;
    assert_eq!(code, "root");
    assert!(message.contains("not by `signer`"), "{message}");
    agent.stop().await;
    assert!(!stage.state_dir().join("trust.json").exists());

    let mut agent = stage.run_configured(&by(&stage.alice));
    reaches(&mut agent, stage.root).await;
    agent.stop().await;
    assert_eq!(stage.trust()["root"], root.as_str());

    // One without anybody who could change the policy.
    let stage = Stage::new();
    let lost = stage.repo.commit(&[], Some(&stage.alice), &[("apps/a.yaml", Some(&stage.app("a", "a", &[])))], "Else");
    stage.push_commit(lost);
    let mut agent = stage.run_with(&["--root", &lost.to_string()]);
    let (code, message) = agent.until("an error", error_of).await;
    assert_eq!(code, "policy-lockout");
    assert!(message.contains("no administrator"), "{message}");
    assert!(running(&agent.status().await.unwrap()).is_empty());
}
