//! Small files of the state directory, written so that whoever reads them, after a crash too, finds the old content or
//! the new one.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// A file of the state directory that cannot be read, written or understood.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("cannot {verb} {path}: {error}", path = .path.display())]
    Io { verb: &'static str, path: PathBuf, error: io::Error },
    /// Nothing is taken for granted then: `help` says what to do.
    #[error("{path} is damaged: {message}; {help}", path = .path.display())]
    Damaged { path: PathBuf, message: String, help: &'static str },
}

impl StateError {
    fn io(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StateError {
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
        _ => Ok(()),
    }
}

/// Makes the names in a file's folder outlast a crash.
fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

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
