//! `mcpfleet man`: the manual, as `man` reads it.

use super::{Outcome, command, terminal::print};
use anyhow::Context as _;
use clap::ValueHint;
use clap_mangen::Man;
use std::{fs, path::PathBuf};

/// Print the manual page of mcpfleet, or write those of all commands.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  mcpfleet man | man -l -
  mcpfleet man --dir /usr/local/share/man/man1

Exit codes: 0 it is printed, 2 wrong usage, 3 a file cannot be written")]
pub struct Args {
    /// Write a page for each command to this folder: `mcpfleet.1`, `mcpfleet-run.1` and so on
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: Option<PathBuf>,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    match &args.dir {
        None => {
            let mut page = Vec::new();
            Man::new(command().disable_help_subcommand(true)).render(&mut page)?;
            print(&String::from_utf8(page).context("the page is not UTF-8")?)?;
        }
        Some(dir) => {
            let written = fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(command(), dir));
            written.with_context(|| format!("cannot write the pages to {}", dir.display()))?;
        }
    }
    Ok(Outcome::Fine)
}
