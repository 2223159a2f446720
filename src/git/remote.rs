//! Where a repository is fetched from, and what of it is followed.

use crate::authorize::ObjectId;
use std::{path::PathBuf, time::Duration};

/// A remote repository, and what it takes to get at it. Secrets are files, never values.
#[derive(Clone, Debug)]
pub struct Remote {
    /// `https://`, `ssh://`, `git@host:path`, `git://`, `file://` or a path.
    pub url: String,
    /// After how long a remote that does not answer is given up.
    pub timeout: Duration,
    pub username_file: Option<PathBuf>,
    pub password_file: Option<PathBuf>,
    pub ssh_key_file: Option<PathBuf>,
    pub ssh_passphrase_file: Option<PathBuf>,
    pub known_hosts_file: Option<PathBuf>,
    pub ca_file: Option<PathBuf>,
    pub proxy: Option<String>,
    /// The most bytes that one fetch may bring.
    pub max_bytes: u64,
}

/// What of a remote repository is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Follow {
    /// What the remote's HEAD names.
    Default,
    Branch(String),
    Tag(String),
    Commit(ObjectId),
}
