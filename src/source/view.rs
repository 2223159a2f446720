//! What a source lets others see of it, and how others make it look.

use crate::manifest::Snapshot;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};
use tokio::sync::mpsc;

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
    pub message: String,
}

/// The published state of a source.
#[derive(Clone, Debug)]
pub struct SourceView {
    pub name: String,
    /// The path, as configured.
    pub location: String,
    pub watch: WatchMode,
    /// Why changes are noticed later than they should be, and what to do about it.
    pub watch_problem: Option<String>,
    /// What the source said when it was last read with success. The very same snapshot (`Arc::ptr_eq`) as long as
    /// nothing is new. `None` until the first success.
    pub snapshot: Option<Arc<Snapshot>>,
    /// When the last look succeeded, whether or not it found anything new.
    pub last_read: Option<Timestamp>,
    pub error: Option<Problem>,
    /// How many looks there have been, with success or not.
    pub reads: u64,
}

/// Tells a source to look again. Carries no data, and telling twice is the same as telling once.
#[derive(Clone, Debug)]
pub struct Trigger(mpsc::Sender<()>);

impl Trigger {
    /// A trigger and the end that it wakes.
    pub fn new() -> (Self, mpsc::Receiver<()>) {
        let (sender, receiver) = mpsc::channel(1);
        (Trigger(sender), receiver)
    }

    /// Never blocks. When a look is already due, that look is the answer to this call too.
    pub fn fire(&self) {
        // Full: a look is due. Closed: the source has ended, and nobody is left to look.
        let _ = self.0.try_send(());
    }
}
