//! One version of an app: the instance that stands for it, and the pool of its sessions.

use super::{
    machine::Machine,
    pool::{Pool, Reply},
    probe::Profile,
    running::{Running, Wanted},
    secrets::Fingerprint,
    tools::Look,
};
use crate::{
    protocol::Era,
    resource::{App, Care, Digest, RemoteTransport, Server, Sessions},
    status::model::{InstanceRole, InstanceStatus},
    telemetry::span::{Parent, Span},
};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Numbers the versions of an app.
pub type VersionId = u64;

/// What makes a version another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub spec: Digest,
    /// How often somebody has asked for a restart of the app.
    pub restarts: u64,
    /// What the secrets were with which it was wanted.
    pub secrets: Fingerprint,
}

#[derive(Debug)]
pub struct Version {
    pub id: VersionId,
    pub app: Arc<App>,
    pub identity: Identity,
    pub machine: Machine,
    /// What an earlier process of this version has shown.
    pub era: Option<Era>,
    pub profile: Option<Arc<Profile>>,
    pub primary: Option<Arc<Running>>,
    pub pool: Pool,
    /// Why the last attempt failed.
    pub failure: Option<String>,
    /// Why its server, which runs, may not be well.
    pub unwell: Option<String>,
    /// Health checks that have failed in a row.
    pub failed_checks: u32,
    /// The tools of its server, once they are known.
    pub tools: Option<Arc<Look>>,
    /// Its first tools are accepted, whatever they were before.
    pub accepts_tools: bool,
    /// It has answered, and may serve once its tools have been looked at.
    pub awaits_look: bool,
    /// Why it must not serve although it could.
    pub blocked: Option<String>,
    /// The present process is to be replaced by one that is greeted otherwise; no failure of its own.
    pub again: bool,
    /// Cancelled once it is to go: whoever waits to start something for it waits no more.
    pub retired: CancellationToken,
    /// What has led to it, until it has been ready.
    pub cause: Parent,
    /// The attempt at a start that is under way.
    pub attempt: Span,
    /// Ends what watches the present process.
    watch: Option<DropGuard>,
}

impl Version {
    pub fn new(id: VersionId, identity: Identity, app: Arc<App>) -> Self {
        let care = app.care();
        Version {
            id,
            identity,
            machine: Machine::new(care.restart.clone()),
            era: era(&app),
            profile: None,
            primary: None,
            pool: Pool::new(0, care.max_instances, care.restart.clone()),
            failure: None,
            unwell: None,
            failed_checks: 0,
            tools: None,
            accepts_tools: false,
            awaits_look: false,
            blocked: None,
            again: false,
            retired: CancellationToken::new(),
            cause: Parent::none(),
            attempt: Span::none(),
            watch: None,
            app,
        }
    }

    /// Whether clients may be sent to it.
    pub fn serves(&self) -> bool {
        self.machine.is_ready() && self.blocked.is_none()
    }

    /// A new process stands for the version. What the token is given to ends with the process, or when another comes.
    pub fn watch(&mut self) -> CancellationToken {
        let token = CancellationToken::new();
        self.watch = Some(token.clone().drop_guard());
        (self.unwell, self.failed_checks) = (None, 0);
        token
    }

    /// The process that stood for the version has ended.
    pub fn lose_primary(&mut self) {
        (self.primary, self.watch, self.unwell) = (None, None, None);
    }

    /// Clients may come back to it.
    pub fn reopen(&mut self) {
        if !self.retired.is_cancelled() {
            self.pool.max = self.care().max_instances;
            self.pool.target = 0;
        }
        let legacy = self.profile.as_ref().is_some_and(|profile| profile.era == Era::Legacy);
        self.warm_up(legacy);
    }

    /// How long what is open has when the version is to go.
    pub fn grace_period(&self) -> Duration {
        self.care().stop.grace_period
    }

    pub fn care(&self) -> &Care {
        self.app.care()
    }

    /// Keeps processes ready for sessions, where sessions have processes of their own.
    pub fn warm_up(&mut self, speaks_legacy: bool) {
        let care = self.care();
        let warm = if care.sessions == Sessions::Shared { 0 } else { care.warm };
        if speaks_legacy && !self.retired.is_cancelled() && self.blocked.is_none() {
            self.pool.target = warm;
        }
    }

    /// Lets the version go: sessions according to `sessions`, everything else according to `primary`. Returns the
    /// clients that were waiting for a process.
    pub fn retire(&mut self, primary: Wanted, sessions: Wanted) -> VecDeque<Reply> {
        self.retired.cancel();
        self.attempt.failed_unless_over("not_wanted");
        if let Some(running) = &self.primary {
            running.order(primary);
        }
        let unused = if primary == Wanted::Kill { Wanted::Kill } else { Wanted::Stop };
        self.pool.retire(sessions, unused)
    }

    /// Has what is left of it end sooner.
    pub fn hurry(&mut self, order: Wanted) {
        self.primary.iter().chain(self.pool.sessions()).for_each(|running| running.order(order));
    }

    /// Whether no process of it is left, nor about to come.
    pub fn is_gone(&self) -> bool {
        self.machine.is_finished() && self.primary.is_none() && self.pool.is_empty()
    }

    pub fn instances(&self) -> Vec<InstanceStatus> {
        let status = |running: &Arc<Running>, role| InstanceStatus {
            id: running.instance.to_string(),
            pid: running.pid,
            role,
            since: running.since,
            spec: self.identity.spec.short(12),
            draining: self.retired.is_cancelled() || running.is_leaving(),
        };
        let primary = self.primary.iter().map(|r| status(r, InstanceRole::Primary));
        let sessions = self.pool.sessions().map(|r| status(r, InstanceRole::Session));
        let warm = self.pool.warm().map(|r| status(r, InstanceRole::Warm));
        primary.chain(sessions).chain(warm).collect()
    }

    pub fn wake_at(&self) -> Option<Instant> {
        [self.machine.next_start(), self.pool.wake_at()].into_iter().flatten().min()
    }
}

/// What is known of the era before anybody was asked: the old transport has no other.
fn era(app: &App) -> Option<Era> {
    match &app.spec.server {
        Server::Remote(remote) if remote.transport == RemoteTransport::Sse => Some(Era::Legacy),
        Server::Remote(_) | Server::Stdio(_) => None,
    }
}
