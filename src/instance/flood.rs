//! How fast what servers write to no avail is read.
//!
//! A server that writes in bursts must never wait. One that floods without end is slowed down by its own pipe: what
//! the agent spends on it is bounded, and so is what it takes from the other servers.

use std::time::{Duration, Instant};

/// What may come at once, in units of about a byte.
const BURST: f64 = 8.0 * 1024.0 * 1024.0;
/// What may come in a second for ever.
const RATE: f64 = 2.0 * 1024.0 * 1024.0;
/// What a line costs besides its bytes.
const LINE: usize = 64;

/// A bucket that fills at a steady rate and is emptied by what is read.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    left: f64,
    at: Instant,
}

impl Allowance {
    pub fn new(now: Instant) -> Self {
        Allowance { left: BURST, at: now }
    }

    /// Takes note of what has been read.
    pub fn spend(&mut self, bytes: usize, lines: usize, now: Instant) {
        self.refill(now);
        #[expect(clippy::cast_precision_loss, reason = "a fraction of a byte is no matter")]
        let cost = bytes.saturating_add(lines.saturating_mul(LINE)) as f64;
        // Nobody waits for more than a second: a single huge line is no flood.
        self.left = (self.left - cost).max(-RATE);
    }

    /// How long to wait before more is read.
    pub fn pause(&mut self, now: Instant) -> Duration {
        self.refill(now);
        Duration::try_from_secs_f64(-self.left / RATE).unwrap_or_default()
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + passed * RATE).min(BURST);
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads lines as fast as it may and says how many bytes it got.
    fn read_for(seconds: u64, line: usize) -> usize {
        let start = Instant::now();
        let (mut now, mut allowance, mut read) = (start, Allowance::new(start), 0);
        while now < start + Duration::from_secs(seconds) {
            let lines = 16_384 / line;
            allowance.spend(lines * line, lines, now);
            read += lines * line;
            now += allowance.pause(now);
        }
        read
    }

    #[test]
    fn a_burst_passes_and_a_flood_is_bounded() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        allowance.spend(8 << 20, 0, start);
        assert_eq!(allowance.pause(start), Duration::ZERO);
        allowance.spend(2 << 20, 0, start);
        assert_eq!(allowance.pause(start), Duration::from_secs(1));
        allowance.spend(64 << 20, 0, start);
        assert_eq!(allowance.pause(start), Duration::from_secs(1), "no longer than that");
        assert_eq!(allowance.pause(start + Duration::from_secs(1)), Duration::ZERO);
        allowance.spend(8 << 20, 0, start + Duration::from_hours(1));
        assert_eq!(allowance.pause(start + Duration::from_hours(1)), Duration::ZERO, "a rest makes good");
    }

    #[test]
    fn long_lines_cost_their_bytes_and_short_ones_more() {
        let long = read_for(60, 16_384);
        assert!((120 << 20..130 << 20).contains(&long), "{long}");
        let empty = read_for(60, 1);
        assert!(empty < 2 << 20, "{empty}");
    }
}
