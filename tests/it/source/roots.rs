//! Roots that come, go, and are replaced.

use super::{Source, app, at, revision, settings, write};
use std::{
    fs,
    os::unix::fs::symlink,
    time::{Duration, Instant},
};
use tempfile::TempDir;

#[tokio::test]
async fn missing_at_first() {
    let dir = TempDir::new().expect("temp dir");
    let root = dir.path().join("not/yet/there");
    let mut source = Source::start(settings(&root));
    let view = source.until("an error", |view| view.error.is_some()).await;
    assert!(view.snapshot.is_none());
    assert!(view.error.expect("an error").message.contains("does not exist"));
    write(&root, "a.yaml", &app("a"));
    source.has(&root).await;
    write(&root, "a.yaml", &app("b"));
    source.has(&root).await;
}

#[tokio::test]
async fn removed_and_back() {
    let dir = TempDir::new().expect("temp dir");
    let root = dir.path().join("root");
    write(&root, "a.yaml", &app("a"));
    let mut source = Source::follow(&root).await;
    let before = revision(&root);
    fs::remove_dir_all(&root).expect("remove");
    let view = source.until("an error", |view| view.error.is_some()).await;
    assert!(at(&view, &before), "what was read stays");
    write(&root, "a.yaml", &app("b"));
    source.has(&root).await;
}

#[tokio::test]
async fn a_file_in_its_place() {
    let dir = TempDir::new().expect("temp dir");
    let root = dir.path().join("root");
    write(&root, "a.yaml", &app("a"));
    let mut source = Source::follow(&root).await;
    let before = revision(&root);
    fs::remove_dir_all(&root).expect("remove");
    fs::write(&root, "").expect("write");
    let view = source.until("an error", |v| v.error.as_ref().is_some_and(|e| e.message.contains("not a folder"))).await;
    assert!(at(&view, &before), "what was read stays");
}

#[tokio::test]
async fn renamed_away_and_created_again() {
    let dir = TempDir::new().expect("temp dir");
    let (root, old) = (dir.path().join("root"), dir.path().join("old"));
    write(&root, "a.yaml", &app("a"));
    let mut source = Source::follow(&root).await;
    for round in 0..3 {
        fs::rename(&root, &old).expect("rename");
        write(&root, "a.yaml", &app(&format!("b{round}")));
        source.has(&root).await;
        // The end of the old one must not take the new one's watch with it.
        fs::remove_dir_all(&old).expect("remove");
        write(&root, "a.yaml", &app(&format!("c{round}")));
        source.has(&root).await;
        write(&root, "a.yaml", &app(&format!("d{round}")));
        source.has(&root).await;
    }
}

/// How git-sync publishes: a new worktree next to the old one, and a link that is switched by a rename.
#[tokio::test]
async fn a_link_that_is_switched() {
    let dir = TempDir::new().expect("temp dir");
    let link = dir.path().join("current");
    let publish = |version: usize| {
        let tree = dir.path().join(format!("trees/{version}"));
        write(&tree, "fleet/a.yaml", &app(&format!("v{version}")));
        symlink(&tree, dir.path().join("next")).expect("symlink");
        fs::rename(dir.path().join("next"), &link).expect("rename");
    };
    publish(0);
    let mut source = Source::follow(&link).await;
    let mut below = Source::follow(&link.join("fleet")).await;
    for version in 1..6 {
        publish(version);
        fs::remove_dir_all(dir.path().join(format!("trees/{}", version - 1))).expect("remove");
        source.has(&link).await;
        below.has(&link.join("fleet")).await;
        write(&link, "fleet/a.yaml", &app(&format!("edited{version}")));
        source.has(&link).await;
        below.has(&link.join("fleet")).await;
    }
}

#[tokio::test]
async fn neighbours_are_not_its_business() {
    let dir = TempDir::new().expect("temp dir");
    let root = dir.path().join("root");
    write(&root, "a.yaml", &app("a"));
    let mut source = Source::follow(&root).await;
    let before = source.view().reads;
    for n in 0..20 {
        write(dir.path(), &format!("neighbour/{n}"), "");
        write(dir.path(), &format!("{n}.yaml"), "");
    }
    // Nothing is to happen, so there is nothing to wait for but time.
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(source.view().reads, before);
    write(&root, "a.yaml", &app("b"));
    source.has(&root).await;
}

#[tokio::test]
async fn emptied() {
    let dir = TempDir::new().expect("temp dir");
    write(dir.path(), "a.yaml", &app("a"));
    let mut source = Source::follow(dir.path()).await;
    let before = source.view().reads;
    fs::remove_file(dir.path().join("a.yaml")).expect("remove");
    let empty = |view: &mcpfleet::source::SourceView| view.snapshot.as_ref().is_some_and(|s| s.files == 0);
    let view = source.until("an empty directory", empty).await;
    assert_eq!(view.reads, before + 2, "it takes two looks");
}

#[tokio::test]
async fn empty_at_first() {
    let dir = TempDir::new().expect("temp dir");
    let mut source = Source::start(settings(dir.path()));
    let view = source.until("a snapshot", |view| view.snapshot.is_some()).await;
    assert_eq!((view.reads, view.snapshot.map(|s| s.files)), (2, Some(0)));
}

/// For a moment only, as while a volume is mounted over the folder.
#[tokio::test]
async fn empty_for_a_moment() {
    let dir = TempDir::new().expect("temp dir");
    write(dir.path(), "a.yaml", &app("a"));
    let mut source = Source::follow(dir.path()).await;
    // A machine that is too busy to end the moment before the second look proves nothing either way.
    for _ in 0..20 {
        let before = source.view().reads;
        let moment = Instant::now();
        fs::rename(dir.path().join("a.yaml"), dir.path().join("a.away")).expect("rename");
        source.until("a look at the empty directory", |view| view.reads > before).await;
        fs::rename(dir.path().join("a.away"), dir.path().join("a.yaml")).expect("rename");
        if moment.elapsed() < Duration::from_millis(150) {
            let view = source.until("the look after it", |view| view.reads > before + 1).await;
            assert_eq!(view.snapshot.map(|snapshot| snapshot.files), Some(1));
            return;
        }
        source.has(dir.path()).await;
    }
    eprintln!("SKIPPED: this machine is too busy");
}
