//! What people and machines see of a running agent.

pub mod api;
mod git;
pub mod model;
mod store;

pub use store::{Applied, PRUNE_GUARD, Store};
