//! What the current commit of a repository says.

use super::AuthorError;
use crate::{
    authorize::{Blob, ObjectId, Objects},
    git::{GitError, Repository, id_of, oid_of},
    manifest::{Code, Diagnostic, FileState, Tree, parse_file, text::MAX_FILE_SIZE},
};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use std::{path::Path, sync::Arc};

/// Folders within folders that are looked into.
const MAX_DEPTH: usize = 64;

/// The commit that the work tree stands on; `None` before the first.
pub fn commit(repository: &Repository) -> Result<Option<ObjectId>, AuthorError> {
    match repository.git().head() {
        Ok(_) => Ok(Some(repository.commit_at("HEAD")?)),
        Err(error) if error.code() == git2::ErrorCode::UnbornBranch => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The files of the current commit whose paths are `wanted`.
pub fn tree(repository: &Repository, wanted: impl Fn(&str) -> bool) -> Result<Tree, AuthorError> {
    match commit(repository)? {
        Some(commit) => tree_of(repository, commit, wanted),
        None => Ok(Tree::new()),
    }
}

fn tree_of(repository: &Repository, commit: ObjectId, wanted: impl Fn(&str) -> bool) -> Result<Tree, AuthorError> {
    let root = repository.git().find_commit(oid_of(commit))?.tree_id();
    let mut folders = vec![(String::new(), id_of(root), 0)];
    let mut read = Vec::new();
    while let Some((prefix, id, depth)) = folders.pop() {
        for item in repository.tree(id).map_err(GitError::Object)?.iter() {
            let Ok(name) = std::str::from_utf8(&item.name) else { continue };
            let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
            match item.mode {
                0o040000 if name.starts_with('.') || depth == MAX_DEPTH => {}
                0o040000 => folders.push((path, item.id, depth + 1)),
                _ if !wanted(&path) => {}
                0o100644 | 0o100755 => {
                    let blob = repository.blob(item.id, MAX_FILE_SIZE).map_err(GitError::Object)?;
                    read.push((path, Some(blob)));
                }
                _ => read.push((path, None)),
            }
        }
    }
    let state = |(path, blob): (String, Option<Blob>)| -> (Arc<str>, FileState) {
        let unreadable = |code, message: String| {
            FileState::Unreadable(Box::new(Diagnostic::about_file(code, path.as_str(), message)))
        };
        let state = match &blob {
            Some(Blob::Bytes(bytes)) => FileState::Parsed(Arc::new(parse_file(&path, bytes))),
            Some(Blob::TooLarge(size)) => unreadable(Code::FileTooLarge, format!("has {size} bytes")),
            None => unreadable(Code::SpecialFile, "is a symlink or a submodule".to_owned()),
        };
        (path.as_str().into(), state)
    };
    Ok(read.into_par_iter().map(state).collect::<Vec<_>>().into_iter().collect())
}

/// The content of a file of the current commit.
pub fn file(repository: &Repository, path: &str) -> Result<Option<Vec<u8>>, AuthorError> {
    let Some(commit) = commit(repository)? else { return Ok(None) };
    let tree = repository.git().find_commit(oid_of(commit))?.tree()?;
    match tree.get_path(Path::new(path)) {
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error.into()),
        Ok(entry) => match repository.blob(id_of(entry.id()), MAX_FILE_SIZE).map_err(GitError::Object)? {
            Blob::Bytes(bytes) => Ok(Some(bytes)),
            Blob::TooLarge(_) => Err(AuthorError::Refused(format!("{path} is too large to be a resource file"))),
        },
    }
}
