//! Why something was not written.

use crate::{git::GitError, manifest::Diagnostic, source::ReadError};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Nothing has been written when one of these is returned, unless its text says so.
#[derive(Debug, thiserror::Error)]
pub enum AuthorError {
    /// What was asked for makes no sense here: another call is needed.
    #[error("{0}")]
    Usage(String),
    /// The configuration by which history is judged is wrong. Lines for people, safe to be shown.
    #[error("the configuration is wrong")]
    Configuration(String),
    /// It cannot be done as things stand; the text says what to do about it.
    #[error("{0}")]
    Refused(String),
    /// The files would not be valid.
    #[error("the change is not valid")]
    Invalid(Vec<Diagnostic>),
    /// The commit would not take effect. Lines for people that say why, safe to be shown.
    #[error("the commit would be refused")]
    WouldBeRefused(String),
    /// What was typed is not used, and is in this file.
    #[error("{source}; the text is in {file}", file = .file.display())]
    Kept { file: PathBuf, source: Box<AuthorError> },
    #[error("cannot {action} {path}: {source}", path = .path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    /// A program that was called has failed; what it said has been shown, or is in the text.
    #[error("{0}")]
    Program(String),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Repository(#[from] GitError),
}

impl AuthorError {
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> AuthorError {
        AuthorError::Io { action, path: path.to_owned(), source }
    }

    /// The same, with the file that has the text that it is about.
    pub fn keeping(self, file: &Path) -> AuthorError {
        AuthorError::Kept { file: file.to_owned(), source: Box::new(self) }
    }
}

impl From<git2::Error> for AuthorError {
    fn from(error: git2::Error) -> Self {
        AuthorError::Program(format!("the repository cannot be read: {}", error.message()))
    }
}
