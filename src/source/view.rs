//! What a source lets others see of it, and how others make it look.

use super::git::{GitView, past::Past};
use crate::{
    manifest::Snapshot,
    telemetry::span::{Described, KeyValue, Parent, Span, SpanKind, text},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::{mpsc, watch};

/// `directory.watch` of the configuration: how changes of a directory are to be noticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WatchSetting {
    /// Notifications of the kernel where they can be had and the file system sends them, polling elsewhere.
    #[default]
    Auto,
    /// Notifications of the kernel; what they miss is found by the slow re-read only.
    Native,
    /// A look at all metadata every second.
    Poll,
}

/// How changes are noticed right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchMode {
    Native,
    Poll,
}

impl fmt::Display for WatchMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            WatchMode::Native => "native",
            WatchMode::Poll => "poll",
        })
    }
}

/// Why a source cannot be read, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub since: Timestamp,
    /// A stable word for the kind of problem, where there is one.
    pub code: Option<String>,
    pub message: String,
    /// When it is tried again, where that is not soon.
    pub next_attempt: Option<Timestamp>,
}

/// The published state of a source.
#[derive(Clone, Debug)]
pub struct SourceView {
    pub name: String,
    /// The path or URL, as configured, without credentials.
    pub location: String,
    pub watch: WatchMode,
    /// Why changes are noticed later than they should be, and what to do about it.
    pub watch_problem: Option<String>,
    /// What the source said when it was last read with success. The very same snapshot (`Arc::ptr_eq`) as long as
    /// nothing is new. `None` until the first success.
    pub snapshot: Option<Arc<Snapshot>>,
    /// The look that found it.
    pub found_by: Parent,
    /// When the last look succeeded, whether or not it found anything new.
    pub last_read: Option<Timestamp>,
    pub error: Option<Problem>,
    /// How many looks there have been, with success or not.
    pub reads: u64,
    /// How many of them have failed.
    pub failures: u64,
    /// Up to which call of [`Trigger::fire`] all are answered.
    pub answered: u64,
    /// Of a git source.
    pub git: Option<GitView>,
}

impl SourceView {
    /// One that has not been looked at.
    pub(super) fn new(name: String, location: String) -> Self {
        SourceView {
            name,
            location,
            watch: WatchMode::Native,
            watch_problem: None,
            snapshot: None,
            found_by: Parent::none(),
            last_read: None,
            error: None,
            reads: 0,
            failures: 0,
            answered: 0,
            git: None,
        }
    }

    /// Takes over what a look has found, if that is another snapshot than before.
    pub(super) fn found(&mut self, snapshot: Option<Arc<Snapshot>>, look: &Span) {
        let same = match (&snapshot, &self.snapshot) {
            (Some(new), Some(old)) => Arc::ptr_eq(new, old),
            (None, None) => true,
            _ => false,
        };
        if same {
            return;
        }
        if let Some(snapshot) = &snapshot {
            look.set(KeyValue::new("mcpfleet.revision", snapshot.revision.as_str().to_owned()));
            look.set(KeyValue::new("mcpfleet.source.resources", count(snapshot.resources.len())));
            look.set(KeyValue::new("mcpfleet.source.diagnostics", count(snapshot.diagnostics.len())));
        }
        (self.snapshot, self.found_by) = (snapshot, look.as_parent());
    }

    /// Takes over why changes are noticed late, if they are.
    pub(super) fn watched(&mut self, mode: WatchMode, problem: Option<&str>) {
        self.watch = mode;
        if self.watch_problem.as_deref() != problem {
            self.watch_problem = problem.map(str::to_owned);
            if let Some(problem) = &self.watch_problem {
                tracing::warn!(source = self.name, "{problem}");
            }
        }
    }
}

/// The span of a look at a source.
pub(super) fn look(name: &str, kind: &'static str) -> Span {
    Span::start(SpanKind::Internal, &Parent::none(), || Described {
        name: "source look".into(),
        attributes: vec![
            KeyValue::new("mcpfleet.source.name", text(name)),
            KeyValue::new("mcpfleet.source.kind", kind),
        ],
        ..Described::default()
    })
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A source as the rest of the agent has it: what it says, and how to make it look.
#[derive(Clone, Debug)]
pub struct Source {
    pub view: watch::Receiver<SourceView>,
    pub trigger: Trigger,
    /// What git says of the past and of what may come; a directory knows of neither.
    pub past: Option<Past>,
}

impl Source {
    /// Whether somebody has asked for a look that has not been taken yet.
    pub fn is_asked(&self) -> bool {
        self.view.borrow().answered < self.trigger.asked()
    }

    /// Waits until all looks have been taken that were asked for before.
    pub async fn looked(mut self) {
        let asked = self.trigger.asked();
        // A source that has ended looks no more.
        let _ = self.view.wait_for(|view| view.answered >= asked).await;
    }
}

/// Tells a source to look again. Carries no data, and telling twice is the same as telling once.
#[derive(Clone, Debug)]
pub struct Trigger {
    due: mpsc::Sender<()>,
    asked: Arc<AtomicU64>,
}

impl Trigger {
    /// A trigger and the end that it wakes.
    pub fn new() -> (Self, mpsc::Receiver<()>) {
        let (due, receiver) = mpsc::channel(1);
        (Trigger { due, asked: Arc::default() }, receiver)
    }

    /// Asks for a look, on behalf of somebody who may want to know when it has been taken. Never blocks. When a look is
    /// already due, that look is the answer to this call too.
    pub fn fire(&self) {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.notice();
    }

    /// Says that something may have changed.
    pub(super) fn notice(&self) {
        // Full: a look is due. Closed: the source has ended, and nobody is left to look.
        let _ = self.due.try_send(());
    }

    /// How often [`Trigger::fire`] has been called. A look that begins now answers all these calls.
    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}
