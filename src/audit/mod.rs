//! The audit: who did what, as JSON lines in a file that rotates, and the last of them in memory.
//!
//! Recording never waits and never fails. Records go into a bounded queue; a thread of its own writes them. What finds no
//! room there, as when a disk is full for long, is counted, told in the status, and told in the file itself once it can
//! be written again.

mod file;
mod kept;
mod open;
mod rotation;
mod search;
mod writer;

pub use file::OpenError;
pub use open::Open;
pub use rotation::Rotation;

use crate::status::model::{
    AuditStatus,
    audit::{Filter, Kind, Outcome, Record},
};
use file::AuditFile;
use jiff::Timestamp;
use kept::Kept;
use std::{
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::broadcast;

/// The most records that a search gives.
const MAX_TAIL: usize = 10_000;
/// The records that a follower may lag behind before it misses some.
const FOLLOWER_LAG: usize = 1_024;
/// How long a stop waits for the last records to be written.
const LAST_WRITE: Duration = Duration::from_secs(2);
/// Refused requests of those who were not let in: so many a second are recorded, and so many at once. Strangers must not
/// be able to push out what others did.
const STRANGERS: (f64, f64) = (20.0, 200.0);

/// What the audit is told and where it goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `None`: only the last records are kept, in memory.
    pub file: Option<PathBuf>,
    /// Whether the arguments of calls are recorded.
    pub arguments: bool,
    pub rotation: Rotation,
}

/// Where records go. Clones share it.
#[derive(Clone, Debug)]
pub struct Log {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// There is something to write, or no more will come.
    news: Condvar,
    /// The writer has ended.
    ended: Condvar,
    followers: broadcast::Sender<Arc<Record>>,
    path: Option<PathBuf>,
    arguments: bool,
    /// One search at a time.
    searching: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    kept: Kept,
    closing: bool,
    writing: bool,
    written: u64,
    problem: Option<String>,
    /// How many refusals may be recorded now, as of when.
    strangers: (f64, Instant),
    suppressed: u64,
}

impl Default for Log {
    /// In memory alone.
    fn default() -> Self {
        Log::new(Kept::new(false, 1), None, false)
    }
}

