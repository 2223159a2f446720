//! Real servers on loopback.

pub mod http;
mod process;
pub mod ssh;

pub use process::GitDaemon;
