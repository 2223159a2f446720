//! How long a look or a fetch may take, and how much it may bring.

use super::{
    error::{FetchError, FetchFailure},
    progress::Fetch,
};
use crate::authorize::ObjectId;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// The most bytes of one object: forges take no larger files either. A few of them are in memory at a time.
const MAX_OBJECT: u64 = 100 << 20;
/// How much larger than what is received the objects may be in all. Histories of text reach 50.
const UNPACKED: u64 = 200;
/// The most objects of one fetch. Each takes some 250 bytes while it is brought.
const MAX_OBJECTS: u64 = 4 << 20;

/// The bounds of one look or fetch, begun when this is made.
#[derive(Debug)]
pub(super) struct Bounds {
    /// As it may be shown.
    pub remote: String,
    timeout: Duration,
    deadline: Instant,
    max_bytes: u64,
    /// How far it is, for those who wait.
    pub fetch: Arc<Fetch>,
}

impl Bounds {
    pub fn new(remote: String, timeout: Duration, max_bytes: u64) -> Self {
        // So far away that it is never: what overflows has no bound.
        let deadline = Instant::now() + timeout.min(Duration::from_secs(1 << 30));
        let fetch = Fetch::begin(&remote);
        Bounds { remote, timeout, deadline, max_bytes, fetch }
    }

    /// The time that is left, which is never zero.
    pub fn left(&self) -> Result<Duration, FetchError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(self.timed_out()) } else { Ok(left) }
    }

    /// Refuses an object that is larger than any may be, before it is read. Its name may not be known yet.
    pub fn object(&self, id: Option<ObjectId>, size: u64) -> Result<(), FetchError> {
        if size <= MAX_OBJECT {
            return Ok(());
        }
        let id = id.map(|id| format!(" ({id})")).unwrap_or_default();
        let what = format!("{} has an object{id} of {size} bytes; {MAX_OBJECT} is the most for one", self.remote);
        Err(FetchError::new(FetchFailure::TooLarge, what))
    }

    /// Refuses too many objects.
    pub fn objects(&self, count: u64) -> Result<(), FetchError> {
        if count <= MAX_OBJECTS {
            return Ok(());
        }
        let what = format!("{} sends {count} objects; {MAX_OBJECTS} is the most for one fetch", self.remote);
        Err(FetchError::new(FetchFailure::TooLarge, what))
    }

    /// The most bytes that all objects of one fetch may come to, unpacked: it bounds the work that a small pack can make.
    pub fn max_unpacked(&self) -> u64 {
        self.max_bytes.saturating_mul(UNPACKED)
    }

    /// Counts bytes that were received, or are about to be stored.
    pub fn spend(&self, bytes: usize) -> Result<(), FetchError> {
        let before = self.fetch.add_bytes(bytes as u64);
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
