//! Reading and writing files below a root, without following any symlink.

use super::AuthorError;
use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Component, Path, PathBuf},
};

/// Checks a path that was given for a new file, and gives it in the form that paths of a source have.
pub fn check_path(path: &Path) -> Result<String, AuthorError> {
    let usage =
        |why: &str| Err(AuthorError::Usage(format!("{} cannot be the path of a new file: {why}", path.display())));
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => match name.to_str() {
                Some(name) if name.starts_with('.') => return usage("hidden files and folders are not read"),
                Some(name) if name.contains(char::is_control) => return usage("it has control characters"),
                Some(name) => names.push(name),
                None => return usage("it is not UTF-8"),
            },
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return usage("it is taken from the repository's root and stays below it");
            }
        }
    }
    let path_text = names.join("/");
    if !is_resource_path(&path_text) {
        return usage("only `*.yaml` and `*.yml` files are read");
    }
    Ok(path_text)
}

/// Whether a file at this path, from the root, is one of resources: YAML, and nothing on the way is hidden.
pub fn is_resource_path(path: &str) -> bool {
    let hidden = path.split('/').any(|name| name.starts_with('.') || name.is_empty());
    let name = path.rsplit('/').next().unwrap_or_default();
    !hidden && [".yaml", ".yml"].iter().any(|end| name.len() > end.len() && name.ends_with(end))
}

/// The content of a file; `None` if there is nothing at the path.
pub fn read(root: &Path, path: &str) -> Result<Option<Vec<u8>>, AuthorError> {
    let full = real_path(root, path)?;
    match fs::symlink_metadata(&full) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(AuthorError::io("read", &full, error)),
        Ok(metadata) if !metadata.is_file() => {
            Err(AuthorError::Refused(format!("{path} is not a regular file: remove it first, or name another path")))
        }
        Ok(_) => fs::read(&full).map(Some).map_err(|error| AuthorError::io("read", &full, error)),
    }
}

/// Gives a file this content, in one step, or removes it.
pub fn write(root: &Path, path: &str, content: Option<&[u8]>) -> Result<(), AuthorError> {
    let full = real_path(root, path)?;
    let Some(content) = content else {
        return match fs::remove_file(&full) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(AuthorError::io("remove", &full, error)),
            _ => Ok(()),
        };
    };
    let put = || -> io::Result<()> {
        let folder = full.parent().unwrap_or(root);
        fs::create_dir_all(folder)?;
        // Hidden, so that whoever reads the folder meanwhile does not take it for a resource.
        let mut temporary = tempfile::Builder::new().prefix(".mcpfleet-").tempfile_in(folder)?;
        io::Write::write_all(&mut temporary, content)?;
        let mode = match fs::metadata(&full) {
            Ok(metadata) => metadata.permissions(),
            Err(_) => fs::Permissions::from_mode(0o666 & !umask()),
        };
        temporary.as_file().set_permissions(mode)?;
        temporary.persist(&full)?;
        Ok(())
    };
    put().map_err(|error| AuthorError::io("write", &full, error))
}

/// The mode bits that new files do not get.
fn umask() -> u32 {
    use nix::sys::stat::{Mode, umask};
    // It can only be read by setting it.
    let mask = umask(Mode::from_bits_truncate(0o077));
    umask(mask);
    mask.bits()
}

/// The path below the root, whose folders are folders and no links: a link could lead anywhere.
fn real_path(root: &Path, path: &str) -> Result<PathBuf, AuthorError> {
    let mut full = root.to_owned();
    let mut names = path.split('/').peekable();
    while let Some(name) = names.next() {
        full.push(name);
        let last = names.peek().is_none();
        match fs::symlink_metadata(&full) {
            Ok(metadata) if metadata.is_symlink() => {
                let shown = full.strip_prefix(root).unwrap_or(&full).display();
                return Err(AuthorError::Refused(format!("{shown} is a symlink, which is never written through")));
            }
            Ok(metadata) if !last && !metadata.is_dir() => {
                let shown = full.strip_prefix(root).unwrap_or(&full).display();
                return Err(AuthorError::Refused(format!("{shown} is not a folder")));
            }
            _ => {}
        }
    }
    Ok(full)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn paths_of_new_files() {
        for (path, expected) in [
            ("apps/a.yaml", Some("apps/a.yaml")),
            ("./a.yml", Some("a.yml")),
            ("a//b.yaml", Some("a/b.yaml")),
            ("../a.yaml", None),
            ("a/../../b.yaml", None),
            ("/etc/a.yaml", None),
            (".github/a.yaml", None),
            ("a/.b.yaml", None),
            (".yaml", None),
            ("a.json", None),
            ("a\n.yaml", None),
            ("", None),
        ] {
            assert_eq!(check_path(Path::new(path)).ok().as_deref(), expected, "{path:?}");
        }
    }

    #[test]
    fn nothing_is_read_or_written_through_links() {
        let folder = tempfile::tempdir().unwrap();
        let (root, outside) = (folder.path().join("root"), folder.path().join("outside"));
        fs::create_dir_all(&root).unwrap();
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("a.yaml"), "x").unwrap();
        symlink(&outside, root.join("link")).unwrap();
        symlink(outside.join("a.yaml"), root.join("a.yaml")).unwrap();
        for path in ["link/a.yaml", "link/new/b.yaml", "a.yaml"] {
            assert!(matches!(read(&root, path), Err(AuthorError::Refused(_))), "{path}");
            assert!(matches!(write(&root, path, Some(b"y")), Err(AuthorError::Refused(_))), "{path}");
            assert!(matches!(write(&root, path, None), Err(AuthorError::Refused(_))), "{path}");
        }
        assert_eq!(fs::read(outside.join("a.yaml")).unwrap(), b"x");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    }

    #[test]
    fn a_file_keeps_its_mode_and_is_replaced_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        write(root, "apps/new/a.yaml", Some(b"1")).unwrap();
        let file = root.join("apps/new/a.yaml");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        write(root, "apps/new/a.yaml", Some(b"2")).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read(root, "apps/new/a.yaml").unwrap(), Some(b"2".to_vec()));
        assert_eq!(fs::read_dir(root.join("apps/new")).unwrap().count(), 1);
        write(root, "apps/new/a.yaml", None).unwrap();
        assert_eq!(read(root, "apps/new/a.yaml").unwrap(), None);
    }
}
