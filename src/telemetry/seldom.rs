//! Warnings that strangers can cause, kept from being a flood.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Between two warnings of a kind.
const PAUSE: Duration = Duration::from_secs(10);

/// Lets a warning pass every ten seconds, and counts those between.
#[derive(Debug, Default)]
pub struct Seldom(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    left_out: u64,
}

impl Seldom {
    /// Whether it is time for one; with it, how many were left out since the one before.
    pub fn next(&self) -> Option<u64> {
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|last| now.saturating_duration_since(last) < PAUSE) {
            state.left_out += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_passes_and_the_others_are_counted() {
        let (seldom, start) = (Seldom::default(), Instant::now());
        assert_eq!(seldom.at(start), Some(0));
        assert_eq!((seldom.at(start), seldom.at(start + PAUSE / 2)), (None, None));
        assert_eq!(seldom.at(start + PAUSE), Some(2));
        assert_eq!(seldom.at(start + PAUSE * 3), Some(0));
    }
}
