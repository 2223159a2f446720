//! How a supervisor turns to what is wanted now.

use super::{
    super::{
        machine::{self, step},
        pool::Reply,
        running::Wanted,
        secrets::{self, Fingerprint},
        version::{Identity, Version},
    },
    Aim, Supervisor, Wish,
    event::Event,
    spans,
};
use crate::resource::App;
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

/// What is open has an app's grace period, or `limit` if that is less.
pub(super) fn in_grace(limit: Duration) -> impl Fn(Duration) -> Wanted {
    let now = Instant::now();
    move |grace| Wanted::Drain { refuse: now, until: now + grace.min(limit) }
}

/// Ends a version: its sessions according to `sessions`, everything else according to `primary`. Returns the clients
/// that were waiting for a process of it.
pub(super) fn stop(version: &mut Version, primary: Wanted, sessions: Wanted) -> VecDeque<Reply> {
    step(&mut version.machine, machine::Event::Stop, Instant::now());
    version.retire(primary, sessions)
}

impl Supervisor {
    pub(super) fn take_wish(&mut self, wish: Wish) {
        match wish {
            Wish::Run { app, restarts, accepts, cause } => {
                self.cause = cause;
                self.want(app, restarts, accepts);
            }
            Wish::Suspend(app) => {
                self.wanted = Some((app, None));
                self.let_go(Aim::Suspend, in_grace(Duration::MAX));
            }
            Wish::Stop(limit, cause) => {
                self.leaving = spans::of_app("app stop", &self.name, &cause);
                self.let_go(Aim::Leave, in_grace(limit));
            }
            Wish::Kill => {
                self.late = Wanted::Kill;
                self.let_go(Aim::Leave, |_| Wanted::Kill);
            }
        }
    }

    /// Whether there is an app here for which a changed secret means something.
    pub(super) fn uses_secrets(&self) -> bool {
        self.aim == Aim::Run && self.wanted.as_ref().is_some_and(|(app, _)| secrets::uses(app))
    }

    /// Turns to a definition, at once, or once it is known what its secrets are: nobody waits for a folder that hangs.
    pub(super) fn want(&mut self, app: Arc<App>, restarts: u64, accepts: bool) {
        self.aim = Aim::Run;
        self.wanted = Some((app.clone(), Some(restarts)));
        if !secrets::uses(&app) {
            return self.want_with(app, restarts, accepts, Ok(Fingerprint::default()));
        }
        let (host, look) = (self.host.clone(), self.next_look);
        (self.secrets_look, self.next_look) = (Some(look), look + 1);
        self.tasks.spawn(async move {
            let secrets = host.secrets.fingerprint(&app).await;
            Event::Secrets { look, app, restarts, accepts, secrets }
        });
    }

    /// `secrets` is what they are now, or why the app cannot have them: then whatever runs goes on with what it was
    /// given.
    pub(super) fn want_with(
        &mut self,
        app: Arc<App>,
        restarts: u64,
        accepts: bool,
        secrets: Result<Fingerprint, String>,
    ) {
        self.secrets_look = None;
        let cause = std::mem::take(&mut self.cause);
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
        // Somebody does not want to wait for the next attempt: the new one takes the place of those to come.
        let impatient = |version: &Version| version.identity.restarts != restarts || was_refused;
        let idle =
            |version: &mut Version| version.identity.spec == spec && !version.machine.is_ready() && impatient(version);
        if let Some(mut version) = self.serving.take_if(idle) {
            let restart = version.identity.restarts != restarts;
            let (_, sessions) = self.farewell(&version, restart);
            let waiting = stop(&mut version, Wanted::Stop, sessions);
            self.draining.push(version);
            waiting.into_iter().for_each(|reply| self.checkout(reply));
        }
        let previous = self.serving.as_ref().or(self.draining.last());
        let accepts = accepts && previous.is_none_or(|version| version.identity.restarts != restarts);
        let id = self.next_version;
        self.next_version += 1;
        let version = self.candidate.insert(Version::new(id, identity, app.clone()));
        version.accepts_tools = accepts;
        version.cause = cause;
        let effect = step(&mut version.machine, machine::Event::Start, Instant::now());
        self.act(id, effect);
    }

    /// Lets everything go. `order` makes of an app's grace period what its processes are told.
    fn let_go(&mut self, aim: Aim, order: impl Fn(Duration) -> Wanted) {
        self.aim = aim;
        (self.refused, self.secrets_look) = (None, None);
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
}
