//! `/metrics` of a running agent: what is in it, who gets it, and that dashboard, rules and documentation agree with it.

mod access;
mod counted;
mod deployed;
mod documented;
mod exported;
pub mod exposition;
pub mod server;
mod stage;
