//! A network of its own: nothing in it but the loopback interface.

use super::plan::Namespace;
use crate::sys;
use nix::{
    errno::Errno,
    sched::{CloneFlags, unshare},
    sys::prctl,
    unistd::{Gid, Uid},
};
use std::{fs, path::Path, process::Command};

/// The second argument that makes a keeper tell which kind of namespace it could have, and end.
pub const PROBE: &str = "--namespace";

/// Moves this process, which has one thread, into a network of its own.
pub fn isolate(namespace: Namespace) -> nix::Result<()> {
    match namespace {
        Namespace::Plain => unshare(CloneFlags::CLONE_NEWNET)?,
        Namespace::User => {
            let (uid, gid) = (Uid::effective(), Gid::effective());
            // Else the files below belong to root. Other processes of this user can look into this one meanwhile: at the
            // order, with the environment that the server will have. They can do the same once the server runs.
            prctl::set_dumpable(true)?;
            unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
            // It stays who it is: the kernel allows this to anybody who gives up to change groups.
            write("/proc/self/setgroups", "deny")?;
            write("/proc/self/uid_map", &format!("{uid} {uid} 1"))?;
            write("/proc/self/gid_map", &format!("{gid} {gid} 1"))?;
            prctl::set_dumpable(false)?;
        }
    }
    // A server without a loopback interface is rare to notice.
    let _ = sys::raise_loopback();
    Ok(())
}

fn write(file: &str, text: &str) -> nix::Result<()> {
    fs::write(file, text).map_err(|error| error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw))
}

/// Tries which kind this process can have, and says it as a line of JSON for [`ask`].
pub fn probe() -> String {
    let plain = isolate(Namespace::Plain).map(|()| Namespace::Plain);
    let found: Result<Namespace, String> = match plain {
        Err(errno) if Uid::effective().is_root() => {
            Err(format!("no network namespace can be made here: {}", errno.desc().to_lowercase()))
        }
        Err(_) => isolate(Namespace::User).map(|()| Namespace::User).map_err(|errno| {
            let errno = errno.desc().to_lowercase();
            format!("no network namespace can be made without root, nor a user namespace: {errno}")
        }),
        Ok(plain) => Ok(plain),
    };
    serde_json::to_string(&found).unwrap_or_default()
}

/// Which kind servers under this keeper can have, or why none. Starts a process, because the answer is a change of
/// oneself that cannot be taken back.
///
/// # Errors
/// There is no answer.
pub fn ask(keeper: &Path) -> Result<Result<Namespace, String>, String> {
    let asked = Command::new(keeper).args([crate::instance::keeper::ARGUMENT, PROBE]).env_clear().output();
    let output = asked.map_err(|error| format!("a keeper cannot be asked for namespaces: {error}"))?;
    serde_json::from_slice(&output.stdout).map_err(|_| "a keeper could not tell of namespaces".to_owned())
}
