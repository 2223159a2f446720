//! When to look at a remote repository again. Pure.

use std::time::Duration;

/// After the first failure.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait after a failure, unless the interval is longer.
const LONGEST: Duration = Duration::from_secs(300);
/// After how many intervals without a successful look what is known counts as old.
const STALE: u32 = 3;

/// The rhythm of polls.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    interval: Duration,
    failures: u32,
}

impl Pace {
    pub fn new(interval: Duration) -> Self {
        Pace { interval, failures: 0 }
    }

    /// How long to wait after a look that went well: about the interval, so that many agents do not ask at the same
    /// moment for ever. `jitter` is in 0..1, here and below.
    pub fn succeeded(&mut self, jitter: f64) -> Duration {
        self.failures = 0;
        self.interval.mul_f64(0.9 + 0.2 * jitter.clamp(0.0, 1.0))
    }

    /// How long to wait after one that failed: doubles from failure to failure, and is spread by up to a fifth.
    pub fn failed(&mut self, jitter: f64) -> Duration {
        let full = FIRST.saturating_mul(1 << self.failures.min(20)).min(LONGEST.max(self.interval));
        self.failures = self.failures.saturating_add(1);
        full.mul_f64(1.0 - 0.2 * jitter.clamp(0.0, 1.0))
    }

    /// Whether a source that was last seen so long ago may be out of date.
    pub fn is_stale(&self, since: Duration) -> bool {
        self.failures > 0 && since > self.interval * STALE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);

    #[test]
    fn failures_are_spaced_out_and_success_ends_them() {
        let mut pace = Pace::new(INTERVAL);
        assert_eq!(pace.succeeded(0.5), INTERVAL);
        assert_eq!((pace.succeeded(0.0), pace.succeeded(1.0)), (INTERVAL.mul_f64(0.9), INTERVAL.mul_f64(1.1)));
        let waits: Vec<u64> = (0..12).map(|_| pace.failed(0.0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        pace.succeeded(0.5);
        assert_eq!(pace.failed(1.0), Duration::from_millis(800));
    }

    #[test]
    fn a_long_interval_is_kept_when_it_fails() {
        let mut pace = Pace::new(Duration::from_secs(3600));
        assert_eq!((0..40).map(|_| pace.failed(0.0)).max(), Some(Duration::from_secs(3600)));
    }

    #[test]
    fn what_fails_for_some_intervals_is_stale() {
        let mut pace = Pace::new(INTERVAL);
        assert!(!pace.is_stale(INTERVAL * 10), "it has just been seen, whatever the clock says");
        pace.failed(0.0);
        assert!(!pace.is_stale(INTERVAL * 3) && pace.is_stale(INTERVAL * 3 + FIRST));
    }
}
