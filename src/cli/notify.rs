//! `mcpfleet notify`: try out what the agent would tell others.

use super::{
    Outcome, UsageError,
    configuration::{Loaded, describe, load},
    run::agent_name,
    terminal::{escape, escape_lines, print},
};
use crate::{authorize::ObjectId, notify};
use clap::ValueHint;
use std::path::PathBuf;

/// Try the notifications of a configuration.
#[derive(clap::Subcommand)]
pub enum Command {
    Test(Test),
}

/// Send a real message to one of `notifications`, and print what was sent and what came back.
///
/// It is sent once, from here, with the credential, the certificates and the proxy that an agent with this configuration
/// would use; no agent needs to run. A forge is told that the commit is fine, under the context of the notification with
/// `/test` after it, so that no branch protection takes it for the agent's word.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  mcpfleet notify test chat -c agent.yaml
  mcpfleet notify test forge -c agent.yaml --commit 4f2c8b1d0e9a7c6b5d4e3f2a1b0c9d8e7f6a5b4c

Exit codes: 0 the message was taken, 1 it was not, 2 wrong usage or configuration, 3 something went wrong")]
pub struct Test {
    /// Which of `notifications`, by its name.
    name: String,
    /// The agent's configuration file.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    config: PathBuf,
    /// Change one setting of the configuration.
    #[arg(long, value_name = "SETTING=VALUE")]
    set: Vec<String>,
    /// The full id of a commit that the forge has.
    #[arg(long, value_name = "COMMIT")]
    commit: Option<ObjectId>,
}

pub fn run(command: Command) -> anyhow::Result<Outcome> {
    let Command::Test(args) = command;
    let config = match load(&args.config, &args.set)? {
        Loaded::Good(config, warnings) => {
            anstream::eprint!("{}", describe(&warnings));
            config
        }
        Loaded::Bad(diagnostics) => {
            anstream::eprint!("{}", describe(&diagnostics));
            return Ok(Outcome::Usage);
        }
        Loaded::Missing(message) => return Err(UsageError::new(message).into()),
    };
    let Some(target) = config.notifications.iter().find(|target| target.name == args.name) else {
        let names: Vec<&str> = config.notifications.iter().map(|target| target.name.as_str()).collect();
        let there = match names.is_empty() {
            true => "the configuration has no `notifications`".to_owned(),
            false => format!("there are: {}", names.join(", ")),
        };
        return Err(UsageError::new(format!("there is no notification `{}`; {there}", args.name)).into());
    };
    let commit = args.commit.map(|commit| commit.to_string());
    let trial = notify::test(target, &agent_name(&config), commit.as_deref()).map_err(UsageError::new)?;
    let mut text = format!("sent: {}\n", escape(&trial.sent));
    if let Some(status) = trial.status {
        text.push_str(&format!("answered: {status}\n"));
        if !trial.body.trim().is_empty() {
            text.push_str(&format!("{}\n", escape_lines(trial.body.trim())));
        }
    }
    match trial.problem {
        None => {
            print(&format!("{text}the message was taken\n"))?;
            Ok(Outcome::Fine)
        }
        Some(problem) => {
            print(&text)?;
            anstream::eprintln!("error: {}", escape(&problem));
            Ok(Outcome::Findings)
        }
    }
}
