//! Sessions of the legacy era.

use super::{
    SILENT,
    access::Principal,
    all,
    bridge::upgrade::Upgrade,
    caller::Caller,
    limits::{Limits, Who},
    trail::session_label,
};
use crate::{
    audit::{Log, Open},
    instance::{
        fleet::Fleet,
        link::{Link, Sink},
        mailbox::Mailbox,
        pool::Lease,
        running::Wanted,
        view::{Route, Service},
    },
    protocol::Era,
    resource::Sessions as Sharing,
    status::model::audit::{Kind as RecordKind, Outcome, Record},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// What is remembered for one client: so many subscriptions, to URIs of up to so many bytes.
pub const MAX_SUBSCRIPTIONS: usize = 1024;
pub const MAX_URI: usize = 4096;

/// One client's connection to an app.
#[derive(Debug)]
pub struct Session {
    /// Tells its requests from other sessions' on a shared link.
    pub owner: u64,
    pub app: String,
    /// Whose it is: nobody else can use it.
    pub principal: Principal,
    /// Of whose share it is.
    who: Option<Who>,
    backend: Backend,
    pub sink: Arc<Sink>,
    /// The version that was agreed on.
    pub protocol_version: String,
    /// Counts the streams that the client has opened: a new one takes the place of the one before.
    pub streams: watch::Sender<u64>,
    idle_timeout: Duration,
    usage: Mutex<Usage>,
    /// Its end, which is to be recorded.
    end: Mutex<Open>,
}

/// What says whether a session is idle.
#[derive(Debug)]
struct Usage {
    last: Instant,
    /// Answers that its client is waiting for.
    awaited: usize,
}

/// Why nothing can be sent to the server of a session.
#[derive(Debug)]
pub enum NoLink {
    /// The server that all clients share does not run at the moment.
    Unready(Arc<Route>),
    /// There is none any more that the session fits.
    Gone,
}

#[derive(Debug)]
pub enum Backend {
    /// A process of its own.
    Own(Lease),
    /// The one process of the app's version that serves at the moment.
    Shared,
    /// The same, of a server that knows no sessions.
    Upgraded(Box<Upgrade>),
}

impl Session {
    /// The link to the server.
    pub fn link(&self, fleet: &Fleet) -> Result<Arc<Link>, NoLink> {
        if let Backend::Own(lease) = &self.backend {
            return Ok(lease.running().link.clone());
        }
        let route = fleet.get(&self.app).ok_or(NoLink::Gone)?.route.borrow().clone();
        match &*route {
            Route::Ready(service) if self.fits(service) => {
                let link = service.primary.link.clone();
                if self.is_shared() && link.attach(&self.sink) {
                    self.subscribe_again(&link);
                }
                Ok(link)
            }
            Route::Ready(_) => Err(NoLink::Gone),
            Route::Unready { .. } => Err(NoLink::Unready(route)),
        }
    }

    /// Tells a process that has taken the place of another what the client has subscribed to: it cannot know.
    fn subscribe_again(&self, link: &Link) {
        let uris: Vec<String> = lock(&self.sink.subscriptions).iter().cloned().collect();
        for uri in uris.into_iter().filter(|uri| link.is_first_to_subscribe(uri)) {
            // Whoever refuses is about to be replaced itself. The answer is nobody's.
            if let Err(refused) = link.ask("resources/subscribe", &serde_json::json!({ "uri": uri })) {
                tracing::debug!(app = self.app, uri, %refused, "not subscribed again");
            }
        }
    }

    /// Where to see that another process has taken the place of the shared one.
    pub fn route(&self, fleet: &Fleet) -> Option<watch::Receiver<Arc<Route>>> {
        fleet.get(&self.app).filter(|_| self.is_shared()).map(|entry| entry.route.clone())
    }

    fn is_of(&self, app: &str, principal: &Principal) -> bool {
        self.app == app && self.principal == *principal
    }

    pub fn is_shared(&self) -> bool {
        matches!(self.backend, Backend::Shared)
    }

    /// What the server does not know of it, if it knows no sessions.
    pub fn upgrade(&self) -> Option<&Upgrade> {
        match &self.backend {
            Backend::Upgraded(upgrade) => Some(upgrade),
            Backend::Own(_) | Backend::Shared => None,
        }
    }

    /// Whether it can go to the process that all clients of a version share.
    fn fits(&self, service: &Service) -> bool {
        match self.backend {
            Backend::Own(_) => false,
            Backend::Shared => service.sessions == Sharing::Shared && service.profile.era == Era::Legacy,
            Backend::Upgraded(_) => service.profile.era == Era::Modern,
        }
    }

    pub fn touch(&self) {
        lock(&self.usage).last = Instant::now();
    }

    /// Ends it for everybody who holds it: its stream, and its process. Without this a client that keeps its stream
    /// open would keep the process.
    fn end(&self, why: &str) {
        lock(&self.end).refused(Outcome::Ok, None, why);
        self.sink.mailbox.close();
        if let Backend::Own(lease) = &self.backend {
            lease.running().order(Wanted::Stop);
        }
    }

    /// Why nobody can use it any more, or nobody is going to.
    fn is_over(&self, fleet: &Fleet, now: Instant) -> Option<&'static str> {
        let gone = match &self.backend {
            Backend::Own(lease) => lease.running().link.is_closed(),
            Backend::Upgraded(_) if self.app == all::NAME => false,
            Backend::Shared | Backend::Upgraded(_) => match fleet.get(&self.app) {
                Some(entry) => matches!(&**entry.route.borrow(), Route::Ready(service) if !self.fits(service)),
                None => true,
            },
        };
        let usage = lock(&self.usage);
        let idle = usage.awaited == 0 && now.saturating_duration_since(usage.last) > self.idle_timeout;
        match (gone, idle) {
            (true, _) => Some("its server is gone, or another one"),
            (false, true) => Some("nobody has used it for too long"),
            (false, false) => None,
        }
    }
}

