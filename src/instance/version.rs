//! One version of an app: the instance that stands for it, and the pool of its sessions.

use super::{
    machine::Machine,
    pool::{Pool, Reply},
    probe::Profile,
    running::{Running, Wanted},
};
use crate::{
    protocol::Era,
    resource::{App, Digest, Sessions, Stdio},
    status::model::{InstanceRole, InstanceStatus},
};
use std::{collections::VecDeque, sync::Arc, time::Instant};
use tokio_util::sync::CancellationToken;

/// Numbers the versions of an app.
pub type VersionId = u64;

#[derive(Debug)]
pub struct Version {
    pub id: VersionId,
    pub app: Arc<App>,
    pub spec: Digest,
    pub machine: Machine,
    /// What an earlier process of this version has shown.
    pub era: Option<Era>,
    pub profile: Option<Arc<Profile>>,
    pub primary: Option<Arc<Running>>,
    pub pool: Pool,
    /// Why the last attempt failed.
    pub failure: Option<String>,
    /// The present process is to be replaced by one that is greeted otherwise; no failure of its own.
    pub again: bool,
    /// Cancelled once it is to go: whoever waits to start something for it waits no more.
    pub retired: CancellationToken,
}

impl Version {
    pub fn new(id: VersionId, app: Arc<App>, stdio: &Stdio) -> Self {
        Version {
            id,
            spec: app.spec.digest(),
            machine: Machine::new(stdio.restart.clone()),
            era: None,
            profile: None,
            primary: None,
            pool: Pool::new(0, stdio.max_instances, stdio.restart.clone()),
            failure: None,
            again: false,
            retired: CancellationToken::new(),
            app,
        }
    }

    pub fn stdio(&self) -> Option<&Stdio> {
        self.app.stdio()
    }

    /// Keeps processes ready for sessions, where sessions have processes of their own.
    pub fn warm_up(&mut self, speaks_legacy: bool) {
        let warm = self.stdio().filter(|stdio| stdio.sessions != Sessions::Shared).map_or(0, |stdio| stdio.warm);
        if speaks_legacy && !self.retired.is_cancelled() {
            self.pool.target = warm;
        }
    }

    /// Lets the version go: sessions according to `sessions`, everything else according to `primary`. Returns the
    /// clients that were waiting for a process.
    pub fn retire(&mut self, primary: Wanted, sessions: Wanted) -> VecDeque<Reply> {
        self.retired.cancel();
        if let Some(running) = &self.primary {
            running.order(primary);
        }
        let unused = if primary == Wanted::Kill { Wanted::Kill } else { Wanted::Stop };
        self.pool.retire(sessions, unused)
    }

    /// Whether no process of it is left, nor about to come.
    pub fn is_gone(&self) -> bool {
        self.machine.is_finished() && self.primary.is_none() && self.pool.is_empty()
    }

    pub fn instances(&self) -> Vec<InstanceStatus> {
        let status = |running: &Arc<Running>, role| InstanceStatus {
            id: running.instance.to_string(),
            pid: Some(running.pid),
            role,
            since: running.since,
            spec: self.spec.short(12),
            draining: self.retired.is_cancelled() || running.is_leaving(),
        };
        let primary = self.primary.iter().map(|r| status(r, InstanceRole::Primary));
        let sessions = self.pool.sessions().map(|r| status(r, InstanceRole::Session));
        let warm = self.pool.warm().map(|r| status(r, InstanceRole::Warm));
        primary.chain(sessions).chain(warm).collect()
    }

    pub fn wake_at(&self) -> Option<Instant> {
        let restart = match self.machine.phase {
            super::machine::Phase::Backoff { until } => Some(until),
            _ => None,
        };
        [restart, self.pool.wake_at()].into_iter().flatten().min()
    }
}
