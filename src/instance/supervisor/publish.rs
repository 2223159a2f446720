//! What a supervisor shows of itself.

use super::{
    super::{
        logs::Whose,
        machine::Phase,
        version::Version,
        view::{Route, Service, View},
    },
    Aim, Supervisor,
};
use crate::status::model::AppState;
use jiff::Timestamp;
use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

/// How many lines of stderr are shown of a server in trouble.
const LAST_LINES: usize = 5;

impl Supervisor {
    /// Publishes view and route, if they have changed.
    pub(super) fn publish(&mut self) {
        let (state, reason) = self.state();
        self.publish_route(state, reason.as_deref());
        let current = self.serving.as_ref().or(self.candidate.as_ref());
        let waiting = self.candidate.as_ref().or(self.serving.as_ref());
        let backoff = waiting.and_then(|version| version.machine.next_start());
        let next_attempt = backoff.and_then(|until| {
            let rest = until.saturating_duration_since(Instant::now());
            // To the second: a time that is computed anew each time must not look like a change each time.
            Timestamp::now().checked_add(rest).ok()?.round(jiff::Unit::Second).ok()
        });
        let view = View {
            state,
            reason,
            since: Timestamp::now(),
            profile: current.and_then(|version| version.profile.clone()),
            restarts: self.versions().map(|version| version.machine.restarts).max().unwrap_or_default(),
            tools: current.and_then(|version| version.tools.clone()),
            next_attempt,
            last_exit: self.last_exit.as_ref().map(|(exit, _)| exit.clone()),
            last_exit_at: self.last_exit.as_ref().map(|(_, at)| *at),
            last_lines: self.last_lines(state),
            instances: self.versions().flat_map(Version::instances).collect(),
            wanted: self.wanted.clone(),
            // One that does not start is the reason for what the state says then.
            updating: self.serving.is_some()
                && self
                    .candidate
                    .as_ref()
                    .is_some_and(|version| version.failure.is_none() && version.blocked.is_none())
                || self.secrets_look.is_some(),
            confinement: current
                .and_then(|version| version.primary.as_ref())
                .map_or_else(Vec::new, |primary| primary.confinement.clone()),
        };
        let changed = self.wires.view.send_if_modified(|old| {
            let since = if old.state == view.state { old.since } else { view.since };
            let view = View { since, ..view };
            let changed = *old != view;
            self.record_state(old, &view);
            *old = view;
            changed
        });
        if changed {
            self.wires.changes.send_replace(());
        }
    }

    /// The app's state in one word, and why.
    fn state(&self) -> (AppState, Option<String>) {
        if self.aim == Aim::Suspend && self.versions().next().is_none() {
            return (AppState::Suspended, Some("`mcpfleet resume` starts it again".into()));
        }
        if self.aim != Aim::Run {
            let open: usize = self.versions().map(|version| version.pool.sessions().count()).sum();
            let reason = (open > 0).then(|| format!("{open} sessions are being ended"));
            return (AppState::Draining, reason);
        }
        let candidate = self.candidate.as_ref();
        if let Some(refused) = &self.refused {
            return match &self.serving {
                Some(serving) if serving.serves() => {
                    let wanted = self.wanted.as_ref().map(|(app, _)| app.spec.digest());
                    let text = match wanted == Some(serving.identity.spec) {
                        true => format!("{refused}; what runs goes on with what it was given"),
                        false => format!("the new version cannot run: {refused}"),
                    };
                    (AppState::Degraded, Some(text))
                }
                _ => (AppState::Failed, Some(refused.clone())),
            };
        }
        match self.serving.as_ref() {
            Some(serving) if serving.serves() => match candidate.map(|version| (&version.failure, &version.blocked)) {
                Some((Some(failure), _)) => {
                    (AppState::Degraded, Some(format!("the new version does not start: {failure}")))
                }
                Some((None, Some(blocked))) => {
                    (AppState::Degraded, Some(format!("the new version may not serve: {blocked}")))
                }
                _ if serving.unwell.is_some() => (AppState::Degraded, serving.unwell.clone()),
                Some((None, None)) => (AppState::Ready, Some("a new version is starting".into())),
                None => (AppState::Ready, None),
            },
            // What does not serve is no reason to keep silent about what is to take its place.
            Some(serving) => of_version(candidate.unwrap_or(serving)),
            None => candidate.map_or((AppState::Pending, None), of_version),
        }
    }

