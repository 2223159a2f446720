//! What people and machines see of a running agent.

mod actions;
pub mod api;
mod changes;
pub mod command;
mod git;
mod judge;
pub mod model;
mod sight;
mod store;

pub use store::{Applied, PRUNE_GUARD, Store, Suspended};
