//! What a server may use of the machine: limits, files, network.
//!
//! [`plan`] decides what to do, or why an app may not run, from what the app asks for and what the host offers. It is
//! then done by the keeper and the new process, each means in a file of its own: [`cgroup`] for limits, [`tally`] for
//! looking where there are no cgroups, [`files`] for landlock, [`network`] for network namespaces.

pub mod cgroup;
pub mod files;
pub mod network;
pub mod oom;
mod path;
pub mod plan;
pub mod tally;
