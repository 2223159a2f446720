//! The actor of one app: works towards the newest wish, and lets neither a broken update nor a crash take more down
//! than it must.
//!
//! There is at most one version that *serves* and one *candidate* to replace it. A candidate takes over when its server
//! has answered; until then, and if it never does, the serving version goes on. Replaced versions *drain*.

mod events;
mod publish;
mod record;
mod watching;

use super::{
    health::Finding,
    host::{Host, unsupported},
    launch::Exit,
    link::Sharing,
    logs::LogRing,
    machine::{self, Effect, Run, step},
    pool::Reply,
    probe::{ProbeError, Profile},
    running::{self, Owned, Running, Wanted},
    secrets::{self, Fingerprint},
    tools::{Look, Unseen},
    version::{Identity, Version, VersionId},
    view::{Route, Service, View},
};
use crate::{resource::App, status::model::AppState};
use jiff::Timestamp;
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot, watch},
    task::JoinSet,
    time::sleep_until,
};
use tokio_util::sync::CancellationToken;

/// What is wanted of an app.
#[derive(Clone, Debug)]
pub enum Wish {
    Run {
        app: Arc<App>,
        /// How often somebody has asked for a restart so far.
        restarts: u64,
    },
    /// Nothing of it runs until somebody resumes it. What is open ends as with `Stop`.
    Suspend(Arc<App>),
    /// Ends; open requests have this long, or if that is less the app's own grace period.
    Stop(Duration),
    /// Ends at once.
    Kill,
}

impl Wish {
    /// The same for a definition, be it new or known: to run it, or not to for now.
    pub fn of(&self, app: Arc<App>, suspended: bool) -> Wish {
        match self {
            _ if suspended => Wish::Suspend(app),
            Wish::Run { restarts, .. } => Wish::Run { app, restarts: *restarts },
            Wish::Suspend(_) | Wish::Stop(_) | Wish::Kill => Wish::Run { app, restarts: 0 },
        }
    }

    pub fn app(&self) -> Option<&Arc<App>> {
        match self {
            Wish::Run { app, .. } | Wish::Suspend(app) => Some(app),
            Wish::Stop(_) | Wish::Kill => None,
        }
    }

    pub fn is_suspended(&self) -> bool {
        matches!(self, Wish::Suspend(_))
    }
}

/// What a supervisor is given and what it publishes.
pub struct Wires {
    pub wish: watch::Receiver<Wish>,
    pub view: watch::Sender<View>,
    pub route: watch::Sender<Arc<Route>>,
    pub checkouts: (mpsc::Sender<Reply>, mpsc::Receiver<Reply>),
    /// To be told when the view has changed.
    pub changes: watch::Sender<()>,
}

/// What the tasks of a supervisor come to.
enum Event {
    PrimaryLaunched {
        version: VersionId,
        run: Run,
        result: Result<(Arc<Running>, Owned), Unstarted>,
        permit: Permit,
    },
    PoolLaunched {
        version: VersionId,
        result: Result<(Arc<Running>, Owned), Unstarted>,
    },
    /// `heard` is told once this has been taken.
    Probed {
        version: VersionId,
        run: Run,
        result: Result<Profile, ProbeError>,
        heard: oneshot::Sender<()>,
    },
    Ended {
        version: VersionId,
        instance: Arc<str>,
        exit: Exit,
    },
    Checked {
        version: VersionId,
        run: Run,
        finding: Finding,
        watch: CancellationToken,
    },
    /// At its tools.
    Looked {
        version: VersionId,
        run: Run,
        look: Result<Look, Unseen>,
        watch: CancellationToken,
    },
    /// What was watched is no more.
    Unwatched,
}

/// Why there is no process.
struct Unstarted {
    reason: String,
    /// It takes a change of the definition or the host.
    lasting: bool,
}

/// What a supervisor works towards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aim {
    Run,
    Suspend,
    Leave,
}

/// Held while a server starts, so that not all of them do at once.
type Permit = Option<OwnedSemaphorePermit>;

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
    /// The newest definition, and how many restarts have been asked for.
    wanted: Option<(Arc<App>, u64)>,
    aim: Aim,
    /// What a process is told that was being started when it was not wanted any more.
    late: Wanted,
    /// Why the newest definition cannot be run at all.
    refused: Option<String>,
    last_exit: Option<(String, Timestamp)>,
    /// What the published route leads to, kept so that it changes only when there is another.
    service: Option<Arc<Service>>,
}

/// What is open has an app's grace period, or `limit` if that is less.
fn in_grace(limit: Duration) -> impl Fn(Duration) -> Wanted {
    let now = Instant::now();
    move |grace| Wanted::Drain { refuse: now, until: now + grace.min(limit) }
}