impl Log {
    /// Opens the file, if there is to be one, and begins to write.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn open(settings: &Settings) -> Result<Log, OpenError> {
        let Some(path) = &settings.file else {
            return Ok(Log::new(Kept::new(false, 1), None, settings.arguments));
        };
        let (file, next) = AuditFile::open(path, settings.rotation.clone())?;
        let log = Log::new(Kept::new(true, next), Some(path.clone()), settings.arguments);
        log.state().writing = true;
        let shared = log.shared.clone();
        // Not a task: writing to a file waits for the disk.
        let spawned = std::thread::Builder::new().name("audit".into()).spawn(move || writer::run(&shared, file));
        spawned.map_err(|error| OpenError::new(path, error))?;
        Ok(log)
    }

    fn new(kept: Kept, path: Option<PathBuf>, arguments: bool) -> Log {
        let state = State {
            kept,
            closing: false,
            writing: false,
            written: 0,
            problem: None,
            strangers: (STRANGERS.1, Instant::now()),
            suppressed: 0,
        };
        Log {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                news: Condvar::new(),
                ended: Condvar::new(),
                followers: broadcast::Sender::new(FOLLOWER_LAG),
                path,
                arguments,
                searching: tokio::sync::Mutex::default(),
            }),
        }
    }

    /// Whether the arguments of calls are recorded.
    pub fn wants_arguments(&self) -> bool {
        self.shared.arguments
    }

    /// Records what has happened now. The number and the time are given to it here.
    pub fn record(&self, record: Record) {
        self.shared.add(&mut self.state(), record);
    }

    /// Records, when it ends, what has begun now.
    pub fn begin(&self, record: Record) -> Open {
        Open::new(self.clone(), record)
    }

    /// Records a request that was refused before it was known whose it is. Of a flood of them only the beginning is
    /// recorded, and how many more there were.
    pub fn record_stranger(&self, record: Record) {
        let state = &mut *self.state();
        let (rate, burst) = STRANGERS;
        let now = Instant::now();
        let (tokens, since) = state.strangers;
        let tokens = (tokens + rate * now.duration_since(since).as_secs_f64()).min(burst);
        state.strangers = (tokens, now);
        if tokens < 1.0 {
            state.suppressed += 1;
            return;
        }
        state.strangers.0 -= 1.0;
        self.shared.tell_suppressed(state);
        self.shared.add(state, record);
    }

    /// Records how many refusals were not, if there were any. To be called now and then.
    pub fn tick(&self) {
        self.shared.tell_suppressed(&mut self.state());
    }

    /// The last `n` records that match, oldest first.
    pub async fn tail(&self, filter: Filter, n: usize) -> Vec<Arc<Record>> {
        let n = n.min(MAX_TAIL);
        let (tail, before) = {
            let state = self.state();
            (state.kept.tail(&filter, n), state.kept.first().map(|first| (first.time, first.sequence)))
        };
        self.with_older(tail, before, filter, n).await
    }

    /// The last `n` records that match, and all those that follow, whatever they are. A follower that is too slow is told
    /// how many it has missed ([`broadcast::error::RecvError::Lagged`]).
    pub async fn follow(&self, filter: Filter, n: usize) -> (Vec<Arc<Record>>, broadcast::Receiver<Arc<Record>>) {
        let n = n.min(MAX_TAIL);
        let (tail, before, coming) = {
            let state = self.state();
            let before = state.kept.first().map(|first| (first.time, first.sequence));
            (state.kept.tail(&filter, n), before, self.shared.followers.subscribe())
        };
        (self.with_older(tail, before, filter, n).await, coming)
    }

    /// With what is in the files and not in memory any more, as far as it is wanted.
    async fn with_older(
        &self,
        tail: Vec<Arc<Record>>,
        before: Option<(Timestamp, u64)>,
        filter: Filter,
        n: usize,
    ) -> Vec<Arc<Record>> {
        let Some(path) = self.shared.path.clone() else { return tail };
        let all_here = before.zip(filter.since).is_some_and(|((oldest, _), since)| oldest < since);
        let missing = n - tail.len();
        if missing == 0 || all_here {
            return tail;
        }
        let _alone = self.shared.searching.lock().await;
        let searching = tokio::task::spawn_blocking(move || search::search(&path, &filter, missing, before));
        let older = searching.await.unwrap_or_default();
        older.into_iter().map(Arc::new).chain(tail).collect()
    }

    /// How it stands with the writing.
    pub fn status(&self) -> AuditStatus {
        let state = self.state();
        AuditStatus {
            file: self.shared.path.as_ref().map(|path| path.display().to_string()),
            written: state.written,
            dropped: state.kept.dropped_in_all(),
            problem: state.problem.clone(),
        }
    }

    /// How many records wait to be written.
    pub fn waiting(&self) -> usize {
        self.state().kept.waiting()
    }

    /// Waits, but not for long, until all that has been recorded is written. What is recorded from now on may not be.
    pub fn close(&self) {
        let mut state = self.state();
        self.shared.tell_suppressed(&mut state);
        state.closing = true;
        self.shared.news.notify_all();
        let waited = self.shared.ended.wait_timeout_while(state, LAST_WRITE, |state| state.writing);
        let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() && state.writing {
            tracing::warn!("the last records of the audit could not be written in time");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, state: &mut State, record: Record) {
        let (waited, pressed) = (state.kept.has_waiting(), state.kept.is_pressing());
        let Some(record) = state.kept.add(record, Timestamp::now()) else { return };
        // Under the lock, for `follow`. An error means that nobody follows.
        if self.followers.receiver_count() > 0 {
            let _ = self.followers.send(record);
        }
        // It waits for the first, and from then on for a moment or until there are many.
        if state.kept.has_waiting() != waited || state.kept.is_pressing() != pressed {
            self.news.notify_one();
        }
    }

    fn tell_suppressed(&self, state: &mut State) {
        let missed = std::mem::take(&mut state.suppressed);
        if missed > 0 {
            let reason = Some("more requests were refused before it was known whose they are".to_owned());
            self.add(state, Record { missed: Some(missed), reason, ..Record::new(Kind::Dropped, Outcome::Denied) });
        }
    }
}

#[cfg(test)]
mod tests;
