//! How a supervisor starts processes.

use super::{
    super::{
        host::Unprepared,
        link::Sharing,
        machine::Effect,
        running::{self, Owned, Running},
        version::{Version, VersionId},
    },
    Supervisor,
    event::{Event, Unstarted},
};
use std::{sync::Arc, time::Instant};

impl Supervisor {
    /// Carries out what a machine decided.
    pub(super) fn act(&mut self, id: VersionId, effect: Option<Effect>) {
        let Some(Effect::Launch { run }) = effect else {
            // Times to wake at are read off the versions; terminations are orders to the process, given on the spot.
            return;
        };
        let attempt = self.attempt(id);
        let Some(version) = self.version(id) else { return };
        let launch = self.launch(version, Sharing::Shared);
        let (starts, retired) = (self.host.starts.clone(), version.retired.clone());
        let unwanted = || Unstarted { reason: "it is not wanted any more".into(), lasting: false };
        if version.app.is_remote() {
            // Costs this machine nothing, and may take long: nobody waits for it.
            self.tasks.spawn(attempt.within(async move {
                let result = retired.run_until_cancelled(launch).await.unwrap_or_else(|| Err(unwanted()));
                Event::PrimaryLaunched { version: id, run, result, permit: None }
            }));
            return;
        }
        self.tasks.spawn(attempt.within(async move {
            let permit = retired.run_until_cancelled(starts.acquire_owned()).await.and_then(Result::ok);
            // What is not wanted any more when its turn comes is not started only to be stopped.
            let result = if permit.is_some() { launch.await } else { Err(unwanted()) };
            Event::PrimaryLaunched { version: id, run, result, permit }
        }));
    }

    /// The start of a process, to be awaited.
    fn launch(
        &self,
        version: &Version,
        sharing: Sharing,
    ) -> impl Future<Output = Result<(Arc<Running>, Owned), Unstarted>> + Send + 'static {
        let (host, app, logs) = (self.host.clone(), version.app.clone(), self.logs.clone());
        let journal = host.journal.clone();
        let stop = version.care().stop.clone();
        async move {
            let unprepared = |Unprepared { reason, lasting }| Unstarted { reason, lasting };
            let spec = host.prepare(&app).await.map_err(unprepared)?;
            let started = running::start(&host.launcher, spec, sharing, stop, logs, journal).await;
            started.map_err(|error| Unstarted { reason: error.to_string(), lasting: error.is_lasting() })
        }
    }

    pub(super) fn fill_pool(&mut self, id: VersionId) {
        let launches = self.version_mut(id).map_or(0, |version| version.pool.launches(Instant::now()));
        for _ in 0..launches {
            let launch = self.version(id).map(|version| self.launch(version, Sharing::Exclusive));
            let Some(launch) = launch else { return };
            self.tasks.spawn(async move { Event::PoolLaunched { version: id, result: launch.await } });
        }
    }
}
