use super::Outcome;
use tracing_subscriber::EnvFilter;

/// A small MCP server over stdin and stdout, to try things with.
///
/// It speaks both eras of the protocol and offers a handful of harmless tools: echo, add, roll_dice, word_count, now,
/// countdown and whoami. It is meant to be started by a client or by the agent, and ends when its stdin does.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  mcpfleet demo-server

As a resource file that the agent reads:

  kind: app
  version: v3
  metadata: {name: demo, labels: {env: dev}}
  spec:
    mcp: {command: mcpfleet, args: [demo-server]}")]
pub struct Args {}

pub fn run(_args: Args) -> anyhow::Result<Outcome> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,rmcp=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "demo server ready");
    // One client, tiny calls: more threads would only cost memory.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(crate::demo::serve())?;
    Ok(Outcome::Fine)
}
