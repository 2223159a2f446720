//! Traces and logs of a real agent.

mod calls;
pub mod collector;
mod export;
mod log;
mod reconcile;
