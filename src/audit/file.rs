//! The file of the audit: whole lines at its end, and another file when it is full or old.

use super::{
    rotation::{self, Rotation},
    search,
};
use jiff::{SignedDuration, Timestamp};
use nix::libc;
use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Of the mode of the file before, which its successor takes over: never anything for others, nothing to execute.
const MODE: u32 = 0o640;

/// Why there is no file to write the audit to.
#[derive(Debug, thiserror::Error)]
#[error("the audit cannot be written to {} (audit.file): {why}", path.display())]
pub struct OpenError {
    path: PathBuf,
    why: Why,
}

#[derive(Debug, thiserror::Error)]
enum Why {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it is no regular file")]
    NoFile,
    #[error("another process writes to it; give each agent a file of its own")]
    InUse,
}

impl OpenError {
    pub(super) fn new(path: &Path, error: io::Error) -> Self {
        OpenError { path: path.to_owned(), why: error.into() }
    }
}

impl From<Why> for io::Error {
    fn from(why: Why) -> Self {
        match why {
            Why::Io(error) => error,
            other => io::Error::other(other),
        }
    }
}

/// The file that is written now.
#[derive(Debug)]
pub struct AuditFile {
    path: PathBuf,
    rotation: Rotation,
    file: File,
    /// By which it is told whether somebody has moved it away.
    identity: (u64, u64),
    size: u64,
    /// Of its first record.
    since: Timestamp,
    /// The last line may have no end.
    ragged: bool,
    /// Why another file could not take its place.
    stuck: Option<String>,
}

impl AuditFile {
    /// Goes on with the file at `path`, or makes one that nobody else can read. Also tells the number of the next record.
    ///
    /// # Errors
    /// When it cannot be opened, is no regular file, or is written by another process.
    pub fn open(path: &Path, rotation: Rotation) -> Result<(AuditFile, u64), OpenError> {
        let failed = |why| OpenError { path: path.to_owned(), why };
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| failed(error.into()))?;
        }
        let file = AuditFile::opened(path.to_owned(), rotation, 0o600).map_err(failed)?;
        let last = search::files(path).iter().find_map(|file| search::last_record(file));
        Ok((file, last.map_or(1, |record| record.sequence + 1)))
    }

    fn opened(path: PathBuf, rotation: Rotation, mode: u32) -> Result<AuditFile, Why> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(mode)
            // Without the second a FIFO would keep the agent waiting.
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(&path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(Why::NoFile);
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Why::InUse),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let size = metadata.len();
        let ragged = size > 0 && !ends_with_newline(&mut file)?;
        let modified = metadata.modified().ok().and_then(|modified| Timestamp::try_from(modified).ok());
        let first = search::first_record(&path).map(|record| record.time);
        let since = first.or(modified.filter(|_| size > 0)).unwrap_or_else(Timestamp::now);
        let identity = (metadata.dev(), metadata.ino());
        Ok(AuditFile { path, rotation, file, identity, size, since, ragged, stuck: None })
    }

    /// Writes lines, each with its end, and takes out of `lines` what has been written: whole lines only.
    ///
    /// # Errors
    /// When not all of it could be written; the rest is still in `lines`.
    pub fn append(&mut self, lines: &mut Vec<u8>, now: Timestamp) -> io::Result<()> {
        self.follow_path()?;
        if self.ragged {
            self.write(b"\n")?;
            self.ragged = false;
        }
        while !lines.is_empty() {
            let first = memchr::memchr(b'\n', lines).map_or(lines.len(), |end| end + 1);
            if self.rotation.is_due(self.size, self.since, first as u64, now) {
                self.stuck = self.rotate(now).err().map(|error| error.to_string());
            }
            if self.size == 0 {
                self.since = now;
            }
            let room = usize::try_from(self.rotation.size.saturating_sub(self.size)).unwrap_or(usize::MAX);
            let fitting = lines.get(..room.min(lines.len())).unwrap_or_default();
            let end = memchr::memrchr(b'\n', fitting).map_or(first, |end| end + 1);
            self.write(lines.get(..end).unwrap_or_default())?;
            lines.drain(..end);
        }
        Ok(())
    }

    /// Why the file is larger or older than it should be, if it is.
    pub fn stuck(&self) -> Option<&str> {
        self.stuck.as_deref()
    }

    /// All of it, or nothing.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.file.write_all(bytes) {
            Ok(()) => {
                self.size += bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Half a line must not become the beginning of another one.
                self.ragged |= self.file.set_len(self.size).is_err();
                Err(error)
            }
        }
    }

    /// Goes on at the path, where somebody has moved the file away or removed it.
    fn follow_path(&mut self) -> io::Result<()> {
        let there = fs::symlink_metadata(&self.path).ok().map(|metadata| (metadata.dev(), metadata.ino()));
        if there == Some(self.identity) {
            return Ok(());
        }
        let mode = self.file.metadata()?.permissions().mode() & MODE | 0o600;
        *self = AuditFile::opened(self.path.clone(), self.rotation.clone(), mode)?;
        // The mode of a file that is made is narrowed by the umask, which is not for files that somebody has widened.
        if self.size == 0 {
            let _ = self.file.set_permissions(fs::Permissions::from_mode(mode));
        }
        Ok(())
    }

    fn rotate(&mut self, now: Timestamp) -> io::Result<()> {
        let name = self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let mut at = now;
        let old = loop {
            let old = self.path.with_file_name(rotation::rotated(&name, at));
            if !fs::exists(&old)? {
                break old;
            }
            at += SignedDuration::from_millis(1);
        };
        fs::rename(&self.path, &old)?;
        self.follow_path()?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        for name in self.rotation.surplus(&name, &search::names(folder)) {
            fs::remove_file(folder.join(name))?;
        }
        Ok(())
    }
}

fn ends_with_newline(file: &mut File) -> io::Result<bool> {
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests;
