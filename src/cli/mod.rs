//! The command line: one file a subcommand, wiring only.

mod agent_args;
mod audit;
mod author;
mod authorize;
mod change;
mod check;
mod completions;
mod config;
mod configuration;
mod create;
mod demo_server;
mod destination;
mod edit;
mod events;
mod explain;
mod get;
mod history;
mod hook;
mod import;
mod init;
mod judging;
mod logs;
mod man;
mod mcp;
mod notify;
mod page;
mod plan;
mod progress;
mod reconcile;
mod restart;
mod rm;
mod rules;
mod run;
mod schema;
mod status;
mod suspend;
mod terminal;
mod token;
mod trust;
mod validate;
mod web;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use std::process::ExitCode;

/// Keeps a fleet of MCP servers in the state that YAML resources describe.
#[derive(Parser)]
#[command(name = "mcpfleet", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "\
Examples:
  mcpfleet init fleet
  mcpfleet validate .
  mcpfleet run example-repo

Exit codes: 0 all is well, 1 findings or a refusal, 2 wrong usage or configuration, 3 something went wrong")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init(init::Args),
    Run(run::Args),
    Validate(validate::Args),
    Plan(plan::Args),
    Check(check::Args),
    Explain(explain::Args),
    Authorize(authorize::Args),
    #[command(subcommand)]
    Hook(hook::Command),
    #[command(subcommand)]
    Trust(trust::Command),
    Get(get::Args),
    Create(create::Args),
    Import(import::Args),
    Edit(edit::Args),
    Rm(rm::Args),
    History(history::Args),
    #[command(subcommand)]
    Token(token::Command),
    #[command(subcommand)]
    Mcp(mcp::Command),
    Status(status::Args),
    Logs(logs::Args),
    Events(events::Args),
    Audit(audit::Args),
    Reconcile(reconcile::Args),
    Restart(restart::Args),
    Suspend(suspend::SuspendArgs),
    Resume(suspend::ResumeArgs),
    Web(web::Args),
    #[command(subcommand)]
    Config(config::Command),
    #[command(subcommand)]
    Notify(notify::Command),
    Schema(schema::Args),
    Completions(completions::Args),
    Man(man::Args),
    DemoServer(demo_server::Args),
}

impl Command {
    /// Whether it reads all files of a repository, and ends.
    fn reads_much(&self) -> bool {
        matches!(self, Command::Validate(_) | Command::Check(_))
    }

    /// Whether it may be what a container is there for.
    fn runs_long(&self) -> bool {
        matches!(self, Command::Run(_) | Command::DemoServer(_) | Command::Mcp(mcp::Command::Connect(_)))
    }
}

/// How results are printed by the commands that list something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    #[default]
    Text,
    Json,
    Yaml,
}

/// What a command came to; becomes the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 0: all is well.
    Fine,
    /// 1: there are findings, or something was refused.
    Findings,
    /// 2: the call or a configuration is wrong. The reason has been printed.
    Usage,
    /// 3: it went wrong. The reason has been told.
    Failed,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> ExitCode {
        ExitCode::from(match outcome {
            Outcome::Fine => 0,
            Outcome::Findings => 1,
            Outcome::Usage => 2,
            Outcome::Failed => 3,
        })
    }
}

/// Why a call cannot be carried out as it was made. Ends with exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct UsageError(
    /// Lines for a terminal, in which the text of strangers has been made harmless.
    String,
);

impl UsageError {
    fn new(message: impl AsRef<str>) -> UsageError {
        UsageError(format!("error: {}\n", terminal::escape_lines(message.as_ref())))
    }
}

/// The whole command line, for what describes it.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command that the process was called with. Errors that no command expected end with exit code 3.
pub fn main() -> ExitCode {
    // The keeper is the same binary, started by the agent: it must stay small, so it never gets as far as clap.
    if std::env::args_os().nth(1).is_some_and(|a| a == crate::instance::keeper::ARGUMENT) {
        return crate::instance::keeper::main();
    }
    let command = Cli::parse().command;
    if command.reads_much() {
        crate::sys::memory::hurry();
    }
    if command.runs_long()
        && let Some(ended) = crate::agent::first_process()
    {
        return ended;
    }
    let result = match command {
        Command::Init(args) => init::run(args),
        Command::Run(args) => run::run(args),
        Command::Validate(args) => validate::run(args),
        Command::Plan(args) => plan::run(args),
        Command::Check(args) => check::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Authorize(args) => authorize::run(args),
        Command::Hook(command) => hook::run(command),
        Command::Trust(command) => trust::run(command),
        Command::Get(args) => get::run(args),
        Command::Create(args) => create::run(args),
        Command::Import(args) => import::run(args),
        Command::Edit(args) => edit::run(args),
        Command::Rm(args) => rm::run(args),
        Command::History(args) => history::run(args),
        Command::Token(command) => token::run(command),
        Command::Mcp(command) => mcp::run(command),
        Command::Status(args) => status::run(args),
        Command::Logs(args) => logs::run(args),
        Command::Events(args) => events::run(args),
        Command::Audit(args) => audit::run(args),
        Command::Reconcile(args) => reconcile::run(args),
        Command::Restart(args) => restart::run(args),
        Command::Suspend(args) => suspend::suspend(args),
        Command::Resume(args) => suspend::resume(args),
        Command::Web(args) => web::run(args),
        Command::Config(command) => config::run(command),
        Command::Notify(command) => notify::run(command),
        Command::Schema(args) => schema::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
        Command::DemoServer(args) => demo_server::run(args),
    };
    match result {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            if let Some(UsageError(text)) = error.downcast_ref() {
                anstream::eprint!("{text}");
                return Outcome::Usage.into();
            }
            anstream::eprintln!("error: {}", terminal::escape_lines(&format!("{error:#}")));
            exit_code(&error)
        }
    }
}

/// 1 for what the agent or a server refuses, 2 for what is wrong with the call, 3 for what went wrong.
fn exit_code(error: &anyhow::Error) -> ExitCode {
    use crate::client::{api::ApiError, find::FindError, mcp::McpError};
    let refused = error.chain().any(|cause| {
        matches!(cause.downcast_ref(), Some(ApiError::Refused { .. }))
            || matches!(cause.downcast_ref(), Some(McpError::Api(ApiError::Refused { .. }) | McpError::Rpc { .. }))
    });
    if refused {
        return Outcome::Findings.into();
    }
    if error.chain().any(|cause| cause.is::<FindError>()) {
        return Outcome::Usage.into();
    }
    ExitCode::from(3)
}
