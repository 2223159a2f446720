//! What a supervisor does about what its tasks report, and about clients that want a process.

use super::{
    super::{
        launch::Exit,
        machine::{self, Phase, Run, step},
        pool::{Reply, Unavailable},
        probe::{self, Place, ProbeError, Profile},
        running::{Owned, Running, Wanted},
        version::{Version, VersionId},
    },
    Supervisor,
    event::{Event, Permit, Unstarted},
    wanting::stop,
};
use crate::{jitter, protocol::Era, telemetry::span::Parent};
use jiff::Timestamp;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// A server that has not answered after so long most likely waits for something, such as a download: others may start.
const BUSY_STARTING: Duration = Duration::from_secs(3);

impl Supervisor {
    pub(super) fn take(&mut self, event: Event) {
        match event {
            Event::PrimaryLaunched { version, run, result, permit } => {
                self.primary_launched(version, run, result, permit);
            }
            Event::PoolLaunched { version, result } => self.pool_launched(version, result),
            Event::Probed { version, run, result, heard } => {
                self.probed(version, run, result);
                // Whoever waits to tell the end of the process may also have been stopped.
                let _ = heard.send(());
            }
            Event::Ended { version, instance, exit } => self.ended(version, &instance, exit),
            Event::Checked { version, run, finding, watch } => self.checked(version, run, finding, watch),
            Event::Looked { version, run, look, watch } => self.looked(version, run, look, watch),
            Event::Secrets { look, app, restarts, accepts, secrets } => {
                // Meanwhile something else may be wanted, or the secrets have changed again.
                if self.secrets_look == Some(look) {
                    self.want_with(app, restarts, accepts, secrets);
                }
            }
            Event::Unwatched => {}
        }
    }

    fn primary_launched(
        &mut self,
        id: VersionId,
        run: Run,
        result: Result<(Arc<Running>, Owned), Unstarted>,
        permit: Permit,
    ) {
        let late = self.late;
        let Some(version) = self.version_mut(id) else { return };
        let (running, owned) = match result {
            Ok(started) => started,
            Err(Unstarted { reason, lasting }) => {
                version.failure = Some(reason);
                let jitter = jitter::draw();
                return self.advance(
                    id,
                    match lasting {
                        true => machine::Event::Refused { run, jitter },
                        false => machine::Event::Gone { run, clean: false, jitter },
                    },
                );
            }
        };
        version.primary = Some(running.clone());
        if version.machine.phase != (Phase::Starting { run }) {
            running.order(late);
        }
        let era = version.era;
        let timeout = version.care().startup_timeout;
        let place = Place::of(&version.app);
        let (heard, probed) = oneshot::channel();
        let attempt = version.attempt.as_parent();
        self.own(id, owned, Some(probed));
        self.tasks.spawn(attempt.within(async move {
            let probing = probe::probe(&running.link, place, era, timeout);
            tokio::pin!(probing);
            let result = match tokio::time::timeout(BUSY_STARTING, &mut probing).await {
                Ok(result) => result,
                Err(_) => {
                    drop(permit);
                    probing.await
                }
            };
            Event::Probed { version: id, run, result, heard }
        }));
    }

    fn pool_launched(&mut self, id: VersionId, result: Result<(Arc<Running>, Owned), Unstarted>) {
        let late = self.late;
        let Some(version) = self.version_mut(id) else { return };
        match result {
            Ok((running, owned)) => {
                if version.retired.is_cancelled() {
                    running.order(late);
                } else if version.blocked.is_some() {
                    running.order(Wanted::Stop);
                }
                version.pool.add(running);
                self.own(id, owned, None);
            }
            Err(Unstarted { reason, .. }) => {
                version.pool.launch_failed(&reason, Instant::now());
                self.record_unstarted(&reason);
            }
        }
        self.fill_pool(id);
    }

    /// Has a task own a process. Its end is told after what its probe came to, which explains it.
    fn own(&mut self, version: VersionId, owned: Owned, probed: Option<oneshot::Receiver<()>>) {
        self.tasks.spawn(async move {
            let instance = owned.instance();
            let exit = owned.run().await;
            if let Some(probed) = probed {
                // An error means that nothing will be heard of the probe.
                let _ = probed.await;
            }
            Event::Ended { version, exit, instance }
        });
    }

    fn probed(&mut self, id: VersionId, run: Run, result: Result<Profile, ProbeError>) {
        let Some(version) = self.version_mut(id) else { return };
        let known = version.era;
        version.era = match &result {
            Ok(profile) => Some(profile.era),
            Err(error) => error.era(known),
        };
        if version.machine.live_run() != Some(run) {
            return;
        }
        match result {
            // It is known now how to greet the server: the next process hears one greeting only.
            Ok(profile) if profile.mixed => version.again = true,
            Ok(profile) => {
                version.profile = Some(Arc::new(profile));
                // Where changed tools must reach nobody, they are looked at before anybody is let in.
                version.awaits_look = version.blocks_changes();
                if !version.awaits_look {
                    self.ready(id, run);
                }
                return self.watch(id, run);
            }
            Err(ProbeError::EndedAtDiscover) if known.is_none() => version.again = true,
            Err(error) => version.failure = Some(error.to_string()),
        }
        if version.again
            && let Some(primary) = &version.primary
        {
            return primary.order(Wanted::Stop);
        }
        self.end_unfit(id, run);
    }

