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

/// A folder that is locked for as long as this process lives, and that nobody else sweeps away therefore.
#[derive(Debug)]
pub struct Own {
    path: PathBuf,
    _lock: File,
}

impl Own {
    /// Makes one below `base`, and removes those of agents that live no more, with all that is in them.
    pub fn make(base: &Path) -> io::Result<Own> {
        sweep(base)?;
        for attempt in 0..ATTEMPTS {
            let suffix = if attempt == 0 { String::new() } else { format!(".{attempt}") };
            let path = base.join(format!("{PREFIX}{}{suffix}", process::id()));
            match fs::create_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                result => result?,
            }
            let lock = File::open(&path)?;
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

fn sweep(base: &Path) -> io::Result<()> {
    for entry in fs::read_dir(base)? {
        let entry = entry?;
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if !ours || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let Ok(lock) = File::open(entry.path()) else { continue };
        if lock.try_lock().is_ok() {
            clear(&entry.path());
        }
    }
    Ok(())
}

/// Kills all that is in a group and in those below it, and removes them.
fn clear(path: &Path) {
    let below = fs::read_dir(path).into_iter().flatten().flatten();
    for entry in below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        clear(&entry.path());
    }
    let deadline = Instant::now() + EMPTY_WITHIN;
    loop {
        group::kill_in(path);
        match fs::remove_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < deadline => {
                sleep(Duration::from_millis(10));
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "cannot remove what an earlier agent left behind");
                return;
            }
            Ok(()) => {
                tracing::info!(path = %path.display(), "removed what an earlier agent left behind");
                return;
            }
        }
    }
}
