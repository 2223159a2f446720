//! The client's side of the command line.

mod call;
mod config;
mod connect;
mod ls;
mod tools;

use super::Outcome;
use std::fmt;

/// Use the MCP servers that an agent runs.
#[derive(clap::Subcommand)]
pub enum Command {
    Ls(ls::Args),
    Tools(tools::Args),
    Call(call::Args),
    Connect(connect::Args),
    Config(config::Args),
}

pub fn run(command: Command) -> anyhow::Result<Outcome> {
    match command {
        Command::Ls(args) => ls::run(args),
        Command::Tools(args) => tools::run(args),
        Command::Call(args) => call::run(args),
        Command::Connect(args) => connect::run(args),
        Command::Config(args) => config::run(args),
    }
}

/// A message on stderr about `what`, with a stranger's text made harmless.
fn complain(what: fmt::Arguments<'_>) {
    anstream::eprintln!("error: {}", super::terminal::escape_lines(&what.to_string()));
}
