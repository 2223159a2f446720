//! Processes: how servers are started, watched, replaced and stopped.

pub mod keeper;
pub mod launch;
