//! `--changed-since`: what of the findings a change is to blame for.

use super::super::{UsageError, judging};
use crate::{
    authorize::{Blob, Objects as _},
    git::Changes,
    manifest::{
        Code, Diagnostic, Located, parse_file,
        text::{MAX_FILE_SIZE, quoted},
    },
    resource::Kind,
};
use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

/// What differs from the commit where the branch began.
pub struct Changed {
    files: HashSet<PathBuf>,
    /// Roles that changed files had.
    roles: HashSet<String>,
}

impl Changed {
    /// How the work tree that `path` is in differs from the commit in which it last was the same as `revision`.
    ///
    /// # Errors
    /// [`UsageError`] when there is no repository, or no such commit.
    pub fn since(path: &Path, revision: &str) -> anyhow::Result<Changed> {
        let folder =
            if path.is_dir() { path } else { path.parent().filter(|p| *p != Path::new("")).unwrap_or(".".as_ref()) };
        let repository = judging::open(folder)?;
        let commit = judging::resolve(&repository, revision)?.known()?;
        let changes = repository.changes_since(commit).map_err(|error| UsageError::new(error.to_string()))?;
        let Changes { files, before } = changes;
        let mut roles = HashSet::new();
        for (path, content) in before.iter().filter(|(path, _)| path.ends_with(".yaml") || path.ends_with(".yml")) {
            if let Blob::Bytes(bytes) = repository.blob(*content, MAX_FILE_SIZE)? {
                let names = parse_file(path, &bytes).resources;
                roles.extend(names.iter().filter_map(role).map(str::to_owned));
            }
        }
        Ok(Changed { files, roles })
    }

    pub fn has(&self, file: &Path) -> bool {
        self.files.contains(file)
    }

    /// Whether a finding may come from the change: it is about a changed file, also as the twin of a duplicate, or about
    /// a role that a changed file had. `changed` says whether a file is, by its shown path.
    pub fn concerns(&self, diagnostic: &Diagnostic, changed: impl Fn(&str) -> bool) -> bool {
        changed(&diagnostic.path)
            || diagnostic.related.iter().any(|related| changed(&related.path))
            || (diagnostic.code == Code::UnknownRole
                && self.roles.iter().any(|role| diagnostic.message.contains(&quoted(role))))
    }
}

fn role(located: &Located) -> Option<&str> {
    (located.resource.kind() == Kind::Role).then(|| located.resource.metadata().name.as_str())
}
