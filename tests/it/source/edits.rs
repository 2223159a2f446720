//! Every way in which files are changed is noticed.

use super::{Source, app, write};
use std::{fs, path::Path, time::Duration};
use tempfile::TempDir;

/// Starts with a few files, makes a change, and waits until the source has it.
async fn noticed(change: impl FnOnce(&Path)) {
    let dir = TempDir::new().expect("temp dir");
    for path in ["a.yaml", "b.yaml", "sub/c.yaml"] {
        write(dir.path(), path, &app(path.trim_end_matches(".yaml")));
    }
    let mut source = Source::follow(dir.path()).await;
    let before = source.view().snapshot.clone().expect("read");
    assert_eq!(before.files, 3);
    change(dir.path());
    let after = source.has(dir.path()).await.snapshot.expect("read");
    assert_ne!(before.revision, after.revision, "the test changes something");
}

#[tokio::test]
async fn created() {
    noticed(|root| write(root, "new.yaml", &app("new"))).await;
}

#[tokio::test]
async fn written_in_place() {
    noticed(|root| write(root, "sub/c.yaml", &app("other"))).await;
}

#[tokio::test]
async fn deleted() {
    noticed(|root| fs::remove_file(root.join("b.yaml")).expect("remove")).await;
}

#[tokio::test]
async fn renamed() {
    noticed(|root| fs::rename(root.join("b.yaml"), root.join("sub/d.yaml")).expect("rename")).await;
}

#[tokio::test]
async fn moved_out_of_sight() {
    let elsewhere = TempDir::new().expect("temp dir");
    noticed(|root| fs::rename(root.join("b.yaml"), elsewhere.path().join("b.yaml")).expect("rename")).await;
}

#[tokio::test]
async fn saved_by_write_and_rename() {
    noticed(|root| {
        write(root, ".a.yaml.tmp", &app("other"));
        fs::rename(root.join(".a.yaml.tmp"), root.join("a.yaml")).expect("rename");
    })
    .await;
}

#[tokio::test]
async fn saved_with_a_backup() {
    noticed(|root| {
        fs::rename(root.join("a.yaml"), root.join("a.yaml~")).expect("rename");
        write(root, "a.yaml", &app("other"));
        fs::remove_file(root.join("a.yaml~")).expect("remove");
    })
    .await;
}

#[tokio::test]
async fn truncated_then_written() {
    noticed(|root| {
        fs::write(root.join("a.yaml"), "").expect("truncate");
        fs::write(root.join("a.yaml"), app("other")).expect("write");
    })
    .await;
}

#[tokio::test]
async fn in_new_folders() {
    noticed(|root| write(root, "x/y/z/new.yaml", &app("new"))).await;
}

#[tokio::test]
async fn with_a_folder() {
    noticed(|root| fs::remove_dir_all(root.join("sub")).expect("remove")).await;
    noticed(|root| fs::rename(root.join("sub"), root.join("other")).expect("rename")).await;
}

/// A folder that goes and comes back under its name is another folder, and its watch another watch.
#[tokio::test]
async fn in_a_folder_that_was_replaced() {
    let dir = TempDir::new().expect("temp dir");
    write(dir.path(), "a.yaml", &app("a"));
    write(dir.path(), "sub/b.yaml", &app("b"));
    let mut source = Source::follow(dir.path()).await;
    for round in 0..3 {
        fs::rename(dir.path().join("sub"), dir.path().join("old")).expect("rename");
        write(dir.path(), "sub/b.yaml", &app(&format!("b{round}")));
        source.has(dir.path()).await;
        fs::remove_dir_all(dir.path().join("old")).expect("remove");
        source.has(dir.path()).await;
        write(dir.path(), "sub/b.yaml", &app(&format!("c{round}")));
        source.has(dir.path()).await;
        fs::remove_dir_all(dir.path().join("sub")).expect("remove");
        write(dir.path(), "sub/b.yaml", &app(&format!("d{round}")));
        source.has(dir.path()).await;
        write(dir.path(), "sub/b.yaml", &app(&format!("e{round}")));
        source.has(dir.path()).await;
    }
}

/// What `git checkout` of another branch does.
#[tokio::test]
async fn hundreds_at_once() {
    noticed(|root| {
        for n in 0..500 {
            write(root, &format!("many/{}/{n}.yaml", n % 10), &app(&format!("x{n}")));
        }
        for path in ["a.yaml", "b.yaml"] {
            fs::remove_file(root.join(path)).expect("remove");
            write(root, path, &app("other"));
        }
    })
    .await;
}

/// More changes than the kernel's queue holds, while nobody reads it fast enough or not: the state is found.
#[tokio::test]
async fn more_than_the_queue_holds() {
    noticed(|root| {
        for n in 0..12_000 {
            fs::write(root.join(format!("{n}.txt")), "").expect("write");
        }
        write(root, "sub/last.yaml", &app("last"));
        for n in 0..12_000 {
            fs::remove_file(root.join(format!("{n}.txt"))).expect("remove");
        }
    })
    .await;
}

#[tokio::test]
async fn permissions_and_time_change_nothing() {
    let dir = TempDir::new().expect("temp dir");
    write(dir.path(), "a.yaml", &app("a"));
    let mut source = Source::follow(dir.path()).await;
    let before = source.view().clone();
    fs::File::open(dir.path().join("a.yaml")).and_then(|f| f.set_modified(std::time::UNIX_EPOCH)).expect("touch");
    write(dir.path(), "a.yaml", &app("a"));
    let after = source.until("another look", |view| view.reads > before.reads).await;
    let snapshots = [before.snapshot.expect("read"), after.snapshot.expect("read")];
    assert!(std::sync::Arc::ptr_eq(&snapshots[0], &snapshots[1]), "nothing new is published");
}

/// Reading opens files, which the kernel reports.
#[tokio::test]
async fn a_reader_does_not_cause_itself() {
    let dir = TempDir::new().expect("temp dir");
    for n in 0..50 {
        write(dir.path(), &format!("{}/{n}.yaml", n % 5), &app(&format!("x{n}")));
    }
    let mut source = Source::follow(dir.path()).await;
    write(dir.path(), "new.yaml", &app("new"));
    source.has(dir.path()).await;
    // Nothing is to happen, so there is nothing to wait for but time: ten times what a look takes to come about. What
    // the edit itself announced may come late, but not for ever.
    for _ in 0..20 {
        let before = source.view().reads;
        tokio::time::sleep(Duration::from_millis(500)).await;
        if source.view().reads == before {
            return;
        }
    }
    panic!("{} looks", source.view().reads);
}
