//! What a supervisor keeps an eye on while a server runs: that it answers, and that its tools stay what they were.

use super::{
    super::{
        health::{self, Finding, Verdict},
        journal::Draft,
        link::Link,
        machine::{self, Phase, Run, step},
        probe::{Place, Profile},
        question::{self, Unanswered},
        running::Wanted,
        tools::{self, Look, Take, Unseen},
        version::{Version, VersionId},
    },
    Supervisor,
    event::Event,
    wanting::in_grace,
};
use crate::{jitter, protocol::Era, resource::OnToolChange, status::model::event::EventKind};
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// A server that announces changes of its tools one after the other is looked at so often.
const PACE: Duration = Duration::from_secs(5);

/// Not every server announces them.
const LOOK_AGAIN: Duration = Duration::from_secs(15 * 60);

/// A server that could not tell, because it was busy or for whatever reason, is asked again.
const LOOK_SOON: Duration = Duration::from_secs(30);

impl Supervisor {
    /// Begins to watch the process that stands for a version, which has answered.
    pub(super) fn watch(&mut self, id: VersionId, run: Run) {
        let Some(version) = self.version_mut(id) else { return };
        let token = version.watch();
        if let Some((running, profile)) = version.primary.as_ref().zip(version.profile.as_ref()) {
            ask_to_be_told(&running.link, profile);
        }
        self.check_later(id, run, token.clone());
        self.look(id, run, token, None);
    }

    /// Has the server's health checked after the next interval.
    fn check_later(&mut self, id: VersionId, run: Run, token: CancellationToken) {
        let Some(version) = self.version(id) else { return };
        let Some((running, profile)) = version.primary.clone().zip(version.profile.clone()) else { return };
        let Some(health) = version.care().health.clone() else { return };
        let place = Place::of(&version.app);
        self.tasks.spawn(async move {
            let check = async {
                // Spread, so that apps that were started together are not asked together for ever.
                sleep(health.interval.mul_f64(0.9 + 0.2 * jitter::draw())).await;
                health::check(&running.link, place, profile.era, &health).await
            };
            match token.run_until_cancelled(check).await {
                Some(finding) => Event::Checked { version: id, run, finding, watch: token.clone() },
                None => Event::Unwatched,
            }
        });
    }

    pub(super) fn checked(&mut self, id: VersionId, run: Run, finding: Finding, token: CancellationToken) {
        let Some(version) = self.version_mut(id).filter(|version| version.machine.live_run() == Some(run)) else {
            return;
        };
        let Some(health) = version.care().health.clone() else { return };
        match health::judge(&mut version.failed_checks, finding, &health) {
            Verdict::Well => version.unwell = None,
            Verdict::Unwell(reason) => version.unwell = Some(reason),
            Verdict::Restart(reason) => {
                version.failure = Some(reason);
                return self.end_unfit(id, run);
            }
        }
        self.check_later(id, run, token);
    }

    /// Ends a process that is of no use.
    pub(super) fn end_unfit(&mut self, id: VersionId, run: Run) {
        let Some(version) = self.version_mut(id) else { return };
        step(&mut version.machine, machine::Event::Unfit { run }, Instant::now());
        if let Some(primary) = &version.primary {
            primary.order(Wanted::Stop);
        }
    }

    /// Looks at the tools of a server: after a while, or when it says that they have changed; at once the first time.
    fn look(&mut self, id: VersionId, run: Run, token: CancellationToken, after: Option<Duration>) {
        let (book, name) = (self.host.tools.clone(), self.name.clone());
        let Some(version) = self.version(id) else { return };
        let Some((running, profile)) = version.primary.clone().zip(version.profile.clone()) else { return };
        let spec = version.identity.spec;
        let take = if version.accepts_tools { Take::Accept } else { Take::Compare };
        self.tasks.spawn(async move {
            let look = async {
                if let Some(limit) = after {
                    sleep(PACE).await;
                    let announced = running.link.tools_changed();
                    let _ = tokio::time::timeout(limit, announced).await;
                }
                tools::look(&running.link, profile.era, &book, (&name, spec), take).await
            };
            match token.run_until_cancelled(look).await {
                Some(look) => Event::Looked { version: id, run, look, watch: token.clone() },
                None => Event::Unwatched,
            }
        });
    }

