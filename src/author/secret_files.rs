//! Files of secrets, as an agent's `secrets_dir` has them: one each, for their owner alone.

use super::{
    AuthorError, Place,
    import::{Content, Secret},
};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Files that have been written, and are removed again unless they are kept.
#[derive(Debug, Default)]
pub struct SecretFiles {
    written: Vec<PathBuf>,
}

impl SecretFiles {
    /// Writes the values that were found into files of a folder. Files that are there already are never touched.
    ///
    /// # Errors
    /// When the folder is in the repository, where secrets would be committed sooner or later, or a file is there already.
    /// Nothing is left behind.
    pub fn write(folder: &Path, place: Option<&Place>, secrets: &[Secret]) -> Result<SecretFiles, AuthorError> {
        let mut files = SecretFiles::default();
        let real = match folder.canonicalize() {
            Ok(real) => real,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let message = format!("there is no folder {}: make it, readable for its owner alone", folder.display());
                return Err(AuthorError::Usage(message));
            }
            Err(error) => return Err(AuthorError::io("open", folder, error)),
        };
        if place.is_some_and(|place| real.starts_with(place.root())) {
            let message = format!("{} is in the repository, where no secret belongs", folder.display());
            return Err(AuthorError::Usage(message));
        }
        for secret in secrets {
            let Content::Found(value) = &secret.content else { continue };
            let path = real.join(&secret.name);
            let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
            let mut file = match opened {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    let message = format!("{} is there already, and is never overwritten", path.display());
                    return Err(AuthorError::Refused(message));
                }
                Err(error) => return Err(AuthorError::io("write", &path, error)),
            };
            files.written.push(path.clone());
            let put = file.write_all(value.reveal().as_bytes()).and_then(|()| file.sync_all());
            put.map_err(|error| AuthorError::io("write", &path, error))?;
        }
        Ok(files)
    }

    /// Lets them stay.
    pub fn keep(mut self) {
        self.written.clear();
    }
}

impl Drop for SecretFiles {
    /// Best effort: why it comes to this is what the user must hear.
    fn drop(&mut self) {
        for path in &self.written {
            let _ = fs::remove_file(path);
        }
    }
}
