use super::{
    kept::{LEAST_BYTES, MAX_BYTES, MAX_ENDED, Rate, WINDOW},
    *,
};
use tokio::{io::AsyncWriteExt, sync::broadcast::error::RecvError};

fn open(ring: &LogRing, instance: &str, writes: Writes) -> ProcessLog {
    ring.open(instance.into(), writes, Arc::default())
}

fn primary(ring: &LogRing, instance: &str) -> ProcessLog {
    open(ring, instance, Writes::AsPrimary)
}

fn texts(lines: &[Arc<Line>]) -> Vec<&str> {
    lines.iter().map(|line| line.text.as_str()).collect()
}

fn of(ring: &LogRing, whose: &Whose) -> Vec<String> {
    ring.tail_of(whose, usize::MAX).unwrap().iter().map(|line| line.text.clone()).collect()
}

#[test]
fn bounds_hold_and_the_newest_lines_stay() {
    let ring = LogRing::new("a");
    let log = primary(&ring, "a-1");
    let most = MAX_BYTES / LEAST_BYTES;
    log.push((0..most + 3).map(|n| n.to_string()).collect());
    let all = ring.tail(usize::MAX);
    assert_eq!((all.len(), all[0].text.as_str()), (most, "3"));
    assert_eq!(texts(&ring.tail(2)), [(most + 1).to_string(), (most + 2).to_string()]);
    log.push(vec!["x".repeat(lines::MAX_LINE); 200]);
    assert_eq!(ring.tail(usize::MAX).len(), MAX_BYTES / lines::MAX_LINE);
}

#[test]
fn a_flood_leaves_the_last_words_of_others() {
    let ring = LogRing::new("a");
    let dying = primary(&ring, "a-1");
    dying.push((0..500).map(|n| format!("work {n}")).chain(["last words".into()]).collect());
    drop(dying);
    let (next, session) = (primary(&ring, "a-2"), open(&ring, "a-3", Writes::ForSession));
    session.push(vec!["hello".into()]);
    for _ in 0..100 {
        next.push(vec!["flood".into(); 100]);
        session.push(vec!["noise".into(); 100]);
    }
    let previous = of(&ring, &Whose::Previous);
    assert_eq!((previous.len(), previous.last().map(String::as_str)), (501, Some("last words")));
    let kept = ring.kept();
    assert!(kept.bytes <= MAX_BYTES && kept.bytes == kept.processes.iter().map(|p| p.bytes).sum::<usize>());
}

#[test]
fn a_crash_loop_keeps_so_many_processes() {
    let ring = LogRing::new("a");
    let session = open(&ring, "a-s", Writes::ForSession);
    session.push(vec!["of the session".into()]);
    for n in 1..=100 {
        let log = primary(&ring, &format!("a-{n}"));
        log.push(vec![format!("start {n}"), format!("end {n}")]);
    }
    let ended: Vec<_> = (93..=100).flat_map(|n| [format!("start {n}"), format!("end {n}")]).collect();
    assert_eq!(of(&ring, &Whose::All), [&["of the session".to_owned()], &*ended].concat());
    assert_eq!(of(&ring, &Whose::Previous), ["start 100", "end 100"]);
    let kept = ring.kept();
    assert_eq!((kept.processes.len(), kept.bytes), (MAX_ENDED + 1, (2 * MAX_ENDED + 1) * LEAST_BYTES));
}

#[test]
fn lines_of_some() {
    let ring = LogRing::new("a");
    assert_eq!(ring.tail_of(&Whose::Previous, 1), Err(NoLines::Previous));
    let (one, session) = (primary(&ring, "a-1"), open(&ring, "a-2", Writes::ForSession));
    one.push(vec!["one".into()]);
    session.push(vec!["two".into()]);
    one.push(vec!["three".into()]);
    assert_eq!(of(&ring, &Whose::All), ["one", "two", "three"]);
    assert_eq!(of(&ring, &Whose::Instance("a-1".into())), ["one", "three"]);
    let none = Whose::Instance("a-9".into());
    assert_eq!(ring.tail_of(&none, 1), Err(NoLines::Instance("a-9".into())));
    assert!(ring.follow(&none, 1).is_err());
    drop(session);
    assert_eq!(ring.tail_of(&Whose::Previous, 1), Err(NoLines::Previous), "a session's process is not the app's");
    drop(one);
    assert_eq!(of(&ring, &Whose::Previous), ["one", "three"]);
}

#[tokio::test]
async fn followers_get_every_line_once_and_slow_ones_a_count() {
    let ring = LogRing::new("a");
    let log = primary(&ring, "a-1");
    log.push(vec!["before".into()]);
    let (tail, mut followed) = ring.follow(&Whose::All, 10).unwrap();
    assert_eq!(texts(&tail), ["before"]);
    log.push(vec!["after".into()]);
    assert_eq!(followed.recv().await.unwrap().text, "after");
    log.push((0..FOLLOWER_LAG + 5).map(|n| n.to_string()).collect());
    assert_eq!(followed.recv().await, Err(RecvError::Lagged(5)));
    assert_eq!(followed.recv().await.unwrap().text, "5");
}

#[test]
fn a_flood_is_counted() {
    let mut rate = Rate::default();
    let start = Instant::now();
    let admitted = (0..1_000).filter(|_| rate.admit(start).0).count();
    assert_eq!(admitted, 200);
    assert_eq!(rate.admit(start + WINDOW), (true, 800));
    assert_eq!(rate.admit(start + WINDOW), (true, 0));
}

#[tokio::test]
async fn stderr_is_pumped_to_its_end_without_secrets() {
    let ring = LogRing::new("a");
    let redaction = Arc::new(Redaction::new(["hunter2"]));
    let log = ring.open("a-7".into(), Writes::AsPrimary, redaction);
    log.pump(&b"one hunter2\ntwo"[..]).await;
    let lines = ring.tail(10);
    assert_eq!(texts(&lines), ["one [secret]", "two"]);
    assert!(lines.iter().all(|line| &*line.instance == "a-7"));
}

#[tokio::test]
async fn who_floods_is_slowed_down() {
    let (mut server, stderr) = tokio::io::duplex(64 << 10);
    let ring = LogRing::new("a");
    let log = primary(&ring, "a-1");
    let write = async {
        let started = Instant::now();
        // Two mebibytes more than a burst.
        for _ in 0..160 {
            server.write_all(&[b'x'; 64 << 10]).await.unwrap();
        }
        drop(server);
        started.elapsed()
    };
    let ((), took) = tokio::join!(log.pump(stderr), write);
    assert!(took > Duration::from_millis(800), "{took:?}");
}
