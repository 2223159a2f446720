//! Notifications, and what is done without them.

use super::{Source, app, at, revision, settings, write};
use mcpfleet::source::{WatchMode, WatchSetting};
use std::{fs, process::Command, time::Duration};
use tempfile::TempDir;

#[tokio::test]
async fn by_polling() {
    let dir = TempDir::new().expect("temp dir");
    write(dir.path(), "a.yaml", &app("a"));
    let mut settings = settings(dir.path());
    settings.watch = WatchSetting::Poll;
    let mut source = Source::start(settings);
    let view = source.has(dir.path()).await;
    assert_eq!((view.watch, view.watch_problem), (WatchMode::Poll, None));
    write(dir.path(), "a.yaml", &app("b"));
    source.has(dir.path()).await;
    write(dir.path(), "x/y/b.yaml", &app("c"));
    source.has(dir.path()).await;
    fs::remove_file(dir.path().join("a.yaml")).expect("remove");
    source.has(dir.path()).await;
    fs::remove_dir_all(dir.path()).expect("remove");
    source.trigger.fire();
    source.until("an error", |view| view.error.is_some()).await;
    write(dir.path(), "a.yaml", &app("d"));
    source.has(dir.path()).await;
}

#[tokio::test]
async fn natively() {
    let dir = TempDir::new().expect("temp dir");
    write(dir.path(), "a.yaml", &app("a"));
    let mut settings = settings(dir.path());
    settings.watch = WatchSetting::Native;
    let mut source = Source::start(settings);
    let view = source.has(dir.path()).await;
    assert_eq!((view.watch, view.watch_problem), (WatchMode::Native, None));
    write(dir.path(), "a.yaml", &app("b"));
    source.has(dir.path()).await;
}

#[tokio::test]
async fn on_request() {
    let dir = TempDir::new().expect("temp dir");
    write(dir.path(), "a.yaml", &app("a"));
    let mut source = Source::follow(dir.path()).await;
    let before = source.view().reads;
    source.trigger.fire();
    source.trigger.fire();
    source.until("a look", |view| view.reads == before + 1).await;
}

#[tokio::test]
async fn by_the_slow_re_read() {
    let dir = TempDir::new().expect("temp dir");
    write(dir.path(), "a.yaml", &app("a"));
    let mut settings = settings(dir.path());
    settings.resync = Duration::from_millis(200);
    let mut source = Source::start(settings);
    let before = source.has(dir.path()).await;
    let after = source.until("a look by itself", |view| view.reads > before.reads + 1).await;
    assert!(after.last_read > before.last_read);
    // Each of them sets all watches anew: events go on being noticed.
    write(dir.path(), "a.yaml", &app("b"));
    source.has(dir.path()).await;
}

#[tokio::test]
async fn until_shutdown() {
    let dir = TempDir::new().expect("temp dir");
    let source = Source::follow(dir.path()).await;
    drop(source.shutdown);
    let ended = tokio::time::timeout(crate::support::PATIENCE, source.task).await;
    ended.expect("it ends").expect("without a panic");
}

/// Runs a test of this binary where the kernel gives out no inotify of the kind: in a user namespace, which has
/// limits of its own. Says so and does nothing where such a namespace cannot be made.
fn without(limit: &str, test: &str) {
    let script = format!("echo 0 > /proc/sys/user/{limit} && exec \"$0\" --exact --ignored --nocapture {test}");
    let shell = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "sh", "-c", script]);
        command.arg(std::env::current_exe().expect("this binary"));
        command
    };
    let possible = shell(&format!("echo 0 > /proc/sys/user/{limit}")).output();
    match possible {
        Ok(output) if output.status.success() => {
            let output = shell(&script).output().expect("run the test");
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && text.contains("1 passed"), "{text}");
        }
        other => eprintln!("SKIPPED: no user namespace with limits of its own can be made here: {other:?}"),
    }
}

#[test]
fn without_instances() {
    without("max_inotify_instances", "source::watching::polls_when_inotify_cannot_be_had");
}

#[test]
fn without_watches() {
    without("max_inotify_watches", "source::watching::polls_when_inotify_cannot_be_had");
}

#[tokio::test]
#[ignore = "run by `without_instances` and `without_watches`"]
async fn polls_when_inotify_cannot_be_had() {
    let dir = TempDir::new().expect("temp dir");
    write(dir.path(), "a.yaml", &app("a"));
    let mut source = Source::follow(dir.path()).await;
    let view = source.view().clone();
    assert_eq!(view.watch, WatchMode::Poll);
    let problem = view.watch_problem.expect("a reason");
    assert!(problem.contains("fs.inotify.max_user_watches"), "{problem}");
    assert!(problem.contains("polling instead"), "{problem}");
    write(dir.path(), "b.yaml", &app("b"));
    source.has(dir.path()).await;

    let mut settings = settings(dir.path());
    settings.watch = WatchSetting::Native;
    let mut native = Source::start(settings);
    let view = native.has(dir.path()).await;
    assert_eq!(view.watch, WatchMode::Native);
    assert!(view.watch_problem.expect("a reason").contains("slow re-read only"));
    write(dir.path(), "b.yaml", &app("c"));
    native.trigger.fire();
    let wanted = revision(dir.path());
    native.until("a look on request", |view| at(view, &wanted)).await;
}
