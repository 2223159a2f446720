//! What can keep a git source from going on. What was accepted before stays in force.

use super::file::StateError;
use crate::{
    authorize::{Failure, ObjectError, ObjectId, Refusal},
    git::FetchError,
};
use std::time::Duration;

/// Why a look came to nothing. The message says what to do, where there is something to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error("{0}")]
    Refused(Refusal),
    #[error("{0}; the mirror is made anew")]
    Object(ObjectError),
    #[error(
        "there is no root of trust: name a commit that is trusted, with all that it has, in `authorization.root`, or by \
         `mcpfleet trust set REV`; or set `authorization.trust_on_first_use`"
    )]
    NoRoot,
    #[error("{0}")]
    Root(String),
    #[error("there is no mirror of the repository")]
    NoMirror,
    /// An override that cannot be carried out.
    #[error("the order to trust commit {commit} cannot be carried out: {message}", commit = .0.short(), message = .1)]
    Order(ObjectId, String),
    #[error("a denied key cannot be read: {0}; correct denied-keys.json in the source's state directory")]
    DeniedKey(String),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => Trouble::Refused(refusal),
            Failure::Object(error) => Trouble::Object(error),
        }
    }
}

impl From<ObjectError> for Trouble {
    fn from(error: ObjectError) -> Self {
        Trouble::Object(error)
    }
}

impl Trouble {
    /// A stable word for programs.
    pub fn code(&self) -> String {
        match self {
            Trouble::Fetch(error) => error.code().to_owned(),
            Trouble::Refused(refusal) => refusal.code.to_string(),
            Trouble::State(_) => "state".to_owned(),
            Trouble::Object(_) => "objects".to_owned(),
            Trouble::NoRoot => "no-root".to_owned(),
            Trouble::Root(_) => "root".to_owned(),
            Trouble::NoMirror => "storage".to_owned(),
            Trouble::Order(..) => "override".to_owned(),
            Trouble::DeniedKey(_) => "denied-key".to_owned(),
        }
    }

    /// Whether the next attempt is as expensive as this one, and so has to wait longer each time.
    pub fn backs_off(&self) -> bool {
        matches!(self, Trouble::Fetch(_) | Trouble::Object(_) | Trouble::NoMirror)
    }

    /// Whether it is the same at each look, until the repository or what this host says of it changes.
    pub fn is_settled(&self) -> bool {
        matches!(self, Trouble::Refused(_) | Trouble::NoRoot | Trouble::Root(_))
    }

    /// How long the remote asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Trouble::Fetch(error) => error.retry_after(),
            _ => None,
        }
    }
}
