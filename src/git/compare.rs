//! What a commit has at a path, and what it has that its parent has not.

use super::{Repository, id_of, objects::unreadable, oid_of};
use crate::authorize::{ObjectError, ObjectId};
use git2::{DiffOptions, ErrorCode};
use std::path::Path;

/// A file that is not the same in two commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    pub path: String,
    /// The contents; `None`: there is no such file.
    pub before: Option<ObjectId>,
    pub after: Option<ObjectId>,
}

impl Repository {
    /// The files that differ between two commits, the first of which may be none, in the order of their paths. At most so
    /// many, and those only whose paths are text.
    ///
    /// # Errors
    /// An object that cannot be read.
    pub fn changed(
        &self,
        before: Option<ObjectId>,
        after: ObjectId,
        limit: usize,
    ) -> Result<Vec<Changed>, ObjectError> {
        let failed = |error: git2::Error| unreadable(after, &error);
        let tree = |commit: ObjectId| self.git().find_commit(oid_of(commit)).and_then(|commit| commit.tree());
        let (old, new) = (before.map(tree).transpose().map_err(failed)?, tree(after).map_err(failed)?);
        let mut options = DiffOptions::new();
        options.include_typechange(true).ignore_submodules(true).skip_binary_check(true);
        let diff = self.git().diff_tree_to_tree(old.as_ref(), Some(&new), Some(&mut options)).map_err(failed)?;
        let one = |delta: git2::DiffDelta| {
            let (old, new) = (delta.old_file(), delta.new_file());
            let path = new.path().or(old.path())?.to_str()?.to_owned();
            let blob = |file: &git2::DiffFile| (!file.id().is_zero()).then(|| id_of(file.id()));
            Some(Changed { path, before: blob(&old), after: blob(&new) })
        };
        Ok(diff.deltas().filter_map(one).take(limit).collect())
    }

    /// The content of the plain file that a commit has at a path.
    ///
    /// # Errors
    /// An object that cannot be read.
    pub fn file_at(&self, commit: ObjectId, path: &str) -> Result<Option<ObjectId>, ObjectError> {
        let failed = |error: git2::Error| unreadable(commit, &error);
        let tree = self.git().find_commit(oid_of(commit)).and_then(|commit| commit.tree()).map_err(failed)?;
        match tree.get_path(Path::new(path)) {
            Ok(entry) => Ok(matches!(entry.filemode(), 0o100_644 | 0o100_755).then(|| id_of(entry.id()))),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use git2::{Repository as Git, Signature};

    #[test]
    fn what_a_commit_changes() {
        let folder = tempfile::tempdir().expect("a folder");
        super::super::prepare().expect("libgit2");
        let git = Git::init_bare(folder.path()).expect("a repository");
        let author = Signature::new("a", "a@b", &git2::Time::new(0, 0)).expect("a signature");
        let commit = |files: &[(&str, &str)], parents: &[git2::Oid]| {
            let mut builder = git.treebuilder(None).expect("a tree");
            for (name, text) in files {
                builder.insert(name, git.blob(text.as_bytes()).expect("a blob"), 0o100_644).expect("an entry");
            }
            let tree = git.find_tree(builder.write().expect("written")).expect("a tree");
            let parents: Vec<_> = parents.iter().map(|id| git.find_commit(*id).expect("a parent")).collect();
            git.commit(None, &author, &author, "x", &tree, &parents.iter().collect::<Vec<_>>()).expect("a commit")
        };
        let first = commit(&[("a", "1"), ("b", "1")], &[]);
        let second = commit(&[("a", "2"), ("c", "1")], &[first]);
        let repository = Repository::open(folder.path()).expect("a repository");
        let shown = |before: Option<git2::Oid>, limit| -> Vec<_> {
            let changed = repository.changed(before.map(id_of), id_of(second), limit).expect("readable");
            changed.into_iter().map(|one| (one.path, one.before.is_some(), one.after.is_some())).collect()
        };
        let all = [("a", true, true), ("b", true, false), ("c", false, true)];
        let all = all.map(|(path, before, after)| (path.to_owned(), before, after));
        assert_eq!(shown(Some(first), 9), all);
        assert_eq!(shown(Some(first), 2), all[..2]);
        assert_eq!(shown(None, 9).len(), 2);
        let at = |commit, path: &str| repository.file_at(id_of(commit), path).expect("readable");
        assert!(at(first, "a").is_some() && at(first, "a") != at(second, "a"));
        assert_eq!((at(second, "b"), at(first, "no/such/path")), (None, None));
        assert!(repository.file_at(ObjectId::new([7; 20]), "a").is_err());
    }
}
