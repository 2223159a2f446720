//! Why a source could not be read at all.

use nix::errno::Errno;
use std::{
    io,
    path::{Path, PathBuf},
};

/// A tree that could not be read. It says nothing about what is in the tree: whatever was known stays in force.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("{path} does not exist", path = .path.display())]
    Missing { path: PathBuf },
    #[error("{path} is not a folder", path = .path.display())]
    NotAFolder { path: PathBuf },
    #[error("{path} is not a file", path = .path.display())]
    NotAFile { path: PathBuf },
    #[error("cannot read {path}: {source}", path = .path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{path} has more than {limit} {what}", path = .path.display())]
    TooMuch { path: PathBuf, what: &'static str, limit: u64 },
    #[error("{path} is replaced again and again while it is being read", path = .path.display())]
    Restless { path: PathBuf },
}

impl ReadError {
    pub(super) fn root(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => ReadError::Missing { path },
            io::ErrorKind::NotADirectory => ReadError::NotAFolder { path },
            _ => ReadError::Unreadable { path, source },
        }
    }

    pub(super) fn too_much(path: &Path, what: &'static str, limit: u64) -> Self {
        ReadError::TooMuch { path: path.to_owned(), what, limit }
    }

    /// Whether an error says that this process or machine is short of something, and nothing about the file.
    pub(super) fn is_exhaustion(error: &io::Error) -> bool {
        matches!(error.raw_os_error().map(Errno::from_raw), Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM))
    }

    /// Whether looking again at once may help, as opposed to when somebody has done something about it.
    pub fn is_transient(&self) -> bool {
        match self {
            ReadError::Restless { .. } => true,
            ReadError::Unreadable { source, .. } => Self::is_exhaustion(source),
            ReadError::Missing { .. }
            | ReadError::NotAFolder { .. }
            | ReadError::NotAFile { .. }
            | ReadError::TooMuch { .. } => false,
        }
    }
}
