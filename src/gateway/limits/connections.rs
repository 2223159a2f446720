//! Connections: how many there may be, and how many of one address.

use super::site;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    pub all: usize,
    pub per_address: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        ConnectionLimits { all: 10_000, per_address: 4_000 }
    }
}

/// Whose a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum End {
    Address(IpAddr),
    User(u32),
}

/// The connections of one listener. Clones share them.
#[derive(Clone, Debug)]
pub struct Connections {
    limits: ConnectionLimits,
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    each: HashMap<End, usize>,
    /// Since this was last asked for.
    refused: u64,
}

/// A connection that is counted. Dropped when it ends.
#[derive(Debug)]
pub struct Place {
    open: Arc<Mutex<Open>>,
    end: End,
}

impl Connections {
    pub fn new(limits: ConnectionLimits) -> Self {
        Connections { limits, open: Arc::default() }
    }

    /// A place for a connection from an address; `None` if there is none left.
    pub fn from_address(&self, address: IpAddr) -> Option<Place> {
        self.enter(End::Address(site(address)))
    }

    /// The same for a process of a user on this host.
    pub fn from_user(&self, uid: u32) -> Option<Place> {
        self.enter(End::User(uid))
    }

    /// How many were refused since this was last asked for.
    pub fn take_refused(&self) -> u64 {
        std::mem::take(&mut lock(&self.open).refused)
    }

    fn enter(&self, end: End) -> Option<Place> {
        let mut open = lock(&self.open);
        let of_end = open.each.get(&end).copied().unwrap_or_default();
        if open.all >= self.limits.all || of_end >= self.limits.per_address {
            open.refused += 1;
            return None;
        }
        open.all += 1;
        *open.each.entry(end).or_default() += 1;
        Some(Place { open: self.open.clone(), end })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = lock(&self.open);
        open.all -= 1;
        if let Some(count) = open.each.get_mut(&self.end) {
            *count -= 1;
            if *count == 0 {
                open.each.remove(&self.end);
            }
        }
    }
}

fn lock(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let connections = Connections::new(ConnectionLimits { all: 3, per_address: 2 });
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = connections.from_address(address("10.0.0.1")).unwrap();
        let second = connections.from_address(address("10.0.0.1")).unwrap();
        assert!(connections.from_address(address("10.0.0.1")).is_none());
        let third = connections.from_address(address("10.0.0.2")).unwrap();
        assert!(connections.from_user(0).is_none(), "there is no room at all");
        assert_eq!((connections.take_refused(), connections.take_refused()), (2, 0));
        drop((first, third));
        assert!(connections.from_address(address("10.0.0.1")).is_some());
        drop(second);
        let open = lock(&connections.open);
        assert_eq!((open.all, open.each.len()), (0, 0));
    }
}
