//! An event before it has its number and its time.

use crate::status::model::event::{Details, EventKind, EventLevel};
use std::{sync::Arc, time::Duration};

/// The longest message, in bytes; the rest is cut off.
pub(super) const MAX_MESSAGE: usize = 2_000;

/// An event that is about to be recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    pub(super) kind: EventKind,
    pub(super) level: EventLevel,
    pub(super) message: String,
    pub(super) app: Option<Arc<str>>,
    pub(super) instance: Option<Arc<str>>,
    pub(super) minor: bool,
    pub(super) details: Details,
}

impl Draft {
    /// Something that is as it should be. The message is for people.
    pub fn info(kind: EventKind, message: impl Into<String>) -> Self {
        Draft::new(kind, EventLevel::Info, message.into())
    }

    /// Something that somebody should look at.
    pub fn warning(kind: EventKind, message: impl Into<String>) -> Self {
        Draft::new(kind, EventLevel::Warning, message.into())
    }

    fn new(kind: EventKind, level: EventLevel, mut message: String) -> Self {
        if message.len() > MAX_MESSAGE {
            message.truncate(message.floor_char_boundary(MAX_MESSAGE));
            message.push('…');
        }
        Draft { kind, level, message, app: None, instance: None, minor: false, details: Details::default() }
    }

    #[must_use]
    pub fn of_app(self, app: &str) -> Self {
        Draft { app: Some(app.into()), ..self }
    }

    #[must_use]
    pub fn of_instance(self, app: &str, instance: &str) -> Self {
        Draft { instance: Some(instance.into()), ..self.of_app(app) }
    }

    /// One of those that come in numbers while nothing is wrong, as with the processes of sessions: they share a room of
    /// their own, and push nothing else of their app out.
    #[must_use]
    pub fn minor(self) -> Self {
        Draft { minor: true, ..self }
    }

    /// Adds what machines may want to know: `.with(|details| details.pid = Some(pid))`.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Details)) -> Self {
        set(&mut self.details);
        self
    }
}

/// A duration as a message gives it: nobody reads the rest of it.
pub fn rounded(duration: Duration) -> Duration {
    match duration.as_secs() {
        0 => Duration::from_millis(u64::from(duration.subsec_millis())),
        seconds => Duration::from_secs(seconds),
    }
}
