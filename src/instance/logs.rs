//! What servers write to stderr: kept for a while, shown to whoever follows, passed on to the agent's log.
//!
//! A server must not wait for whoever reads its log: what exceeds a bound is dropped. Only one that floods without end
//! is slowed down ([`super::flood`]).

mod kept;
mod lines;

use super::{flood::Allowance, redact::Redaction};
use crate::status::model::LogLine;
use jiff::Timestamp;
use kept::Kept;
use lines::Lines;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::broadcast,
    task::yield_now,
    time::sleep,
};

/// The lines that a follower may lag behind before it misses some.
const FOLLOWER_LAG: usize = 256;
/// How much is read at a time; the other tasks of the thread have their turn in between.
const READ: usize = 16 << 10;

/// One line that a server wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub time: Timestamp,
    pub instance: Arc<str>,
    pub text: String,
    /// Counts the lines of the app.
    number: u64,
}

impl From<&Line> for LogLine {
    fn from(line: &Line) -> LogLine {
        LogLine { time: line.time, instance: line.instance.to_string(), text: line.text.clone(), missed: None }
    }
}

/// What a process is for, as far as its lines are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// It stands for the app.
    AsPrimary,
    /// It belongs, or will belong, to a session.
    ForSession,
}

/// Whose lines are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Whose {
    /// Of all processes of the app.
    #[default]
    All,
    /// Of the process with this id.
    Instance(String),
    /// Of the last process that stood for the app and has ended.
    Previous,
}

/// Lines that are kept, and those to come.
pub type Followed = (Vec<Arc<Line>>, broadcast::Receiver<Arc<Line>>);

/// Why there are no such lines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoLines {
    #[error("no lines are kept of a process {0:?}; `mcpfleet status -v` lists those that run")]
    Instance(String),
    #[error("no process that stood for it has ended yet")]
    Previous,
}

/// The last lines that the processes of one app have written. Clones share them.
#[derive(Clone, Debug)]
pub struct LogRing {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    app: String,
    kept: Mutex<Kept>,
    followers: broadcast::Sender<Arc<Line>>,
}

/// Where one process writes. Dropped when the process is gone.
#[derive(Debug)]
pub struct ProcessLog {
    ring: LogRing,
    instance: Arc<str>,
    redaction: Arc<Redaction>,
}

impl Drop for ProcessLog {
    fn drop(&mut self) {
        self.ring.kept().end(&self.instance);
    }
}

impl LogRing {
    pub fn new(app: impl Into<String>) -> Self {
        let (followers, _) = broadcast::channel(FOLLOWER_LAG);
        LogRing { shared: Arc::new(Shared { app: app.into(), kept: Mutex::default(), followers }) }
    }

    /// Opens the log of a process that is about to run.
    pub fn open(&self, instance: Arc<str>, writes: Writes, redaction: Arc<Redaction>) -> ProcessLog {
        self.kept().begin(instance.clone(), writes);
        ProcessLog { ring: self.clone(), instance, redaction }
    }

    /// The last `n` lines of all processes, oldest first.
    pub fn tail(&self, n: usize) -> Vec<Arc<Line>> {
        self.kept().tail(|_| true, n)
    }

    /// The last `n` lines of some, oldest first.
    ///
    /// # Errors
    /// There is no such process, or nothing is kept of it any more.
    pub fn tail_of(&self, whose: &Whose, n: usize) -> Result<Vec<Arc<Line>>, NoLines> {
        self.kept().tail_of(whose, n)
    }

    /// The last `n` lines of some and the lines that follow, of all, without a gap and without a line twice. A follower
    /// that is too slow is told how many lines it has missed ([`broadcast::error::RecvError::Lagged`]).
    ///
    /// # Errors
    /// As for [`LogRing::tail_of`].
    pub fn follow(&self, whose: &Whose, n: usize) -> Result<Followed, NoLines> {
        let kept = self.kept();
        Ok((kept.tail_of(whose, n)?, self.shared.followers.subscribe()))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProcessLog {
    /// Reads what the process writes to its stderr until it ends.
    pub async fn pump(&self, mut stderr: impl AsyncRead + Unpin) {
        let mut lines = Lines::default();
        let mut buffer = vec![0; READ];
        let mut allowance = Allowance::new(Instant::now());
        while let Ok(length @ 1..) = stderr.read(&mut buffer).await {
            let bytes = buffer.get(..length).unwrap_or_default();
            let mut texts = Vec::new();
            lines.feed(bytes, &self.redaction, |text| texts.push(text));
            allowance.spend(length, texts.len(), Instant::now());
            self.push(texts);
            match allowance.pause(Instant::now()) {
                Duration::ZERO => yield_now().await,
                pause => sleep(pause).await,
            }
        }
        self.push(lines.finish(&self.redaction).into_iter().collect());
    }

    /// Adds lines that have just been written.
    pub fn push(&self, texts: Vec<String>) {
        if texts.is_empty() {
            return;
        }
        let (time, now) = (Timestamp::now(), Instant::now());
        let shared = &*self.ring.shared;
        let mut logged = Vec::new();
        let dropped = {
            let mut kept = self.ring.kept();
            let followed = shared.followers.receiver_count() > 0;
            let mut dropped = 0;
            for text in texts {
                let line = kept.add(&self.instance, time, text);
                if followed {
                    // Under the lock, for `follow`. An error means that nobody follows any more.
                    let _ = shared.followers.send(line.clone());
                }
                let (admitted, since) = kept.rate.admit(now);
                dropped += since;
                if admitted {
                    logged.push(line);
                }
            }
            dropped
        };
        let app = shared.app.as_str();
        if dropped > 0 {
            tracing::warn!(target: "mcpfleet::stderr", app, dropped, "lines of a flood are left out of this log");
        }
        for line in logged {
            tracing::info!(target: "mcpfleet::stderr", app, instance = &*line.instance, "{}", line.text);
        }
    }
}

#[cfg(test)]
mod tests;
