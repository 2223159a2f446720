//! The agent's own folder in a hierarchy.

use super::group;
use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process,
    thread::sleep,
    time::{Duration, Instant},
};

const PREFIX: &str = "mcpfleet-";

/// How many names that others hold are passed over.
const ATTEMPTS: u32 = 100;

/// How long killed processes have to leave a group.
const EMPTY_WITHIN: Duration = Duration::from_secs(2);

/// A folder that is locked for as long as this process lives, and that agents with other tags leave alone therefore.
#[derive(Debug)]
pub struct Own {
    path: PathBuf,
    _lock: File,
}

impl Own {
    /// Makes one below `base`. Removes those with this tag, whose agents live no more, with all that is in them; and those
    /// of others that live no more, if there is nothing in them.
    pub fn make(base: &Path, tag: &str) -> io::Result<Own> {
        sweep(base, &format!("{PREFIX}{tag}-"))?;
        for attempt in 0..ATTEMPTS {
            let suffix = if attempt == 0 { String::new() } else { format!(".{attempt}") };
            let path = base.join(format!("{PREFIX}{tag}-{}{suffix}", process::id()));
            match fs::create_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                result => result?,
            }
            let Ok(lock) = File::open(&path) else { continue };
            // Another agent that is just starting may have swept it away.
            if lock.try_lock().is_ok() && fs::metadata(&path).is_ok_and(|now| is_same(&now, &lock)) {
                return Ok(Own { path, _lock: lock });
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "all names are taken"))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // In v2 this process is below it: then it stays until the next agent sweeps it away.
        let _ = fs::remove_dir(&self.path);
    }
}

fn is_same(now: &fs::Metadata, lock: &File) -> bool {
    lock.metadata().is_ok_and(|held| (held.dev(), held.ino()) == (now.dev(), now.ino()))
}

fn sweep(base: &Path, own: &str) -> io::Result<()> {
    for entry in fs::read_dir(base)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if name.starts_with(own) {
            // No lock is asked: everybody who can open the folder can hold one, a server that is left in it too.
            clear(&entry.path());
        } else {
            remove_empty(&entry.path());
        }
    }
    Ok(())
}

/// Removes a group and those below it, and kills what is in them.
fn clear(path: &Path) {
    let deadline = Instant::now() + EMPTY_WITHIN;
    while let Err(error) = group::remove(path) {
        if error.kind() != io::ErrorKind::ResourceBusy || Instant::now() >= deadline {
            tracing::warn!(path = %path.display(), %error, "cannot remove a control group of an earlier agent");
            return;
        }
        group::kill_in(path);
        sleep(Duration::from_millis(10));
    }
}

/// Removes a group and those below it in which nothing is, unless one of them belongs to an agent that lives: a server may
/// have started one. What cannot be opened counts as such.
fn remove_empty(path: &Path) {
    let groups = group::below(path);
    let is_locked = |group: &PathBuf| {
        let is_agents = group.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()));
        is_agents && !File::open(group).is_ok_and(|lock| lock.try_lock().is_ok())
    };
    if !groups.iter().any(is_locked) {
        groups.iter().rev().for_each(|group| _ = fs::remove_dir(group));
    }
}
