//! The commands that write resources, with real git, real keys and real remotes.

mod create;
mod edit;
mod editors;
mod git;
mod hostile;
mod init;
mod quick_start;
mod read;
mod refused;
mod rm;
pub mod world;
