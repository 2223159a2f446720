//! What a work tree has that an earlier commit has not.

use super::{GitError, Repository, id_of, oid_of};
use crate::{authorize::ObjectId, escape::escape};
use git2::{Delta, DiffOptions};
use std::{collections::HashSet, path::PathBuf};

/// How a work tree differs from a commit: by what was committed, staged or only written since then.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Files that were added, changed or removed, with the work tree's path in front.
    pub files: HashSet<PathBuf>,
    /// What the changed and removed ones were: their paths from the root of the repository, and their contents.
    pub before: Vec<(String, ObjectId)>,
}

impl Repository {
    /// How the work tree differs from the commit where its branch left that of `revision`. Files that git ignores do not
    /// count.
    ///
    /// # Errors
    /// When there is no such commit, or no work tree.
    pub fn changes_since(&self, revision: ObjectId) -> Result<Changes, GitError> {
        let git = self.git();
        let error = |message: String| GitError::Compare { path: self.path().to_owned(), revision, message };
        let of_git = |failed: git2::Error| error(escape(failed.message()).into_owned());
        let Some(work_tree) = git.workdir().and_then(|path| path.canonicalize().ok()) else {
            return Err(error("the repository has no work tree".to_owned()));
        };
        let head = git.head().and_then(|head| head.peel_to_commit()).map_err(of_git)?;
        let base = git.merge_base(oid_of(revision), head.id()).map_err(|_| {
            let help = if git.is_shallow() { ": fetch the whole history, this clone is shallow" } else { "" };
            error(format!("it has no commit in common with what is checked out{help}"))
        })?;
        let tree = git.find_commit(base).and_then(|commit| commit.tree()).map_err(of_git)?;
        let mut options = DiffOptions::new();
        options.include_untracked(true).recurse_untracked_dirs(true).include_typechange(true).ignore_submodules(true);
        let diff = git.diff_tree_to_workdir_with_index(Some(&tree), Some(&mut options)).map_err(of_git)?;
        let mut changes = Changes::default();
        for delta in diff.deltas() {
            let files = [delta.old_file(), delta.new_file()];
            changes.files.extend(files.iter().filter_map(|file| file.path()).map(|path| work_tree.join(path)));
            if matches!(delta.status(), Delta::Deleted | Delta::Modified | Delta::Typechange | Delta::Renamed)
                && let Some(path) = delta.old_file().path()
            {
                changes.before.push((path.to_string_lossy().into_owned(), id_of(delta.old_file().id())));
            }
        }
        Ok(changes)
    }
}
