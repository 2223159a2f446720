//! The events of an agent's life: kept for a while, shown to whoever follows, passed on to the agent's log.
//!
//! Where there is no more room the oldest event goes of whoever has the most: neither a crash loop nor a source that
//! comes and goes takes from the others more than an equal share.

use crate::status::model::event::{Details, Event, EventKind, EventLevel};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::broadcast;

/// The events that are kept.
const MAX_EVENTS: usize = 4_096;
/// The bytes that are kept of them, as JSON.
const MAX_BYTES: usize = 4 << 20;
/// The longest message, in bytes; the rest is cut off.
const MAX_MESSAGE: usize = 2_000;
/// The longest event, as JSON; one beyond it goes without its details.
const MAX_EVENT: usize = 16 << 10;
/// The events that a follower may lag behind before it misses some.
const FOLLOWER_LAG: usize = 1_024;

/// An event that is about to be recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    kind: EventKind,
    level: EventLevel,
    message: String,
    app: Option<Arc<str>>,
    instance: Option<Arc<str>>,
    minor: bool,
    details: Details,
}

impl Draft {
    /// Something that is as it should be. The message is for people.
    pub fn info(kind: EventKind, message: impl Into<String>) -> Self {
        Draft::new(kind, EventLevel::Info, message.into())
    }

    /// Something that somebody should look at.
    pub fn warning(kind: EventKind, message: impl Into<String>) -> Self {
        Draft::new(kind, EventLevel::Warning, message.into())
    }

    fn new(kind: EventKind, level: EventLevel, mut message: String) -> Self {
        if message.len() > MAX_MESSAGE {
            message.truncate(message.floor_char_boundary(MAX_MESSAGE));
            message.push('…');
        }
        Draft { kind, level, message, app: None, instance: None, minor: false, details: Details::default() }
    }

    #[must_use]
    pub fn of_app(self, app: &str) -> Self {
        Draft { app: Some(app.into()), ..self }
    }

    #[must_use]
    pub fn of_instance(self, app: &str, instance: &str) -> Self {
        Draft { instance: Some(instance.into()), ..self.of_app(app) }
    }

    /// One of those that come in numbers while nothing is wrong, as with the processes of sessions: they share a room of
    /// their own, and push nothing else of their app out.
    #[must_use]
    pub fn minor(self) -> Self {
        Draft { minor: true, ..self }
    }

    /// Adds what machines may want to know: `.with(|details| details.pid = Some(pid))`.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Details)) -> Self {
        set(&mut self.details);
        self
    }
}

/// A duration as a message gives it: nobody reads the rest of it.
pub fn rounded(duration: Duration) -> Duration {
    match duration.as_secs() {
        0 => Duration::from_millis(u64::from(duration.subsec_millis())),
        seconds => Duration::from_secs(seconds),
    }
}

/// The record of events. Clones share it.
#[derive(Clone, Debug)]
pub struct Journal {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    kept: Mutex<Kept>,
    followers: broadcast::Sender<Arc<Event>>,
}

impl Default for Journal {
    fn default() -> Self {
        let (followers, _) = broadcast::channel(FOLLOWER_LAG);
        Journal { shared: Arc::new(Shared { kept: Mutex::default(), followers }) }
    }
}

impl Journal {
    /// Records an event and writes it to the agent's log. Never waits for a reader.
    pub fn record(&self, draft: Draft) {
        let event = self.keep(draft);
        let (kind, app, instance) = (&*event.kind, event.app.as_deref(), event.instance.as_deref());
        let (source, revision) = (event.details.source.as_deref(), event.details.revision.as_deref());
        match event.level {
            EventLevel::Info => {
                tracing::info!(target: "mcpfleet::event", kind, app, instance, source, revision, "{}", event.message);
            }
            EventLevel::Warning => {
                tracing::warn!(target: "mcpfleet::event", kind, app, instance, source, revision, "{}", event.message);
            }
        }
    }

