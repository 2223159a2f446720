//! What servers write to stderr: kept for a while, shown to whoever follows, passed on to the agent's log.
//!
//! A server must not wait for whoever reads its log: what exceeds a bound is dropped. Only one that floods without end
//! is slowed down ([`super::flood`]).
//!
//! The lines of an app share one room. Where there is no more, the oldest line goes of the process that has the most:
//! the last words of one that has ended stay, however much the next one writes.

mod lines;

use super::{flood::Allowance, redact::Redaction};
use crate::status::model::LogLine;
use jiff::Timestamp;
use lines::Lines;
use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::broadcast,
    task::yield_now,
    time::sleep,
};

/// The bytes of text that are kept of an app.
const MAX_BYTES: usize = 1 << 20;
/// What a line counts at least: so at most 2048 lines are kept.
const LEAST_BYTES: usize = 512;
/// The processes that have ended of which lines are kept, for those that stood for the app and for those of sessions.
const MAX_ENDED: usize = 8;
/// The lines that a follower may lag behind before it misses some.
const FOLLOWER_LAG: usize = 256;
/// The lines of an app that go to the agent's own log within [`WINDOW`].
const LOGGED_PER_WINDOW: u32 = 200;
const WINDOW: Duration = Duration::from_secs(1);
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

#[derive(Debug, Default)]
struct Kept {
    /// In the order of their starts.
    processes: VecDeque<Process>,
    bytes: usize,
    last: u64,
    rate: Rate,
}

#[derive(Debug)]
struct Process {
    instance: Arc<str>,
    writes: Writes,
    ended: bool,
    lines: VecDeque<Arc<Line>>,
    bytes: usize,
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
        let process = Process { instance: instance.clone(), writes, ended: false, lines: VecDeque::new(), bytes: 0 };
        self.kept().processes.push_back(process);
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

impl Kept {
    fn tail_of(&self, whose: &Whose, n: usize) -> Result<Vec<Arc<Line>>, NoLines> {
        match whose {
            Whose::All => Ok(self.tail(|_| true, n)),
            Whose::Instance(wanted) => match self.processes.iter().any(|process| *process.instance == **wanted) {
                true => Ok(self.tail(|process| *process.instance == **wanted, n)),
                false => Err(NoLines::Instance(wanted.clone())),
            },
            Whose::Previous => {
                let ended = |process: &&Process| process.ended && process.writes == Writes::AsPrimary;
                let previous = self.processes.iter().rev().find(ended).ok_or(NoLines::Previous)?;
                Ok(self.tail(|process| process.instance == previous.instance, n))
            }
        }
    }

    fn tail(&self, wanted: impl Fn(&Process) -> bool, n: usize) -> Vec<Arc<Line>> {
        let processes = self.processes.iter().filter(|process| wanted(process));
        let mut lines: Vec<_> = processes.flat_map(|process| process.lines.iter().rev().take(n)).cloned().collect();
        lines.sort_unstable_by_key(|line| line.number);
        lines.drain(..lines.len().saturating_sub(n));
        lines
    }

    fn add(&mut self, instance: &Arc<str>, time: Timestamp, text: String) -> Arc<Line> {
        self.last += 1;
        let line = Arc::new(Line { time, instance: instance.clone(), text, number: self.last });
        // Most often the newest writes.
        if let Some(process) = self.processes.iter_mut().rev().find(|process| process.instance == *instance) {
            process.lines.push_back(line.clone());
            process.bytes += size(&line);
            self.bytes += size(&line);
        }
        while self.bytes > MAX_BYTES {
            let most = self.processes.iter_mut().max_by_key(|process| process.bytes);
            let Some((most, line)) = most.and_then(|most| most.lines.pop_front().map(|line| (most, line))) else {
                break;
            };
            most.bytes -= size(&line);
            self.bytes -= size(&line);
        }
        line
    }

    fn end(&mut self, instance: &str) {
        let Some(process) = self.processes.iter_mut().find(|process| *process.instance == *instance) else { return };
        process.ended = true;
        let writes = process.writes;
        let ended = |process: &Process| process.ended && process.writes == writes;
        if self.processes.iter().filter(|process| ended(process)).count() > MAX_ENDED
            && let Some(oldest) = self.processes.iter().position(ended)
            && let Some(oldest) = self.processes.remove(oldest)
        {
            self.bytes -= oldest.bytes;
        }
    }
}

fn size(line: &Line) -> usize {
    line.text.len().max(LEAST_BYTES)
}

/// How many lines have gone to the agent's log in the current window.
#[derive(Debug, Default)]
struct Rate {
    window: Option<Instant>,
    admitted: u32,
    dropped: u64,
}

impl Rate {
    /// Whether another line may go, and how many of the window that is over could not.
    fn admit(&mut self, now: Instant) -> (bool, u64) {
        let mut dropped = 0;
        if self.window.is_none_or(|start| now.duration_since(start) >= WINDOW) {
            dropped = mem::take(&mut self.dropped);
            *self = Rate { window: Some(now), ..Rate::default() };
        }
        if self.admitted < LOGGED_PER_WINDOW {
            self.admitted += 1;
            return (true, dropped);
        }
        self.dropped += 1;
        (false, dropped)
    }
}

#[cfg(test)]
mod tests;
