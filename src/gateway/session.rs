//! Sessions of the legacy era.

use crate::instance::{
    fleet::Fleet,
    link::{Link, Sink},
    pool::Lease,
    view::Route,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// One client's connection to an app.
#[derive(Debug)]
pub struct Session {
    /// Tells its requests from other sessions' on a shared link.
    pub owner: u64,
    pub app: String,
    backend: Backend,
    pub sink: Arc<Sink>,
    /// The version that was agreed on.
    pub protocol_version: String,
    /// Counts the streams that the client has opened: a new one takes the place of the one before.
    pub streams: watch::Sender<u64>,
    idle_timeout: Duration,
    last_used: Mutex<Instant>,
}

#[derive(Debug)]
pub enum Backend {
    /// A process of its own.
    Own(Lease),
    /// The one process of the app's version that serves at the moment.
    Shared,
}

impl Session {
    /// The link to the server. `None`: the app has no server at the moment.
    pub fn link(&self, fleet: &Fleet) -> Option<Arc<Link>> {
        match &self.backend {
            Backend::Own(lease) => Some(lease.running().link.clone()),
            Backend::Shared => match &**fleet.get(&self.app)?.route.borrow() {
                Route::Ready(service) => Some(service.primary.link.clone()),
                Route::Unready { .. } => None,
            },
        }
    }

    pub fn is_shared(&self) -> bool {
        matches!(self.backend, Backend::Shared)
    }

    pub fn touch(&self) {
        *lock(&self.last_used) = Instant::now();
    }

    /// Whether nobody can use it any more, or nobody has for too long.
    fn is_over(&self, fleet: &Fleet, now: Instant) -> bool {
        let (gone, last) = match &self.backend {
            Backend::Own(lease) => (lease.running().link.is_closed(), lease.running().link.last_message()),
            Backend::Shared => (fleet.get(&self.app).is_none(), Instant::now().min(*lock(&self.last_used))),
        };
        gone || now.saturating_duration_since(last) > self.idle_timeout
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.sink.mailbox.close();
    }
}

/// All sessions by id.
#[derive(Debug)]
pub struct Sessions {
    by_id: Mutex<HashMap<String, Arc<Session>>>,
    max: usize,
    next_owner: AtomicU64,
}

/// The bound on sessions is reached.
#[derive(Debug, thiserror::Error)]
#[error("all {0} sessions of the gateway are in use")]
pub struct TooMany(usize);

impl Sessions {
    pub fn new(max: usize) -> Self {
        Sessions { by_id: Mutex::default(), max, next_owner: AtomicU64::new(1) }
    }

    /// Makes a session; returns its id, which nobody can guess.
    pub fn insert(
        &self,
        app: &str,
        backend: Backend,
        sink: Arc<Sink>,
        protocol_version: String,
        idle_timeout: Duration,
    ) -> Result<String, TooMany> {
        let mut random = [0; 16];
        let id = match getrandom::fill(&mut random) {
            Ok(()) => random.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
            // Without randomness a session could be guessed: there is none.
            Err(_) => return Err(TooMany(0)),
        };
        let session = Session {
            owner: self.next_owner.fetch_add(1, Relaxed),
            app: app.to_owned(),
            backend,
            sink,
            protocol_version,
            streams: watch::Sender::new(0),
            idle_timeout,
            last_used: Mutex::new(Instant::now()),
        };
        let mut by_id = lock(&self.by_id);
        if by_id.len() >= self.max {
            return Err(TooMany(self.max));
        }
        by_id.insert(id.clone(), Arc::new(session));
        Ok(id)
    }

    /// Whether another session may be opened.
    pub fn has_room(&self) -> Result<(), TooMany> {
        if lock(&self.by_id).len() < self.max { Ok(()) } else { Err(TooMany(self.max)) }
    }

    pub fn get(&self, id: &str, app: &str) -> Option<Arc<Session>> {
        lock(&self.by_id).get(id).filter(|session| session.app == app).cloned()
    }

    pub fn remove(&self, id: &str, app: &str) -> Option<Arc<Session>> {
        let mut by_id = lock(&self.by_id);
        if by_id.get(id).is_some_and(|session| session.app == app) { by_id.remove(id) } else { None }
    }

    /// How many sessions without a process of their own each app has.
    pub fn shared_by_app(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for session in lock(&self.by_id).values().filter(|session| session.is_shared()) {
            *counts.entry(session.app.clone()).or_default() += 1;
        }
        counts
    }

    /// Ends the sessions that are over.
    pub fn sweep(&self, fleet: &Fleet) {
        let now = Instant::now();
        // Dropping a session may take locks of its own: never under this one.
        let mut over = Vec::new();
        lock(&self.by_id).retain(|_, session| {
            let keep = !session.is_over(fleet, now);
            if !keep {
                over.push(session.clone());
            }
            keep
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
