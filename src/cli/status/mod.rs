mod git;
mod text;

pub use text::state_style;

use super::{
    Outcome, Output,
    agent_args::{AgentArgs, block_on},
    terminal::{escape_lines, print, print_structured},
};
use crate::{
    client::{
        api::{AgentClient, ApiError},
        http::HttpError,
    },
    status::model::{AgentState, Status},
};
use jiff::SignedDuration;
use std::time::{Duration, Instant};

/// How often the agent is asked while its state is waited for.
const POLL: Duration = Duration::from_millis(200);

/// Show what a running agent sees and does.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  mcpfleet status
  mcpfleet status --wait --timeout 2m && echo deployed

Exit codes: 0 all is well, 1 refused, or with --wait: not all that is wanted runs, 2 wrong usage, or no agent is found,
3 something went wrong")]
pub struct Args {
    /// Also show each process, and how the last one of each app has ended.
    #[arg(short, long)]
    verbose: bool,
    /// Wait until all that is wanted runs (exit code 0), or will not without help (exit code 1).
    #[arg(long)]
    wait: bool,
    /// How long to wait, such as 90s or 5m.
    #[arg(long, requires = "wait", default_value = "60s")]
    timeout: SignedDuration,
    /// How to print the status.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    agent: AgentArgs,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let agent = args.agent.client()?;
    let status = block_on(async {
        match args.wait {
            true => Ok(settled(&agent, args.timeout.unsigned_abs()).await?),
            false => Ok(agent.status().await?),
        }
    })?;
    if print_structured(args.output, &status)?.is_none() {
        print(&text::render(&status, jiff::Timestamp::now(), args.verbose))?;
    }
    match status.agent.state {
        AgentState::Ready => Ok(Outcome::Fine),
        _ if args.wait => Ok(Outcome::Findings),
        _ => Ok(Outcome::Fine),
    }
}

/// Waits like that, and prints in a line what it came to.
pub async fn wait_and_tell(agent: &AgentClient, timeout: SignedDuration) -> anyhow::Result<Outcome> {
    let status = settled(agent, timeout.unsigned_abs()).await?.agent;
    print(&format!("{:?}: {}\n", status.state, escape_lines(&status.message)))?;
    Ok(if status.state == AgentState::Ready { Outcome::Fine } else { Outcome::Findings })
}

/// The status once the agent is ready or stalled, or as it is when the time is up. An agent that does not answer may
/// be starting.
pub async fn settled(agent: &AgentClient, timeout: Duration) -> Result<Status, ApiError> {
    let started = Instant::now();
    loop {
        let asked = agent.status().await;
        let settled = match &asked {
            Ok(status) => status.agent.state != AgentState::Reconciling,
            Err(ApiError::Http(HttpError::Unreachable(_) | HttpError::Lost(_))) => false,
            Err(_) => true,
        };
        if settled || started.elapsed() >= timeout {
            return asked;
        }
        tokio::time::sleep(POLL).await;
    }
}
