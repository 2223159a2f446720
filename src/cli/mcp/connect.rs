use crate::{
    cli::{
        Outcome,
        agent_args::{AgentArgs, block_on},
    },
    client::{
        api::ALL,
        bridge::{self, Waits},
    },
};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Connect a client that only speaks stdio to an MCP server, or to all of them.
///
/// Reads messages from stdin and writes messages to stdout, one a line, until stdin ends. The agent may be restarted
/// meanwhile: the bridge finds it again and opens the session anew.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  mcpfleet mcp connect demo
  mcpfleet mcp connect

In a client's configuration:
  {\"mcpServers\": {\"demo\": {\"command\": \"mcpfleet\", \"args\": [\"mcp\", \"connect\", \"demo\"]}}}

`mcpfleet mcp config` writes such a configuration.")]
pub struct Args {
    /// The app; without it, the tools of all apps.
    name: Option<String>,
    #[command(flatten)]
    agent: AgentArgs,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    // Stdout belongs to the protocol; clients keep what is written to stderr.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    let agent = args.agent.client()?;
    block_on(async {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let stop = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        let (stdin, stdout) = (tokio::io::stdin(), tokio::io::stdout());
        Ok(bridge::run(agent, args.name.as_deref().unwrap_or(ALL), Waits::default(), stdin, stdout, stop).await?)
    })?;
    Ok(Outcome::Fine)
}
