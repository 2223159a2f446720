//! How servers end.

use crate::resource::quantity::format_size;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    Code(i32),
    Signal(i32),
    /// Its keeper is gone without a word.
    Unknown,
    /// A limit was the cause of it.
    OverLimit {
        end: End,
        excess: Excess,
    },
    /// It was a session with a server elsewhere.
    Parted(Parted),
}

/// How a session with a server elsewhere ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Parted {
    /// From this side.
    Closed,
    /// The server does not know it any more.
    SessionOver,
    /// The stream over which the server speaks has ended.
    StreamEnded,
    /// No connection could be made for a while.
    Unreachable,
}

impl fmt::Display for Parted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Parted::Closed => "closed",
            Parted::SessionOver => "the remote server has ended the session",
            Parted::StreamEnded => "the remote server has ended its event stream",
            Parted::Unreachable => "the remote server cannot be reached any more",
        })
    }
}

/// How a process ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    Code(i32),
    Signal(i32),
}

impl From<End> for Exit {
    fn from(end: End) -> Self {
        match end {
            End::Code(code) => Exit::Code(code),
            End::Signal(signal) => Exit::Signal(signal),
        }
    }
}

/// What a server used too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Excess {
    /// The kernel had no more for it; `None`: the whole machine was out of memory.
    OutOfMemory { limit: Option<u64> },
    /// It was seen to use more bytes than that.
    Memory { limit: u64 },
    /// It was seen to have more processes and threads than that.
    Processes { limit: u64 },
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Excess::OutOfMemory { limit: Some(limit) } => write!(f, "out of memory (limit {})", format_size(*limit)),
            Excess::OutOfMemory { limit: None } => f.write_str("out of memory"),
            Excess::Memory { limit } => write!(f, "it used more memory than its limit of {}", format_size(*limit)),
            Excess::Processes { limit } => write!(f, "it had more processes and threads than its limit of {limit}"),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit status {code}"),
            Exit::Signal(number) => match Signal::try_from(*number) {
                Ok(signal) => write!(f, "killed by {signal}"),
                Err(_) => write!(f, "killed by signal {number}"),
            },
            Exit::Unknown => f.write_str("ended for an unknown reason"),
            Exit::Parted(parted) => parted.fmt(f),
            Exit::OverLimit { end, excess } => write!(f, "{}: {excess}", Exit::from(*end)),
        }
    }
}
