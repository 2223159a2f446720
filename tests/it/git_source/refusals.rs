//! What takes no effect, and that nothing else suffers from it.

use super::{Stage, git, reaches, refuses, running, source};
use crate::lifecycle::world::{app, condition};
use mcpfleet::status::model::{AppState, ConditionKind, RefusedStatus, Status};

fn refused<'s>(status: &'s Status, path: &str) -> Vec<&'s RefusedStatus> {
    git(status).refused.iter().filter(|change| change.path == path).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unauthorized_commit_holds_what_it_touched_and_nothing_else() {
    let stage = Stage::new();
    let files = [("apps/a.yaml", stage.app("a", "a", &[])), ("apps/b.yaml", stage.app("b", "b", &[]))];
    let start = stage.push(Some(&stage.alice), &files.each_ref().map(|(path, text)| (*path, Some(&**text))));
    let mut agent = stage.run();
    reaches(&mut agent, start).await;
    let before = agent.pid("b").await;

    // Not his app, one that does not exist yet, and his own right after.
    let update = stage.push(Some(&stage.bob), &[("apps/b.yaml", Some(&stage.app("b", "b", &["--start-delay", "1"])))]);
    let create = stage.push(Some(&stage.bob), &[("apps/c.yaml", Some(&stage.app("c", "b", &[])))]);
    let own = stage.push(Some(&stage.bob), &[("apps/a2.yaml", Some(&stage.app("a2", "a", &[])))]);
    let unsigned = stage.push(None, &[("apps/d.yaml", Some(&stage.app("d", "a", &[])))]);
    let status = reaches(&mut agent, unsigned).await;
    assert_eq!(running(&status), ["a", "a2", "b"]);
    assert_eq!(app(&status, "a2").and_then(|app| app.revision.clone()), Some(own.to_string()));
    assert!(status.agent.message.contains("3 changes were refused"), "{}", status.agent.message);

    let b = app(&status, "b").expect("it runs");
    assert_eq!((b.state, b.revision.as_deref()), (Some(AppState::Ready), Some(&*start.to_string())));
    let held = condition(b, ConditionKind::Held).expect("it is held");
    assert!(held.contains(&update.short()) && held.contains("signed by bob"), "{held}");
    assert_eq!(agent.pid("b").await, before);

    let listed: Vec<_> = git(&status)
        .refused
        .iter()
        .map(|change| (change.commit.clone(), change.name.clone(), change.code.clone(), change.signer.clone()))
        .collect();
    let row = |commit: mcpfleet::authorize::ObjectId, name: &str, code: &str, signer: Option<&str>| {
        (commit.to_string(), Some(name.to_owned()), Some(code.to_owned()), signer.map(str::to_owned))
    };
    let expected = [
        row(unsigned, "d", "unsigned", None),
        row(create, "c", "not-allowed", Some("bob")),
        row(update, "b", "not-allowed", Some("bob")),
    ];
    assert_eq!(listed, expected, "newest first");
    let text = agent.says(&["status"]).await;
    for part in [
        "refused[not-allowed]: create of app/c in apps/c.yaml",
        "of bob <bob@example.com>, signed by bob",
        "refused[unsigned]",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(stage.world.log().contains("change refused"));

    // Whoever takes it back needs no right.
    let restored = [("apps/b.yaml", Some(&*files[1].1)), ("apps/c.yaml", None), ("apps/d.yaml", None)];
    let restored = stage.push(None, &restored);
    let status = reaches(&mut agent, restored).await;
    assert!(git(&status).refused.is_empty(), "{:?}", git(&status).refused);
    assert!(app(&status, "b").is_some_and(|b| b.conditions.is_empty()));
    assert_eq!(agent.pid("b").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_parse_is_refused_and_may_be_corrected() {
    let stage = Stage::new();
    let good = stage.app("a", "a", &[]);
    let start = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&good))]);
    let mut agent = stage.run();
    reaches(&mut agent, start).await;
    let broken = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some("kind: app\nspec: ["))]);
    let status = reaches(&mut agent, broken).await;
    assert_eq!(running(&status), ["a"]);
    let change = refused(&status, "apps/a.yaml").into_iter().next().expect("it is listed");
    assert_eq!((change.code.as_deref(), &*change.commit), (Some("invalid-resource"), &*broken.to_string()));
    assert!(source(&status).diagnostics.is_empty(), "what is refused is no mistake of what runs");

    let corrected = stage.push(None, &[("apps/a.yaml", Some(&good))]);
    assert!(git(&reaches(&mut agent, corrected).await).refused.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rewritten_history_moves_nothing() {
    let stage = Stage::new();
    let start = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&stage.app("a", "a", &[])))]);
    let mut agent = stage.run();
    reaches(&mut agent, start).await;
    let pid = agent.pid("a").await;
    let trust = stage.trust();

    let unrelated =
        stage.repo.commit(&[], Some(&stage.alice), &[("apps/x.yaml", Some(&stage.app("x", "a", &[])))], "Else");
    for (rewritten, what) in [(stage.root, "rewound"), (unrelated, "unrelated")] {
        stage.repo.push(rewritten);
        let status = refuses(&mut agent, rewritten).await;
        let error = source(&status).error.as_ref().expect("an error");
        assert_eq!(error.code.as_deref(), Some("history-rewritten"), "{what}: {error:?}");
        assert_eq!(git(&status).accepted, Some(start.to_string()), "{what}");
        assert_eq!((running(&status), agent.pid("a").await), (vec!["a"], pid), "{what}");
        assert_eq!(stage.trust(), trust, "{what}");
    }
    // The same error is not looked for again and again: nothing is judged until something moves.
    let next = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&stage.app("a", "a", &["--start-delay", "1"])))]);
    let status = reaches(&mut agent, next).await;
    assert!(source(&status).error.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_vanishes_takes_nothing_with_it() {
    let stage = Stage::new();
    let start = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&stage.app("a", "a", &[])))]);
    let mut agent = stage.run();
    reaches(&mut agent, start).await;
    let pid = agent.pid("a").await;
    stage.repo.set("refs/heads/another", Some(start));
    stage.repo.set("refs/heads/main", None);
    let error = agent.until("an error", |status| source(status).error.clone()).await;
    assert_eq!(error.code.as_deref(), Some("ref-missing"), "{error:?}");
    assert!(error.next_attempt.is_some());
    assert_eq!(agent.pid("a").await, pid);
    stage.repo.set("refs/heads/main", Some(start));
    agent.until("no error", |status| source(status).error.is_none().then_some(())).await;
    assert_eq!(agent.pid("a").await, pid);
}
