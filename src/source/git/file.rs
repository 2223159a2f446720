//! Small files of the state directory, written so that whoever reads them, after a crash too, finds the old content or
//! the new one.

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
    unistd::geteuid,
};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown, lchown},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

/// A file of the state directory that cannot be read, written or understood.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("cannot {verb} {path}: {error}", path = .path.display())]
    Io { verb: &'static str, path: PathBuf, error: io::Error },
    /// Nothing is taken for granted then: `help` says what to do.
    #[error("{path} is damaged: {message}; {help}", path = .path.display())]
    Damaged { path: PathBuf, message: String, help: &'static str },
    #[error(
        "another process works in {path}: give each agent a `state_dir` of its own, or stop the other one",
        path = .path.display()
    )]
    Taken { path: PathBuf },
}

impl StateError {
    pub(super) fn io(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StateError {
        let path = path.to_owned();
        move |error| StateError::Io { verb, path, error }
    }
}

/// The content of a file; `None` if there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, StateError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StateError::io("read", path)(error)),
    }
}

/// The value in a file of JSON; `None` if there is no file.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(
    path: &Path,
    help: &'static str,
) -> Result<Option<T>, StateError> {
    let parse = |bytes: Vec<u8>| {
        serde_json::from_slice(&bytes).map_err(|error| StateError::Damaged {
            path: path.to_owned(),
            message: error.to_string(),
            help,
        })
    };
    read(path)?.map(parse).transpose()
}

/// A state directory that no other process works with, as long as this lives.
pub(super) struct StateLock(#[expect(dead_code, reason = "held, not read")] Flock<File>);

impl StateLock {
    /// # Errors
    /// When another process has it.
    pub fn take(state_dir: &Path) -> Result<StateLock, StateError> {
        let path = state_dir.join("lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(StateError::io("open", &path))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(StateLock(lock)),
            Err((_, Errno::EWOULDBLOCK)) => Err(StateError::Taken { path: state_dir.to_owned() }),
            Err((_, error)) => Err(StateError::io("lock", &path)(error.into())),
        }
    }
}

/// Makes a folder that is nobody else's business.
pub(super) fn make_folder(path: &Path) -> Result<(), StateError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(StateError::io("make", path))
}

/// Replaces a file. Once this returns, the new content outlasts whatever happens to this machine.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), StateError> {
    let new = path.with_extension("new");
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        sync_folder(path)
    };
    write().map_err(StateError::io("write", path))
}

/// Replaces a file in a folder that may be another user's: root leaves something there for an agent that is not root, so
/// the file becomes that user's. Nothing that this user has put there is followed or overwritten on the way.
pub(super) fn leave(path: &Path, bytes: &[u8]) -> Result<(), StateError> {
    let write = || {
        let folder = path.parent().unwrap_or(path);
        make_shared_folder(folder)?;
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        if geteuid().is_root() {
            let owner = fs::metadata(folder)?;
            fchown(file.as_file(), Some(owner.uid()), Some(owner.gid()))?;
        }
        file.as_file().sync_all()?;
        file.persist(path)?;
        sync_folder(path)
    };
    write().map_err(StateError::io("write", path))
}

/// Makes a folder, and those above it, for whom the first one that is there belongs to.
fn make_shared_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let Some(above) = path.parent() else { return Ok(()) };
    make_shared_folder(above)?;
    DirBuilder::new().mode(0o700).create(path)?;
    if geteuid().is_root() {
        let owner = fs::metadata(above)?;
        lchown(path, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}

/// Adds a line to a log, unless it is there: whoever was interrupted may do it again.
pub(super) fn append_once(path: &Path, line: &str) -> Result<(), StateError> {
    let written = read(path)?.unwrap_or_default();
    if written.split(|byte| *byte == b'\n').any(|old| old == line.as_bytes()) {
        return Ok(());
    }
    // What was cut off in the middle by a crash stays a line of its own.
    let cut = written.last().is_some_and(|byte| *byte != b'\n');
    let text = format!("{}{line}\n", if cut { "\n" } else { "" });
    let write = || {
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        sync_folder(path)
    };
    write().map_err(StateError::io("write", path))
}

pub(super) fn remove(path: &Path) -> Result<(), StateError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(StateError::io("remove", path)(error)),
        _ => sync_folder(path).map_err(StateError::io("remove", path)),
    }
}

/// Makes the names in a file's folder outlast a crash.
fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("deep/down/state.json");
        assert!(matches!(read(&path), Ok(None)));
        make_folder(path.parent().expect("a folder")).expect("a new folder");
        for content in ["{\"a\": 1}", "[]"] {
            replace(&path, content.as_bytes()).expect("a file that can be written");
            assert_eq!(fs::read_to_string(&path).expect("readable"), content);
        }
        // What a crash left behind before the file was renamed is not read.
        fs::write(path.with_extension("new"), "[1").expect("written");
        assert!(matches!(read_json::<Vec<u8>>(&path, ""), Ok(Some(list)) if list.is_empty()));
        fs::write(&path, "[1").expect("written");
        let error = read_json::<Vec<u8>>(&path, "do this").expect_err("half a list").to_string();
        assert!(error.contains("is damaged") && error.ends_with("do this"), "{error}");
    }

    #[test]
    fn what_is_left_for_another_user_belongs_to_that_user() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (other, elsewhere) = (dir.path().join("other"), dir.path().join("elsewhere"));
        fs::create_dir(&other).expect("a new folder");
        fs::write(&elsewhere, "untouched").expect("written");
        let owner = |path: &Path| fs::symlink_metadata(path).map(|of| (of.uid(), of.gid())).expect("it is there");
        if geteuid().is_root() {
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
            lchown(&other, Some(65534), Some(65534)).expect("given away");
        }
        let path = other.join("sources/fleet/order.json");
        leave(&path, b"one").expect("left");
        std::os::unix::fs::symlink(&elsewhere, path.with_extension("new")).expect("a trap");
        fs::remove_file(&path).expect("removed");
        std::os::unix::fs::symlink(&elsewhere, &path).expect("another trap");
        leave(&path, b"two").expect("left");
        assert_eq!(fs::read_to_string(&path).expect("readable"), "two");
        assert_eq!(fs::read_to_string(&elsewhere).expect("readable"), "untouched");
        let below = [other.join("sources"), other.join("sources/fleet"), path];
        assert_eq!(below.each_ref().map(|path| owner(path)), [owner(&other); 3]);
    }

    #[test]
    fn a_line_is_appended_once() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("a.log");
        for line in ["one", "two", "one"] {
            append_once(&path, line).expect("written");
        }
        fs::write(&path, "one\ntwo\nthr").expect("written");
        append_once(&path, "three").expect("written");
        assert_eq!(fs::read_to_string(&path).expect("readable"), "one\ntwo\nthr\nthree\n");
        remove(&path).expect("removed");
        remove(&path).expect("removed already");
    }
}
