//! How the commands that need an agent find it, and what becomes of its refusals.

use super::configuration::environment;
use crate::client::{api::AgentClient, endpoint::Endpoint, find};
use std::path::{Path, PathBuf};

/// The options of every command that talks to an agent.
#[derive(Clone, clap::Args)]
pub struct AgentArgs {
    /// The agent: an http or https URL, or the path of its control socket. Without it the control socket of an agent on this
    /// machine is tried, then http://127.0.0.1:7420.
    #[arg(long, value_name = "URL|PATH", env = "MCPFLEET_AGENT", help_heading = "Agent")]
    pub agent: Option<Endpoint>,

    /// A file that holds the token to show to the agent.
    #[arg(long, value_name = "FILE", env = "MCPFLEET_TOKEN_FILE", help_heading = "Agent")]
    pub token_file: Option<PathBuf>,

    /// Certificates in PEM that sign the agent's, where its URL is https; in the place of this machine's authorities.
    #[arg(long, value_name = "FILE", env = "MCPFLEET_CA_FILE", help_heading = "Agent")]
    pub ca_file: Option<PathBuf>,
}

impl AgentArgs {
    /// A client for the agent that is meant. It need not be running.
    pub fn client(&self) -> anyhow::Result<AgentClient> {
        let sockets = environment(Path::new("."))?.control_sockets();
        Ok(find::agent(self.agent.clone(), sockets, self.token_file.as_deref(), self.ca_file.as_deref())?)
    }
}

/// Runs a command's conversation with the agent.
pub fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(work);
    // A read of stdin that nobody waits for any more must not keep the process.
    runtime.shutdown_background();
    result
}