    /// Records an event that the log has already been told of.
    pub fn keep(&self, draft: Draft) -> Arc<Event> {
        let mut kept = self.kept();
        let event = kept.add(draft, Timestamp::now());
        // Under the lock, for `follow`. An error means that nobody follows.
        let _ = self.shared.followers.send(event.clone());
        event
    }

    /// The last `n` events, of one app or of all, oldest first.
    pub fn tail(&self, app: Option<&str>, n: usize) -> Vec<Arc<Event>> {
        self.kept().tail(app, n)
    }

    /// The last `n` events and all those that follow, without a gap and without an event twice; those that follow are of
    /// all apps. A follower that is too slow is told how many it has missed
    /// ([`broadcast::error::RecvError::Lagged`]).
    pub fn follow(&self, app: Option<&str>, n: usize) -> (Vec<Arc<Event>>, broadcast::Receiver<Arc<Event>>) {
        let kept = self.kept();
        (kept.tail(app, n), self.shared.followers.subscribe())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Among whom the room is shared out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Subject {
    app: Option<String>,
    source: Option<String>,
    minor: bool,
}

#[derive(Debug, Default)]
struct Kept {
    /// By number, so in their order.
    events: BTreeMap<u64, Entry>,
    shares: HashMap<Arc<Subject>, Share>,
    /// The number of the last event.
    last: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    event: Arc<Event>,
    subject: Arc<Subject>,
    bytes: usize,
}

/// What is kept of one subject.
#[derive(Debug, Default)]
struct Share {
    /// Oldest first.
    numbers: VecDeque<u64>,
    bytes: usize,
}

impl Kept {
    fn tail(&self, app: Option<&str>, n: usize) -> Vec<Arc<Event>> {
        let events = self.events.values().rev().map(|entry| &entry.event);
        let wanted = events.filter(|event| app.is_none() || event.app.as_deref() == app);
        let mut tail: Vec<_> = wanted.take(n).cloned().collect();
        tail.reverse();
        tail
    }

    fn add(&mut self, draft: Draft, time: Timestamp) -> Arc<Event> {
        self.last += 1;
        let Draft { kind, level, message, app, instance, minor, details } = draft;
        let [app, instance] = [app, instance].map(|name| name.map(|name| name.to_string()));
        let source = details.source.clone().filter(|_| app.is_none());
        let subject = Arc::new(Subject { app: app.clone(), source, minor });
        let kind = kind.word().into();
        let mut event = Event { sequence: self.last, time, level, kind, app, instance, message, details };
        let mut bytes = size(&event);
        if bytes > MAX_EVENT {
            event.details = Details::default();
            bytes = size(&event);
        }
        let event = Arc::new(event);
        let share = self.shares.entry(subject.clone()).or_default();
        share.numbers.push_back(self.last);
        share.bytes += bytes;
        self.bytes += bytes;
        self.events.insert(self.last, Entry { event: event.clone(), subject, bytes });
        while self.events.len() > MAX_EVENTS || self.bytes > MAX_BYTES {
            self.drop_one();
        }
        event
    }

    /// Lets the oldest event go of whoever has the most; of several, of the one who has been silent for longest.
    fn drop_one(&mut self) {
        let most = self.shares.values().max_by_key(|share| (share.bytes, share.numbers.back().map(std::cmp::Reverse)));
        let oldest = most.and_then(|share| share.numbers.front()).and_then(|number| self.events.remove(number));
        // There is one: whoever has no event any more is not among the shares.
        let Some(Entry { subject, bytes, .. }) = oldest else { return };
        self.bytes -= bytes;
        if let Some(share) = self.shares.get_mut(&subject) {
            share.numbers.pop_front();
            share.bytes -= bytes;
            if share.numbers.is_empty() {
                self.shares.remove(&subject);
            }
        }
    }
}

fn size(event: &Event) -> usize {
    // An event is always JSON.
    serde_json::to_vec(event).map_or(0, |json| json.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
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
}
