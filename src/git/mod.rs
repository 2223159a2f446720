//! Git repositories: everything that touches them goes through here.

mod objects;

pub use objects::{GitError, Repository};
