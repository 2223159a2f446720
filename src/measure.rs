//! Counts and durations, to which many add at the same time, and which cost next to nothing as long as nobody reads them.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// The upper bounds of the buckets of durations, in seconds; beyond them is one bucket more.
pub const BOUNDS: [f64; 8] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0];

/// How long things took.
#[derive(Debug, Default)]
pub struct Durations {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    /// Nanoseconds: of 584 years.
    sum: AtomicU64,
}

/// What [`Durations`] have come to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Distribution {
    /// How many took as long as that, of each bound and beyond.
    pub buckets: [u64; BOUNDS.len() + 1],
    /// Seconds.
    pub sum: f64,
}

impl Durations {
    pub fn add(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Relaxed);
        }
        self.sum.fetch_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Those that were added before are there; of one that is being added now perhaps a part.
    pub fn read(&self) -> Distribution {
        let mut buckets = [0; BOUNDS.len() + 1];
        for (to, from) in buckets.iter_mut().zip(&self.buckets) {
            *to = from.load(Relaxed);
        }
        // Exact enough: it is a sum of measurements.
        Distribution { buckets, sum: Duration::from_nanos(self.sum.load(Relaxed)).as_secs_f64() }
    }
}

impl Distribution {
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

/// How often each of some words was said. They are the program's own, so that there are only so many.
#[derive(Debug, Default)]
pub struct Words(Mutex<BTreeMap<&'static str, u64>>);

impl Words {
    pub fn add(&self, word: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(word).or_default() += 1;
    }

    pub fn read(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_in_the_bucket_that_bounds_them() {
        let durations = Durations::default();
        for millis in [0, 1, 2, 100, 101, 60_000, 60_001] {
            durations.add(Duration::from_millis(millis));
        }
        let read = durations.read();
        assert_eq!(read.buckets, [2, 1, 0, 1, 1, 0, 0, 1, 1]);
        assert_eq!((read.count(), (read.sum * 1e3).round()), (7, 120_205.0));
        durations.add(Duration::MAX);
        assert_eq!(durations.read().buckets[BOUNDS.len()], 2);
    }

    #[test]
    fn words_are_counted() {
        let words = Words::default();
        ["a", "b", "a"].iter().for_each(|word| words.add(word));
        assert_eq!(words.read(), BTreeMap::from([("a", 2), ("b", 1)]));
    }
}
