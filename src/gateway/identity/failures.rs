//! How often clients of an address have shown what is nobody's. Pure: the time is told.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

/// So many failures in a row are taken for mistakes.
const FREE: u32 = 20;

/// One failure is forgotten in this time.
const FORGOTTEN: Duration = Duration::from_secs(3);

/// Of so many addresses is remembered how often they have failed. Beyond that all others share one account.
const MAX_ADDRESSES: usize = 4096;

/// An address from which much has failed has to wait before anything costly is done for it. What is known to be good is let
/// in all the same, so that nobody is kept out by a neighbour.
#[derive(Debug, Default)]
pub struct Failures {
    /// By network; `None`: all for whom there was no room.
    accounts: HashMap<Option<IpAddr>, Account>,
}

#[derive(Debug)]
struct Account {
    count: u32,
    since: Instant,
}

impl Account {
    fn forget(&mut self, now: Instant) {
        let past = now.saturating_duration_since(self.since);
        let forgotten = u32::try_from(past.as_millis() / FORGOTTEN.as_millis()).unwrap_or(u32::MAX);
        self.count = self.count.saturating_sub(forgotten);
        self.since += FORGOTTEN * forgotten.min(1 << 20);
        if self.count == 0 {
            self.since = now;
        }
    }
}

impl Failures {
    /// How long an address has to wait, if it has to.
    pub fn wait(&mut self, address: Option<IpAddr>, now: Instant) -> Option<Duration> {
        let account = self.accounts.get_mut(&self.key(address))?;
        account.forget(now);
        (account.count >= FREE).then(|| {
            let forgotten = FORGOTTEN * (account.count - FREE + 1);
            forgotten.saturating_sub(now.saturating_duration_since(account.since))
        })
    }

    /// Takes note of a failure. Answers whether it is the one after which the address has to wait.
    pub fn note(&mut self, address: Option<IpAddr>, now: Instant) -> bool {
        if self.accounts.len() >= MAX_ADDRESSES {
            self.accounts.retain(|_, account| {
                account.forget(now);
                account.count > 0
            });
        }
        let key = self.key(address);
        let account = self.accounts.entry(key).or_insert(Account { count: 0, since: now });
        account.forget(now);
        account.count = (account.count + 1).min(FREE + 1);
        account.count == FREE
    }

    fn key(&self, address: Option<IpAddr>) -> Option<IpAddr> {
        let key = address.map(network);
        if self.accounts.contains_key(&key) || self.accounts.len() < MAX_ADDRESSES { key } else { None }
    }
}

/// Who has one IPv6 address has the 2^64 of its network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(number: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(number.into()))
    }

    #[test]
    fn who_fails_often_waits_and_is_forgiven() {
        let (mut failures, start) = (Failures::default(), Instant::now());
        for n in 1..=FREE {
            assert_eq!(failures.wait(v4(1), start), None);
            assert_eq!(failures.note(v4(1), start), n == FREE);
        }
        assert_eq!(failures.wait(v4(1), start), Some(FORGOTTEN));
        assert_eq!(failures.wait(v4(1), start + FORGOTTEN / 2), Some(FORGOTTEN / 2));
        assert_eq!(failures.wait(v4(2), start), None);
        assert_eq!(failures.wait(v4(1), start + FORGOTTEN), None);
        assert!(failures.note(v4(1), start + FORGOTTEN));
        // However often: there is a most that is held against anybody.
        (0..1000).for_each(|_| _ = failures.note(v4(1), start + FORGOTTEN));
        assert_eq!(failures.wait(v4(1), start + FORGOTTEN), Some(2 * FORGOTTEN));
        assert_eq!(failures.wait(v4(1), start + 1000 * FORGOTTEN), None);
    }

    #[test]
    fn the_table_is_bounded_and_networks_count_as_one() {
        let (mut failures, start) = (Failures::default(), Instant::now());
        for n in 0..10_000 {
            failures.note(v4(n), start);
        }
        assert!(failures.accounts.len() <= MAX_ADDRESSES + 1);
        assert!(failures.wait(v4(9_999), start).is_some(), "those beyond share one account");
        assert_eq!(failures.wait(v4(0), start), None);
        failures.note(v4(20_000), start + 2 * FORGOTTEN);
        assert!(failures.accounts.len() < 10, "and are forgotten");
        let v6 = |text: &str| Some(text.parse().unwrap());
        (0..FREE).for_each(|n| _ = failures.note(v6(&format!("2001:db8::{n:x}")), start));
        assert!(failures.wait(v6("2001:db8::ffff"), start).is_some());
        assert!(failures.wait(v6("2001:db8:1::"), start).is_none());
        (0..FREE).for_each(|_| _ = failures.note(v6("::ffff:1.2.3.4"), start));
        assert!(failures.wait(v6("1.2.3.4"), start).is_some());
    }
}
