//! Where resources live.

use super::{AuthorError, files, git::Work, head, publish::FindTerms};
use crate::{
    git::Repository,
    manifest::{Tree, parse_file},
    source::{Cache, Ignore, read_tree},
};
use globset::GlobSet;
use std::path::{Path, PathBuf};

/// A folder of resources: the work tree of a git repository, or a plain one.
pub struct Place {
    root: PathBuf,
    work: Option<Work>,
    /// Which files of a repository are resources, if it says so.
    managed: Option<GlobSet>,
}

impl Place {
    /// The place that a folder is in: its work tree if it has one, else the folder itself.
    pub fn open(folder: &Path, terms: FindTerms) -> Result<Place, AuthorError> {
        let root = folder.canonicalize().map_err(|error| AuthorError::io("open", folder, error));
        let root = match root {
            Ok(root) if root.is_dir() => root,
            Ok(_) => return Err(AuthorError::Usage(format!("{} is not a folder", folder.display()))),
            Err(AuthorError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Err(AuthorError::Usage(format!("{} does not exist", folder.display())));
            }
            Err(error) => return Err(error),
        };
        if root.join("HEAD").is_file() && root.join("objects").is_dir() && root.join("refs").is_dir() {
            let message = format!("{} is a bare repository: clone it, and work in the clone", folder.display());
            return Err(AuthorError::Usage(message));
        }
        if !root.ancestors().any(|folder| folder.join(".git").exists()) {
            return Ok(Place { root, work: None, managed: None });
        }
        let work = Work::of(&root)?;
        let mut place = Place { root: work.root().to_owned(), work: Some(work), managed: None };
        if let Some(repository) = place.repository()?
            && let Some(commit) = head::commit(&repository)?
        {
            // A mistake in there keeps nobody from looking; it is reported when something is to be published.
            place.managed = terms(&repository, commit).ok().map(|terms| terms.rules.managed);
        }
        Ok(place)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The git side; `None` in a plain folder.
    pub(super) fn work(&self) -> Option<&Work> {
        self.work.as_ref()
    }

    pub fn is_git(&self) -> bool {
        self.work.is_some()
    }

    pub(super) fn repository(&self) -> Result<Option<Repository>, AuthorError> {
        Ok(self.work.as_ref().map(|_| Repository::discover(&self.root)).transpose()?)
    }

    /// All resources: in git, those of the current commit; what is only in the work tree does not count yet.
    pub fn tree(&self) -> Result<Tree, AuthorError> {
        match self.repository()? {
            Some(repository) => head::tree(&repository, |path| self.manages(path)),
            None => Ok(read_tree(&self.root, &Ignore::none(), &mut Cache::default())?.tree),
        }
    }

    /// The content of a file that is to be changed; `None` if there is none.
    ///
    /// # Errors
    /// Also when it has changes of the user's that are not committed, which would get into the commit.
    pub(super) fn read(&self, path: &str) -> Result<Option<Vec<u8>>, AuthorError> {
        let content = files::read(&self.root, path)?;
        let Some(work) = &self.work else { return Ok(content) };
        let committed = head::file(&Repository::discover(&self.root)?, path)?;
        match (committed.is_some(), content.is_some()) {
            (false, false) => Ok(None),
            (true, true) if work.is_clean(path)? => Ok(content),
            (false, true) => Err(AuthorError::Refused(format!(
                "{path} is there already, and not committed: remove it, or give it as the FILE to create"
            ))),
            _ => Err(AuthorError::Refused(format!(
                "{path} has changes that are not committed: commit them, or put them away with `git stash`"
            ))),
        }
    }

    /// The path of a file of the user's from the root, if it is one of the resource files of this place.
    pub(super) fn own_path(&self, file: &Path) -> Option<String> {
        let real = file.canonicalize().ok()?;
        let below = real.strip_prefix(&self.root).ok()?.to_str()?;
        self.manages(below).then(|| below.to_owned())
    }

    /// Whether a file at this path is one of resources.
    pub(super) fn manages(&self, path: &str) -> bool {
        files::is_resource_path(path) && self.managed.as_ref().is_none_or(|managed| managed.is_match(path))
    }

    /// What is committed at a path; in a plain folder, what is there.
    pub(super) fn committed(&self, path: &str) -> Result<Option<Vec<u8>>, AuthorError> {
        match self.repository()? {
            Some(repository) => head::file(&repository, path),
            None => files::read(&self.root, path),
        }
    }
}

/// A file as part of a [`Tree`].
pub(super) fn parsed(path: &str, bytes: &[u8]) -> crate::manifest::FileState {
    crate::manifest::FileState::Parsed(std::sync::Arc::new(parse_file(path, bytes)))
}
