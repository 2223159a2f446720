//! The spans of what a supervisor does: an attempt at a start, from its turn until clients may be sent there, and the end of
//! an app.

use super::{super::version::VersionId, Supervisor};
use crate::telemetry::span::{Described, KeyValue, Parent, Span, SpanKind, text};

/// A span about an app.
pub(super) fn of_app(name: &'static str, app: &str, cause: &Parent) -> Span {
    Span::start(SpanKind::Internal, cause, || Described {
        name: name.into(),
        attributes: vec![KeyValue::new("mcpfleet.app.name", text(app))],
        ..Described::default()
    })
}

impl Supervisor {
    /// An attempt begins, or goes on with another process. What is done for it is below what is returned.
    pub(super) fn attempt(&mut self, id: VersionId) -> Parent {
        let name = match self.serving.as_ref().is_some_and(|serving| serving.id != id) {
            true => "app switch",
            false => "app start",
        };
        let app = self.name.clone();
        let Some(version) = self.version_mut(id) else { return Parent::none() };
        if version.attempt.is_over() {
            // What led to the version has not led to the end of its server an hour later.
            version.attempt = of_app(name, &app, &version.cause);
            version.attempt.set(KeyValue::new("mcpfleet.app.spec", version.identity.spec.short(12)));
            version.attempt.set(KeyValue::new("mcpfleet.app.restarts", i64::from(version.machine.restarts)));
        }
        version.attempt.as_parent()
    }
}
