//! How many files this process may have open. Each server takes a handful of descriptors, each client one; the usual soft
//! limit of 1024 is for programs that use `select`.

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

/// Raises the soft limit to the hard one. Gives back what it was, for servers, which may be such programs; `None` if
/// nothing was changed.
pub fn raise() -> Option<rlim_t> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok().filter(|(soft, hard)| soft < hard)?;
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => Some(soft),
        Err(error) => {
            tracing::warn!(%error, "cannot raise the limit of open files from {soft} to {hard}");
            None
        }
    }
}
