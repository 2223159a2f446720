//! The events of an agent's life: kept for a while, shown to whoever follows, passed on to the agent's log.

mod draft;
mod kept;
mod tally;

pub use draft::{Draft, rounded};
pub use tally::{Lives, Tally};

use crate::status::model::event::{Event, EventLevel};
use jiff::Timestamp;
use kept::Kept;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;

/// The events that a follower may lag behind before it misses some.
const FOLLOWER_LAG: usize = 1_024;

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

    /// How many events there have been.
    pub fn tally(&self) -> Tally {
        self.kept().tally.clone()
    }

    /// Lets the counts go of apps that are not wanted any more.
    pub fn forget(&self, wanted: impl Fn(&str) -> bool) {
        self.kept().tally.apps.retain(|app, _| wanted(app));
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
