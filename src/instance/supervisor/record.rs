//! What a supervisor tells the journal.

use super::{
    super::{
        journal::{Draft, rounded},
        machine::Phase,
        version::{Version, VersionId},
        view::View,
    },
    Supervisor,
};
use crate::{
    resource::quantity::format_duration,
    status::model::{AppState, event::EventKind},
};
use jiff::Timestamp;
use std::time::{Duration, Instant};

impl Supervisor {
    /// The server of a version has answered.
    pub(super) fn record_answer(&self, id: VersionId) {
        let Some(version) = self.version(id) else { return };
        let Some((primary, profile)) = version.primary.as_ref().zip(version.profile.as_ref()) else { return };
        let took = Duration::try_from(Timestamp::now().duration_since(primary.since)).unwrap_or_default();
        let who = profile.server().map(|server| format!("{}, ", primary.link.quoted(&server))).unwrap_or_default();
        let text = format!("answers after {}: {who}{} era", format_duration(rounded(took)), profile.era);
        let draft = Draft::info(EventKind::Answered, text).of_instance(&self.name, &primary.instance);
        self.host.journal.record(draft.with(|details| {
            details.era = Some(profile.era.to_string());
            details.took_ms = u64::try_from(took.as_millis()).ok();
            details.spec = Some(spec(version));
        }));
    }

    /// The version that serves now has taken over from another.
    pub(super) fn record_switch(&self, replaced: Option<&Version>) {
        let Some((new, old)) = self.serving.as_ref().zip(replaced) else { return };
        let text = match new.identity.spec == old.identity.spec {
            true => "new processes of the same version serve; the old ones drain".to_owned(),
            false => format!("version {} serves; {} drains", spec(new), spec(old)),
        };
        let draft = Draft::info(EventKind::Switched, text).of_app(&self.name);
        self.host.journal.record(draft.with(|details| details.spec = Some(spec(new))));
    }

    /// There is no process of a version any more, or never was: says what comes next, if the version is still wanted.
    pub(super) fn record_failure(&self, id: VersionId) {
        let Some(version) = self.version(id).filter(|version| !version.retired.is_cancelled()) else { return };
        let machine = &version.machine;
        let rest = machine.next_start().map(|at| at.saturating_duration_since(Instant::now()));
        if rest.is_none() && machine.phase != (Phase::Finished { failed: true }) {
            return;
        }
        let update = self.serving.as_ref().is_some_and(|serving| serving.id != id && serving.serves());
        let reason = version.failure.clone().unwrap_or_else(|| "it has ended".into());
        let next = match rest {
            Some(rest) => format!("next start in {}", format_duration(rounded(rest))),
            None => "it is not started again".to_owned(),
        };
        let (kind, text) = match update {
            true => (EventKind::UpdateFailed, format!("the new version does not start: {reason}; {next}")),
            false => (EventKind::Backoff, format!("{reason}; {next}")),
        };
        let state = match machine.phase {
            _ if update => AppState::Degraded,
            Phase::Backoff { .. } => AppState::Backoff,
            _ => AppState::Failed,
        };
        self.host.journal.record(Draft::warning(kind, text).of_app(&self.name).with(|details| {
            details.state = Some(state);
            details.reason = Some(reason);
            details.spec = Some(spec(version));
            details.restarts = Some(machine.restarts);
            details.next_attempt = rest.and_then(|rest| Timestamp::now().checked_add(rest).ok());
        }));
    }

    /// There is no process for a session.
    pub(super) fn record_unstarted(&self, reason: &str) {
        let text = format!("no process for a session: {reason}");
        let draft = Draft::warning(EventKind::StartFailed, text).of_app(&self.name).minor();
        self.host.journal.record(draft.with(|details| details.reason = Some(reason.to_owned())));
    }

    /// The app's view is about to become another one.
    pub(super) fn record_state(&self, old: &View, new: &View) {
        // Why and until when is told with the failure.
        if old.state == new.state || new.state == AppState::Backoff {
            return;
        }
        let why = new.reason.as_ref().filter(|_| new.state != AppState::Starting);
        let why = why.map(|reason| format!(": {reason}")).unwrap_or_default();
        let text = format!("{} after {}{why}", new.state, old.state);
        let draft = match new.state {
            AppState::Degraded | AppState::Failed => Draft::warning(EventKind::StateChanged, text),
            _ => Draft::info(EventKind::StateChanged, text),
        };
        self.host.journal.record(draft.of_app(&self.name).with(|details| {
            details.state = Some(new.state);
            details.reason = new.reason.clone();
        }));
    }
}

fn spec(version: &Version) -> String {
    version.identity.spec.short(12)
}
