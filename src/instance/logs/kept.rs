//! Which lines are kept, and which go to the agent's own log.
//!
//! The lines of an app share one room. Where there is no more, the oldest line goes of the process that has the most:
//! the last words of one that has ended stay, however much the next one writes.

use super::{Line, NoLines, Whose, Writes};
use jiff::Timestamp;
use std::{
    collections::VecDeque,
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

/// The bytes of text that are kept of an app.
pub(super) const MAX_BYTES: usize = 1 << 20;
/// What a line counts at least: so at most 2048 lines are kept.
pub(super) const LEAST_BYTES: usize = 512;
/// The processes that have ended of which lines are kept, for those that stood for the app and for those of sessions.
pub(super) const MAX_ENDED: usize = 8;
/// The lines of an app that go to the agent's own log within [`WINDOW`].
pub(super) const LOGGED_PER_WINDOW: u32 = 200;
pub(super) const WINDOW: Duration = Duration::from_secs(1);

/// The lines that are kept of an app.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// In the order of their starts.
    pub(super) processes: VecDeque<Process>,
    pub(super) bytes: usize,
    last: u64,
    pub(super) rate: Rate,
}

#[derive(Debug)]
pub(super) struct Process {
    instance: Arc<str>,
    writes: Writes,
    ended: bool,
    lines: VecDeque<Arc<Line>>,
    pub(super) bytes: usize,
}

impl Kept {
    /// Makes room for the lines of a process that is about to run.
    pub(super) fn begin(&mut self, instance: Arc<str>, writes: Writes) {
        self.processes.push_back(Process { instance, writes, ended: false, lines: VecDeque::new(), bytes: 0 });
    }

    /// The last `n` lines of some, oldest first.
    pub(super) fn tail_of(&self, whose: &Whose, n: usize) -> Result<Vec<Arc<Line>>, NoLines> {
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

    pub(super) fn tail(&self, wanted: impl Fn(&Process) -> bool, n: usize) -> Vec<Arc<Line>> {
        let processes = self.processes.iter().filter(|process| wanted(process));
        let mut lines: Vec<_> = processes.flat_map(|process| process.lines.iter().rev().take(n)).cloned().collect();
        lines.sort_unstable_by_key(|line| line.number);
        lines.drain(..lines.len().saturating_sub(n));
        lines
    }

    /// Gives a line of a process its number, and lets others go where there is no more room.
    pub(super) fn add(&mut self, instance: &Arc<str>, time: Timestamp, text: String) -> Arc<Line> {
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

    /// Enters that a process has ended.
    pub(super) fn end(&mut self, instance: &str) {
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
pub(super) struct Rate {
    window: Option<Instant>,
    admitted: u32,
    dropped: u64,
}

impl Rate {
    /// Whether another line may go, and how many of the window that is over could not.
    pub(super) fn admit(&mut self, now: Instant) -> (bool, u64) {
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
