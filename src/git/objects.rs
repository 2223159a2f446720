//! Reading a repository's objects. Nothing is ever checked out.

use crate::{
    authorize::{Blob, ObjectError, ObjectId, Objects, TreeItem},
    escape::escape,
};
use git2::{ErrorCode, ObjectType, Oid};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The largest commit or tree that is read: a tree of some 300,000 names.
const MAX_OBJECT: usize = 16 << 20;

/// So many commits between two are counted; there are not less if there are as many.
pub const MAX_DISTANCE: usize = 1_000;

/// A repository, or the way to one, that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("{path} is not a git repository that can be opened: {message}", path = .path.display())]
    Open { path: PathBuf, message: String },
    #[error("{revision} is not a commit of {path}: {message}", path = .path.display())]
    Revision { path: PathBuf, revision: String, message: String },
    #[error("{path} cannot be compared with commit {revision}: {message}", path = .path.display())]
    Compare { path: PathBuf, revision: ObjectId, message: String },
    #[error(transparent)]
    Object(#[from] ObjectError),
}

/// An open repository. Blocking, and for one thread at a time.
pub struct Repository {
    git: git2::Repository,
    /// The commits whose parents were not fetched.
    shallow: BTreeSet<ObjectId>,
}

impl Repository {
    /// Opens the repository at a path: a bare one, a work tree, or a folder of one.
    pub fn discover(path: &Path) -> Result<Repository, GitError> {
        let opened = super::prepare().and_then(|()| git2::Repository::discover(path));
        Repository::opened(path, opened)
    }

    /// Opens the repository that a folder is, or has in its `.git`, without looking further up.
    pub(super) fn at(folder: &Path) -> Result<Repository, GitError> {
        let opened = super::prepare().and_then(|()| git2::Repository::open(folder));
        Repository::opened(folder, opened)
    }

    /// Opens the bare repository that a folder is, such as a mirror, without looking further up.
    pub fn open(folder: &Path) -> Result<Repository, GitError> {
        let opened = super::prepare().and_then(|()| git2::Repository::open_bare(folder));
        Repository::opened(folder, opened)
    }

    /// Opens the repository that git's environment variables name, as a hook must: `GIT_DIR`, `GIT_INDEX_FILE`, and where
    /// objects are that have been pushed and not been taken yet.
    pub fn from_environment() -> Result<Repository, GitError> {
        let opened = super::prepare().and_then(|()| git2::Repository::open_from_env());
        Repository::opened(Path::new("."), opened)
    }

    fn opened(path: &Path, opened: Result<git2::Repository, git2::Error>) -> Result<Repository, GitError> {
        let git = opened
            .map_err(|error| GitError::Open { path: path.to_owned(), message: escape(error.message()).into() })?;
        let shallow = std::fs::read_to_string(git.commondir().join("shallow")).unwrap_or_default();
        let shallow = shallow.lines().filter_map(|line| line.trim().parse().ok()).collect();
        Ok(Repository { git, shallow })
    }

    pub fn path(&self) -> &Path {
        self.git.path()
    }

    pub fn git(&self) -> &git2::Repository {
        &self.git
    }

    /// The commit that a revision, as `git rev-parse` understands it, leads to.
    pub fn commit_at(&self, revision: &str) -> Result<ObjectId, GitError> {
        let commit = self.git.revparse_single(revision).and_then(|object| object.peel_to_commit());
        commit.map(|commit| id_of(commit.id())).map_err(|error| GitError::Revision {
            path: self.git.path().to_owned(),
            revision: revision.to_owned(),
            message: escape(error.message()).into(),
        })
    }

    /// Whether one commit is another, or one that the other builds on. One that is not here is not.
    pub fn is_ancestor(&self, ancestor: ObjectId, of: ObjectId) -> Result<bool, ObjectError> {
        if ancestor == of {
            return Ok(true);
        }
        match self.git.graph_descendant_of(oid_of(of), oid_of(ancestor)) {
            Err(error) if error.code() == ErrorCode::NotFound => Ok(false),
            found => found.map_err(|error| unreadable(of, &error)),
        }
    }

    /// How many commits there are from one to another that builds on it, up to `MAX_DISTANCE`. `None`: it does not, or one
    /// of them is not here.
    pub fn distance(&self, from: ObjectId, to: ObjectId) -> Result<Option<usize>, ObjectError> {
        if !self.is_ancestor(from, to)? {
            return Ok(None);
        }
        let count = || {
            let mut walk = self.git.revwalk()?;
            walk.push(oid_of(to))?;
            walk.hide(oid_of(from))?;
            Ok(walk.take(MAX_DISTANCE).count())
        };
        count().map(Some).map_err(|error| unreadable(to, &error))
    }

    /// The newest commit that two have in common, if they have one.
    pub fn fork(&self, one: ObjectId, other: ObjectId) -> Result<Option<ObjectId>, ObjectError> {
        match self.git.merge_base(oid_of(one), oid_of(other)) {
            Ok(fork) => Ok(Some(id_of(fork))),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(unreadable(other, &error)),
        }
    }

    /// What an object is, and its size in bytes, without reading it all.
    pub(super) fn header(&self, id: ObjectId) -> Result<(ObjectType, u64), ObjectError> {
        let header = self.git.odb().and_then(|odb| odb.read_header(oid_of(id)));
        header.map(|(size, kind)| (kind, size as u64)).map_err(|error| unreadable(id, &error))
    }

