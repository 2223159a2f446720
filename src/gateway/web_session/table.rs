//! What somebody holds for a while, by the digest of a secret. Pure: the time is told.

use crate::{gateway::access::Principal, resource::Digest};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub all: usize,
    pub of_one: usize,
}

/// Where there is no room the oldest of the same principal goes, and then the oldest of whoever has the most: nobody who has
/// few loses one to somebody who has many.
#[derive(Debug)]
pub(super) struct Table<T> {
    held: HashMap<Digest, Held<T>>,
    bounds: Bounds,
    /// How many there have been: of two, the one with the higher number is the younger.
    count: u64,
}

#[derive(Debug)]
pub(super) struct Held<T> {
    pub principal: Principal,
    pub until: Instant,
    pub what: T,
    number: u64,
}

impl<T> Table<T> {
    pub fn new(bounds: Bounds) -> Table<T> {
        Table { held: HashMap::new(), bounds, count: 0 }
    }

    pub fn add(&mut self, secret: Digest, principal: Principal, until: Instant, what: T, now: Instant) {
        self.sweep(now);
        let own = self.held.values().filter(|held| held.principal == principal).count();
        if own >= self.bounds.of_one {
            self.drop_oldest(&principal.clone());
        }
        if self.held.len() >= self.bounds.all
            && let Some(most) = self.who_has_most()
        {
            self.drop_oldest(&most);
        }
        self.count += 1;
        self.held.insert(secret, Held { principal, until, what, number: self.count });
    }

    /// What belongs to a secret, if it has not ended.
    pub fn get(&self, secret: &Digest, now: Instant) -> Option<&Held<T>> {
        self.held.get(secret).filter(|held| now < held.until)
    }

    /// Takes it out; `None` if there is nothing, or it has ended.
    pub fn take(&mut self, secret: &Digest, now: Instant) -> Option<Held<T>> {
        self.held.remove(secret).filter(|held| now < held.until)
    }

    /// Drops what has ended.
    pub fn sweep(&mut self, now: Instant) {
        self.held.retain(|_, held| now < held.until);
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    fn drop_oldest(&mut self, principal: &Principal) {
        let own = self.held.iter().filter(|(_, held)| held.principal == *principal);
        if let Some(secret) = own.min_by_key(|(_, held)| held.number).map(|(secret, _)| *secret) {
            self.held.remove(&secret);
        }
    }

    /// Of several, the one whose last is the oldest.
    fn who_has_most(&self) -> Option<Principal> {
        let mut counts: HashMap<&Principal, (usize, u64)> = HashMap::new();
        for held in self.held.values() {
            let (count, last) = counts.entry(&held.principal).or_default();
            (*count, *last) = (*count + 1, held.number.max(*last));
        }
        let most = counts.into_iter().max_by_key(|(_, (count, last))| (*count, std::cmp::Reverse(*last)));
        most.map(|(principal, _)| principal.clone())
    }
}

/// The earlier of two ends, one of which may be none.
pub(super) fn earlier(life: Duration, end: Option<Instant>, now: Instant) -> Instant {
    let until = now + life;
    end.map_or(until, |end| until.min(end))
}
