//! Sources: where resources come from, and how a change of them is noticed.
//!
//! A source is an actor with a published [`SourceView`] and a [`Trigger`]. Whatever happens in the world only says that
//! a look is due; a look reads everything there is, and what is published follows from that and from the last good
//! state alone.

mod confirm;
mod directory;
mod error;
mod git;
mod guard;
mod ignore;
mod listing;
mod open;
mod problem;
mod read;
mod settings;
mod view;
mod walk;
mod watch;

pub use directory::DirectorySettings;
pub use error::ReadError;
pub use git::{
    Began, DeniedKey, GitSettings, GitView, JudgedCommit, MIRROR, Mode, Orders, Override, RefusedChange, Root,
    StateError, Trust, past,
};
pub use ignore::{Ignore, IgnoreError};
pub use open::MAX_FILE_BYTES;
pub use read::{Cache, TreeRead, files_read, read_file, read_tree};
pub use settings::{Settings, spawn};
pub use view::{Problem, Source, SourceView, Trigger, WatchMode, WatchSetting};
