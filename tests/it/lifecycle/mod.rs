//! The running agent: what it starts, replaces, stops and leaves alone, by the numbers of the processes.

mod broken;
mod care;
mod edits;
mod mount;
mod removal;
mod selection;
mod starting;
mod stopping;
mod suspending;
mod tools;
mod trouble;
mod users;
pub mod world;
