//! How clients reach the servers: one endpoint an app, `/mcp/NAME`, for both eras of MCP.
//!
//! A request is read as a frame, its era is decided by its content (`classify`), and it is handed to the link of a
//! process; what comes back goes out as JSON, or as a stream of events as soon as there is more than an answer.

pub mod access;
mod admission;
pub mod all;
mod answering;
mod bodies;
mod bridge;
mod caller;
mod classify;
pub mod clients;
mod exchange;
mod feed;
mod guard;
mod handshake;
mod hardening;
mod http;
pub mod identity;
mod legacy;
pub mod limits;
mod modern;
mod patience;
mod pieces;
mod reply;
mod serve;
mod session;
mod spans;
mod stream;
pub mod tls;
mod trail;
pub mod web_session;

pub use admission::{Stranger, refusal};
pub use caller::{By, Caller};
pub use guard::{Access, Denial, Guard, Peer};
pub use http::{health, problem, router};
pub use limits::Limits;
pub use reply::json as reply_json;
pub use serve::{Listener, serve, serve_within};
pub use session::Sessions;

use crate::{
    audit::Log,
    instance::{
        fleet::Fleet,
        pool::{Lease, Unavailable},
        view::{Route, Service},
    },
    measure::Words,
};
use access::Policy;
use identity::Identity;
use limits::Limiter;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::watch, time::sleep};
use web_session::WebSessions;

/// The gateway's state, shared by all connections.
#[derive(Debug)]
pub struct Gateway {
    pub fleet: Arc<Fleet>,
    pub sessions: Sessions,
    pub limits: Limits,
    pub guard: Guard,
    /// Tells who clients are.
    pub identity: Identity,
    /// Who may do what, at present.
    pub policy: watch::Receiver<Arc<Policy>>,
    bridge: bridge::Bridge,
    catalog: all::Catalog,
    bodies: bodies::Bodies,
    pub audit: Log,
    /// Requests that were refused before they were a message to anybody, by the code of the refusal.
    pub turned_away: Words,
    limiter: Limiter,
    /// Of the web page.
    pub web: WebSessions,
}

/// A stream that has been silent for so long gets a comment, which keeps proxies from closing it.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Clients that go away without a word are many. One that has been silent for so long gives its process to another when
/// there are no more; it is told to initialize again if it comes back.
const SILENT: Duration = Duration::from_secs(60);

/// How long a client waits for a process that is in nobody's use to end.
const PATIENCE: Duration = Duration::from_secs(5);

impl Gateway {
    pub fn new(
        fleet: Arc<Fleet>,
        limits: Limits,
        guard: Guard,
        identity: Identity,
        policy: watch::Receiver<Arc<Policy>>,
        audit: Log,
    ) -> Arc<Self> {
        let (sessions, bridge) = (Sessions::new(limits, audit.clone()), bridge::Bridge::default());
        let limiter = Limiter::new(limits);
        let (catalog, bodies) = (all::Catalog::default(), bodies::Bodies::default());
        let web = WebSessions::new(identity.url());
        let turned_away = Words::default();
        Arc::new(Gateway {
            fleet,
            sessions,
            limits,
            guard,
            identity,
            policy,
            audit,
            turned_away,
            limiter,
            web,
            bridge,
            catalog,
            bodies,
        })
    }

    /// Ends what nobody uses any more: to be called every few seconds.
    pub fn sweep(&self) {
        self.sessions.sweep(&self.fleet);
        self.bridge.sweep();
        self.web.sweep();
        self.audit.tick();
    }

    /// A process for a session or a call; what is kept for nobody makes room for it.
    async fn checkout(&self, service: &Service, app: &str) -> Result<Lease, Unavailable> {
        let deadline = Instant::now() + PATIENCE;
        let mut ending = false;
        loop {
            match service.checkout().await {
                Err(Unavailable::Full(_)) if Instant::now() < deadline => {
                    if !ending && !self.bridge.make_room(app) && !self.sessions.make_room(app) {
                        return service.checkout().await;
                    }
                    ending = true;
                    sleep(Duration::from_millis(20)).await;
                }
                outcome => return outcome,
            }
        }
    }

    fn route(&self, app: &str) -> Option<Arc<Route>> {
        self.fleet.get(app).map(|entry| entry.route.borrow().clone())
    }
}
