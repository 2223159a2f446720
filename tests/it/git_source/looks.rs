//! When a source looks, and what it takes of what it sees: without an agent around it.

use crate::{
    judgement::rules,
    support::{Home, Key, PATIENCE, Repo, app, root},
};
use mcpfleet::{
    authorize::ObjectId,
    git::{Follow, Remote},
    source::{GitSettings, Ignore, Mode, Root, Source, SourceView, spawn},
};
use std::{
    fs,
    time::{Duration, Instant},
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

struct Stage {
    home: Home,
    repo: Repo,
    alice: Key,
    root: ObjectId,
}

impl Stage {
    fn new() -> Stage {
        let home = Home::new();
        let repo = Repo::new(&home);
        let alice = Key::new("alice");
        let root = root(&repo, &[("alice", &alice, &["admin"])]);
        Stage { home, repo, alice, root }
    }

    fn settings(&self) -> GitSettings {
        GitSettings {
            name: "fleet".to_owned(),
            remote: Remote {
                url: self.repo.url(),
                timeout: Duration::from_secs(60),
                username_file: None,
                password_file: None,
                ssh_key_file: None,
                ssh_passphrase_file: None,
                known_hosts_file: None,
                ca_file: None,
                proxy: None,
                max_bytes: 1 << 30,
            },
            follow: Follow::Branch("main".to_owned()),
            interval: Duration::from_secs(3600),
            state_dir: self.home.path().join("state"),
            subpath: None,
            ignore: Ignore::none(),
            mode: Mode::Enforce,
            rules: rules(),
            root: Root::Commit { commit: self.root, signer: None },
        }
    }

    fn push(&self, parent: ObjectId, changes: &[(&str, Option<&str>)]) -> ObjectId {
        let commit = self.repo.commit(&[parent], Some(&self.alice), changes, "Change");
        self.repo.push(commit);
        commit
    }
}

fn follow(settings: GitSettings) -> (Source, DropGuard) {
    let shutdown = CancellationToken::new();
    let (source, _task) = spawn(settings, shutdown.clone());
    (source, shutdown.drop_guard())
}

async fn until(source: &Source, what: &str, is_so: impl FnMut(&SourceView) -> bool) -> SourceView {
    let mut view = source.view.clone();
    let seen = timeout(PATIENCE, view.wait_for(is_so)).await;
    seen.unwrap_or_else(|_| panic!("not seen: {what}; instead {:?}", source.view.borrow())).expect("it runs").clone()
}

fn accepted(view: &SourceView, commit: ObjectId) -> bool {
    view.git.as_ref().is_some_and(|git| git.accepted == Some(commit))
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_replays_a_trigger_causes_a_look_a_second() {
    let stage = Stage::new();
    let (source, _running) = follow(stage.settings());
    until(&source, "the root", |view| accepted(view, stage.root)).await;
    let (started, before) = (Instant::now(), source.view.borrow().reads);
    while started.elapsed() < Duration::from_millis(2500) {
        source.trigger.fire();
        sleep(Duration::from_millis(5)).await;
    }
    // One for each second that was begun, whatever the machine made of the pauses; and each call is answered.
    let looks = source.view.borrow().reads - before;
    assert!((2..=started.elapsed().as_secs() + 1).contains(&looks), "{looks} looks in {:?}", started.elapsed());
    until(&source, "an answer to the last call", |_| !source.is_asked()).await;

    // A push is not kept waiting by that.
    source.trigger.fire();
    let next = stage.push(stage.root, &[("apps/a.yaml", Some(&app("a", "a", "1")))]);
    until(&source, "the push", |view| accepted(view, next)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_cannot_be_reached_goes_stale() {
    let stage = Stage::new();
    let (source, _running) = follow(GitSettings { interval: Duration::from_millis(200), ..stage.settings() });
    until(&source, "the root", |view| accepted(view, stage.root)).await;
    let away = stage.home.path().join("away.git");
    fs::rename(stage.repo.path(), &away).unwrap();
    let warned = |view: &SourceView| view.git.as_ref().is_some_and(|git| !git.warnings.is_empty());
    let view = until(&source, "a warning", warned).await;
    let (error, snapshot) = (view.error.expect("why"), view.snapshot.expect("what was there before"));
    assert_eq!((error.code.as_deref(), error.next_attempt.is_some()), (Some("not-found"), true));
    let seen = view.last_read.expect("it was seen");
    assert!(error.since > seen, "{error:?}");

    fs::rename(&away, stage.repo.path()).unwrap();
    let view = until(&source, "no warning", |view| view.error.is_none() && !warned(view)).await;
    assert!(view.last_read > Some(seen));
    assert!(view.snapshot.is_some_and(|again| again.revision == snapshot.revision));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_meant_is_taken_and_all_is_judged() {
    let stage = Stage::new();
    let changes = ["prod/a", "prod/draft/b", "test/c"]
        .map(|path| (format!("{path}.yaml"), app(&path.replace('/', "-"), "a", "1")));
    let changes: Vec<_> = changes.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
    let head = stage.push(stage.root, &changes);
    let ignore = Ignore::new(&["**/draft/**".to_owned()]).unwrap();
    let settings = GitSettings { subpath: Some("prod".to_owned()), ignore, ..stage.settings() };
    let (source, _running) = follow(settings);
    let apps = |view: &SourceView| -> Vec<String> {
        let all = view.snapshot.iter().flat_map(|snapshot| snapshot.resources.keys());
        all.map(ToString::to_string).filter(|id| id.starts_with("app/")).collect()
    };
    let view = until(&source, "the commit", |view| accepted(view, head)).await;
    assert_eq!(apps(&view), ["app/prod-a"]);

    // What is not taken here is refused here all the same.
    let bad = stage.repo.commit(&[head], None, &[("test/c.yaml", None), ("prod/draft/b.yaml", None)], "Unsigned");
    stage.repo.push(bad);
    let view = until(&source, "the unsigned commit", |view| accepted(view, bad)).await;
    assert_eq!(view.git.map(|git| git.refused.len()), Some(2));
    let restored = stage.push(bad, &changes[1..]);
    let more = app("prod-z", "a", "1");
    let last = stage.push(restored, &[("prod/z.yaml", Some(&more)), ("test/z.yaml", Some(&app("z", "a", "1")))]);
    let view = until(&source, "the last commit", |view| accepted(view, last)).await;
    assert_eq!(apps(&view), ["app/prod-a", "app/prod-z"]);
}
