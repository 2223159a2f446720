//! All apps that run, by name.

use super::{
    host::Host,
    journal::{Draft, Journal},
    labels::{self, DynamicLabels},
    logs::LogRing,
    supervisor::{Supervisor, Wires, Wish},
    traffic::Traffic,
    view::{Route, View},
};
use crate::{
    resource::App,
    status::model::{AppState, event::EventKind},
    telemetry::span::Parent,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::{mpsc, watch};
use tokio_util::task::TaskTracker;

/// Clients that wait for a process of one app; more are made to wait before they are heard.
const WAITING: usize = 64;

/// Why an app is not restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRestarted {
    #[error("this agent runs no app of that name")]
    Unknown,
    #[error("it is suspended, or being stopped")]
    Suspended,
}

/// An app and its supervisor.
#[derive(Debug)]
pub struct Entry {
    pub name: Arc<str>,
    pub view: watch::Receiver<View>,
    pub route: watch::Receiver<Arc<Route>>,
    pub logs: LogRing,
    pub dynamic_labels: watch::Receiver<DynamicLabels>,
    /// What clients asked of it.
    pub traffic: Arc<Traffic>,
    wish: watch::Sender<Wish>,
}

#[derive(Debug)]
pub struct Fleet {
    host: Arc<Host>,
    entries: RwLock<BTreeMap<String, Arc<Entry>>>,
    /// Apps that are wanted no more and whose processes are not all gone.
    leaving: Mutex<Vec<Arc<Entry>>>,
    /// Apps that somebody has suspended, there or not.
    suspended: RwLock<BTreeSet<String>>,
    /// What clients asked of no app in particular.
    traffic: Arc<Traffic>,
    supervisors: TaskTracker,
    /// The first plan has been carried out.
    applied: AtomicBool,
    /// The fleet has been settled once.
    started: AtomicBool,
    /// Says that a view, or what else decides whether the fleet is settled, has changed.
    changes: watch::Sender<()>,
    /// Says that the dynamic labels of some app have changed.
    label_changes: watch::Sender<()>,
}

impl Fleet {
    pub fn new(host: Arc<Host>) -> Arc<Self> {
        Arc::new(Fleet {
            host,
            entries: RwLock::default(),
            leaving: Mutex::default(),
            suspended: RwLock::default(),
            traffic: Arc::default(),
            supervisors: TaskTracker::new(),
            applied: AtomicBool::new(false),
            started: AtomicBool::new(false),
            changes: watch::Sender::new(()),
            label_changes: watch::Sender::new(()),
        })
    }

    /// What has happened.
    pub fn journal(&self) -> &Journal {
        &self.host.journal
    }

    /// Tells when anything that is seen of any app has changed.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// The apps that clients may reach, by name.
    pub fn reachable(&self) -> Vec<Arc<Entry>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// An app that clients may reach.
    pub fn get(&self, name: &str) -> Option<Arc<Entry>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// What clients ask of an app that they may reach; without a name, of none in particular.
    pub fn traffic(&self, app: &str) -> Option<Arc<Traffic>> {
        match app {
            "" => Some(self.traffic.clone()),
            app => self.get(app).map(|entry| entry.traffic.clone()),
        }
    }

