use super::Outcome;

/// (to come)
#[derive(clap::Subcommand)]
pub enum Command {}

pub fn run(command: Command) -> anyhow::Result<Outcome> {
    match command {}
}
