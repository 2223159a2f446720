//! The running agent: the loop from what the sources say to what runs, and the life of the process around it.

mod auditor;
mod controller;
mod init;
mod memory;
mod observer;
mod open_files;
mod policing;
mod run;
mod service;
mod signals;
mod socket;
mod spans;
mod suspension;

pub use init::first_process;
pub use run::{AgentError, Settings, Webhooks, run};
