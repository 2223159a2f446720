//! How many files this process may have open. Each server takes a handful of descriptors, each client one; the usual soft
//! limit of 1024 is for programs that use `select`.

use crate::gateway::limits::ConnectionLimits;
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

/// No more connections than may be open besides all else: whoever can connect must not keep servers from being started.
pub fn within(wanted: ConnectionLimits) -> ConnectionLimits {
    let soft = getrlimit(Resource::RLIMIT_NOFILE).map_or(rlim_t::MAX, |(soft, _)| soft);
    let most = usize::try_from(soft / 2).unwrap_or(usize::MAX).max(1);
    if wanted.all > most {
        tracing::warn!(
            "gateway.limits.connections is {}, and this process may have {soft} files open: {most} connections are let in",
            wanted.all
        );
    }
    ConnectionLimits { all: wanted.all.min(most), per_address: wanted.per_address.min(most) }
}
