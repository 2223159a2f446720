//! Traces and logs of a real agent.

mod calls;
mod collector;
mod export;
mod log;
mod reconcile;
