//! The names of the users behind connections on the control socket.

use nix::unistd::{Uid, User};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// How long a name is believed. A number hardly ever becomes somebody else's.
const BELIEVED: Duration = Duration::from_secs(60);
/// How long it is believed that there is none, so that a new user need not wait.
const MISSED: Duration = Duration::from_secs(5);
/// How many are remembered.
const MAX_KNOWN: usize = 1024;
/// How many are looked up at a time: the database may be on a network, and each keeps a thread.
const LOOK_UPS: usize = 4;

/// A name, if there is one, and since when that is known.
type Answer = (Option<Arc<str>>, Instant);

#[derive(Debug)]
pub struct HostUsers {
    known: Mutex<HashMap<u32, Answer>>,
    look_ups: Arc<Semaphore>,
}

impl Default for HostUsers {
    fn default() -> Self {
        HostUsers { known: Mutex::default(), look_ups: Arc::new(Semaphore::new(LOOK_UPS)) }
    }
}

impl HostUsers {
    /// The name of a user of this host; `None` if there is none, or it cannot be found out.
    pub async fn name(&self, uid: u32) -> Option<Arc<str>> {
        if let Some(name) = self.remembered(uid) {
            return name;
        }
        let place = self.look_ups.clone().acquire_owned().await.ok()?;
        // Another has asked meanwhile.
        if let Some(name) = self.remembered(uid) {
            return name;
        }
        let look_up = move || {
            // With the thread, not with whoever waits for it: a client may go, and the look-up hang.
            let _place = place;
            User::from_uid(Uid::from_raw(uid))
        };
        let found = tokio::task::spawn_blocking(look_up).await;
        let name: Option<Arc<str>> = match found {
            Ok(Ok(user)) => user.map(|user| user.name.into()),
            Ok(Err(error)) => {
                tracing::warn!(uid, %error, "cannot look up a host user");
                None
            }
            Err(_) => None,
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(uid, (name.clone(), Instant::now()));
        name
    }

    fn remembered(&self, uid: u32) -> Option<Option<Arc<str>>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (name, since) = known.get(&uid)?;
        let believed = if name.is_some() { BELIEVED } else { MISSED };
        (since.elapsed() < believed).then(|| name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names() {
        let users = HostUsers::default();
        for _ in 0..2 {
            assert_eq!(users.name(0).await.as_deref(), Some("root"));
            assert_eq!(users.name(4_000_000_000).await, None);
        }
        assert_eq!(users.known.lock().unwrap().len(), 2);
    }
}
