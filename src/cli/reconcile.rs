use super::{
    Outcome,
    agent_args::{AgentArgs, block_on},
    terminal::print,
};

/// Ask the agent to look at its sources now.
///
/// The agent does so by itself when something changes; this is for when one does not want to wait, and for removals
/// that it holds back. It answers before the work is done: `mcpfleet status --wait` waits for that.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  mcpfleet reconcile && mcpfleet status --wait
  mcpfleet reconcile --prune")]
pub struct Args {
    /// Carry out the removals that are held back because they are so many.
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    agent: AgentArgs,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let agent = args.agent.client()?;
    block_on(async { Ok(agent.reconcile(args.prune).await?) })?;
    print("The agent looks at its sources.\n")?;
    Ok(Outcome::Fine)
}
