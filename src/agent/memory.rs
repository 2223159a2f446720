//! What is in the memory of an agent, such as secrets, stays there.

use nix::sys::{
    prctl,
    resource::{Resource, setrlimit},
};

/// Lets this process leave no core file, and no other process of its user look into it. Servers may run as that user.
pub fn keep_private() {
    // Core files may be written by a program that the kernel starts, which no limit holds: that needs the second.
    let limited = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    if let Err(error) = limited.and_then(|()| prctl::set_dumpable(false)) {
        tracing::warn!(%error, "cannot keep the memory of this process private");
    }
}
