//! A place for what is fetched to be looked at, and is not to be in the mirror of what is followed.

use super::PastError;
use crate::{
    authorize::ObjectId,
    git::{FetchFailure, Follow, Mirror, Repository},
    source::git::GitSettings,
};
use std::{path::PathBuf, time::Duration};

/// The folder, in the state directory.
const FOLDER: &str = "preview.git";
/// The longest that somebody waits for a look or a fetch, whatever the source may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// The most bytes that are fetched to be looked at.
const MAX_BYTES: u64 = 64 << 20;

/// A mirror of its own, which has all that the other one has. It is gone when this is dropped.
pub(super) struct Aside(Option<Mirror>);

impl Aside {
    pub fn new(settings: &GitSettings, mirror: PathBuf) -> Result<Aside, PastError> {
        let mut remote = settings.remote.clone();
        remote.timeout = remote.timeout.min(TIMEOUT);
        remote.max_bytes = remote.max_bytes.min(MAX_BYTES);
        Ok(Aside(Some(Mirror::beside(&settings.state_dir.join(FOLDER), &mirror, remote)?)))
    }

    /// The commit that is meant, as the remote says.
    pub fn look(&mut self, follow: &Follow) -> Result<ObjectId, PastError> {
        let mirror = self.0.as_mut().ok_or(PastError::Failed)?;
        mirror.look(follow).map_err(unknown)
    }

    /// Brings it.
    pub fn fetch(&mut self, follow: &Follow, head: ObjectId) -> Result<&Repository, PastError> {
        let mirror = self.0.as_mut().ok_or(PastError::Failed)?;
        mirror.fetch(follow, head).map_err(unknown)?;
        Ok(mirror.repository())
    }
}

fn unknown(error: crate::git::FetchError) -> PastError {
    match error.kind() {
        FetchFailure::RefMissing => PastError::Unknown(error.to_string()),
        _ => error.into(),
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.take().map(Mirror::remove) {
            tracing::warn!(%error, "what was fetched for a preview stays in the state directory until the next one");
        }
    }
}
