//! Which events are kept.
//!
//! Where there is no more room the oldest event goes of whoever has the most: neither a crash loop nor a source that
//! comes and goes takes from the others more than an equal share.

use super::{Draft, Tally};
use crate::status::model::event::{Details, Event};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

/// The events that are kept.
pub(super) const MAX_EVENTS: usize = 4_096;
/// The bytes that are kept of them, as JSON.
pub(super) const MAX_BYTES: usize = 4 << 20;
/// The longest event, as JSON; one beyond it goes without its details.
pub(super) const MAX_EVENT: usize = 16 << 10;

/// Among whom the room is shared out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Subject {
    app: Option<String>,
    source: Option<String>,
    minor: bool,
}

/// The events that are kept.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// By number, so in their order.
    pub(super) events: BTreeMap<u64, Entry>,
    shares: HashMap<Arc<Subject>, Share>,
    pub(super) tally: Tally,
    /// The number of the last event.
    last: u64,
    pub(super) bytes: usize,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) event: Arc<Event>,
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
    /// The last `n` events, of one app or of all, oldest first.
    pub(super) fn tail(&self, app: Option<&str>, n: usize) -> Vec<Arc<Event>> {
        let events = self.events.values().rev().map(|entry| &entry.event);
        let wanted = events.filter(|event| app.is_none() || event.app.as_deref() == app);
        let mut tail: Vec<_> = wanted.take(n).cloned().collect();
        tail.reverse();
        tail
    }

    /// Gives an event the next number, and lets others go where there is no more room.
    pub(super) fn add(&mut self, draft: Draft, time: Timestamp) -> Arc<Event> {
        self.last += 1;
        let Draft { kind, level, message, app, instance, minor, details } = draft;
        let [app, instance] = [app, instance].map(|name| name.map(|name| name.to_string()));
        let source = details.source.clone().filter(|_| app.is_none());
        let subject = Arc::new(Subject { app: app.clone(), source, minor });
        let word = kind.word().into();
        let mut event = Event { sequence: self.last, time, level, kind: word, app, instance, message, details };
        self.tally.add(kind, &event);
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

pub(super) fn size(event: &Event) -> usize {
    // An event is always JSON.
    serde_json::to_vec(event).map_or(0, |json| json.len())
}
