//! How long a look or a fetch may take, and how much it may bring.

use super::error::{FetchError, FetchFailure};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// The bounds of one look or fetch, begun when this is made.
#[derive(Debug)]
pub(super) struct Bounds {
    /// As it may be shown.
    pub remote: String,
    timeout: Duration,
    deadline: Instant,
    max_bytes: u64,
    bytes: AtomicU64,
}

impl Bounds {
    pub fn new(remote: String, timeout: Duration, max_bytes: u64) -> Self {
        // So far away that it is never: what overflows has no bound.
        let deadline = Instant::now() + timeout.min(Duration::from_secs(1 << 30));
        Bounds { remote, timeout, deadline, max_bytes, bytes: AtomicU64::new(0) }
    }

    /// The time that is left, which is never zero.
    pub fn left(&self) -> Result<Duration, FetchError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(self.timed_out()) } else { Ok(left) }
    }

    /// Counts bytes that were received, or are about to be stored.
    pub fn spend(&self, bytes: usize) -> Result<(), FetchError> {
        let before = self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        if before.saturating_add(bytes as u64) > self.max_bytes {
            let what =
                format!("{} sends more than {} bytes, the most that one fetch may bring", self.remote, self.max_bytes);
            return Err(FetchError::new(FetchFailure::TooLarge, what));
        }
        Ok(())
    }

    pub fn timed_out(&self) -> FetchError {
        let what = format!("{} was not done within {:?}, the source's `timeout`", self.remote, self.timeout);
        FetchError::new(FetchFailure::Timeout, what)
    }
}