    /// Reads an object of a kind, unless it is larger than `limit` bytes.
    fn read<T>(
        &self,
        id: ObjectId,
        kind: ObjectType,
        limit: usize,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Result<Result<T, u64>, ObjectError> {
        let read = || {
            let odb = self.git.odb()?;
            let (size, found) = odb.read_header(oid_of(id))?;
            if found != kind || size > limit {
                return Ok((found, Err(size as u64)));
            }
            let object = odb.read(oid_of(id))?;
            Ok((found, Ok(take(object.data()))))
        };
        match read().map_err(|error: git2::Error| unreadable(id, &error))? {
            (found, _) if found != kind => Err(ObjectError::WrongKind { id, expected: kind.str(), found: found.str() }),
            (_, content) => Ok(content),
        }
    }
}

impl Objects for Repository {
    fn commit(&self, id: ObjectId) -> Result<Arc<[u8]>, ObjectError> {
        let content = self.read(id, ObjectType::Commit, MAX_OBJECT, |bytes| Arc::from(bytes))?;
        content.map_err(|_| ObjectError::TooLarge { id, limit: MAX_OBJECT })
    }

    fn tree(&self, id: ObjectId) -> Result<Arc<[TreeItem]>, ObjectError> {
        let content = self.read(id, ObjectType::Tree, MAX_OBJECT, tree_items)?;
        let items = content.map_err(|_| ObjectError::TooLarge { id, limit: MAX_OBJECT })?;
        items.map(Arc::from).ok_or_else(|| ObjectError::Damaged { id, message: "it is not a tree".to_owned() })
    }

    fn blob(&self, id: ObjectId, limit: usize) -> Result<Blob, ObjectError> {
        let content = self.read(id, ObjectType::Blob, limit, |bytes| Blob::Bytes(bytes.to_vec()))?;
        Ok(content.unwrap_or_else(Blob::TooLarge))
    }

    fn is_shallow(&self, id: ObjectId) -> bool {
        self.shallow.contains(&id)
    }
}

/// A tree as git stores it: `MODE NAME`, NUL, the 20 bytes of the object's name, again and again.
fn tree_items(mut bytes: &[u8]) -> Option<Vec<TreeItem>> {
    let mut items = Vec::new();
    while !bytes.is_empty() {
        let (mode, rest) = bytes.split_at(memchr::memchr(b' ', bytes)?);
        let mode = u32::from_str_radix(std::str::from_utf8(mode).ok()?, 8).ok()?;
        let (name, rest) = rest.get(1..)?.split_at(memchr::memchr(0, rest.get(1..)?)?);
        let (id, rest) = rest.get(1..)?.split_first_chunk::<20>()?;
        items.push(TreeItem { name: name.to_vec(), mode, id: ObjectId::new(*id) });
        bytes = rest;
    }
    Some(items)
}

/// The same name in libgit2's form.
pub fn oid_of(id: ObjectId) -> Oid {
    Oid::from_bytes(id.as_bytes()).unwrap_or(Oid::ZERO_SHA1)
}

/// The same name in ours.
pub fn id_of(oid: Oid) -> ObjectId {
    let mut bytes = [0; 20];
    bytes.copy_from_slice(oid.as_bytes());
    ObjectId::new(bytes)
}

pub(super) fn unreadable(id: ObjectId, error: &git2::Error) -> ObjectError {
    match error.code() {
        ErrorCode::NotFound => ObjectError::Missing(id),
        _ => ObjectError::Unreadable { id, message: escape(error.message()).into() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_an_object_is_told_apart() {
        let folder = tempfile::tempdir().expect("a folder");
        super::super::prepare().and_then(|()| git2::Repository::init_bare(folder.path())).expect("a repository");
        let repository = Repository::open(folder.path()).expect("a repository");
        let odb = repository.git().odb().expect("objects");
        let write = |kind, content: &[u8]| id_of(odb.write(kind, content).expect("an object"));
        let blob = write(ObjectType::Blob, b"hello");
        let tree = write(ObjectType::Tree, b"");
        let nonsense = write(ObjectType::Tree, b"100644 a\0too short");
        let large = write(ObjectType::Commit, &vec![b'a'; MAX_OBJECT + 1]);
        let absent = ObjectId::new([7; 20]);

        let wrong = ObjectError::WrongKind { id: tree, expected: "blob", found: "tree" };
        assert_eq!(repository.blob(tree, 10), Err(wrong.clone()));
        let damaged = repository.tree(nonsense).expect_err("no tree");
        assert!(matches!(damaged, ObjectError::Damaged { id, .. } if id == nonsense), "{damaged}");
        let too_large = ObjectError::TooLarge { id: large, limit: MAX_OBJECT };
        assert_eq!(repository.commit(large), Err(too_large.clone()));
        assert!([wrong, damaged, too_large].iter().all(ObjectError::is_about_content));

        let missing = repository.commit(absent).expect_err("nothing there");
        assert_eq!(missing, ObjectError::Missing(absent));
        assert_eq!(repository.blob(blob, 4), Ok(Blob::TooLarge(5)));
        let name = blob.to_string();
        let path = folder.path().join("objects").join(&name[..2]).join(&name[2..]);
        std::fs::remove_file(&path).and_then(|()| std::fs::write(&path, b"garbage")).expect("a file");
        let unreadable = repository.blob(blob, 10).expect_err("garbage");
        assert!(matches!(unreadable, ObjectError::Unreadable { .. }), "{unreadable}");
        assert!(!missing.is_about_content() && !unreadable.is_about_content());
    }

    #[test]
    fn a_mirror_is_not_looked_for_further_up() {
        let folder = tempfile::tempdir().expect("a folder");
        super::super::prepare().and_then(|()| git2::Repository::init(folder.path())).expect("a repository");
        let below = folder.path().join("state/mirror");
        std::fs::create_dir_all(&below).expect("a folder");
        assert!(Repository::discover(&below).is_ok());
        assert!(Repository::open(&below).is_err());
    }
}
