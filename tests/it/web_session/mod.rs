//! Signing in to the web page, and what a browser may do then: the real agent, and whoever would like to be let in.

mod browser;
mod command;
mod files;
mod hostile;
mod open;
mod rights;
mod signing;

pub use browser::Browser;