    /// All apps, also those that are being stopped, unless another of the same name has taken their place.
    pub fn all(&self) -> Vec<Arc<Entry>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let mut leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        leaving.retain(|entry| !entry.is_gone());
        let again = |entry: &&Arc<Entry>| entries.contains_key(&*entry.name);
        entries.values().chain(leaving.iter().filter(|entry| !again(entry))).cloned().collect()
    }

    /// Runs an app, or a new definition of one that runs. What that takes is the supervisor's to find out. Once
    /// everything has been told to stop, nothing is run any more.
    pub fn run(&self, app: Arc<App>) {
        let name = app.metadata.name.clone();
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if self.supervisors.is_closed() {
            return;
        }
        let suspended = self.suspended.read().unwrap_or_else(PoisonError::into_inner).contains(&name);
        match entries.get(&name).filter(|entry| !entry.is_gone()) {
            Some(entry) => {
                entry.wish.send_modify(|wish| *wish = wish.of(app, suspended));
            }
            None => {
                let wish = Wish::first(app.clone()).of(app.clone(), suspended);
                entries.insert(name, self.supervise(&app, wish));
            }
        }
    }

    /// Suspends exactly these apps, also those that are not there yet.
    pub fn suspend(&self, names: BTreeSet<String>) {
        let entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        for (name, entry) in entries.iter() {
            let suspended = names.contains(name);
            entry.wish.send_if_modified(|wish| match wish.app().cloned() {
                Some(app) if wish.is_suspended() != suspended => {
                    *wish = wish.of(app, suspended);
                    true
                }
                _ => false,
            });
        }
        *self.suspended.write().unwrap_or_else(PoisonError::into_inner) = names;
    }

    /// Replaces all processes of an app by new ones of the same definition, as after an update. With `accept_tools`,
    /// the tools that its server has then are the ones to compare with from now on.
    ///
    /// # Errors
    /// Why it cannot be restarted, for people.
    pub fn restart(&self, name: &str, accept_tools: bool) -> Result<(), NotRestarted> {
        let entry = self.get(name).ok_or(NotRestarted::Unknown)?;
        let restarted = entry.wish.send_if_modified(|wish| match wish {
            Wish::Run { restarts, accepts, cause, .. } => {
                (*restarts, *accepts, *cause) = (*restarts + 1, accept_tools, Parent::current());
                true
            }
            Wish::Suspend(_) | Wish::Stop(..) | Wish::Kill => false,
        });
        if !restarted {
            return Err(NotRestarted::Suspended);
        }
        let text = if accept_tools { "with whatever tools it has then" } else { "of the same definition" };
        self.host.journal.record(Draft::info(EventKind::RestartAsked, text).of_app(name));
        Ok(())
    }

    fn supervise(&self, app: &App, wish: Wish) -> Arc<Entry> {
        let name: Arc<str> = app.metadata.name.as_str().into();
        let logs = LogRing::new(&*name);
        let (wish_sender, wish) = watch::channel(wish);
        let (view, view_receiver) = watch::channel(View::pending());
        let unready = Route::Unready { state: AppState::Pending, reason: None, retry_after: Duration::from_secs(1) };
        let (route, route_receiver) = watch::channel(Arc::new(unready));
        let (labels, dynamic_labels) = watch::channel(DynamicLabels::default());
        let published = labels::Published { labels, changes: self.label_changes.clone() };
        self.supervisors.spawn(labels::keep(self.host.clone(), wish.clone(), published));
        let wires = Wires { wish, view, route, checkouts: mpsc::channel(WAITING), changes: self.changes.clone() };
        let supervisor = Supervisor::new(name.clone(), self.host.clone(), logs.clone(), wires);
        self.supervisors.spawn(supervisor.run());
        Arc::new(Entry {
            name,
            view: view_receiver,
            route: route_receiver,
            logs,
            dynamic_labels,
            traffic: Arc::default(),
            wish: wish_sender,
        })
    }

    /// Stops an app. Clients do not find it any more; what they have open has its grace period.
    pub fn stop(&self, name: &str) {
        let entry = self.entries.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        if let Some(entry) = entry {
            entry.wish.send_replace(Wish::Stop(Duration::MAX, Parent::current()));
            let mut leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
            leaving.retain(|entry| !entry.is_gone());
            leaving.push(entry);
        }
    }

    /// Tells of each change of dynamic labels, of whichever app.
    pub fn label_changes(&self) -> watch::Receiver<()> {
        self.label_changes.subscribe()
    }

    /// The first plan has been carried out.
    pub fn set_applied(self: &Arc<Self>) {
        if !self.applied.swap(true, Relaxed) {
            let fleet = self.clone();
            tokio::spawn(async move {
                fleet.settled().await;
                fleet.started.store(true, Relaxed);
            });
        }
        self.changes.send_replace(());
    }

    /// Whether clients may be sent here: from when all apps of the first plan have been started, or have failed to,
    /// until the stop. One that starts again, or comes later, is no reason to send the clients of all others away.
    pub fn is_ready(&self) -> bool {
        self.started.load(Relaxed) && !self.supervisors.is_closed()
    }

    /// Whether the first plan has been carried out and no app is on its way up any more.
    pub fn is_settled(&self) -> bool {
        let on_its_way = |entry: &Arc<Entry>| entry.view.borrow().is_first_attempt();
        self.applied.load(Relaxed)
            && !self.entries.read().unwrap_or_else(PoisonError::into_inner).values().any(on_its_way)
    }

    /// Waits until that is so.
    pub async fn settled(&self) {
        let mut changes = self.changes.subscribe();
        // The sender is here: this ends only when the fleet is settled.
        while !self.is_settled() && changes.changed().await.is_ok() {}
    }

    /// Stops everything. Open requests have until `limit` at most.
    pub fn stop_all(&self, limit: Duration) {
        self.wish_all(&Wish::Stop(limit, Parent::current()));
    }

    /// Kills everything.
    pub fn kill_all(&self) {
        self.wish_all(&Wish::Kill);
    }

    /// Waits until nothing runs, after [`Fleet::stop_all`] or [`Fleet::kill_all`].
    pub async fn stopped(&self) {
        self.supervisors.wait().await;
    }

    fn wish_all(&self, wish: &Wish) {
        // Under the lock under which apps are added: none is told to run after this.
        let entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        self.supervisors.close();
        let leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in entries.values().chain(leaving.iter()) {
            entry.wish.send_replace(wish.clone());
        }
    }
}

impl Entry {
    /// Whether the view is of the newest definition, and not of one before, or on the way from one to the other.
    pub fn is_up_to_date(&self) -> bool {
        match &*self.wish.borrow() {
            Wish::Run { app, restarts, .. } => self.is_gone() || self.view.borrow().is_of(app, Some(*restarts)),
            Wish::Suspend(app) => self.is_gone() || self.view.borrow().is_of(app, None),
            Wish::Stop(..) | Wish::Kill => true,
        }
    }

    /// Whether its supervisor has ended.
    fn is_gone(&self) -> bool {
        self.view.has_changed().is_err()
    }
}
