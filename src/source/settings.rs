//! A source of any kind.

use super::{
    directory::{self, DirectorySettings},
    git::{self, GitSettings},
    view::Source,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A source, as configured.
#[derive(Clone, Debug)]
pub enum Settings {
    Directory(DirectorySettings),
    Git(Box<GitSettings>),
}

impl Settings {
    pub fn name(&self) -> &str {
        match self {
            Settings::Directory(settings) => &settings.name,
            Settings::Git(settings) => &settings.name,
        }
    }
}

impl From<DirectorySettings> for Settings {
    fn from(settings: DirectorySettings) -> Self {
        Settings::Directory(settings)
    }
}

impl From<GitSettings> for Settings {
    fn from(settings: GitSettings) -> Self {
        Settings::Git(Box::new(settings))
    }
}

/// Starts to follow a source until `shutdown` is cancelled. The task ends early only by a panic.
pub fn spawn(settings: impl Into<Settings>, shutdown: CancellationToken) -> (Source, JoinHandle<()>) {
    match settings.into() {
        Settings::Directory(settings) => directory::spawn(settings, shutdown),
        Settings::Git(settings) => git::spawn(*settings, shutdown),
    }
}