    pub(super) fn looked(&mut self, id: VersionId, run: Run, look: Result<Look, Unseen>, token: CancellationToken) {
        let (name, journal) = (self.name.clone(), self.host.journal.clone());
        let lives = |version: &&mut Version| {
            let phase = &version.machine.phase;
            let up = matches!(phase, Phase::Starting { run: of } | Phase::Ready { run: of, .. } if *of == run);
            up && !version.retired.is_cancelled()
        };
        let Some(version) = self.version_mut(id).filter(lives) else { return };
        let (fault, after) = match look {
            Ok(look) => {
                let news = version.tools.as_ref().is_none_or(|old| **old != look);
                if let Some(change) = look.change.as_ref().filter(|_| news) {
                    let text = format!("the server's tools have changed, its definition has not: {change}");
                    journal.record(Draft::warning(EventKind::ToolsChanged, text).of_app(&name));
                }
                let fault = look.change.as_ref().map(|change| refusal(change));
                version.accepts_tools = false;
                version.tools = Some(Arc::new(look));
                (fault, LOOK_AGAIN)
            }
            // Its end will be told.
            Err(Unseen::Unanswered(Unanswered::Ended(_))) => return,
            Err(unseen) => {
                tracing::debug!(app = &*name, %unseen, "tools not looked at");
                // What has been seen once is not unseen because the server is busy now.
                let fault = if version.tools.is_none() { Some(unseen.to_string()) } else { version.blocked.clone() };
                (fault, LOOK_SOON)
            }
        };
        match fault.filter(|_| version.blocks_changes()) {
            Some(fault) if version.blocked.is_none() && !version.awaits_look => return self.block(id, run, fault),
            Some(fault) => version.blocked = Some(fault),
            None if version.blocked.take().is_some() => version.reopen(),
            None => {}
        }
        if version.awaits_look {
            self.ready(id, run);
        } else {
            self.promote(id);
        }
        self.look(id, run, token, Some(after));
    }

    /// Keeps a server from clients that has served so far. What is open has the app's grace period; then the process
    /// ends, and the next one is looked at before anybody is let in.
    fn block(&mut self, id: VersionId, run: Run, fault: String) {
        let Some(version) = self.version_mut(id) else { return };
        let order = in_grace(Duration::MAX)(version.grace_period());
        step(&mut version.machine, machine::Event::Unfit { run }, Instant::now());
        (version.failure, version.blocked) = (Some(fault.clone()), Some(fault));
        if let Some(primary) = &version.primary {
            primary.order(order);
        }
        let waiting = version.pool.retire(order, Wanted::Stop);
        waiting.into_iter().for_each(|reply| self.checkout(reply));
    }
}

impl Version {
    /// Whether clients must not see tools that have changed.
    pub(super) fn blocks_changes(&self) -> bool {
        self.care().on_tool_change == OnToolChange::Block
    }
}

/// A server of the stateless era tells of other tools only whom it has promised to.
fn ask_to_be_told(link: &Link, profile: &Profile) {
    let tells = profile.introduction.pointer("/capabilities/tools/listChanged") == Some(&Value::Bool(true));
    if profile.era == Era::Modern && tells {
        let mut params = question::params(profile.era);
        if let Some(params) = params.as_object_mut() {
            params.insert("notifications".into(), json!({ "toolsListChanged": true }));
        }
        // What it tells is noticed by the link. One that refuses is looked at now and then all the same.
        let _ = link.ask("subscriptions/listen", &params);
    }
}

fn refusal(change: &str) -> String {
    format!(
        "its tools are not what they were when its definition was accepted ({change}); \
         `mcpfleet restart NAME --accept-tools` accepts them"
    )
}
