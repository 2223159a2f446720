//! What can go wrong between here and a remote.

use super::bounds::Bounds;
use crate::{authorize::ObjectId, escape::escape};
use std::{fmt, io, path::Path, time::Duration};

/// Why a remote could not be looked at or fetched from. What was fetched before is still there.
///
/// The message names the remote without credentials, says what happened, and what to do about it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what}{}", Advice(.kind.advice()))]
pub struct FetchError {
    kind: FetchFailure,
    what: String,
}

/// The kinds of [`FetchError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchFailure {
    /// What is set for the remote cannot work.
    Settings,
    /// A file with a credential, with known hosts or with certificates cannot be used.
    CredentialFile,
    /// It took longer than `timeout`.
    Timeout,
    /// No connection, or one that broke.
    Unreachable,
    /// No credentials were given, or they were refused.
    Unauthorized,
    /// The credentials are known, and may not read this repository.
    Forbidden,
    NotFound,
    /// Too many requests; the remote may have said after how long to come back.
    RateLimited(Option<Duration>),
    /// The remote said that it is at fault.
    ServerError,
    /// The key of an SSH server is unknown, another one, or revoked.
    HostKey,
    /// The certificate of a server cannot be trusted.
    Certificate,
    /// The remote sends us to another host.
    Redirect,
    /// The repository has no commit yet.
    Empty,
    /// What is to be followed is not there.
    RefMissing,
    /// It moved between the look and the fetch.
    RefMoved,
    /// The answer ended early or is damaged.
    Truncated,
    /// More than a fetch may bring.
    TooLarge,
    /// The repository on this machine has not all of its history.
    Shallow,
    /// A repository whose objects are named by SHA-256.
    Sha256,
    /// What answers does not speak git.
    NotGit,
    /// The mirror on this machine cannot be written or read.
    Storage,
}

impl FetchFailure {
    fn code(self) -> &'static str {
        match self {
            FetchFailure::Settings => "settings",
            FetchFailure::CredentialFile => "credential-file",
            FetchFailure::Timeout => "timeout",
            FetchFailure::Unreachable => "unreachable",
            FetchFailure::Unauthorized => "unauthorized",
            FetchFailure::Forbidden => "forbidden",
            FetchFailure::NotFound => "not-found",
            FetchFailure::RateLimited(_) => "rate-limited",
            FetchFailure::ServerError => "server-error",
            FetchFailure::HostKey => "host-key",
            FetchFailure::Certificate => "certificate",
            FetchFailure::Redirect => "redirect",
            FetchFailure::Empty => "empty",
            FetchFailure::RefMissing => "ref-missing",
            FetchFailure::RefMoved => "ref-moved",
            FetchFailure::Truncated => "truncated",
            FetchFailure::TooLarge => "too-large",
            FetchFailure::Shallow => "shallow",
            FetchFailure::Sha256 => "sha256",
            FetchFailure::NotGit => "not-git",
            FetchFailure::Storage => "storage",
        }
    }

    fn advice(self) -> Option<&'static str> {
        match self {
            FetchFailure::Unauthorized => Some("check the files with the source's credentials"),
            FetchFailure::Forbidden => Some("give the source's credentials the right to read it"),
            FetchFailure::NotFound => {
                Some("check the url, and that the credentials may read it: many servers say this of what is private")
            }
            FetchFailure::Certificate => {
                Some("set `ca_file` if the server's certificate is from an authority of your own")
            }
            FetchFailure::Redirect => Some("set the address that it leads to as the url, if that is meant"),
            FetchFailure::Empty => Some("push a first commit"),
            FetchFailure::RefMissing => Some("check `branch`, `tag` or `commit` of the source"),
            FetchFailure::Shallow => Some("complete it with `git fetch --unshallow`"),
            FetchFailure::Sha256 => Some("only repositories with SHA-1 object names can be followed"),
            _ => None,
        }
    }
}

impl FetchError {
    /// `what` is a whole clause; it must not hold a credential. It may hold what strangers say: libgit2 repeats names and
    /// lines of what it reads.
    pub(super) fn new(kind: FetchFailure, what: impl AsRef<str>) -> Self {
        FetchError { kind, what: escape(what.as_ref()).into_owned() }
    }

    /// A file of the mirror that cannot be written or read.
    pub(super) fn storage(doing: &str, path: &Path, error: &io::Error) -> Self {
        FetchError::new(FetchFailure::Storage, format!("cannot {doing} {}: {error}", path.display()))
    }

    pub(super) fn missing(remote: &str, what: &str) -> Self {
        FetchError::new(FetchFailure::RefMissing, format!("{remote} has no {what}"))
    }

    pub(super) fn moved(remote: &str, head: ObjectId) -> Self {
        FetchError::new(FetchFailure::RefMoved, format!("{remote} no longer has {}: look again", head.short()))
    }

    /// Puts what libgit2 says, of objects on their way into a mirror or of repositories here, into our words.
    pub(super) fn of_git(remote: &str, error: &git2::Error) -> Self {
        use git2::ErrorClass as Class;
        let message = error.message();
        let kind = match error.class() {
            _ if is_sha256(message) => FetchFailure::Sha256,
            Class::Os | Class::Filesystem | Class::Reference | Class::Repository | Class::Config | Class::NoMemory => {
                FetchFailure::Storage
            }
            // Whatever it is that does not fit together: what was received, or what was read.
            _ => FetchFailure::Truncated,
        };
        FetchError::new(kind, format!("{remote}: {message}"))
    }

    /// What broke a connection.
    pub(super) fn of_io(bounds: &Bounds, error: &io::Error) -> Self {
        use io::ErrorKind::{TimedOut, UnexpectedEof, WouldBlock};
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<FetchError>()) {
            return error.clone();
        }
        match error.kind() {
            TimedOut | WouldBlock => bounds.timed_out(),
            UnexpectedEof => {
                FetchError::new(FetchFailure::Truncated, format!("the answer of {} ends early", bounds.remote))
            }
            _ => FetchError::new(
                FetchFailure::Unreachable,
                format!("the connection to {} broke: {error}", bounds.remote),
            ),
        }
    }

    pub fn kind(&self) -> FetchFailure {
        self.kind
    }

    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// Whether the same may work later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            FetchFailure::Timeout
                | FetchFailure::Unreachable
                | FetchFailure::RateLimited(_)
                | FetchFailure::ServerError
                | FetchFailure::RefMoved
                | FetchFailure::Truncated
        )
    }

    /// How long the remote asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.kind {
            FetchFailure::RateLimited(pause) => pause,
            _ => None,
        }
    }
}

/// Whether libgit2 says that a repository's objects have longer names.
pub(super) fn is_sha256(message: &str) -> bool {
    message.contains("objectformat") || message.contains("object format")
}

/// `; do this`, or nothing.
struct Advice(Option<&'static str>);

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libgit2_repeats_is_made_fit_to_be_shown() {
        let error = git2::Error::from_str("cannot parse line '\u{1b}[2Jall is well\n'");
        let shown = FetchError::of_git("the remote", &error).to_string();
        assert_eq!(shown, "the remote: cannot parse line '\\u{1b}[2Jall is well\\n'");
    }
}
