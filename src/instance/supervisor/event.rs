//! What a supervisor hears of its tasks.

use super::super::{
    health::Finding,
    launch::Exit,
    machine::Run,
    probe::{ProbeError, Profile},
    running::{Owned, Running},
    secrets::Fingerprint,
    tools::{Look, Unseen},
    version::VersionId,
};
use crate::resource::App;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio_util::sync::CancellationToken;

/// What the tasks of a supervisor come to.
pub(super) enum Event {
    PrimaryLaunched {
        version: VersionId,
        run: Run,
        result: Result<(Arc<Running>, Owned), Unstarted>,
        permit: Permit,
    },
    PoolLaunched {
        version: VersionId,
        result: Result<(Arc<Running>, Owned), Unstarted>,
    },
    /// `heard` is told once this has been taken.
    Probed {
        version: VersionId,
        run: Run,
        result: Result<Profile, ProbeError>,
        heard: oneshot::Sender<()>,
    },
    Ended {
        version: VersionId,
        instance: Arc<str>,
        exit: Exit,
    },
    Checked {
        version: VersionId,
        run: Run,
        finding: Finding,
        watch: CancellationToken,
    },
    /// At its tools.
    Looked {
        version: VersionId,
        run: Run,
        look: Result<Look, Unseen>,
        watch: CancellationToken,
    },
    /// What the secrets are of a definition that is to run.
    Secrets {
        look: u64,
        app: Arc<App>,
        restarts: u64,
        accepts: bool,
        secrets: Result<Fingerprint, String>,
    },
    /// What was watched is no more.
    Unwatched,
}

/// Why there is no process.
pub(super) struct Unstarted {
    pub reason: String,
    /// It takes a change of the definition or the host.
    pub lasting: bool,
}

/// Held while a server starts, so that not all of them do at once.
pub(super) type Permit = Option<OwnedSemaphorePermit>;
