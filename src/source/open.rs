//! Opening and reading one file, without ever blocking, leaving the root, or reading more than is allowed.

use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2},
    sys::stat::Mode,
};
use std::{
    fs::File,
    io::{self, Read},
    os::{fd::OwnedFd, unix::fs::MetadataExt},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

/// The most bytes that a resource file may have.
pub const MAX_FILE_BYTES: u64 = crate::manifest::text::MAX_FILE_SIZE as u64;

/// How often a file that changes under the reader is begun again.
const ATTEMPTS: usize = 4;

/// Why a file was not read.
#[derive(Debug)]
pub(super) enum NotRead {
    /// It is not there any more, or is something else than it was when the folder was listed: list again.
    Changed,
    TooLarge {
        bytes: u64,
    },
    Special,
    /// It is there, but this is in the way.
    Failed(io::Error),
    /// It changed during every attempt.
    Restless,
}

/// The folder that all reading stays below.
pub(super) struct Root(OwnedFd);

impl Root {
    /// Opens the folder; `path` has no symlink in it.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Root(nix::fcntl::open(path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?))
    }

    /// Reads the file at `path`, which is relative and was found to have no symlink in it, into `buffer`:
    /// all of it, as it was at one moment.
    pub fn read(&self, path: &Path, buffer: &mut Vec<u8>) -> Result<(), NotRead> {
        for _ in 0..ATTEMPTS {
            let file = match self.open_file(path) {
                Ok(file) => File::from(file),
                Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP | Errno::EXDEV | Errno::EAGAIN | Errno::ESTALE) => {
                    return Err(NotRead::Changed);
                }
                // What open says to a socket, or to a device without a driver.
                Err(Errno::ENXIO | Errno::ENODEV) => return Err(NotRead::Special),
                Err(errno) => return Err(NotRead::Failed(errno.into())),
            };
            match read_once(&file, buffer) {
                Err(NotRead::Restless) => {}
                result => return result,
            }
        }
        Err(NotRead::Restless)
    }

    /// `O_NONBLOCK` because a FIFO may have taken the file's place since it was listed, and opening one would wait
    /// for a writer. That no component is a symlink is checked by the kernel while it resolves the path, where it can:
    /// without `openat2` (an old kernel, a seccomp filter) only the last component is.
    fn open_file(&self, path: &Path) -> nix::Result<OwnedFd> {
        static WITHOUT_OPENAT2: AtomicBool = AtomicBool::new(false);
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        if !WITHOUT_OPENAT2.load(Ordering::Relaxed) {
            let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
            match openat2(&self.0, path, OpenHow::new().flags(flags).resolve(resolve)) {
                Err(Errno::ENOSYS) => WITHOUT_OPENAT2.store(true, Ordering::Relaxed),
                // Either a filter that refuses the call or a file that refuses us: the plain call tells.
                Err(Errno::EPERM) => {}
                result => return result,
            }
        }
        openat(&self.0, path, flags | OFlag::O_NOFOLLOW, Mode::empty())
    }
}

/// One attempt: the file counts as read when it did not change between before and after.
fn read_once(mut file: &File, buffer: &mut Vec<u8>) -> Result<(), NotRead> {
    let before = file.metadata().map_err(NotRead::Failed)?;
    if !before.is_file() {
        return Err(NotRead::Special);
    }
    if before.len() > MAX_FILE_BYTES {
        return Err(NotRead::TooLarge { bytes: before.len() });
    }
    // Room for a byte more than is expected, so that a file that grew is noticed, and one that did not needs a single
    // call.
    let expected = usize::try_from(before.len()).unwrap_or(usize::MAX);
    buffer.clear();
    buffer.resize(expected.saturating_add(1), 0);
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|_| filled < expected || expected == 0) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(NotRead::Failed(error)),
        }
    }
    buffer.truncate(filled);
    let after = file.metadata().map_err(NotRead::Failed)?;
    let stamp = |m: &std::fs::Metadata| (m.len(), m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec());
    let still = filled == expected && stamp(&before) == stamp(&after);
    if still { Ok(()) } else { Err(NotRead::Restless) }
}
