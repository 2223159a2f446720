//! What people and machines see of a running agent.

pub mod model;
