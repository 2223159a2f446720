//! Notifications: tells forges what has become of commits, and people and programs what happens.
//!
//! ```text
//! sources, plans, servers ──look──▶ outcomes of commits ─┐
//! journal ───────────────────────────────────────────────┴─▶ a task for each target ──▶ the target
//! ```
//!
//! Nothing waits for a target: each has a task of its own, with a bounded number of messages that wait. What has become
//! of a commit is state and not an event: a target that cannot be reached for an hour is told what is true by then.

mod again;
mod answer;
mod compose;
mod digest;
mod forge;
mod hook;
mod memory;
mod notice;
mod observer;
mod outbox;
mod outcome;
mod request;
mod send;
mod target;
mod text;
mod trial;

pub use send::secret;
pub use trial::{Trial, test};

use crate::{
    config::Notification,
    instance::journal::Journal,
    status::{
        Store,
        model::{event::Event, notification::NotificationStatus},
    },
};
use forge::Agent;
use memory::Memory;
use observer::Observer;
use std::{path::PathBuf, sync::Arc, time::Duration};
use target::{Actor, Beginning, Inputs};
use tokio::{
    sync::{broadcast::Receiver, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// How long what waits is tried when the agent ends.
const FLUSH: Duration = Duration::from_secs(5);

/// Whom to tell, and as whom.
#[derive(Clone, Debug)]
pub struct Settings {
    pub targets: Vec<Notification>,
    /// What this agent is called where several are seen together.
    pub agent_name: String,
    /// Where its page is, if others can reach it.
    pub public_url: Option<String>,
    /// The agent's own.
    pub state_dir: PathBuf,
}

/// Notifications that have not begun yet, and hear already what happens.
pub struct Prepared {
    settings: Settings,
    journal: Journal,
    statuses: Vec<watch::Sender<NotificationStatus>>,
    /// For each target, and one more.
    events: Vec<Receiver<Arc<Event>>>,
}

/// Begins to hear what happens. How it stands with each target is told by the other ends.
pub fn prepare(settings: Settings, journal: &Journal) -> (Prepared, Vec<watch::Receiver<NotificationStatus>>) {
    let status = |target: &Notification| NotificationStatus {
        name: target.name.clone(),
        kind: target.target.kind().to_owned(),
        ..NotificationStatus::default()
    };
    let (statuses, seen) = settings.targets.iter().map(|target| watch::channel(status(target))).unzip();
    let events = match settings.targets.len() {
        0 => Vec::new(),
        count => std::iter::repeat_with(|| journal.follow(None, 0).1).take(count + 1).collect(),
    };
    (Prepared { settings, journal: journal.clone(), statuses, events }, seen)
}

impl Prepared {
    /// Begins. The tasks end some seconds after `shutdown` at the latest.
    pub fn start(self, store: &Arc<Store>, shutdown: &CancellationToken) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let Prepared { settings, journal, statuses, mut events } = self;
        let Some(heard) = events.pop() else { return tasks };
        let memory = Memory::new(&settings.state_dir);
        let known = Arc::new(memory.outcomes());
        let (sender, outcomes) = watch::channel(known.clone());
        let agent = Arc::new(Agent { name: settings.agent_name, public_url: settings.public_url });
        for ((target, status), events) in settings.targets.into_iter().zip(statuses).zip(events) {
            let beginning = Beginning {
                settings: target,
                agent: agent.clone(),
                memory: memory.clone(),
                journal: journal.clone(),
                status,
                known: known.clone(),
            };
            let inputs = Inputs { events, outcomes: outcomes.clone(), applied: store.applied.clone() };
            let (running, ending) = (shutdown.clone(), shutdown.clone());
            tasks.spawn(async move {
                let over = async {
                    ending.cancelled().await;
                    tokio::time::sleep(FLUSH).await;
                };
                tokio::select! {
                    () = Actor::new(beginning).run(inputs, running) => {}
                    () = over => {}
                }
            });
        }
        let observer = Observer { store: store.clone(), memory, outcomes: sender, events: heard };
        let shutdown = shutdown.clone();
        tasks.spawn(async move {
            shutdown.run_until_cancelled(observer.run()).await;
        });
        tasks
    }
}

/// Waits for the end of tasks that have been told to end.
pub async fn flushed(mut tasks: JoinSet<()>) {
    let _ = timeout(FLUSH, async { while tasks.join_next().await.is_some() {} }).await;
}
