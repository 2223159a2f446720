//! Secrets, which are files. They are read when they are needed, so that a new one is used from the next connection on.

use super::error::{FetchError, FetchFailure};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// No credential is longer.
const MAX_BYTES: u64 = 1 << 20;

/// A text that is never shown: it has neither `Debug` nor `Display`.
pub(super) struct Secret(String);

impl Secret {
    /// Reads a file of one line, without the newline at its end.
    ///
    /// # Errors
    /// When it cannot be read, is empty or has more than a line. What it holds is not in the error.
    pub fn line(setting: &str, path: &Path) -> Result<Secret, FetchError> {
        let Secret(mut text) = Secret::file(setting, path)?;
        let length = text.trim_end_matches(['\r', '\n']).len();
        text.truncate(length);
        if text.is_empty() || text.contains(|c: char| c.is_control()) {
            return Err(unusable(setting, path, "is to have one line"));
        }
        Ok(Secret(text))
    }

    /// Reads a whole file.
    pub fn file(setting: &str, path: &Path) -> Result<Secret, FetchError> {
        let text = String::from_utf8(bytes(setting, path)?);
        text.map(Secret).map_err(|_| unusable(setting, path, "is not text"))
    }

    /// The text itself, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Reads a file that a setting names.
pub(super) fn bytes(setting: &str, path: &Path) -> Result<Vec<u8>, FetchError> {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|error| unusable(setting, path, &format!("cannot be read: {error}")))
}

/// What is wrong with a file that a setting names.
pub(super) fn unusable(setting: &str, path: &Path, why: &str) -> FetchError {
    FetchError::new(FetchFailure::CredentialFile, format!("`{setting}` {} {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_line_and_never_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let table = [("tok en", Some("tok en")), ("token\n", Some("token")), ("token\r\n", Some("token"))];
        let refused = ["", "\n", "to\nken", "to\0ken"].map(|content| (content, None));
        for (content, expected) in table.into_iter().chain(refused) {
            std::fs::write(&path, content).expect("a file");
            let read = Secret::line("password_file", &path);
            assert_eq!(read.as_ref().ok().map(Secret::reveal), expected, "{content:?}");
            if let Err(error) = read {
                assert_eq!(error.code(), "credential-file");
                assert!(error.to_string().contains("`password_file`") && !error.to_string().contains("ken"), "{error}");
            }
        }
        let error = Secret::line("password_file", &folder.path().join("nowhere")).err().expect("no file");
        assert!(error.to_string().contains("nowhere"), "{error}");
    }
}
