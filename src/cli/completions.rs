//! `mcpfleet completions`: scripts by which shells complete commands.

use super::{Outcome, command, terminal::print};
use anyhow::Context as _;
use clap_complete::Shell;

/// Print a script by which a shell completes the commands and options of mcpfleet.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  mcpfleet completions bash > /usr/share/bash-completion/completions/mcpfleet
  mcpfleet completions zsh > ~/.zfunc/_mcpfleet
  mcpfleet completions fish > ~/.config/fish/completions/mcpfleet.fish

Exit codes: 0 it is printed, 2 wrong usage, 3 something went wrong")]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "mcpfleet", &mut script);
    print(&String::from_utf8(script).context("the script is not UTF-8")?)?;
    Ok(Outcome::Fine)
}
