//! Waiting for what another process does, without guessing how long it takes.

use std::time::{Duration, Instant};

/// How long a test waits before it calls something missing. Never the time that it takes when all is well.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Looks until there is something to see and gives it back; panics with `what` after [`PATIENCE`].
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(started.elapsed() < PATIENCE, "not seen within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
