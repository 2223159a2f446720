//! Git repositories: everything that touches them goes through here.
//!
//! [`Repository`] reads objects. A [`Mirror`] brings those of a [`Remote`] to this machine: one folder, bare, with the
//! objects of what is followed and nothing else. Nothing is ever checked out, and no hook, filter or setting of a
//! repository is ever run or obeyed.

mod address;
mod bounds;
mod changes;
mod compare;
mod credentials;
mod entries;
mod error;
mod history;
mod local;
mod mirror;
mod objects;
mod packs;
mod progress;
mod protocol;
mod remote;
mod transport;

use std::sync::OnceLock;

pub use address::AddressError;
pub use changes::Changes;
pub use compare::Changed;
pub use error::{FetchError, FetchFailure};
pub use history::parents;
pub use mirror::Mirror;
pub use objects::{GitError, Repository, id_of, oid_of};
pub use progress::{Fetch, Progress, fetches};
pub use remote::{Follow, Remote, RemoteError, WebAddress, is_proxy};

/// Makes libgit2 ready, once: see [`crate::sys::prepare_git`].
fn prepare() -> Result<(), git2::Error> {
    static PREPARED: OnceLock<Result<(), String>> = OnceLock::new();
    let prepared = PREPARED.get_or_init(|| crate::sys::prepare_git().map_err(|error| error.message().to_owned()));
    prepared.clone().map_err(|message| git2::Error::from_str(&message))
}
