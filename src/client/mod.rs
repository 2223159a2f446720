//! The other side of the wire: how the command line and the bridge talk to an agent.
//!
//! [`find`] decides where the agent may be, [`http`] carries requests there, [`api`] asks about its state, [`mcp`] uses
//! an app as an MCP client would, and [`bridge`] lends a client that only speaks stdio the agent's HTTP endpoint.
//! [`settings`] knows the configuration files of clients.

pub mod answer;
pub mod api;
pub mod bridge;
pub mod browser;
pub mod endpoint;
#[cfg(test)]
mod fake;
pub mod find;
pub mod http;
pub mod mcp;
mod patience;
pub mod settings;
mod tls;
