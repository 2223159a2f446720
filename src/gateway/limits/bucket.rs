//! Token buckets, one for each who has asked lately. Pure: the time is told.

use super::Who;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// Of so many is remembered what they have asked for. Whoever comes beyond shares one bucket with all others who do.
const MAX_KNOWN: usize = 65_536;
/// From so many on it is looked who may be forgotten.
const FEW: usize = 1_024;

/// What somebody may still have.
#[derive(Debug)]
struct Account {
    /// Below zero: what was taken beyond what there was.
    tokens: f64,
    since: Instant,
    open: usize,
}

/// The bounds of each.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Tokens a second, and the most that can be saved up.
    pub rate: Option<u32>,
    pub open: usize,
}

/// Why there is nothing to be had.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Short {
    /// There will be, after this time.
    Tokens(Duration),
    Room,
}

#[derive(Debug)]
pub struct Accounts {
    bounds: Bounds,
    /// `None`: all whom there was no room for.
    known: HashMap<Option<Who>, Account>,
    look: usize,
}

impl Accounts {
    pub fn new(bounds: Bounds) -> Self {
        Accounts { bounds, known: HashMap::new(), look: FEW }
    }

    /// Takes a token, and a place among those that are open. The key is to be given back with [`Accounts::give_back`].
    pub fn take(&mut self, who: Who, now: Instant) -> Result<Option<Who>, Short> {
        let key = self.key(who, now);
        let bounds = self.bounds;
        let full = bounds.rate.map_or(0.0, f64::from);
        let account = self.known.entry(key.clone()).or_insert(Account { tokens: full, since: now, open: 0 });
        if account.open >= bounds.open {
            return Err(Short::Room);
        }
        if let Some(rate) = bounds.rate {
            account.refill(rate, now);
            if account.tokens < 1.0 {
                return Err(Short::Tokens(Duration::from_secs_f64((1.0 - account.tokens) / f64::from(rate))));
            }
            account.tokens -= 1.0;
        }
        account.open += 1;
        Ok(key)
    }

    /// Takes more tokens, for what has turned out to be more. What there is not is owed.
    pub fn charge(&mut self, who: Who, tokens: usize, now: Instant) {
        let Some(rate) = self.bounds.rate else { return };
        let key = self.key(who, now);
        if let Some(account) = self.known.get_mut(&key) {
            account.refill(rate, now);
            // Exact as far as it matters.
            account.tokens -= tokens as f64;
        }
    }

    pub fn give_back(&mut self, key: &Option<Who>) {
        let Some(account) = self.known.get_mut(key) else { return };
        account.open = account.open.saturating_sub(1);
        // Without a rate nothing else is remembered.
        if account.open == 0 && self.bounds.rate.is_none() {
            self.known.remove(key);
        }
    }

    fn key(&mut self, who: Who, now: Instant) -> Option<Who> {
        let key = Some(who);
        if self.known.contains_key(&key) {
            return key;
        }
        if self.known.len() >= self.look {
            let bounds = self.bounds;
            self.known.retain(|_, account| !account.is_idle(bounds, now));
            self.look = (self.known.len() * 2).clamp(FEW, MAX_KNOWN);
        }
        if self.known.len() < MAX_KNOWN { key } else { None }
    }
}

impl Account {
    fn refill(&mut self, rate: u32, now: Instant) {
        let rate = f64::from(rate);
        self.tokens = (self.tokens + rate * now.duration_since(self.since).as_secs_f64()).min(rate);
        self.since = now;
    }

    /// Whether a new one would be the same.
    fn is_idle(&mut self, bounds: Bounds, now: Instant) -> bool {
        if let Some(rate) = bounds.rate {
            self.refill(rate, now);
        }
        self.open == 0 && self.tokens >= bounds.rate.map_or(0.0, f64::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(number: u32) -> Who {
        Who::Address(std::net::Ipv4Addr::from_bits(number).into())
    }

    fn accounts(rate: Option<u32>, open: usize) -> (Accounts, Instant) {
        (Accounts::new(Bounds { rate, open }), Instant::now())
    }

    #[test]
    fn so_many_a_second() {
        let (mut accounts, start) = accounts(Some(10), 100);
        let after = |millis| start + Duration::from_millis(millis);
        for _ in 0..10 {
            accounts.take(who(1), start).unwrap();
        }
        assert_eq!(accounts.take(who(1), start), Err(Short::Tokens(Duration::from_millis(100))));
        assert!(accounts.take(who(2), start).is_ok(), "another has tokens of its own");
        assert!(accounts.take(who(1), after(100)).is_ok());
        assert!(accounts.take(who(1), after(101)).is_err());
        let taken = (0..100).filter(|_| accounts.take(who(1), after(60_000)).is_ok()).count();
        assert_eq!(taken, 10, "no more is saved up");
    }

    #[test]
    fn what_is_more_is_owed() {
        let (mut accounts, start) = accounts(Some(10), 100);
        accounts.take(who(1), start).unwrap();
        accounts.charge(who(1), 29, start);
        assert_eq!(accounts.take(who(1), start), Err(Short::Tokens(Duration::from_millis(2_100))));
        assert!(accounts.take(who(1), start + Duration::from_millis(2_200)).is_ok());
    }

    #[test]
    fn so_many_at_a_time() {
        let (mut accounts, now) = accounts(None, 2);
        let key = accounts.take(who(1), now).unwrap();
        accounts.take(who(1), now).unwrap();
        assert_eq!(accounts.take(who(1), now), Err(Short::Room));
        accounts.give_back(&key);
        assert!(accounts.take(who(1), now).is_ok());
        accounts.give_back(&key);
        accounts.give_back(&key);
        assert!(accounts.known.is_empty(), "nobody is remembered without need");
    }

    #[test]
    fn the_table_is_bounded() {
        let (mut accounts, now) = accounts(Some(1), 1);
        for number in 0..MAX_KNOWN as u32 + 100 {
            let _ = accounts.take(who(number), now);
        }
        assert_eq!(accounts.known.len(), MAX_KNOWN + 1);
        assert!(accounts.take(who(u32::MAX), now).is_err(), "those whom nobody knows share one account");
        let keys: Vec<_> = accounts.known.keys().cloned().collect();
        keys.iter().for_each(|key| accounts.give_back(key));
        accounts.take(who(u32::MAX), now + Duration::from_secs(5)).unwrap();
        assert_eq!(accounts.known.len(), 1, "who has asked for nothing lately is forgotten");
    }
}
