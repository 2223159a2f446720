//! The thread that writes.

use super::{Shared, file::AuditFile};
use jiff::Timestamp;
use std::{
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

/// How long records wait for others to be written with.
const WINDOW: Duration = Duration::from_millis(100);
/// The pause after a failure.
const RETRY: Duration = Duration::from_secs(1);

/// Writes until it is told to end, and nothing waits any more or cannot be written.
pub fn run(shared: &Shared, mut file: AuditFile) {
    let mut lines = Vec::new();
    loop {
        let (records, closing) = {
            let mut state = wait(shared, lines.is_empty());
            let mut records = Vec::new();
            if lines.is_empty() {
                records.extend(state.kept.take());
                state.kept.tell_dropped(Timestamp::now());
            }
            (records, state.closing)
        };
        // Not under the lock, for which requests wait.
        for record in records {
            // A record is always JSON.
            if serde_json::to_writer(&mut lines, &*record).is_ok() {
                lines.push(b'\n');
            }
        }
        let before = count(&lines);
        let outcome = file.append(&mut lines, Timestamp::now());
        let written = before - count(&lines);
        let mut state = shared.lock();
        state.written += written;
        let problem = match &outcome {
            Ok(()) => file.stuck().map(|stuck| format!("another file cannot take its place: {stuck}")),
            Err(error) => Some(error.to_string()),
        };
        tell(state.problem.as_deref(), problem.as_deref(), state.kept.dropped_in_all());
        state.problem = problem;
        if closing && (outcome.is_err() || lines.is_empty() && !state.kept.has_waiting()) {
            // First: with it goes the lock on the file, which may be the next agent's from then on.
            drop(file);
            state.writing = false;
            shared.ended.notify_all();
            return;
        }
        drop(state);
        if outcome.is_err() {
            pause(shared);
        }
        // A moment of many records is no reason to keep their room.
        if lines.is_empty() && lines.capacity() > 1 << 20 {
            lines = Vec::new();
        }
    }
}

/// Until there is something to write: at once where `fresh` is not set, since lines are left.
fn wait(shared: &Shared, fresh: bool) -> MutexGuard<'_, super::State> {
    let state = shared.lock();
    if !fresh {
        return state;
    }
    let some = shared.news.wait_while(state, |state| !state.closing && !state.kept.has_waiting());
    let state = some.unwrap_or_else(PoisonError::into_inner);
    let many = shared.news.wait_timeout_while(state, WINDOW, |state| !state.closing && !state.kept.is_pressing());
    many.unwrap_or_else(PoisonError::into_inner).0
}

fn pause(shared: &Shared) {
    let state = shared.lock();
    drop(shared.news.wait_timeout_while(state, RETRY, |state| !state.closing));
}

fn count(lines: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', lines).count() as u64
}

/// Says in the agent's log what has become another problem, or none any more.
fn tell(before: Option<&str>, now: Option<&str>, dropped: u64) {
    match now {
        Some(problem) if before != now => {
            tracing::warn!(dropped, "the audit cannot be written: {problem}; what finds no room is dropped");
        }
        None if before.is_some() => tracing::info!(dropped, "the audit is written again"),
        _ => {}
    }
}
