//! mcpfleet keeps a fleet of MCP servers in the state that a directory of YAML resources describes.
//!
//! # Theory of operation
//!
//! Data goes one way, left to right:
//!
//! ```text
//! source ──bytes──▶ manifest ──snapshot──▶ reconcile ──plan──▶ instance ──links──▶ gateway ──▶ clients
//! ```
//!
//! * [`source`] reads bytes at a *revision* and hands them to [`manifest`], which turns them into [`resource`]s or
//!   into diagnostics. The result is a *snapshot*: what the source says now, where a file that cannot be read keeps
//!   what it said last.
//! * [`reconcile`] compares what the snapshots want with what runs and answers with a *plan*. It is pure: the same
//!   function serves the agent and the display.
//! * [`instance`] runs processes: one supervisor a server, which works towards the newest desire it was given.
//! * [`gateway`] lets clients talk to the processes, by passing frames ([`protocol`]) and never models.
//! * [`agent`] is the loop that ties these together, [`status`] what people and machines see of it, [`audit`] what is
//!   written down of who did what, [`client`] and [`cli`] the other side of the wire. [`notify`] tells others what becomes of
//!   commits, [`telemetry`] how long what took; neither keeps anybody waiting.
//!
//! Resources are written by whoever writes files and commits; [`author`] does so for those who would rather call a
//! command.
//!
//! Triggers carry no data: an event only says "look again", and state is read whole. Nothing that fails to parse or
//! to start removes what runs.

#![deny(unsafe_code)]

pub mod agent;
pub mod audit;
pub mod author;
pub mod authorize;
pub mod cli;
pub mod client;
pub mod config;
pub mod demo;
pub mod escape;
pub mod gateway;
pub mod git;
pub mod instance;
pub mod jitter;
pub mod manifest;
pub mod measure;
pub mod notify;
pub mod protocol;
pub mod reconcile;
pub mod resource;
pub mod roots;
pub mod schema;
pub mod source;
pub mod status;
#[allow(unsafe_code)]
pub mod sys;
pub mod telemetry;
pub mod webhook;
