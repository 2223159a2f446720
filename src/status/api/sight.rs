//! What whoever asks may see, as long as it is asked for.

use super::Api;
use crate::{
    gateway::{
        Caller,
        access::{Policy, Principal},
    },
    resource::Verb,
};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::watch;

/// Of so many apps is remembered whether they may be seen.
const MAX_REMEMBERED: usize = 4096;

/// What a caller may see by the policy that is in force, whichever that is by the time.
#[derive(Clone)]
pub(super) struct Sight {
    policy: watch::Receiver<Arc<Policy>>,
    principal: Principal,
    /// By the policy that was seen last.
    remembered: HashMap<Option<String>, bool>,
}

impl Sight {
    pub fn of(api: &Api, caller: Caller) -> Sight {
        let policy = api.store.gateway.policy.clone();
        Sight { policy, principal: caller.principal, remembered: HashMap::new() }
    }

    /// Whether it may see how an app does, or without one the agent.
    pub fn reads(&mut self, app: Option<&str>) -> bool {
        if !self.is_limited() {
            return true;
        }
        if self.policy.has_changed().unwrap_or(false) || self.remembered.len() >= MAX_REMEMBERED {
            self.policy.mark_unchanged();
            self.remembered.clear();
        }
        let key = app.map(str::to_owned);
        if let Some(known) = self.remembered.get(&key) {
            return *known;
        }
        let policy = self.policy.borrow().clone();
        let reads = match app {
            Some(app) => policy.may_read(&self.principal, app),
            None => policy.may_order(&self.principal, Verb::Read, None),
        };
        self.remembered.insert(key, reads);
        reads
    }

    /// Whether it may use an app.
    pub fn uses(&self, app: &str) -> bool {
        self.policy.borrow().permit(&self.principal, app).is_some()
    }

    pub fn is_known(&self) -> bool {
        self.policy.borrow().knows(&self.principal)
    }

    /// Whether there may be something that it does not see.
    pub fn is_limited(&self) -> bool {
        matches!(self.principal, Principal::User(_))
    }

    /// Waits until something does not hold any more that does now.
    pub async fn lost(&mut self, mut holds: impl FnMut(&mut Sight) -> bool) {
        while holds(self) {
            let mut policy = self.policy.clone();
            if policy.changed().await.is_err() {
                // The agent is ending, and this with it.
                return std::future::pending().await;
            }
            self.policy = policy;
            self.remembered.clear();
        }
    }
}
