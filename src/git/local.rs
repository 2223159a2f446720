//! A repository on this machine as a remote: its references and objects are read as they are, without a protocol.

use super::{
    bounds::Bounds,
    error::{FetchError, FetchFailure, is_sha256},
    history::links,
    objects::{GitError, Repository, id_of, oid_of},
    packs::Incoming,
    remote::Follow,
};
use crate::authorize::{ObjectError, ObjectId, Objects};
use git2::{ErrorCode, ObjectType, OdbLookupFlags, PackBuilder};
use std::{collections::HashSet, fs, path::Path};

/// The commit that is followed now.
pub(super) fn look(path: &Path, follow: &Follow, shown: &str) -> Result<ObjectId, FetchError> {
    let Some(reference) = follow.reference() else { return Err(FetchError::missing(shown, &follow.shown())) };
    let source = open(path, shown)?;
    let git = source.git();
    match git.find_reference(&reference).and_then(|found| found.peel_to_commit()) {
        Ok(commit) => Ok(id_of(commit.id())),
        Err(_) if git.references().is_ok_and(|mut all| all.next().is_none()) => {
            Err(FetchError::new(FetchFailure::Empty, format!("{shown} has no commit yet")))
        }
        Err(error) if matches!(error.code(), ErrorCode::NotFound | ErrorCode::InvalidSpec | ErrorCode::Peel) => {
            Err(FetchError::missing(shown, &follow.shown()))
        }
        Err(error) => Err(FetchError::of_git(shown, &error)),
    }
}

/// Copies `head` and all that it leads to, besides what the mirror already has.
///
/// What the mirror has is complete: whatever a commit or tree in it leads to is there as well. So the walk ends
/// wherever it meets an object of the mirror.
pub(super) fn fetch(path: &Path, mirror: &Repository, head: ObjectId, bounds: &Bounds) -> Result<(), FetchError> {
    let source = open(path, &bounds.remote)?;
    let git = |error: git2::Error| FetchError::of_git(&bounds.remote, &error);
    let mut copy = Copy {
        source: &source,
        mirror,
        known: mirror.git().odb().map_err(git)?,
        pack: source.git().packbuilder().map_err(git)?,
        seen: HashSet::new(),
        bounds,
    };
    copy.pack.set_threads(1);
    // Asked now and then while it looks for what is alike, which may take long.
    copy.pack.set_progress_callback(move |_, _, _| bounds.left().is_ok()).map_err(git)?;
    copy.all(head)?;
    copy.write()
}

fn open(path: &Path, shown: &str) -> Result<Repository, FetchError> {
    use std::io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    if let Err(error) = fs::read_dir(path) {
        let kind = match error.kind() {
            NotFound | NotADirectory => FetchFailure::NotFound,
            PermissionDenied => FetchFailure::Forbidden,
            _ => FetchFailure::Unreachable,
        };
        return Err(FetchError::new(kind, format!("{shown}: {error}")));
    }
    Repository::at(path).map_err(|error| match error {
        GitError::Open { message, .. } if is_sha256(&message) => {
            FetchError::new(FetchFailure::Sha256, format!("{shown}: {message}"))
        }
        error => FetchError::new(FetchFailure::NotGit, format!("{shown} cannot be opened: {error}")),
    })
}

/// Objects on their way from one repository to another.
struct Copy<'a> {
    source: &'a Repository,
    mirror: &'a Repository,
    known: git2::Odb<'a>,
    pack: PackBuilder<'a>,
    seen: HashSet<ObjectId>,
    bounds: &'a Bounds,
}

impl Copy<'_> {
    /// Takes in all that a commit leads to. Each object is followed by what it is, whatever it was taken for by what led
    /// to it: the mirror must have all that is below whatever it has.
    fn all(&mut self, head: ObjectId) -> Result<(), FetchError> {
        let mut pending = vec![head];
        while let Some(id) = pending.pop() {
            if !self.is_new(id) {
                continue;
            }
            let read = match self.insert(id)? {
                Ok(ObjectType::Commit) if self.source.is_shallow(id) => {
                    let what = format!("{} is a shallow clone: it ends at commit {}", self.bounds.remote, id.short());
                    return Err(FetchError::new(FetchFailure::Shallow, what));
                }
                Ok(ObjectType::Commit) => {
                    self.source.commit(id).map(|commit| pending.extend(links(&commit).map(|(_, id)| id)))
                }
                Ok(ObjectType::Tree) => self.source.tree(id).map(|items| {
                    // A submodule's commit is in another repository.
                    let items = items.iter().filter(|item| item.mode & 0o170_000 != 0o160_000);
                    pending.extend(items.map(|item| item.id).filter(|id| !self.seen.contains(id)));
                }),
                Ok(_) => Ok(()),
                Err(ObjectError::Missing(_)) if id == head => return Err(FetchError::moved(&self.bounds.remote, id)),
                Err(error) => Err(error),
            };
            match read {
                // What nobody can read leads nowhere. Who judges it says so; what it does not concern goes on.
                Err(error) if !error.is_about_content() => return Err(self.unreadable(&error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether an object is not in the mirror, and has not been met before.
    fn is_new(&mut self, id: ObjectId) -> bool {
        self.seen.insert(id) && !self.known.exists_ext(oid_of(id), OdbLookupFlags::NO_REFRESH)
    }

    /// Puts an object on the list of what is to be written, and says what it is.
    fn insert(&mut self, id: ObjectId) -> Result<Result<ObjectType, ObjectError>, FetchError> {
        self.bounds.left()?;
        let (kind, size) = match self.source.header(id) {
            Ok(header) => header,
            Err(error) => return Ok(Err(error)),
        };
        self.bounds.object(Some(id), size)?;
        let inserted = self.pack.insert_object(oid_of(id), None);
        inserted.map_err(|error| FetchError::of_git(&self.bounds.remote, &error))?;
        let count = self.pack.object_count() as u64;
        self.bounds.fetch.found(count);
        self.bounds.objects(count)?;
        Ok(Ok(kind))
    }

    /// Writes the objects into the mirror: all of them, or none.
    fn write(&mut self) -> Result<(), FetchError> {
        if self.pack.object_count() == 0 {
            return Ok(());
        }
        let mut into = Incoming::new(self.mirror, self.bounds)?;
        let mut failure = None;
        let written = self.pack.foreach(|bytes| {
            failure = self.bounds.spend(bytes.len()).and_then(|()| into.write(bytes)).err();
            failure.is_none()
        });
        match (failure, written) {
            (Some(failure), _) => Err(failure),
            (None, Err(error)) => {
                Err(self.bounds.left().err().unwrap_or_else(|| FetchError::of_git(&self.bounds.remote, &error)))
            }
            (None, Ok(())) => into.finish().map(drop),
        }
    }

    fn unreadable(&self, error: &ObjectError) -> FetchError {
        FetchError::new(FetchFailure::Truncated, format!("{} is damaged: {error}", self.bounds.remote))
    }
}
