//! What clients asked of an app, and what came of it.

use crate::{
    measure::{Distribution, Durations},
    protocol::Era,
    status::model::audit::Outcome,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

const ERAS: [Era; 2] = [Era::Legacy, Era::Modern];

/// The messages of clients to one app.
#[derive(Debug, Default)]
pub struct Traffic {
    counts: [[AtomicU64; Outcome::ALL.len()]; ERAS.len()],
    durations: [Durations; ERAS.len()],
}

/// What [`Traffic`] has come to in one era.
#[derive(Clone, Debug, PartialEq)]
pub struct EraTraffic {
    pub era: Era,
    /// Those that there were.
    pub outcomes: Vec<(Outcome, u64)>,
    pub durations: Distribution,
}

impl Traffic {
    /// One that has begun now, and ends when what this gives back is told so, or is dropped.
    pub fn begin(self: &Arc<Self>, era: Era) -> Passing {
        Passing { traffic: self.clone(), era, began: Instant::now(), over: false }
    }

    /// One that has come to its end; `took` where something was waited for.
    pub fn add(&self, era: Era, outcome: Outcome, took: Option<Duration>) {
        let index = usize::from(era == Era::Modern);
        if let Some(count) = self.counts.get(index).and_then(|counts| counts.get(outcome as usize)) {
            count.fetch_add(1, Relaxed);
        }
        if let Some((durations, took)) = self.durations.get(index).zip(took) {
            durations.add(took);
        }
    }

    /// Of the eras in which there was any.
    pub fn read(&self) -> Vec<EraTraffic> {
        let each = ERAS.into_iter().zip(&self.counts).zip(&self.durations);
        let read = each.map(|((era, counts), durations)| {
            let outcomes = Outcome::ALL.iter().copied().zip(counts.iter().map(|count| count.load(Relaxed)));
            EraTraffic {
                era,
                outcomes: outcomes.filter(|(_, count)| *count > 0).collect(),
                durations: durations.read(),
            }
        });
        read.filter(|read| !read.outcomes.is_empty()).collect()
    }
}

/// A message that is on its way. Dropped without another word, its client has gone.
#[derive(Debug)]
pub struct Passing {
    traffic: Arc<Traffic>,
    era: Era,
    began: Instant,
    over: bool,
}

impl Passing {
    /// It has turned out to be about this.
    pub fn turn_to(&mut self, traffic: Arc<Traffic>) {
        self.traffic = traffic;
    }

    pub fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }

    /// It has come to its end; of several ends the first counts.
    pub fn end(&mut self, outcome: Outcome) {
        if !std::mem::replace(&mut self.over, true) {
            self.traffic.add(self.era, outcome, Some(self.began.elapsed()));
        }
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        self.end(Outcome::Gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_counted_once() {
        let (first, second) = (Arc::<Traffic>::default(), Arc::<Traffic>::default());
        let mut passing = first.begin(Era::Modern);
        passing.turn_to(second.clone());
        passing.end(Outcome::Error);
        passing.end(Outcome::Ok);
        drop(passing);
        drop(first.begin(Era::Legacy));
        let outcomes = |traffic: &Traffic| -> Vec<_> {
            traffic.read().into_iter().map(|read| (read.era, read.outcomes, read.durations.count())).collect()
        };
        assert_eq!(outcomes(&first), [(Era::Legacy, vec![(Outcome::Gone, 1)], 1)]);
        assert_eq!(outcomes(&second), [(Era::Modern, vec![(Outcome::Error, 1)], 1)]);
    }

    #[test]
    fn each_outcome_has_a_place() {
        let traffic = Traffic::default();
        Outcome::ALL.iter().for_each(|outcome| traffic.add(Era::Legacy, *outcome, None));
        let expected: Vec<_> = Outcome::ALL.iter().map(|outcome| (*outcome, 1)).collect();
        assert_eq!((&traffic.read()[0].outcomes, traffic.read()[0].durations.count()), (&expected, 0));
    }
}
