//! What servers write to stderr: kept for a while, shown to whoever follows, passed on to the agent's log.
//!
//! A server must never wait for its log: everything is read as fast as it comes, and what exceeds a bound is dropped.

use crate::status::model::LogLine;
use jiff::Timestamp;
use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::broadcast,
};

/// The lines that are kept of an app.
const MAX_LINES: usize = 2_000;
/// The bytes of text that are kept of an app.
const MAX_BYTES: usize = 1 << 20;
/// The longest line, in bytes; the rest is cut off.
const MAX_LINE: usize = 16 << 10;
/// The lines that a follower may lag behind before it misses some.
const FOLLOWER_LAG: usize = 256;
/// The lines of an app that go to the agent's own log within [`WINDOW`].
const LOGGED_PER_WINDOW: u32 = 200;
const WINDOW: Duration = Duration::from_secs(1);

/// The last lines that the instances of one app have written. Clones share them.
#[derive(Clone, Debug)]
pub struct LogRing {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    app: String,
    kept: Mutex<Kept>,
    followers: broadcast::Sender<Arc<LogLine>>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<Arc<LogLine>>,
    bytes: usize,
    rate: Rate,
}

impl LogRing {
    pub fn new(app: impl Into<String>) -> Self {
        let (followers, _) = broadcast::channel(FOLLOWER_LAG);
        LogRing { shared: Arc::new(Shared { app: app.into(), kept: Mutex::default(), followers }) }
    }

    /// The last `n` lines, oldest first.
    pub fn tail(&self, n: usize) -> Vec<Arc<LogLine>> {
        self.kept().tail(n)
    }

    /// The last `n` lines and those that follow, without a gap and without a line twice. A follower that is too slow
    /// is told how many lines it has missed ([`broadcast::error::RecvError::Lagged`]).
    pub fn follow(&self, n: usize) -> (Vec<Arc<LogLine>>, broadcast::Receiver<Arc<LogLine>>) {
        let kept = self.kept();
        (kept.tail(n), self.shared.followers.subscribe())
    }

    /// Adds a line.
    pub fn push(&self, line: LogLine) {
        let line = Arc::new(line);
        let now = Instant::now();
        let (admitted, dropped) = {
            let mut kept = self.kept();
            kept.push(line.clone());
            // Under the lock, for `follow`. An error means that nobody follows.
            let _ = self.shared.followers.send(line.clone());
            kept.rate.admit(now)
        };
        let app = self.shared.app.as_str();
        if dropped > 0 {
            tracing::warn!(target: "mcpfleet::stderr", app, dropped, "lines of a flood are left out of this log");
        }
        if admitted {
            tracing::info!(target: "mcpfleet::stderr", app, instance = line.instance, "{}", line.text);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn tail(&self, n: usize) -> Vec<Arc<LogLine>> {
        self.lines.iter().skip(self.lines.len().saturating_sub(n)).cloned().collect()
    }

    fn push(&mut self, line: Arc<LogLine>) {
        self.bytes += line.text.len();
        self.lines.push_back(line);
        while self.lines.len() > MAX_LINES || self.bytes > MAX_BYTES {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= oldest.text.len();
        }
    }
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

/// Reads an instance's stderr into the ring until it ends.
pub async fn pump(mut stderr: impl AsyncRead + Unpin, ring: LogRing, instance: String) {
    let mut lines = Lines::default();
    let mut buffer = vec![0; 16 << 10];
    while let Ok(length @ 1..) = stderr.read(&mut buffer).await {
        let time = Timestamp::now();
        let bytes = buffer.get(..length).unwrap_or_default();
        lines.feed(bytes, |text| ring.push(LogLine { time, instance: instance.clone(), text }));
    }
    if let Some(text) = lines.finish() {
        ring.push(LogLine { time: Timestamp::now(), instance, text });
    }
}

/// Cuts bytes into lines of bounded length.
#[derive(Debug, Default)]
struct Lines {
    /// The line so far, without what is beyond the bound.
    line: Vec<u8>,
    /// The length of what is beyond.
    cut: usize,
}

impl Lines {
    fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(String)) {
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (head, tail) = rest.split_at(end);
            self.append(head);
            each(self.take());
            rest = tail.get(1..).unwrap_or_default();
        }
        self.append(rest);
    }

    fn append(&mut self, bytes: &[u8]) {
        let (fits, beyond) = bytes.split_at(bytes.len().min(MAX_LINE.saturating_sub(self.line.len())));
        self.line.extend_from_slice(fits);
        self.cut += beyond.len();
    }

    fn take(&mut self) -> String {
        let bytes = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        let mut text = String::from_utf8_lossy(bytes).into_owned();
        self.line.clear();
        match mem::take(&mut self.cut) {
            0 => {}
            cut => text.push_str(&format!(" … {cut} bytes cut off")),
        }
        text
    }

    fn finish(mut self) -> Option<String> {
        (!self.line.is_empty()).then(|| self.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::broadcast::error::RecvError;

    fn line(text: impl Into<String>) -> LogLine {
        LogLine { time: Timestamp::UNIX_EPOCH, instance: "a-1".into(), text: text.into() }
    }

    fn texts(lines: &[Arc<LogLine>]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn lines_are_cut_at_newlines_however_they_arrive() {
        let input = b"one\ntwo\r\n\nth\xffree\nlast";
        for size in 1..input.len() {
            let (mut lines, mut found) = (Lines::default(), Vec::new());
            for piece in input.chunks(size) {
                lines.feed(piece, |text| found.push(text));
            }
            found.extend(lines.finish());
            assert_eq!(found, ["one", "two", "", "th\u{fffd}ree", "last"], "in pieces of {size}");
        }
    }

    #[test]
    fn a_long_line_is_cut_and_says_so() {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for _ in 0..3 {
            lines.feed(&[b'x'; MAX_LINE], |text| found.push(text));
        }
        lines.feed(b"\nnext\n", |text| found.push(text));
        assert_eq!(found, [format!("{} … {} bytes cut off", "x".repeat(MAX_LINE), 2 * MAX_LINE), "next".into()]);
    }

    #[test]
    fn the_ring_is_bounded_in_lines_and_in_bytes() {
        let ring = LogRing::new("a");
        for n in 0..MAX_LINES + 3 {
            ring.push(line(n.to_string()));
        }
        let all = ring.tail(usize::MAX);
        assert_eq!((all.len(), all[0].text.as_str()), (MAX_LINES, "3"));
        assert_eq!(texts(&ring.tail(2)), [(MAX_LINES + 1).to_string(), (MAX_LINES + 2).to_string()]);
        for _ in 0..200 {
            ring.push(line("x".repeat(MAX_LINE)));
        }
        assert_eq!(ring.tail(usize::MAX).len(), MAX_BYTES / MAX_LINE);
    }

    #[tokio::test]
    async fn followers_get_every_line_once_and_slow_ones_a_count() {
        let ring = LogRing::new("a");
        ring.push(line("before"));
        let (tail, mut followed) = ring.follow(10);
        assert_eq!(texts(&tail), ["before"]);
        ring.push(line("after"));
        assert_eq!(followed.recv().await.unwrap().text, "after");
        for n in 0..FOLLOWER_LAG + 5 {
            ring.push(line(n.to_string()));
        }
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
    async fn stderr_is_pumped_to_its_end() {
        let ring = LogRing::new("a");
        pump(&b"one\ntwo"[..], ring.clone(), "a-7".into()).await;
        let lines = ring.tail(10);
        assert_eq!(texts(&lines), ["one", "two"]);
        assert!(lines.iter().all(|line| line.instance == "a-7"));
    }
}
