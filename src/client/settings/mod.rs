//! The configuration files of MCP clients: where they are, and how they are changed.

mod file;
mod merge;

pub use crate::gateway::clients::{Client, Way};
pub use file::{FileError, Written, write};
pub use merge::{Change, MergeError, Merged, merge};
