use super::{
    Outcome,
    agent_args::{AgentArgs, block_on},
    status::wait_and_tell,
    terminal::{escape, print},
};
use jiff::SignedDuration;

/// Replace all processes of an app by new ones.
///
/// As after an update, a new server is started first, and takes over once it has answered; what clients have open at the
/// old one then has the app's grace period. An app that waits for its next attempt is started at once.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  mcpfleet restart demo
  mcpfleet restart demo --wait --timeout 2m
  mcpfleet restart demo --accept-tools

Exit codes: 0 all is well, 1 refused, or with --wait: not all that is wanted runs, 2 wrong usage, or no agent is found,
3 something went wrong")]
pub struct Args {
    /// The app.
    name: String,
    /// Accept the tools that the server has then, though they are not what its definition came with.
    #[arg(long)]
    accept_tools: bool,
    /// Wait until all that is wanted runs (exit code 0), or will not without help (exit code 1).
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
        agent.restart(&args.name, args.accept_tools).await?;
        if !args.wait {
            print(&format!("{} is being restarted.\n", escape(&args.name)))?;
            return Ok(Outcome::Fine);
        }
        wait_and_tell(&agent, args.timeout).await
    })
}
