use super::{
    Outcome,
    agent_args::{AgentArgs, block_on},
    terminal::{escape, print},
};

/// Stop an app for now, or without a name, apply nothing new.
///
/// An app that is suspended stays stopped whatever its source says. An agent that is suspended goes on running what it
/// runs. Both stay like this, also when the agent is started again, until they are resumed.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  mcpfleet suspend demo
  mcpfleet suspend

Exit codes: 0 all is well, 1 the agent refuses it, 2 wrong usage, or no agent is found, 3 something went wrong")]
pub struct SuspendArgs {
    /// The app. Without it, the agent as a whole.
    name: Option<String>,
    #[command(flatten)]
    agent: AgentArgs,
}

/// Take a suspension back: start the app again, or without a name, apply what has changed meanwhile.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  mcpfleet resume demo
  mcpfleet resume

Exit codes: 0 all is well, 1 the agent refuses it, 2 wrong usage, or no agent is found, 3 something went wrong")]
pub struct ResumeArgs {
    /// The app. Without it, the agent as a whole.
    name: Option<String>,
    #[command(flatten)]
    agent: AgentArgs,
}

pub fn suspend(args: SuspendArgs) -> anyhow::Result<Outcome> {
    let agent = args.agent.client()?;
    block_on(async { Ok(agent.suspend(args.name.as_deref()).await?) })?;
    let text = match &args.name {
        Some(name) => format!("{} is stopped until `mcpfleet resume {0}`.", escape(name)),
        None => "The agent applies nothing new until `mcpfleet resume`.".to_owned(),
    };
    print(&(text + "\n"))?;
    Ok(Outcome::Fine)
}

pub fn resume(args: ResumeArgs) -> anyhow::Result<Outcome> {
    let agent = args.agent.client()?;
    block_on(async { Ok(agent.resume(args.name.as_deref()).await?) })?;
    let text = match &args.name {
        Some(name) => format!("{} may run again.", escape(name)),
        None => "The agent applies what its sources say again.".to_owned(),
    };
    print(&(text + "\n"))?;
    Ok(Outcome::Fine)
}