/// A client that waits for answers. When it goes, nothing more is kept for it; its requests run on, since in this era
/// closing the connection does not cancel them.
#[derive(Debug)]
pub struct Awaiting {
    session: Arc<Session>,
    mailbox: Arc<Mailbox>,
}

impl Awaiting {
    pub fn begin(session: Arc<Session>, mailbox: Arc<Mailbox>) -> Self {
        lock(&session.usage).awaited += 1;
        Awaiting { session, mailbox }
    }
}

impl Drop for Awaiting {
    fn drop(&mut self) {
        self.mailbox.abandon();
        let mut usage = lock(&self.session.usage);
        usage.awaited -= 1;
        usage.last = Instant::now();
    }
}

/// All sessions by id.
#[derive(Debug)]
pub struct Sessions {
    table: Mutex<Table>,
    limits: Limits,
    next_owner: AtomicU64,
    audit: Log,
}

#[derive(Debug, Default)]
struct Table {
    by_id: HashMap<String, Arc<Session>>,
    /// How many each has.
    shares: HashMap<Who, usize>,
}

/// A bound on sessions is reached.
#[derive(Debug, thiserror::Error)]
pub enum TooMany {
    #[error("all {0} sessions of the gateway are in use (gateway.limits.sessions)")]
    InAll(usize),
    #[error("you have {0} sessions already (gateway.limits.sessions_per_principal); end one")]
    OfOne(usize),
    #[error("this machine has no randomness for a session's id")]
    NoRandomness,
}

impl Sessions {
    pub fn new(limits: Limits, audit: Log) -> Self {
        Sessions { table: Mutex::default(), limits, next_owner: AtomicU64::new(1), audit }
    }

