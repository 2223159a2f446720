//! Signals to the agent.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal wants of the agent.
pub enum Told {
    Look,
    Stop(&'static str),
}

/// The signals that the agent heeds, from its making on.
pub struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub fn new() -> io::Result<Self> {
        Ok(Signals {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    pub async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.hangup.recv() => Told::Look,
            _ = self.terminate.recv() => Told::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Told::Stop("SIGINT"),
        }
    }

    /// Waits for one that tells to stop.
    pub async fn stop(&mut self) {
        while matches!(self.next().await, Told::Look) {}
    }
}
