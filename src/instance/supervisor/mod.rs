//! The actor of one app: works towards the newest wish, and lets neither a broken update nor a crash take more down
//! than it must.
//!
//! There is at most one version that *serves* and one *candidate* to replace it. A candidate takes over when its server
//! has answered; until then, and if it never does, the serving version goes on. Replaced versions *drain*.

mod event;
mod events;
mod publish;
mod record;
mod spans;
mod starting;
mod wanting;
mod watching;
mod wish;

pub use wish::Wish;

use super::{
    host::Host,
    logs::LogRing,
    machine::{self, step},
    pool::Reply,
    running::Wanted,
    version::{Version, VersionId},
    view::{Route, Service, View},
};
use crate::{
    resource::App,
    status::model::AppState,
    telemetry::span::{Parent, Span},
};
use event::Event;
use jiff::Timestamp;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::sleep_until,
};

/// What a supervisor is given and what it publishes.
pub struct Wires {
    pub wish: watch::Receiver<Wish>,
    pub view: watch::Sender<View>,
    pub route: watch::Sender<Arc<Route>>,
    pub checkouts: (mpsc::Sender<Reply>, mpsc::Receiver<Reply>),
    /// To be told when the view has changed.
    pub changes: watch::Sender<()>,
}

/// What a supervisor works towards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aim {
    Run,
    Suspend,
    Leave,
}

pub struct Supervisor {
    name: Arc<str>,
    host: Arc<Host>,
    logs: LogRing,
    wires: Wires,
    tasks: JoinSet<Event>,
    secret_changes: watch::Receiver<()>,
    serving: Option<Version>,
    candidate: Option<Version>,
    draining: Vec<Version>,
    next_version: VersionId,
    /// The newest definition, and how many restarts have been asked for; `None` of them: it is suspended.
    wanted: Option<(Arc<App>, Option<u64>)>,
    aim: Aim,
    /// What has led to what is wanted, until it is begun.
    cause: Parent,
    /// The end of all of it, for as long as it takes.
    leaving: Span,
    /// The look at the secrets of that definition that is under way. One that was overtaken does not count.
    secrets_look: Option<u64>,
    next_look: u64,
    /// What a process is told that was being started when it was not wanted any more.
    late: Wanted,
    /// Why the newest definition cannot be run at all.
    refused: Option<String>,
    last_exit: Option<(String, Timestamp)>,
    /// What the published route leads to, kept so that it changes only when there is another.
    service: Option<Arc<Service>>,
}

impl Supervisor {
    pub fn new(name: Arc<str>, host: Arc<Host>, logs: LogRing, wires: Wires) -> Self {
        let secret_changes = host.secrets.subscribe();
        Supervisor {
            name,
            host,
            secret_changes,
            logs,
            wires,
            tasks: JoinSet::new(),
            serving: None,
            candidate: None,
            draining: Vec::new(),
            next_version: 1,
            wanted: None,
            aim: Aim::Run,
            cause: Parent::none(),
            leaving: Span::none(),
            secrets_look: None,
            next_look: 1,
            late: Wanted::Stop,
            refused: None,
            last_exit: None,
            service: None,
        }
    }

    /// Works until the wish is that nothing runs and nothing does.
    pub async fn run(mut self) {
        self.wires.wish.mark_changed();
        loop {
            self.draining.retain(|version| !version.is_gone());
            self.publish();
            if self.aim == Aim::Leave && self.serving.is_none() && self.candidate.is_none() && self.draining.is_empty()
            {
                return;
            }
            let wake = self.versions().filter_map(Version::wake_at).min();
            tokio::select! {
                changed = self.wires.wish.changed() => {
                    let wish = match changed {
                        Ok(()) => self.wires.wish.borrow_and_update().clone(),
                        // Whoever wanted something of this app is gone.
                        Err(_) => Wish::Kill,
                    };
                    self.take_wish(wish);
                }
                Some(done) = self.tasks.join_next(), if !self.tasks.is_empty() => match done {
                    Ok(event) => self.take(event),
                    Err(error) => {
                        tracing::error!(app = &*self.name, %error, "a task of the supervisor failed");
                        return self.give_up(&error.to_string());
                    }
                },
                Some(reply) = self.wires.checkouts.1.recv() => self.checkout(reply),
                Ok(()) = self.secret_changes.changed(), if self.uses_secrets() => {
                    if let Some((app, Some(restarts))) = self.wanted.clone() {
                        self.want(app, restarts, false);
                    }
                }
                () = sleep_until(wake.unwrap_or_else(Instant::now).into()), if wake.is_some() => self.wake(),
            }
        }
    }

    fn wake(&mut self) {
        let ids: Vec<VersionId> = self.versions().map(|version| version.id).collect();
        for id in ids {
            let effect = self
                .version_mut(id)
                .and_then(|version| step(&mut version.machine, machine::Event::Wake, Instant::now()));
            self.act(id, effect);
            self.fill_pool(id);
        }
    }

    /// Something here is broken: nothing must go on that nobody watches.
    fn give_up(&mut self, reason: &str) {
        self.tasks.abort_all();
        (self.serving, self.candidate) = (None, None);
        self.draining.clear();
        let mut view = View::pending();
        (view.state, view.reason) = (AppState::Failed, Some(format!("internal error: {reason}")));
        self.wires.view.send_replace(view);
        self.wires.changes.send_replace(());
        let reason = Some("internal error".into());
        let route = Route::Unready { state: AppState::Failed, reason, retry_after: Duration::from_secs(60) };
        self.wires.route.send_replace(Arc::new(route));
    }

    fn versions(&self) -> impl Iterator<Item = &Version> {
        self.serving.iter().chain(&self.candidate).chain(&self.draining)
    }

    fn version(&self, id: VersionId) -> Option<&Version> {
        self.versions().find(|version| version.id == id)
    }

    fn version_mut(&mut self, id: VersionId) -> Option<&mut Version> {
        let versions = self.serving.iter_mut().chain(&mut self.candidate).chain(&mut self.draining);
        versions.into_iter().find(|version| version.id == id)
    }
}
