//! The process between the agent and a server, which makes sure that nothing of the server outlives either.

use std::process::ExitCode;

/// The first argument that makes this binary a keeper. Not for people.
pub const ARGUMENT: &str = "__keeper";

pub fn main() -> ExitCode {
    ExitCode::from(2)
}