    /// The last words of a server that is in trouble.
    fn last_lines(&self, state: AppState) -> Vec<String> {
        let ended = match state {
            AppState::Backoff | AppState::Failed => true,
            AppState::Degraded => self.candidate.is_some(),
            _ => return Vec::new(),
        };
        // Not those of sessions, which go on as if nothing was the matter.
        let whose = if ended { Whose::Previous } else { Whose::All };
        let lines = self.logs.tail_of(&whose, LAST_LINES).unwrap_or_else(|_| self.logs.tail(LAST_LINES));
        lines.iter().map(|line| line.text.clone()).collect()
    }

    fn publish_route(&mut self, state: AppState, reason: Option<&str>) {
        let ready = self.serving.as_ref().filter(|version| version.serves() && self.aim == Aim::Run);
        let service = ready.and_then(|version| {
            let (primary, profile) = (version.primary.as_ref()?, version.profile.as_ref()?);
            let known = self.service.as_ref().filter(|service| Arc::ptr_eq(&service.primary, primary));
            let care = version.care();
            Some(known.cloned().unwrap_or_else(|| {
                Arc::new(Service {
                    profile: profile.clone(),
                    sessions: care.sessions,
                    idle_timeout: care.idle_timeout,
                    primary: primary.clone(),
                    takes_sessions: OnceLock::new(),
                    checkouts: self.wires.checkouts.0.clone(),
                })
            }))
        });
        let same = match (&service, &*self.wires.route.borrow()) {
            (Some(new), old) => matches!(&**old, Route::Ready(old) if Arc::ptr_eq(old, new)),
            (None, old) => {
                matches!(&**old, Route::Unready { state: s, reason: r, .. } if *s == state && r.as_deref() == reason)
            }
        };
        self.service = service.clone();
        if !same {
            let route = match service {
                Some(service) => Route::Ready(service),
                None => Route::Unready { state, reason: reason.map(Into::into), retry_after: self.retry_after(state) },
            };
            self.wires.route.send_replace(Arc::new(route));
        }
    }

    /// After which time it is worth asking again.
    fn retry_after(&self, state: AppState) -> Duration {
        let rest = match self.versions().filter_map(Version::wake_at).min() {
            Some(at) => at.saturating_duration_since(Instant::now()),
            None => match state {
                // Somebody has to do something first.
                AppState::Suspended | AppState::Stopped | AppState::Failed => Duration::from_secs(60),
                _ => Duration::ZERO,
            },
        };
        rest.max(Duration::from_secs(1))
    }
}

fn of_version(version: &Version) -> (AppState, Option<String>) {
    let failure = version.failure.clone();
    match version.machine.phase {
        Phase::Idle => (AppState::Pending, failure),
        Phase::Starting { .. } => (AppState::Starting, failure.map(|failure| format!("again after: {failure}"))),
        Phase::Ready { .. } if version.blocked.is_some() => (AppState::Failed, version.blocked.clone()),
        Phase::Ready { .. } => (AppState::Ready, None),
        Phase::Ending { .. } if version.profile.is_some() => (AppState::Degraded, failure),
        Phase::Ending { .. } => (AppState::Starting, failure),
        Phase::Backoff { .. } => (AppState::Backoff, failure),
        Phase::Refused { .. } => (AppState::Failed, failure),
        Phase::Stopping { .. } => (AppState::Draining, None),
        Phase::Finished { failed: true } => (AppState::Failed, failure),
        Phase::Finished { failed: false } => (AppState::Stopped, failure),
    }
}
