//! Requests: how many a second, and how many at a time.

use super::{
    Limits, Who,
    bucket::{Accounts, Bounds, Short},
};
use crate::gateway::caller::Caller;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Why a request is not let in now.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum Exceeded {
    #[error("you have sent more than {rate} requests a second (gateway.limits.requests_per_second)")]
    Rate { rate: u32, wait: Duration },
    #[error("{0} of your requests are open already (gateway.limits.concurrent_requests)")]
    Open(usize),
}

impl Exceeded {
    /// After how many seconds another attempt may help.
    pub fn retry_after(&self) -> u64 {
        match self {
            Exceeded::Rate { wait, .. } => wait.as_secs() + u64::from(wait.subsec_nanos() > 0),
            Exceeded::Open(_) => 1,
        }
    }
}

/// Measures out to each caller.
#[derive(Clone, Debug)]
pub struct Limiter {
    limits: Limits,
    accounts: Arc<Mutex<Accounts>>,
}

/// A request that is open. Dropped when it is not any more.
#[derive(Debug)]
pub struct Busy {
    accounts: Arc<Mutex<Accounts>>,
    key: Option<Who>,
}

impl Limiter {
    pub fn new(limits: Limits) -> Self {
        let bounds = Bounds { rate: limits.requests_per_second, open: limits.concurrent_requests };
        Limiter { limits, accounts: Arc::new(Mutex::new(Accounts::new(bounds))) }
    }

    /// Lets a request in, or says why not. `None`: it is not counted.
    pub fn admit(&self, caller: &Caller) -> Result<Option<Busy>, Exceeded> {
        let Some(who) = Who::of(caller) else { return Ok(None) };
        match lock(&self.accounts).take(who, Instant::now()) {
            Ok(key) => Ok(Some(Busy { accounts: self.accounts.clone(), key })),
            Err(Short::Tokens(wait)) => {
                Err(Exceeded::Rate { rate: self.limits.requests_per_second.unwrap_or_default(), wait })
            }
            Err(Short::Room) => Err(Exceeded::Open(self.limits.concurrent_requests)),
        }
    }

    /// Counts the messages of a batch beyond the first.
    pub fn charge(&self, caller: &Caller, more: usize) {
        if let Some(who) = Who::of(caller) {
            lock(&self.accounts).charge(who, more, Instant::now());
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        lock(&self.accounts).give_back(&self.key);
    }
}

fn lock(accounts: &Mutex<Accounts>) -> MutexGuard<'_, Accounts> {
    accounts.lock().unwrap_or_else(PoisonError::into_inner)
}
