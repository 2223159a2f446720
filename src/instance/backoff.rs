//! How long to wait before the next attempt.

use crate::resource::Restart;
use std::time::Duration;

/// The delay after the `failures`th failure in a row (from 1): doubles from the initial to the greatest one, and is
/// spread by up to a fifth so that servers that failed together do not come back together. `jitter` is in 0..1.
pub fn delay(failures: u32, restart: &Restart, jitter: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    let full = restart.initial_backoff.saturating_mul(1 << doublings).min(restart.max_backoff);
    full.mul_f64(1.0 - 0.2 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_bound() {
        let restart = Restart::default();
        for (failures, seconds) in [(0, 1), (1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (1000, 300), (u32::MAX, 300)] {
            assert_eq!(delay(failures, &restart, 0.0), Duration::from_secs(seconds), "{failures}");
        }
        assert_eq!(delay(1, &restart, 1.0), Duration::from_millis(800));
        let none = Restart { initial_backoff: Duration::ZERO, ..Restart::default() };
        assert_eq!(delay(50, &none, 0.5), Duration::ZERO);
    }
}
