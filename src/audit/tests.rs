use super::*;
use std::{fs, path::Path};
use tokio::sync::broadcast::error::RecvError;

fn record(name: &str) -> Record {
    Record { name: Some(name.into()), app: Some("a".into()), ..Record::new(Kind::Request, Outcome::Ok) }
}

fn settings(path: &Path) -> Settings {
    let rotation = Rotation { size: 1 << 20, age: Duration::from_secs(3600), keep: 50 };
    Settings { file: Some(path.to_owned()), arguments: false, rotation }
}

fn lines(path: &Path) -> Vec<Record> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn numbers(records: &[Arc<Record>]) -> Vec<u64> {
    records.iter().map(|record| record.sequence).collect()
}

#[test]
fn all_of_it_is_written_before_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    let log = Log::open(&settings(&path)).unwrap();
    for number in 0..1000 {
        log.record(record(&number.to_string()));
    }
    log.close();
    let written = lines(&path);
    assert!(written.iter().map(|record| record.sequence).eq(1..=1000));
    assert_eq!((log.status().written, log.status().dropped, log.status().problem), (1000, 0, None));
    let log = Log::open(&settings(&path)).unwrap();
    log.record(record("again"));
    log.close();
    assert_eq!(lines(&path).last().unwrap().sequence, 1001);
}

#[test]
fn many_threads_wait_for_nobody_and_lose_nothing_unsaid() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    let log = Log::open(&settings(&path)).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..20_000).for_each(|number| log.record(record(&number.to_string()))));
        }
    });
    log.close();
    let all: Vec<Record> = search::files(&path).iter().rev().flat_map(|file| lines(file)).collect();
    let missed: u64 = all.iter().filter_map(|record| record.missed).sum();
    let told = all.iter().filter(|record| record.missed.is_some()).count() as u64;
    assert_eq!(all.len() as u64 - told + missed, 80_000);
    assert_eq!(missed, log.status().dropped);
    assert!(all.is_sorted_by(|a, b| a.sequence < b.sequence));
}

#[tokio::test]
async fn what_is_not_in_memory_any_more_is_read_from_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    let log = Log::open(&settings(&path)).unwrap();
    for number in 0..6_000 {
        log.record(record(if number % 2_000 == 0 { "rare" } else { "often" }));
    }
    written(&log, 6_000).await;
    assert_eq!(numbers(&log.tail(Filter::default(), 5_500).await).len(), 5_500);
    let rare = log.tail(Filter { kind: Some("request".into()), ..Filter::default() }, 10_000).await;
    assert!(numbers(&rare).into_iter().eq(1..=6_000), "each once and in order");
    let (tail, mut coming) = log.follow(Filter::default(), 2).await;
    assert_eq!(numbers(&tail), [5_999, 6_000]);
    log.record(record("next"));
    assert_eq!(coming.recv().await.unwrap().sequence, 6_001);
    log.close();
}

/// Waits until so many are in the file.
async fn written(log: &Log, count: u64) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while log.status().written < count {
        assert!(Instant::now() < deadline, "{:?}", log.status());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_disk_that_is_full_holds_up_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("log");
    let path = folder.join("audit.jsonl");
    let log = Log::open(&settings(&path)).unwrap();
    log.record(record("before"));
    written(&log, 1).await;
    // The folder is gone: nothing can be written, as on a full disk.
    fs::rename(&folder, dir.path().join("away")).unwrap();
    for number in 0..40_000 {
        log.record(record(&number.to_string()));
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    while log.status().problem.is_none() || log.status().dropped == 0 {
        assert!(Instant::now() < deadline, "{:?}", log.status());
        log.record(record("more"));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    fs::create_dir(&folder).unwrap();
    log.record(record("after"));
    while log.status().problem.is_some() {
        assert!(Instant::now() < deadline, "{:?}", log.status());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    log.close();
    let all: Vec<Record> = search::files(&path).iter().rev().flat_map(|file| lines(file)).collect();
    let missed: u64 = all.iter().filter_map(|record| record.missed).sum();
    assert_eq!((missed, missed > 0), (log.status().dropped, true), "it is told in the file how many are not there");
}

#[tokio::test]
async fn followers_that_are_too_slow_are_told() {
    let log = Log::default();
    let (_, mut coming) = log.follow(Filter::default(), 0).await;
    for _ in 0..FOLLOWER_LAG + 5 {
        log.record(record("a"));
    }
    assert_eq!(coming.recv().await, Err(RecvError::Lagged(5)));
    assert_eq!(coming.recv().await.unwrap().sequence, 6);
}

#[tokio::test]
async fn an_open_record_ends_once_however_it_does() {
    let log = Log::default();
    let mut open = log.begin(record("well"));
    open.answered(None);
    open.answered(Some(-1));
    drop(open);
    log.begin(record("badly")).answered(Some(-32000));
    drop(log.begin(record("gone")));
    log.begin(record("never")).forget();
    let records = log.tail(Filter::default(), 10).await;
    let seen: Vec<_> = records.iter().map(|r| (r.name.as_deref().unwrap(), &*r.outcome, r.code)).collect();
    assert_eq!(seen, [("well", "ok", None), ("badly", "error", Some(-32000)), ("gone", "gone", None)]);
    assert!(records.iter().all(|record| record.duration_ms.is_some()));
}

#[tokio::test]
async fn strangers_push_out_nobody() {
    let log = Log::default();
    log.record(record("known"));
    for _ in 0..10_000 {
        log.record_stranger(Record::new(Kind::Admission, Outcome::Denied));
    }
    log.tick();
    let records = log.tail(Filter::default(), 10_000).await;
    assert_eq!(records[0].name.as_deref(), Some("known"));
    let refused = records.iter().filter(|record| record.kind == "admission").count() as u64;
    let untold: u64 = records.iter().filter_map(|record| record.missed).sum();
    assert_eq!((refused + untold, refused < 3_000), (10_000, true), "{refused}");
}