    /// A server has answered all that it has to before it may serve.
    pub(super) fn ready(&mut self, id: VersionId, run: Run) {
        let Some(version) = self.version_mut(id) else { return };
        version.awaits_look = false;
        version.failure = None;
        version.attempt.end();
        version.cause = Parent::none();
        step(&mut version.machine, machine::Event::Answered { run }, Instant::now());
        self.record_answer(id);
        let Some(version) = self.version_mut(id) else { return };
        let legacy = version.profile.as_ref().is_some_and(|profile| profile.era == Era::Legacy);
        version.warm_up(legacy);
        self.promote(id);
    }

    /// A version is ready: if it is the candidate, it takes over.
    pub(super) fn promote(&mut self, id: VersionId) {
        if self.candidate.as_ref().is_some_and(|candidate| candidate.id == id && candidate.serves()) {
            let replaced = std::mem::replace(&mut self.serving, self.candidate.take());
            self.record_switch(replaced.as_ref());
            if let Some(old) = replaced {
                let restart = self.serving.as_ref().is_some_and(|new| new.identity.restarts != old.identity.restarts);
                let (primary, sessions) = self.farewell(&old, restart);
                if restart {
                    self.draining.iter_mut().for_each(|older| older.hurry(sessions));
                }
                self.draining.push(old);
                // Clients find the new version before the old one refuses them: nobody stands between two shut doors.
                self.publish();
                let waiting = self.draining.last_mut().map(|old| stop(old, primary, sessions));
                waiting.into_iter().flatten().for_each(|reply| self.checkout(reply));
            }
        }
        self.fill_pool(id);
    }

    /// What the processes of a version that has been replaced are told: the one that all share, and those of sessions.
    pub(super) fn farewell(&self, old: &Version, restart: bool) -> (Wanted, Wanted) {
        let now = Instant::now();
        if restart {
            // Somebody wants all of it anew, and soon.
            let soon = Wanted::Drain { refuse: now, until: now + old.grace_period() };
            return (soon, soon);
        }
        let timeout = old.care().stop.drain_timeout.unwrap_or(self.host.settings.drain_timeout);
        // Shared requests go to the new version from now on; sessions stay until they end or the time is up, and what they
        // have open then gets as long again.
        let sessions = Wanted::Drain { refuse: now + timeout, until: now + timeout + timeout };
        (Wanted::Drain { refuse: now, until: now + timeout }, sessions)
    }

    fn ended(&mut self, id: VersionId, instance: &Arc<str>, exit: Exit) {
        let Some(version) = self.version_mut(id) else { return };
        if version.primary.as_ref().is_none_or(|primary| primary.instance != *instance) {
            version.pool.ended(instance, Instant::now());
            return self.fill_pool(id);
        }
        // A link that ended before its process says more: the process has been stopped because of it.
        let broken = version.primary.as_ref().and_then(|primary| primary.link.end());
        version.lose_primary();
        let Some(run) = version.machine.live_run() else { return };
        match version.machine.phase {
            Phase::Ready { .. } => {
                version.failure = Some(broken.map_or_else(|| exit.to_string(), |reason| reason.to_string()));
            }
            // Why it had to be ended is known.
            Phase::Ending { .. } => {}
            _ => _ = version.failure.get_or_insert_with(|| format!("the server ended before it answered: {exit}")),
        }
        // An end that was meant is no sign of anything.
        if !version.again && !version.retired.is_cancelled() {
            self.last_exit = Some((exit.to_string(), Timestamp::now()));
        }
        self.gone(id, run, exit == Exit::Code(0));
    }

    /// There is no process of this run any more.
    fn gone(&mut self, id: VersionId, run: Run, clean: bool) {
        let Some(version) = self.version_mut(id) else { return };
        let event = if std::mem::take(&mut version.again) {
            machine::Event::Again { run }
        } else {
            machine::Event::Gone { run, clean, jitter: jitter::draw() }
        };
        self.advance(id, event);
    }

    fn advance(&mut self, id: VersionId, event: machine::Event) {
        let Some(version) = self.version_mut(id) else { return };
        if !matches!(event, machine::Event::Again { .. }) {
            version.attempt.failed_unless_over("start_failed");
        }
        let effect = step(&mut version.machine, event, Instant::now());
        self.record_failure(id);
        self.act(id, effect);
    }

    pub(super) fn checkout(&mut self, reply: Reply) {
        let Some(version) = self.serving.as_mut().filter(|version| version.serves()) else {
            let _ = reply.send(Err(Unavailable::NotReady("it is not ready".into())));
            return;
        };
        let id = version.id;
        version.pool.checkout(reply);
        // Whoever wants a process of their own speaks legacy, and more of them may come.
        version.warm_up(true);
        self.fill_pool(id);
    }
}
