//! Processes: how servers are started, watched, replaced and stopped.

pub mod environment;
pub mod keeper;
pub mod launch;
pub mod logs;
pub mod user;
