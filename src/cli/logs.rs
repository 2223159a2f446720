use super::{
    Outcome, Output,
    agent_args::{AgentArgs, block_on},
    terminal::{document, escape, print_on},
};
use crate::{client::api::LogsWanted, status::model::LogLine};

/// Show what a server wrote to its standard error.
///
/// The last lines are kept in memory, through restarts and updates of the app. Secrets that its definition names are
/// left out of them.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  mcpfleet logs demo -f
  mcpfleet logs demo --previous

Exit codes: 0 all is well, 1 the agent refuses it, 2 wrong usage, or no agent is found, 3 something went wrong")]
pub struct Args {
    /// The app.
    name: String,
    /// Go on with what the server writes from now on.
    #[arg(short, long)]
    follow: bool,
    /// Only what this process wrote; `mcpfleet status -v` lists them.
    #[arg(long, value_name = "ID")]
    instance: Option<String>,
    /// What the last process that stood for the app and has ended wrote: its last words after a crash.
    #[arg(short, long, conflicts_with_all = ["instance", "follow"])]
    previous: bool,
    /// How many of the last lines to show.
    #[arg(short = 'n', long = "tail", value_name = "N", default_value_t = 200)]
    tail: usize,
    /// How to print the lines: as text, or with time and instance as JSON or YAML documents.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    agent: AgentArgs,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let agent = args.agent.client()?;
    block_on(async {
        let wanted = LogsWanted {
            tail: args.tail,
            follow: args.follow,
            instance: args.instance.as_deref(),
            previous: args.previous,
        };
        let mut log = agent.logs(&args.name, &wanted).await?;
        while let Some(line) = log.next().await? {
            // Whoever reads has seen enough: nobody is left to follow the log for.
            if !print_on(&written(&line, args.output)?)? {
                break;
            }
        }
        Ok(())
    })?;
    Ok(Outcome::Fine)
}

fn written(line: &LogLine, output: Output) -> anyhow::Result<String> {
    Ok(document(output, line)?.unwrap_or_else(|| match line.missed {
        Some(_) => format!("{:.0} [{}]\n", line.time, escape(&line.text)),
        None => format!("{:.0} {} {}\n", line.time, escape(&line.instance), escape(&line.text)),
    }))
}