    /// Makes a session; returns its id, which nobody can guess.
    pub fn insert(
        &self,
        caller: &Caller,
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
            Err(_) => return Err(TooMany::NoRandomness),
        };
        let session = Session {
            owner: self.next_owner.fetch_add(1, Relaxed),
            app: app.to_owned(),
            principal: caller.principal.clone(),
            who: Who::of(caller),
            backend,
            sink,
            protocol_version,
            streams: watch::Sender::new(0),
            idle_timeout,
            usage: Mutex::new(Usage { last: Instant::now(), awaited: 0 }),
            end: Mutex::new(self.audit.begin(Record {
                principal: Some(caller.name()),
                peer: Some(caller.origin()),
                // Of the endpoint for all, which is none.
                app: Some(app.to_owned()).filter(|app| app != all::NAME),
                session: Some(session_label(&id)),
                ..Record::new(RecordKind::SessionEnd, Outcome::Ok)
            })),
        };
        let outcome = lock(&self.table).insert(&id, session, self.limits);
        match outcome {
            Ok(()) => Ok(id),
            Err((session, error)) => {
                lock(&session.end).forget();
                Err(error)
            }
        }
    }

    /// Whether another session may be opened.
    pub fn has_room(&self, caller: &Caller) -> Result<(), TooMany> {
        lock(&self.table).has_room(Who::of(caller).as_ref(), self.limits)
    }

    pub fn get(&self, id: &str, app: &str, principal: &Principal) -> Option<Arc<Session>> {
        lock(&self.table).by_id.get(id).filter(|session| session.is_of(app, principal)).cloned()
    }

    /// Ends a session; `false` if there is none of this id.
    pub fn remove(&self, id: &str, app: &str, principal: &Principal) -> bool {
        let removed = {
            let mut table = lock(&self.table);
            let known = table.by_id.get(id).is_some_and(|session| session.is_of(app, principal));
            if known { table.remove(id) } else { None }
        };
        removed.is_some_and(|session| {
            session.end("its client has ended it");
            true
        })
    }

    /// Ends the session of an app that has been silent for longest, if any has been for long, so that its process ends.
    pub fn make_room(&self, app: &str) -> bool {
        let now = Instant::now();
        let mut table = lock(&self.table);
        let silent = table.by_id.iter().filter(|(_, session)| session.app == app).filter_map(|(id, session)| {
            let owns = matches!(session.backend, Backend::Own(_)) && !session.sink.attached.load(Relaxed);
            let usage = lock(&session.usage);
            let silent = usage.awaited == 0 && now.saturating_duration_since(usage.last) > SILENT;
            (owns && silent).then(|| (usage.last, id.clone()))
        });
        let longest = silent.min().and_then(|(_, id)| table.remove(&id));
        drop(table);
        longest.is_some_and(|session| {
            session.end("it was silent, and made room for another");
            true
        })
    }

    /// How many sessions without a process of their own each app has.
    pub fn shared_by_app(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for session in lock(&self.table).by_id.values().filter(|session| !matches!(session.backend, Backend::Own(_))) {
            *counts.entry(session.app.clone()).or_default() += 1;
        }
        counts
    }

    /// How many there are, with or without a process of their own.
    pub fn count(&self) -> usize {
        lock(&self.table).by_id.len()
    }

    /// Records the end of all of them: the agent stops, and their processes with it.
    pub fn farewell(&self) {
        let table = lock(&self.table);
        for session in table.by_id.values() {
            lock(&session.end).refused(Outcome::Ok, None, "the agent stops");
        }
    }

    /// Ends the sessions that are over.
    pub fn sweep(&self, fleet: &Fleet) {
        let now = Instant::now();
        // Ending a session takes locks of its own: never under this one.
        let over: Vec<(Arc<Session>, &str)> = {
            let mut table = lock(&self.table);
            let over = table.by_id.iter().filter_map(|(id, session)| Some((id.clone(), session.is_over(fleet, now)?)));
            let over: Vec<_> = over.collect();
            over.into_iter().filter_map(|(id, why)| Some((table.remove(&id)?, why))).collect()
        };
        over.iter().for_each(|(session, why)| session.end(why));
    }
}

impl Table {
    fn has_room(&self, who: Option<&Who>, limits: Limits) -> Result<(), TooMany> {
        if self.by_id.len() >= limits.sessions {
            return Err(TooMany::InAll(limits.sessions));
        }
        let share = who.and_then(|who| self.shares.get(who)).copied().unwrap_or_default();
        if share >= limits.sessions_per_principal {
            return Err(TooMany::OfOne(limits.sessions_per_principal));
        }
        Ok(())
    }

    fn insert(&mut self, id: &str, session: Session, limits: Limits) -> Result<(), (Box<Session>, TooMany)> {
        if let Err(error) = self.has_room(session.who.as_ref(), limits) {
            return Err((Box::new(session), error));
        }
        if let Some(who) = session.who.clone() {
            *self.shares.entry(who).or_default() += 1;
        }
        self.by_id.insert(id.to_owned(), Arc::new(session));
        Ok(())
    }

    fn remove(&mut self, id: &str) -> Option<Arc<Session>> {
        let session = self.by_id.remove(id)?;
        if let Some(who) = &session.who
            && let Some(share) = self.shares.get_mut(who)
        {
            *share -= 1;
            if *share == 0 {
                self.shares.remove(who);
            }
        }
        Some(session)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
