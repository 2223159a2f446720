//! What a git source lets others see of it, besides what every source does.

use super::{Mode, refused::RefusedChange};
use crate::authorize::ObjectId;
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};

/// The published state of a git source.
#[derive(Clone, Debug)]
pub struct GitView {
    /// What is followed, for people: `branch main`.
    pub follows: String,
    pub mode: Mode,
    /// Between two polls.
    pub interval: Duration,
    /// What the followed reference was when it was last looked at.
    pub seen: Option<ObjectId>,
    /// When that commit says it was made.
    pub newest: Option<Timestamp>,
    /// The commit up to which the history has been judged, and that is applied except for what was refused.
    pub accepted: Option<ObjectId>,
    /// When that commit says it was made.
    pub accepted_time: Option<Timestamp>,
    /// How many commits the followed reference had more at the last look. `None`: nobody knows, or the history is another one.
    pub behind: Option<usize>,
    /// The commit since which changes are judged, once there is one.
    pub root: Option<ObjectId>,
    /// What was refused and is not restored, newest first. In audit mode it takes effect all the same.
    pub refused: Arc<[RefusedChange]>,
    /// What somebody should know of how this source is set up, or of its state.
    pub warnings: Vec<String>,
}
