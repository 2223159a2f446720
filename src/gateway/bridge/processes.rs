//! Processes of session servers that stateless clients use.
//!
//! What such a server asks in the course of a call (sampling, elicitation, roots) does not say which call it belongs to.
//! So a call of a client that can be asked has a process to itself for as long as it takes, and processes are kept for
//! the next call: of the same principal, with the same capabilities, since a server may remember what it was told. Calls
//! that nothing can be asked for share one.

use crate::{
    gateway::{access::Principal, feed::Cancel},
    instance::{
        link::{Link, Sink},
        pool::{Lease, Unavailable},
        probe::{NoResult, answer},
        running::Running,
        view::Service,
    },
    protocol::{LEGACY_VERSIONS, Message, notification},
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};
use tokio::sync::Mutex as Turn;

/// How long a process that nobody uses is kept for the next call.
const KEPT: Duration = Duration::from_secs(60);

/// How long a server may take to answer `initialize`.
const HANDSHAKE: Duration = Duration::from_secs(60);

/// What two calls must have in common to be made of the same process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    pub principal: Principal,
    /// Raw JSON.
    pub capabilities: String,
    /// Raw JSON.
    pub info: Option<String>,
    /// Whether each call has the process to itself.
    pub alone: bool,
}

#[derive(Debug)]
struct Process {
    kind: Kind,
    /// The version of the app that it is of.
    service: Weak<Service>,
    lease: Lease,
    usage: Mutex<Usage>,
}

#[derive(Debug)]
struct Usage {
    calls: usize,
    since: Instant,
    /// Raw JSON; what `logging/setLevel` was last told.
    level: Option<String>,
    /// A call has been given up in the middle: what it may still have to say must not be taken for another's.
    spoiled: bool,
}

impl Process {
    fn is_usable(&self, kind: &Kind, service: &Arc<Service>) -> bool {
        let running = self.lease.running();
        self.kind == *kind && self.is_of(service) && !running.is_leaving() && !running.link.is_closed()
    }

    fn is_of(&self, service: &Arc<Service>) -> bool {
        self.service.upgrade().is_some_and(|own| Arc::ptr_eq(&own, service))
    }

    /// Whether it is to be let go of when nobody uses it.
    fn is_over(&self, now: Instant) -> bool {
        let usage = lock(&self.usage);
        let unused = usage.calls == 0 && now.saturating_duration_since(usage.since) > KEPT;
        usage.calls == 0 && (usage.spoiled || self.lease.running().is_leaving())
            || unused
            || self.lease.running().link.is_closed()
    }
}

/// A process in use.
#[derive(Debug)]
pub struct Use(Arc<Process>);

impl Use {
    pub fn running(&self) -> &Arc<Running> {
        self.0.lease.running()
    }

    pub fn link(&self) -> &Arc<Link> {
        &self.running().link
    }

    /// A call has been given up in the middle: if the process was its own, it is not to be used again.
    pub fn spoil_alone(&self) {
        lock(&self.0.usage).spoiled = self.0.kind.alone;
    }

    /// Has the server send log messages of a level (raw JSON), if it does not yet.
    pub async fn log_from(&self, level: &str) {
        let told = lock(&self.0.usage).level.replace(level.to_owned());
        if told.as_deref() == Some(level) {
            return;
        }
        let Ok(value) = serde_json::from_str::<Value>(level) else { return };
        // One that does not know levels says what it likes.
        if let Ok((call, mailbox)) = self.link().ask("logging/setLevel", &json!({ "level": value })) {
            let _asked = Cancel { link: self.link().clone(), call };
            let _ = tokio::time::timeout(HANDSHAKE, answer(self.link(), &mailbox)).await;
        }
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        let mut usage = lock(&self.0.usage);
        usage.calls = usage.calls.saturating_sub(1);
        usage.since = Instant::now();
    }
}

/// A client that listens for what a server has to tell.
#[derive(Clone, Debug)]
pub struct Listener {
    pub principal: Principal,
    pub sink: Weak<Sink>,
    /// Resources whose changes it wants to hear of.
    pub uris: Arc<[String]>,
}

impl Listener {
    /// Has it hear what a server says.
    pub fn listen_to(&self, link: &Link) {
        let Some(sink) = self.sink.upgrade() else { return };
        if !link.attach(&sink) {
            return;
        }
        for uri in self.uris.iter() {
            // Whoever refuses is about to be replaced itself. The answer is nobody's.
            if let Err(refused) = link.ask("resources/subscribe", &json!({ "uri": uri })) {
                tracing::debug!(uri, %refused, "not subscribed");
            }
        }
    }
}

#[derive(Debug, Default)]
struct OfApp {
    processes: Vec<Arc<Process>>,
    listeners: Vec<Listener>,
    /// Held while a process is started that many calls may use: they are not to start one each.
    turns: Vec<(Kind, Arc<Turn<()>>)>,
}

impl OfApp {
    fn turn(&mut self, kind: &Kind) -> Arc<Turn<()>> {
        self.turns.retain(|(_, turn)| Arc::strong_count(turn) > 1);
        if let Some((_, turn)) = self.turns.iter().find(|(known, _)| known == kind) {
            return turn.clone();
        }
        let turn = Arc::default();
        self.turns.push((kind.clone(), Arc::clone(&turn)));
        turn
    }
}

