//! What people and machines see of a running agent.

mod actions;
pub mod api;
mod asked;
mod changes;
pub mod command;
mod git;
mod judge;
pub mod metrics;
pub mod model;
mod sight;
mod store;
mod watching;
pub mod web;

pub use store::{Applied, PRUNE_GUARD, Store, Suspended};
