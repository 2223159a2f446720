//! What a commit has at a path, and what it has that its parent has not.

use super::{Repository, id_of, objects::unreadable, oid_of};
use crate::authorize::{ObjectError, ObjectId, Objects as _, TreeItem};
use git2::ErrorCode;
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// A file that is not the same in two commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    pub path: String,
    /// The contents; `None`: there is no such file.
    pub before: Option<ObjectId>,
    pub after: Option<ObjectId>,
}

/// How many names of trees are looked at for one comparison: a tree may say in a few bytes that it has more than anybody can
/// look at.
const MAX_NAMES: usize = 200_000;

/// Folders within folders.
const MAX_DEPTH: usize = 64;

/// Bytes of a path: longer ones are nobody's files.
const MAX_PATH: usize = 4096;

/// Modes of entries that are no files.
const TREE: u32 = 0o040_000;
const SUBMODULE: u32 = 0o160_000;

impl Repository {
    /// The files that differ between two commits, the first of which may be none, in the order of their paths. At most so
    /// many, those only whose paths are text, and no more than are found within bounds.
    ///
    /// # Errors
    /// An object that cannot be read.
    pub fn changed(
        &self,
        before: Option<ObjectId>,
        after: ObjectId,
        limit: usize,
    ) -> Result<Vec<Changed>, ObjectError> {
        let tree = |commit: ObjectId| {
            let found = self.git().find_commit(oid_of(commit)).map(|commit| id_of(commit.tree_id()));
            found.map_err(|error| unreadable(commit, &error))
        };
        let (old, new) = (before.map(tree).transpose()?, tree(after)?);
        let mut search = Search { repository: self, found: Vec::new(), limit, names: MAX_NAMES };
        search.folder("", old, Some(new), 0)?;
        Ok(search.found)
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

struct Search<'r> {
    repository: &'r Repository,
    found: Vec<Changed>,
    limit: usize,
    /// How many may still be looked at.
    names: usize,
}

impl Search<'_> {
    fn folder(
        &mut self,
        prefix: &str,
        old: Option<ObjectId>,
        new: Option<ObjectId>,
        depth: usize,
    ) -> Result<(), ObjectError> {
        if old == new || depth > MAX_DEPTH {
            return Ok(());
        }
        let (old, new) = (self.items(old)?, self.items(new)?);
        let mut names: BTreeMap<&[u8], [Option<&TreeItem>; 2]> = BTreeMap::new();
        for (side, items) in [&old, &new].into_iter().enumerate() {
            for item in items.iter() {
                names.entry(&item.name).or_default()[side] = Some(item);
            }
        }
        for (name, both) in names {
            if self.found.len() >= self.limit || self.names == 0 {
                break;
            }
            let is = both.map(|item| item.map(|item| (item.mode, item.id)));
            let Some(name) = std::str::from_utf8(name).ok().filter(|_| is[0] != is[1]) else { continue };
            if prefix.len() + name.len() > MAX_PATH {
                continue;
            }
            let path = format!("{prefix}{name}");
            let of = |wanted: fn(u32) -> bool| is.map(|it| it.filter(|(mode, _)| wanted(*mode)).map(|(_, id)| id));
            let [before, after] = of(|mode| mode != TREE && mode != SUBMODULE);
            let [old, new] = of(|mode| mode == TREE);
            if before.is_some() || after.is_some() {
                self.found.push(Changed { path: path.clone(), before, after });
            }
            self.folder(&format!("{path}/"), old, new, depth + 1)?;
        }
        Ok(())
    }

    fn items(&mut self, tree: Option<ObjectId>) -> Result<Arc<[TreeItem]>, ObjectError> {
        let items = match tree.map(|tree| self.repository.tree(tree)).transpose() {
            Ok(items) => items.unwrap_or_default(),
            // What is no tree has nothing that could be told, and keeps nobody from the other commits.
            Err(error) if error.is_about_content() => Arc::default(),
            Err(error) => return Err(error),
        };
        self.names = self.names.saturating_sub(items.len());
        Ok(items)
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

    #[test]
    fn a_tree_of_more_names_than_there_are() {
        let folder = tempfile::tempdir().expect("a folder");
        super::super::prepare().expect("libgit2");
        let git = Git::init_bare(folder.path()).expect("a repository");
        let author = Signature::new("a", "a@b", &git2::Time::new(0, 0)).expect("a signature");
        // Ten names, each of which is a folder of ten names, and so on: 10^12 files in a few hundred bytes.
        let (mut entry, mut mode) = (git.blob(b"x").expect("a blob"), 0o100_644);
        for _ in 0..12 {
            let mut builder = git.treebuilder(None).expect("a tree");
            for name in 0..10 {
                builder.insert(format!("{name}.yaml"), entry, mode).expect("an entry");
            }
            (entry, mode) = (builder.write().expect("written"), 0o040_000);
        }
        let tree = git.find_tree(entry).expect("a tree");
        let commit = git.commit(None, &author, &author, "x", &tree, &[]).expect("a commit");
        let repository = Repository::open(folder.path()).expect("a repository");
        assert_eq!(repository.changed(None, id_of(commit), 50).expect("readable").len(), 50);
        let all = repository.changed(None, id_of(commit), usize::MAX).expect("readable");
        assert!(all.len() <= MAX_NAMES, "{}", all.len());
    }
}
