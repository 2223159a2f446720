//! The memory of an agent: what is in it, such as secrets, stays there, and what it needs no more is given back.

use crate::sys;
use nix::sys::{
    prctl,
    resource::{Resource, setrlimit},
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const GIVE_BACK: Duration = Duration::from_secs(30);

/// Lets this process leave no core file, and no other process of its user look into it. Servers may run as that user.
pub fn keep_private() {
    // Core files may be written by a program that the kernel starts, which no limit holds: that needs the second.
    let limited = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    if let Err(error) = limited.and_then(|()| prctl::set_dumpable(false)) {
        tracing::warn!(%error, "cannot keep the memory of this process private");
    }
}

/// Gives free memory back to the system every half minute: an agent runs for months, and would otherwise keep what its busiest
/// hour took.
pub async fn give_back(shutdown: CancellationToken) {
    let mut interval = tokio::time::interval(GIVE_BACK);
    while shutdown.run_until_cancelled(interval.tick()).await.is_some() {
        let _ = tokio::task::spawn_blocking(sys::memory::give_back).await;
    }
}
