//! `mcpfleet hook`: the same checks where git asks for them.

mod install;
mod pre_commit;
mod pre_push;
mod pre_receive;
mod state;
mod updates;

use super::Outcome;

/// Check commits in git's hooks, on a server or before they leave this machine.
#[derive(clap::Subcommand)]
pub enum Command {
    Install(install::Args),
    PreReceive(pre_receive::Args),
    PreCommit(pre_commit::Args),
    PrePush(pre_push::Args),
}

pub fn run(command: Command) -> anyhow::Result<Outcome> {
    match command {
        Command::Install(args) => install::run(args),
        Command::PreReceive(args) => pre_receive::run(args),
        Command::PreCommit(args) => pre_commit::run(args),
        Command::PrePush(args) => pre_push::run(args),
    }
}