/// All of them, by app.
#[derive(Debug, Default)]
pub struct Processes {
    by_app: Mutex<HashMap<String, OfApp>>,
}

impl Processes {
    /// A process for a call: one that is there already, or the one of `checkout`.
    ///
    /// # Errors
    /// When the app has no room for another, or it does not start or greet.
    pub async fn acquire<C>(
        &self,
        app: &str,
        service: &Arc<Service>,
        kind: Kind,
        checkout: C,
    ) -> Result<Use, Unavailable>
    where
        C: Future<Output = Result<Lease, Unavailable>>,
    {
        if let Some(found) = self.find(app, service, &kind) {
            return Ok(found);
        }
        let turn = match kind.alone {
            true => None,
            false => {
                let turn = lock(&self.by_app).entry(app.to_owned()).or_default().turn(&kind);
                Some(turn.lock_owned().await)
            }
        };
        if turn.is_some()
            && let Some(found) = self.find(app, service, &kind)
        {
            return Ok(found);
        }
        let lease = checkout.await?;
        greet(&lease, &kind).await?;
        let usage = Usage { calls: 1, since: Instant::now(), level: None, spoiled: false };
        let process = Arc::new(Process { kind, service: Arc::downgrade(service), lease, usage: Mutex::new(usage) });
        let mut by_app = lock(&self.by_app);
        let of_app = by_app.entry(app.to_owned()).or_default();
        of_app.processes.push(process.clone());
        let listeners = of_app.listeners.iter().filter(|listener| listener.principal == process.kind.principal);
        listeners.for_each(|listener| listener.listen_to(&process.lease.running().link));
        Ok(Use(process))
    }

    /// Registers a client that is to hear what any process of its principal says.
    pub fn listen(&self, app: &str, listener: Listener) {
        let mut by_app = lock(&self.by_app);
        let of_app = by_app.entry(app.to_owned()).or_default();
        let processes = of_app.processes.iter().filter(|process| process.kind.principal == listener.principal);
        processes.for_each(|process| listener.listen_to(&process.lease.running().link));
        of_app.listeners.retain(|listener| listener.sink.strong_count() > 0);
        of_app.listeners.push(listener);
    }

    /// Ends what is kept for nobody.
    pub fn sweep(&self) {
        let now = Instant::now();
        let mut over = Vec::new();
        lock(&self.by_app).retain(|_, of_app| {
            over.extend(of_app.processes.extract_if(.., |process| process.is_over(now)));
            of_app.listeners.retain(|listener| listener.sink.strong_count() > 0);
            of_app.turns.retain(|(_, turn)| Arc::strong_count(turn) > 1);
            !of_app.processes.is_empty() || !of_app.listeners.is_empty() || !of_app.turns.is_empty()
        });
        // Its end takes locks of its own: never under this one.
        drop(over);
    }

    fn find(&self, app: &str, service: &Arc<Service>, kind: &Kind) -> Option<Use> {
        let by_app = lock(&self.by_app);
        let processes = &by_app.get(app)?.processes;
        processes.iter().filter(|process| process.is_usable(kind, service)).find_map(|process| {
            let mut usage = lock(&process.usage);
            let free = !usage.spoiled && (usage.calls == 0 || !kind.alone);
            free.then(|| {
                usage.calls += 1;
                drop(usage);
                Use(process.clone())
            })
        })
    }

    /// Lets go of the process of an app that has been unused for longest. Whether there may be room soon.
    pub fn evict(&self, app: &str) -> bool {
        let mut by_app = lock(&self.by_app);
        let Some(of_app) = by_app.get_mut(app) else { return false };
        let unused = of_app.processes.iter().enumerate().filter_map(|(index, process)| {
            let usage = lock(&process.usage);
            (usage.calls == 0).then_some((usage.since, index))
        });
        let oldest = unused.min().map(|(_, index)| of_app.processes.swap_remove(index));
        drop(by_app);
        oldest.is_some()
    }
}

/// The handshake, with what the client has said of itself.
async fn greet(lease: &Lease, kind: &Kind) -> Result<(), Unavailable> {
    let link = &lease.running().link;
    let failed = |reason: String| Unavailable::LaunchFailed(reason);
    let json = |raw: &str| serde_json::from_str::<Value>(raw).unwrap_or_else(|_| json!({}));
    let info = kind.info.as_deref().map_or_else(|| json!({ "name": "unknown", "version": "unknown" }), json);
    let params = json!({
        "protocolVersion": LEGACY_VERSIONS.first(),
        "capabilities": json(&kind.capabilities),
        "clientInfo": info,
    });
    let (_, mailbox) = link.ask("initialize", &params).map_err(|refused| failed(refused.to_string()))?;
    match tokio::time::timeout(HANDSHAKE, answer(link, &mailbox)).await {
        Err(_) => return Err(failed("it has not answered `initialize`".into())),
        Ok(Err(NoResult::Ended(reason))) => return Err(failed(reason)),
        Ok(Err(NoResult::Error { message, .. })) => return Err(failed(format!("it refused `initialize`: {message}"))),
        Ok(Ok(_)) => {}
    }
    let bytes = notification("notifications/initialized", &json!({}));
    let told = Message::parse(&bytes).map(|message| link.notify(&message));
    told.map_err(|error| failed(error.to_string()))?.map_err(|refused| failed(refused.to_string()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
