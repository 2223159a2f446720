//! Reading and replacing a client's configuration file.

use super::merge::{Change, MergeError, merge};
use serde_json::{Map, Value};
use std::{
    fs::{self, Permissions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

/// Clients keep state in these files too, but never this much.
const MAX_FILE: u64 = 64 << 20;

/// Why a file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{} is left as it is: {error}", path.display())]
    Merge { path: PathBuf, error: MergeError },
    #[error("{} cannot be read: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("{} cannot be written: {error}", path.display())]
    Write { path: PathBuf, error: io::Error },
}

/// What was done to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file itself: where a symlink leads to.
    pub path: PathBuf,
    /// What the file was before, if it was there and has changed.
    pub backup: Option<PathBuf>,
    pub changes: Vec<(String, Change)>,
}

/// Sets `entries` in the object `key` of the file at `path`, which is made if it is not there. The file is replaced as
/// a whole or not at all, and left alone if nothing changes.
pub fn write(
    path: &Path,
    key: &str,
    entries: &[(String, Map<String, Value>)],
    force: bool,
) -> Result<Written, FileError> {
    // A link, perhaps into a repository of dotfiles, stays a link.
    let path = followed(path).map_err(|error| FileError::Read { path: path.to_owned(), error })?;
    let unreadable = |error| FileError::Read { path: path.clone(), error };
    let unwritable = |error| FileError::Write { path: path.clone(), error };
    let present = read(&path).map_err(unreadable)?;
    let before = present.as_ref().map(|(text, _)| text.as_str()).unwrap_or_default();
    let merged = merge(before, key, entries, force).map_err(|error| FileError::Merge { path: path.clone(), error })?;
    if present.is_some() && merged.text == before {
        return Ok(Written { path, backup: None, changes: merged.changes });
    }
    let backup = match &present {
        Some((text, permissions)) => {
            let mut name = path.file_name().unwrap_or_default().to_owned();
            name.push(".bak");
            let backup = path.with_file_name(name);
            replace(&backup, text, Some(permissions)).map_err(unwritable)?;
            Some(backup)
        }
        None => None,
    };
    replace(&path, &merged.text, present.as_ref().map(|(_, permissions)| permissions)).map_err(unwritable)?;
    Ok(Written { path, backup, changes: merged.changes })
}

/// Where the last of a chain of links leads, whether or not there is a file.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..40 {
        match fs::read_link(&path) {
            // A relative link starts in its own folder; joining an absolute one gives that one.
            Ok(target) => path = path.parent().unwrap_or(Path::new(".")).join(target),
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotFound) => {
                return Ok(path);
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

fn read(path: &Path) -> io::Result<Option<(String, Permissions)>> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > MAX_FILE {
        return Err(io::Error::other("it is no configuration file"));
    }
    let mut text = String::new();
    file.take(MAX_FILE).read_to_string(&mut text)?;
    Ok(Some((text, metadata.permissions())))
}

/// Puts a file with this text where `path` says, all at once. Without permissions it is the user's alone: clients keep
/// secrets in these files.
fn replace(path: &Path, text: &str, permissions: Option<&Permissions>) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".mcpfleet-").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions.clone())?;
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn entries() -> Vec<(String, Map<String, Value>)> {
        vec![("a".into(), json!({"url": "http://h/mcp/a"}).as_object().unwrap().clone())]
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_new_file_is_made_with_its_folders() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/mcp.json");
        let written = write(&path, "servers", &entries(), false).unwrap();
        assert_eq!((written.backup, written.changes), (None, vec![("a".into(), Change::Added)]));
        assert_eq!(mode(&path), 0o600);
        let again = write(&path, "servers", &entries(), false).unwrap();
        assert_eq!((again.backup, again.changes), (None, vec![("a".into(), Change::Unchanged)]));
    }

    #[test]
    fn the_file_before_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mcp.json");
        fs::write(&path, "{\"x\": 1}").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let written = write(&path, "servers", &entries(), false).unwrap();
        let backup = written.backup.unwrap();
        assert_eq!(backup, dir.path().join("mcp.json.bak"));
        assert_eq!(fs::read_to_string(&backup).unwrap(), "{\"x\": 1}");
        assert!(fs::read_to_string(&path).unwrap().starts_with("{\"x\": 1,"));
        assert_eq!((mode(&path), mode(&backup)), (0o640, 0o640));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing else is left behind");
    }

    #[test]
    fn links_are_followed_and_stay() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("dotfiles/mcp.json");
        fs::create_dir(dir.path().join("dotfiles")).unwrap();
        let link = dir.path().join("link.json");
        symlink("dotfiles/mcp.json", &link).unwrap();
        let relink = dir.path().join("relink.json");
        symlink(&link, &relink).unwrap();
        // First dangling, then with a file at its end.
        for _ in 0..2 {
            let written = write(&relink, "servers", &entries(), false).unwrap();
            assert_eq!(written.path, real);
            assert!(link.is_symlink() && relink.is_symlink() && real.is_file());
        }
        let circle = dir.path().join("circle");
        symlink(&circle, &circle).unwrap();
        assert!(matches!(write(&circle, "servers", &entries(), false), Err(FileError::Read { .. })));
    }

    #[test]
    fn what_is_no_json_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mcp.json");
        fs::write(&path, "{ // mine\n}").unwrap();
        let error = write(&path, "servers", &entries(), true).unwrap_err();
        assert!(error.to_string().contains("left as it is"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "{ // mine\n}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
