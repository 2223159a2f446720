//! What an instance is: a process on this machine, or a session with a server elsewhere.

use super::{
    super::{control::KeeperControl, redact::Redaction, remote},
    Exit, LaunchSpec,
};
use crate::{resource::StopSignal, status::model::Confinement};
use std::{sync::Arc, time::Duration};

/// An instance to start.
#[derive(Clone, Debug)]
pub enum Start {
    Process(Box<LaunchSpec>),
    Remote(Box<remote::Spec>),
}

impl Start {
    pub fn app(&self) -> &str {
        match self {
            Start::Process(spec) => &spec.app,
            Start::Remote(spec) => &spec.app,
        }
    }

    pub fn instance(&self) -> &str {
        match self {
            Start::Process(spec) => &spec.instance,
            Start::Remote(spec) => &spec.instance,
        }
    }

    pub fn redaction(&self) -> &Arc<Redaction> {
        match self {
            Start::Process(spec) => &spec.redaction,
            Start::Remote(spec) => &spec.redaction,
        }
    }

    /// Its limits and its sandbox, for the status.
    pub fn measures(&self) -> Vec<Confinement> {
        match self {
            Start::Process(spec) => spec.plan.measures.clone(),
            Start::Remote(_) => Vec::new(),
        }
    }

    /// Where the server is, if not here.
    pub fn place(&self) -> Option<String> {
        match self {
            Start::Process(_) => None,
            Start::Remote(spec) => Some(spec.target.place()),
        }
    }
}

/// Stops an instance and tells how it ended. Dropping it ends the instance at once, with all that belongs to it.
#[derive(Debug)]
pub enum Control {
    Keeper(Box<KeeperControl>),
    Remote(remote::Handle),
}

impl Control {
    /// Asks it to end, and ends what is left of it after `grace`. Returns at once; may be called again with a shorter
    /// grace.
    pub fn stop(&mut self, signal: StopSignal, grace: Duration) {
        match self {
            Control::Keeper(keeper) => keeper.stop(signal, grace),
            Control::Remote(handle) => handle.stop(if signal == StopSignal::Kill { Duration::ZERO } else { grace }),
        }
    }

    /// Waits until it has ended and nothing of it is left. Cancel safe; answers the same again.
    pub async fn wait(&mut self) -> Exit {
        match self {
            Control::Keeper(keeper) => keeper.wait().await,
            Control::Remote(handle) => handle.wait().await,
        }
    }
}
