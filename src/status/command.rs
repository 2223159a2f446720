//! What the control socket can ask of the controller.

use tokio::sync::oneshot;

/// A command on its way, with the end that is told what became of it.
#[derive(Debug)]
pub enum Command {
    Reconcile {
        /// Removals that the prune guard holds may pass, this once.
        prune: bool,
        /// Told once the sources have been asked to look, so that the status says so from then on.
        heard: oneshot::Sender<()>,
    },
    /// Stops an app, or without one, applies nothing new.
    Suspend {
        app: Option<String>,
        done: Done,
    },
    Resume {
        app: Option<String>,
        done: Done,
    },
}

pub type Done = oneshot::Sender<Result<(), CommandError>>;

/// Why a command is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    #[error("there is no app {0:?} here")]
    UnknownApp(String),
    #[error("{}", match .0 {
        Some(app) => format!("app {app:?} is not suspended"),
        None => "the agent is not suspended".to_owned(),
    })]
    NotSuspended(Option<String>),
    /// What is suspended could not be written down, so it is not.
    #[error("{0}")]
    State(String),
}
