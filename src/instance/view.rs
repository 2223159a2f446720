//! What a supervisor publishes: for people a view, for clients a route.

use super::{
    pool::{Lease, Reply, Unavailable},
    probe::Profile,
    running::Running,
    tools::Look,
};
use crate::{
    resource::{App, Sessions},
    status::model::{AppState, Confinement, InstanceRole, InstanceStatus},
};
use jiff::Timestamp;
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

/// How an app's server is, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    pub state: AppState,
    pub reason: Option<String>,
    pub since: Timestamp,
    pub profile: Option<Arc<Profile>>,
    pub restarts: u32,
    /// Digest and number of the tools of the version that serves, and what of them has changed since it was accepted.
    pub tools: Option<Arc<Look>>,
    pub next_attempt: Option<Timestamp>,
    pub last_exit: Option<String>,
    pub last_exit_at: Option<Timestamp>,
    /// What the server wrote last to its stderr, while it is in trouble.
    pub last_lines: Vec<String>,
    pub instances: Vec<InstanceStatus>,
    /// The newest definition that the supervisor has heard of, and how many restarts of it were asked for by then; `None`
    /// of them: it is suspended.
    pub wanted: Option<(Arc<App>, Option<u64>)>,
    /// Another version than the one that serves is on its way up.
    pub updating: bool,
    /// The limits and the sandbox of the instance that runs.
    pub confinement: Vec<Confinement>,
}

impl View {
    pub fn pending() -> Self {
        View {
            state: AppState::Pending,
            reason: None,
            since: Timestamp::now(),
            profile: None,
            restarts: 0,
            tools: None,
            next_attempt: None,
            last_exit: None,
            last_exit_at: None,
            last_lines: Vec::new(),
            instances: Vec::new(),
            wanted: None,
            updating: false,
            confinement: Vec::new(),
        }
    }

    /// Whether this is how it is with that definition, and not still with one before.
    pub fn is_of(&self, app: &Arc<App>, restarts: Option<u64>) -> bool {
        !self.updating
            && self.wanted.as_ref().is_some_and(|(wanted, asked)| Arc::ptr_eq(wanted, app) && *asked == restarts)
    }

    /// Whether nobody can know yet what becomes of the app: it has neither answered nor failed.
    pub fn is_first_attempt(&self) -> bool {
        match self.state {
            AppState::Pending => true,
            // A reason is that of a failure before.
            AppState::Starting => self.reason.is_none(),
            _ => false,
        }
    }

    pub fn sessions(&self) -> usize {
        self.instances.iter().filter(|instance| instance.role == InstanceRole::Session).count()
    }
}

/// Where new requests and sessions go.
#[derive(Debug)]
pub enum Route {
    Ready(Arc<Service>),
    /// Nobody can be served; says in which state the app is.
    Unready {
        state: AppState,
        reason: Option<String>,
        retry_after: Duration,
    },
}

/// The version of an app that serves.
#[derive(Debug)]
pub struct Service {
    pub profile: Arc<Profile>,
    pub sessions: Sessions,
    pub idle_timeout: Duration,
    /// The instance that all clients share, where the server is shared.
    pub primary: Arc<Running>,
    /// Whether a server of the stateless era has taken a session, too; empty as long as nobody has tried.
    pub takes_sessions: OnceLock<bool>,
    pub(super) checkouts: mpsc::Sender<Reply>,
}

impl Service {
    /// Takes a process for a new session.
    pub async fn checkout(&self) -> Result<Lease, Unavailable> {
        let (reply, lease) = oneshot::channel();
        let gone = || Unavailable::NotReady("it is being stopped".into());
        self.checkouts.send(reply).await.map_err(|_| gone())?;
        lease.await.unwrap_or_else(|_| Err(gone()))
    }
}
