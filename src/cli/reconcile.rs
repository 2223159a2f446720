use super::{
    Outcome,
    agent_args::{AgentArgs, block_on},
    status::wait_and_tell,
    terminal::print,
};
use jiff::SignedDuration;

/// Ask the agent to look at its sources now.
///
/// The agent does so by itself when something changes; this is for when one does not want to wait, and for removals
/// that it holds back. It answers before the work is done, unless --wait is given.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  mcpfleet reconcile --wait
  mcpfleet reconcile --prune

Exit codes with --wait: 0 what the sources have now runs, 1 it does not, and will not without help or in time")]
pub struct Args {
    /// Carry out the removals that are held back because they are so many.
    #[arg(long)]
    prune: bool,
    /// Wait until what the sources have now has been applied.
    #[arg(long)]
    wait: bool,
    /// How long to wait, such as 90s or 5m.
    #[arg(long, requires = "wait", default_value = "60s")]
    timeout: SignedDuration,
    #[command(flatten)]
    agent: AgentArgs,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let agent = args.agent.client()?;
    block_on(async {
        agent.reconcile(args.prune).await?;
        if !args.wait {
            print("The agent looks at its sources.\n")?;
            return Ok(Outcome::Fine);
        }
        // Until the looks that were asked for have been taken, the agent is reconciling.
        wait_and_tell(&agent, args.timeout).await
    })
}