/// Ends a version: its sessions according to `sessions`, everything else according to `primary`. Returns the clients
/// that were waiting for a process of it.
fn stop(version: &mut Version, primary: Wanted, sessions: Wanted) -> VecDeque<Reply> {
    step(&mut version.machine, machine::Event::Stop, Instant::now());
    version.retire(primary, sessions)
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
                    self.take_wish(wish).await;
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
                    if let Some((app, restarts)) = self.wanted.clone() {
                        self.want(app, restarts).await;
                    }
                }
                () = sleep_until(wake.unwrap_or_else(Instant::now).into()), if wake.is_some() => self.wake(),
            }
        }
    }

    async fn take_wish(&mut self, wish: Wish) {
        match wish {
            Wish::Run { app, restarts } => self.want(app, restarts).await,
            Wish::Suspend(app) => {
                self.wanted = Some((app, 0));
                self.let_go(Aim::Suspend, in_grace(Duration::MAX));
            }
            Wish::Stop(limit) => self.let_go(Aim::Leave, in_grace(limit)),
            Wish::Kill => {
                self.late = Wanted::Kill;
                self.let_go(Aim::Leave, |_| Wanted::Kill);
            }
        }
    }

    /// Whether there is an app here for which a changed secret means something.
    fn uses_secrets(&self) -> bool {
        self.aim == Aim::Run && self.wanted.as_ref().is_some_and(|(app, _)| secrets::uses(app))
    }

    async fn want(&mut self, app: Arc<App>, restarts: u64) {
        let secrets = self.host.secrets.fingerprint(&app).await;
        self.want_with(app, restarts, secrets);
    }

    /// `secrets` is what they are now, or why the app cannot have them: then whatever runs goes on with what it was
    /// given.
    fn want_with(&mut self, app: Arc<App>, restarts: u64, secrets: Result<Fingerprint, String>) {
        self.wanted = Some((app.clone(), restarts));
        self.aim = Aim::Run;
        let spec = app.spec.digest();
        let secrets = match secrets {
            Ok(secrets) => secrets,
            Err(reason) => {
                if let Some(version) = self.serving.as_mut().filter(|version| version.identity.spec == spec) {
                    version.app = app;
                }
                self.refused = Some(reason);
                return self.drop_candidate();
            }
        };
        let identity = Identity { spec, restarts, secrets };
        // What could not go on for want of a secret need not wait for its next attempt.
        let was_refused = self.refused.take().is_some();
        let goes_on = |version: &&mut Version| {
            version.identity == identity && !(was_refused && version.machine.next_start().is_some())
        };
        if let Some(version) = self.serving.as_mut().filter(goes_on) {
            version.app = app;
            return self.drop_candidate();
        }
        if let Some(version) = self.candidate.as_mut().filter(|version| version.identity == identity) {
            version.app = app;
            return;
        }
        let rotated = |version: &Version| version.identity.spec == spec && version.identity.secrets != secrets;
        if self.serving.as_ref().is_some_and(rotated) {
            tracing::info!(app = &*self.name, "a secret has changed: a new version starts");
        }
        self.drop_candidate();
        // A restart of what does not run: the new attempt takes the place of those to come.
        let idle = |version: &mut Version| version.identity.spec == identity.spec && !version.machine.is_ready();
        if let Some(mut version) = self.serving.take_if(idle) {
            let sessions = in_grace(Duration::MAX)(version.grace_period());
            stop(&mut version, Wanted::Stop, sessions);
            self.draining.push(version);
        }
        let id = self.next_version;
        self.next_version += 1;
        let lacking = unsupported(&app);
        self.refused = (!lacking.is_empty()).then(|| format!("not yet supported: {}", lacking.join(", ")));
        let Some(stdio) = app.stdio().filter(|_| self.refused.is_none()) else { return };
        let version = self.candidate.insert(Version::new(id, identity, app.clone(), stdio));
        let effect = step(&mut version.machine, machine::Event::Start, Instant::now());
        self.act(id, effect);
    }

    /// Lets everything go. `order` makes of an app's grace period what its processes are told.
    fn let_go(&mut self, aim: Aim, order: impl Fn(Duration) -> Wanted) {
        self.aim = aim;
        self.refused = None;
        let leaving = [self.serving.take(), self.candidate.take()].into_iter().flatten();
        self.draining.extend(leaving);
        for version in &mut self.draining {
            let grace = version.grace_period();
            stop(version, order(grace), order(grace));
        }
    }

    fn drop_candidate(&mut self) {
        if let Some(mut version) = self.candidate.take() {
            stop(&mut version, Wanted::Stop, Wanted::Stop);
            self.draining.push(version);
        }
    }

    /// Carries out what a machine decided.
    fn act(&mut self, id: VersionId, effect: Option<Effect>) {
        let Some(Effect::Launch { run }) = effect else {
            // Times to wake at are read off the versions; terminations are orders to the process, given on the spot.
            return;
        };
        let Some(version) = self.version(id) else { return };
        let Some(launch) = self.launch(version, Sharing::Shared) else { return };
        let (starts, retired) = (self.host.starts.clone(), version.retired.clone());
        self.tasks.spawn(async move {
            let permit = retired.run_until_cancelled(starts.acquire_owned()).await.and_then(Result::ok);
            // What is not wanted any more when its turn comes is not started only to be stopped.
            let unwanted = || Unstarted { reason: "it is not wanted any more".into(), lasting: false };
            let result = if permit.is_some() { launch.await } else { Err(unwanted()) };
            Event::PrimaryLaunched { version: id, run, result, permit }
        });
    }

    /// The start of a process, to be awaited.
    fn launch(
        &self,
        version: &Version,
        sharing: Sharing,
    ) -> Option<impl Future<Output = Result<(Arc<Running>, Owned), Unstarted>> + Send + 'static> {
        let (host, app, logs) = (self.host.clone(), version.app.clone(), self.logs.clone());
        let journal = host.journal.clone();
        let stop = version.stdio()?.stop.clone();
        Some(async move {
            let spec = host.prepare(&app).await.map_err(|reason| Unstarted { reason, lasting: true })?;
            let started = running::start(&host.launcher, spec, sharing, stop, logs, journal).await;
            started.map_err(|error| Unstarted { reason: error.to_string(), lasting: error.is_lasting() })
        })
    }

    fn fill_pool(&mut self, id: VersionId) {
        let launches = self.version_mut(id).map_or(0, |version| version.pool.launches(Instant::now()));
        for _ in 0..launches {
            let launch = self.version(id).and_then(|version| self.launch(version, Sharing::Exclusive));
            let Some(launch) = launch else { return };
            self.tasks.spawn(async move { Event::PoolLaunched { version: id, result: launch.await } });
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
