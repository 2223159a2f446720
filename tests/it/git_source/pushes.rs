//! What an authorized push brings about.

use super::{Stage, git, reaches, running, source};
use crate::lifecycle::world::{app, gone};
use mcpfleet::status::model::AppState;

#[tokio::test(flavor = "multi_thread")]
async fn a_push_runs_replaces_and_ends_an_app() {
    let stage = Stage::new();
    let mut agent = stage.run();
    let status = reaches(&mut agent, stage.root).await;
    assert_eq!((running(&status), &*source(&status).kind), (vec![], "git"));

    let created = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&stage.app("a", "a", &[])))]);
    let status = reaches(&mut agent, created).await;
    let row = app(&status, "a").expect("it runs");
    assert_eq!((row.state, row.revision.as_deref()), (Some(AppState::Ready), Some(&*created.to_string())));
    assert_eq!((row.author.as_deref(), row.signer.as_deref()), (Some("bob <bob@example.com>"), Some("bob")));
    let first = agent.pid("a").await;

    // Somebody else's change of something else changes nothing here.
    let other = stage.push(Some(&stage.alice), &[("apps/b.yaml", Some(&stage.app("b", "b", &[])))]);
    let status = reaches(&mut agent, other).await;
    assert_eq!(running(&status), ["a", "b"]);
    let commits: Vec<_> = status.apps.iter().map(|app| app.revision.clone().expect("a commit")).collect();
    assert_eq!(commits, [created.to_string(), other.to_string()]);
    assert_eq!(agent.pid("a").await, first);

    let changed =
        stage.push(Some(&stage.alice), &[("apps/a.yaml", Some(&stage.app("a", "a", &["--start-delay", "5"])))]);
    let status = reaches(&mut agent, changed).await;
    assert_eq!(app(&status, "a").and_then(|app| app.signer.as_deref()), Some("alice"));
    gone(first).await;
    assert_ne!(agent.pid("a").await, first);

    let deleted = stage.push(Some(&stage.bob), &[("apps/a.yaml", None)]);
    assert_eq!(running(&reaches(&mut agent, deleted).await), ["b"]);
    assert!(git(&reaches(&mut agent, deleted).await).refused.is_empty());

    let text = agent.says(&["status"]).await;
    let short = &other.to_string()[..10];
    assert!(text.contains(&format!("default branch at {}", &deleted.to_string()[..10])), "{text}");
    assert!(text.contains("mode enforce") && text.contains("AUTHOR"), "{text}");
    assert!(
        text.lines().any(|line| line.starts_with("b ") && line.contains(short) && line.contains("alice")),
        "{text}"
    );
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_before_the_root_has_an_author_too() {
    let stage = Stage::new();
    let old = stage.push(Some(&stage.bob), &[("apps/old.yaml", Some(&stage.app("old", "a", &[])))]);
    let side = stage.repo.commit(
        &[stage.root],
        Some(&stage.alice),
        &[("apps/side.yaml", Some(&stage.app("side", "b", &[])))],
        "Side",
    );
    let side_file = stage.app("side", "b", &[]);
    let merge = stage.repo.commit(&[old, side], Some(&stage.alice), &[("apps/side.yaml", Some(&side_file))], "Merge");
    stage.push_commit(merge);
    let new = stage.push(Some(&stage.alice), &[("apps/new.yaml", Some(&stage.app("new", "b", &[])))]);
    let mut agent = stage.run_with(&["--root", &merge.to_string()]);
    reaches(&mut agent, new).await;
    let expected = [("new", new, "alice"), ("old", old, "bob"), ("side", side, "alice")];
    let shown = agent
        .until("the makers of all apps", |status| {
            let shown: Vec<_> =
                status.apps.iter().map(|app| (app.name.clone(), app.revision.clone(), app.author.clone())).collect();
            shown.iter().all(|(.., author)| author.is_some()).then_some(shown)
        })
        .await;
    let expected = expected
        .map(|(app, commit, by)| (app.into(), Some(commit.to_string()), Some(format!("{by} <{by}@example.com>"))));
    assert_eq!(shown, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_to_look_is_done_when_the_status_says_so() {
    let stage = Stage::new();
    // A commit that nobody announces: the remote is not watched there.
    let mut agent = stage.run();
    reaches(&mut agent, stage.root).await;
    for round in 0..10 {
        let name = format!("app-{round}");
        let file = format!("apps/{name}.yaml");
        let commit = stage.push(Some(&stage.alice), &[(&file, Some(&stage.app(&name, "b", &[])))]);
        agent.says(&["reconcile"]).await;
        let waited = agent.says(&["status", "--wait", "-o", "json"]).await;
        let status: mcpfleet::status::model::Status = serde_json::from_str(&waited).expect("a status");
        assert_eq!(git(&status).accepted, Some(commit.to_string()), "round {round}: {waited}");
        assert_eq!(app(&status, &name).and_then(|app| app.state), Some(AppState::Ready), "round {round}");
    }
}
