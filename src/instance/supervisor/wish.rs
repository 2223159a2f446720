//! What a supervisor is told.

use crate::{resource::App, telemetry::span::Parent};
use std::{sync::Arc, time::Duration};

/// What is wanted of an app.
#[derive(Clone, Debug)]
pub enum Wish {
    Run {
        app: Arc<App>,
        /// How often somebody has asked for a restart so far.
        restarts: u64,
        /// The last of these accepts the tools that the server has then.
        accepts: bool,
        /// What has led to it, for traces.
        cause: Parent,
    },
    /// Nothing of it runs until somebody resumes it. What is open ends as with `Stop`.
    Suspend(Arc<App>),
    /// Ends; open requests have this long, or if that is less the app's own grace period.
    Stop(Duration, Parent),
    /// Ends at once.
    Kill,
}

impl Wish {
    /// To run a definition, of which nothing has been asked yet.
    pub fn first(app: Arc<App>) -> Wish {
        Wish::Run { app, restarts: 0, accepts: false, cause: Parent::current() }
    }

    /// The same for a definition, be it new or known: to run it, or not to for now.
    pub fn of(&self, app: Arc<App>, suspended: bool) -> Wish {
        match self {
            _ if suspended => Wish::Suspend(app),
            Wish::Run { restarts, accepts, .. } => {
                Wish::Run { app, restarts: *restarts, accepts: *accepts, cause: Parent::current() }
            }
            Wish::Suspend(_) | Wish::Stop(..) | Wish::Kill => Wish::first(app),
        }
    }

    pub fn app(&self) -> Option<&Arc<App>> {
        match self {
            Wish::Run { app, .. } | Wish::Suspend(app) => Some(app),
            Wish::Stop(..) | Wish::Kill => None,
        }
    }

    pub fn is_suspended(&self) -> bool {
        matches!(self, Wish::Suspend(_))
    }
}
