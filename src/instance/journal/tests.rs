use super::{
    draft::MAX_MESSAGE,
    kept::{MAX_BYTES, MAX_EVENT, MAX_EVENTS, size},
    *,
};
use crate::status::model::event::EventKind;
use proptest::prelude::*;
use std::collections::BTreeMap;
use tokio::sync::broadcast::error::RecvError;

fn started(app: &str) -> Draft {
    Draft::info(EventKind::Started, "process 7").of_app(app).with(|details| details.pid = Some(7))
}

fn of(journal: &Journal, app: &str) -> Vec<u64> {
    journal.tail(Some(app), usize::MAX).iter().map(|event| event.sequence).collect()
}

#[test]
fn a_crash_loop_takes_nothing_from_others() {
    let journal = Journal::default();
    for _ in 0..3 {
        journal.record(started("quiet"));
    }
    journal.record(Draft::warning(EventKind::SourceFailed, "gone").with(|d| d.source = Some("local".into())));
    for _ in 0..MAX_EVENTS * 3 {
        journal.record(started("loop"));
    }
    assert_eq!(of(&journal, "quiet"), [1, 2, 3]);
    let all = journal.tail(None, usize::MAX);
    assert_eq!((all.len(), all[3].kind.as_ref()), (MAX_EVENTS, "source-failed"));
    assert!(all.is_sorted_by_key(|event| event.sequence));
    assert_eq!(all.last().unwrap().sequence, MAX_EVENTS as u64 * 3 + 4, "the newest are there");
}

#[test]
fn sessions_push_out_nothing_else_of_their_app() {
    let journal = Journal::default();
    journal.record(Draft::warning(EventKind::UpdateFailed, "exit status 7").of_app("a"));
    for number in 0..MAX_EVENTS * 2 {
        journal.record(Draft::info(EventKind::Started, "process 7").of_instance("a", &number.to_string()).minor());
    }
    assert_eq!(of(&journal, "a").first(), Some(&1));
}

#[test]
fn bytes_are_bounded() {
    let journal = Journal::default();
    for _ in 0..MAX_EVENTS {
        journal.record(Draft::info(EventKind::Ended, "ü".repeat(MAX_MESSAGE)).of_app("a"));
    }
    let kept = journal.kept();
    let bytes: usize = kept.events.values().map(|entry| size(&entry.event)).sum();
    assert!(bytes <= MAX_BYTES && bytes == kept.bytes && bytes > MAX_BYTES - MAX_EVENT, "{bytes}");
    drop(kept);
    let huge = journal.keep(started("b").with(|details| details.author = Some("x".repeat(MAX_EVENT))));
    assert_eq!((huge.details.author.as_deref(), huge.message.as_str()), (None, "process 7"));
}

#[tokio::test]
async fn followers_get_every_event_once_and_slow_ones_a_count() {
    let journal = Journal::default();
    journal.record(started("a"));
    journal.record(started("b"));
    let (tail, mut followed) = journal.follow(Some("a"), 10);
    assert_eq!(tail.iter().map(|event| event.sequence).collect::<Vec<_>>(), [1]);
    journal.record(started("a"));
    assert_eq!(followed.recv().await.unwrap().sequence, 3);
    for _ in 0..FOLLOWER_LAG + 5 {
        journal.record(started("a"));
    }
    assert_eq!(followed.recv().await, Err(RecvError::Lagged(5)));
    assert_eq!(followed.recv().await.unwrap().sequence, 9);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// However many subjects there are: the bounds hold, and whoever has no more than an equal share loses nothing.
    #[test]
    fn shares_are_fair(subjects in proptest::collection::vec((0u8..12, 1usize..300), 1..40)) {
        let journal = Journal::default();
        let mut told = BTreeMap::<u8, usize>::new();
        for (subject, count) in subjects {
            for _ in 0..count {
                journal.keep(started(&format!("{subject:03}")));
            }
            *told.entry(subject).or_default() += count;
        }
        let kept: BTreeMap<u8, usize> = told.keys().map(|s| (*s, of(&journal, &format!("{s:03}")).len())).collect();
        prop_assert_eq!(kept.values().sum::<usize>(), told.values().sum::<usize>().min(MAX_EVENTS));
        let least = MAX_EVENTS / 13;
        for (subject, told) in &told {
            prop_assert!(kept[subject] >= (*told).min(least), "{} of {told}", kept[subject]);
        }
    }
}
