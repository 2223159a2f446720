//! What people and machines see of a running agent.

pub mod api;
pub mod model;
mod store;

pub use store::{Applied, Store};
