use super::Outcome;

/// A small MCP server over stdin and stdout, to try things with.
#[derive(clap::Args)]
pub struct Args {}

pub fn run(_args: Args) -> anyhow::Result<Outcome> {
    anyhow::bail!("not built yet")
}
