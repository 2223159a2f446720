//! Git repositories: everything that touches them goes through here.

mod objects;
mod remote;

pub use objects::{GitError, Repository};
pub use remote::{Follow, Remote};
