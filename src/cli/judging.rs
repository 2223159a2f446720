//! What the commands that judge history without an agent have in common.

use super::{
    UsageError,
    configuration::{describe, environment, read},
};
use crate::{
    authorize::{
        Blob, ObjectId, Objects as _,
        signature::{Check, Evidence, SigningKey, evidence},
        text::Said,
    },
    config::{Environment, Judging, RootCommit},
    git::{Repository, id_of, oid_of},
    manifest::text::MAX_FILE_SIZE,
};
use anyhow::Context as _;
use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

/// Opens the repository that `path` is in.
///
/// # Errors
/// [`UsageError`] if there is none.
pub fn open(path: &Path) -> anyhow::Result<Repository> {
    Ok(Repository::discover(path).map_err(|error| UsageError::new(error.to_string()))?)
}

/// Reads the configuration at `place`: `REV:PATH`, or a file. (A file whose name has a colon is written `./a:b`. Not the
/// other way round: what is checked out may come from whoever is to be judged.)
///
/// # Errors
/// [`UsageError`] if there is none, or it is wrong.
pub fn settings(place: &str, source: Option<&str>, repository: &Repository) -> anyhow::Result<Judging> {
    let (bytes, environment) = bytes(place, repository)?;
    decoded(place, &bytes, source, &environment)
}

/// The bytes of the configuration at `place`, as [`settings`] finds it, and what its defaults depend on.
pub fn bytes(place: &str, repository: &Repository) -> anyhow::Result<(Vec<u8>, Environment)> {
    Ok(match in_revision(place) {
        Some((revision, path)) => {
            let bytes = in_commit(repository, revision, path)?
                .ok_or_else(|| UsageError::new(format!("there is no file {path} in commit {revision}")))?;
            (bytes, Environment { base: PathBuf::new(), ..environment(Path::new("."))? })
        }
        None => in_file(place)?,
    })
}

/// As [`bytes`], with the repository of the current folder, if one is needed.
///
/// # Errors
/// [`UsageError`] if there is none, or no such file.
pub fn bytes_at(place: &str) -> anyhow::Result<(Vec<u8>, Environment)> {
    match in_revision(place) {
        Some(_) => bytes(place, &open(Path::new("."))?),
        None => in_file(place),
    }
}

fn in_revision(place: &str) -> Option<(&str, &str)> {
    place.split_once(':').filter(|_| !place.starts_with(['/', '.']))
}

fn in_file(place: &str) -> anyhow::Result<(Vec<u8>, Environment)> {
    let bytes = read(Path::new(place)).map_err(|error| UsageError::new(format!("cannot read {place}: {error}")))?;
    Ok((bytes, environment(Path::new(place))?))
}

fn decoded(place: &str, bytes: &[u8], source: Option<&str>, environment: &Environment) -> anyhow::Result<Judging> {
    let read = Judging::read(place, bytes, source, environment);
    Ok(read.value.ok_or_else(|| UsageError(describe(&read.diagnostics)))?)
}

/// Where a commit has the configuration for all who work with it.
pub const SHARED: &str = ".mcpfleet/agent.yaml";

/// The configuration that a commit has for all who work with it, or the defaults.
pub fn settings_of_commit(commit: ObjectId, repository: &Repository) -> anyhow::Result<Judging> {
    match in_commit(repository, &commit.to_string(), SHARED)? {
        Some(bytes) => {
            let environment = Environment { base: PathBuf::new(), ..environment(Path::new("."))? };
            decoded(&format!("{}:{SHARED}", commit.short()), &bytes, None, &environment)
        }
        None => Ok(Judging::default()),
    }
}

/// The content of a plain file in a commit.
pub fn in_commit(repository: &Repository, revision: &str, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
    let commit = resolve(repository, revision)?.known()?;
    let git = repository.git();
    let tree = git.find_commit(oid_of(commit)).and_then(|commit| commit.tree());
    let tree = tree.with_context(|| format!("cannot read commit {commit}"))?;
    let Ok(entry) = tree.get_path(Path::new(path)) else { return Ok(None) };
    if !matches!(entry.filemode(), 0o100644 | 0o100755) {
        return Err(UsageError::new(format!("{path} in commit {revision} is no plain file")).into());
    }
    // One byte more than a configuration may have is enough to find it too large.
    Ok(match repository.blob(id_of(entry.id()), MAX_FILE_SIZE)? {
        Blob::Bytes(bytes) => Some(bytes),
        Blob::TooLarge(size) => {
            return Err(UsageError::new(format!("{path} in commit {revision} has {size} bytes")).into());
        }
    })
}

/// What a revision leads to.
pub enum Resolved {
    Commit(ObjectId),
    /// A full id of something that a shallow clone does not have.
    Missing(ObjectId),
}

impl Resolved {
    /// The commit, which must be there.
    pub fn known(self) -> anyhow::Result<ObjectId> {
        match self {
            Resolved::Commit(id) => Ok(id),
            Resolved::Missing(id) => {
                let message =
                    format!("commit {id} is not in this shallow clone: fetch everything, with `git fetch --unshallow`");
                Err(UsageError::new(message).into())
            }
        }
    }

    pub fn id(&self) -> ObjectId {
        match self {
            Resolved::Commit(id) | Resolved::Missing(id) => *id,
        }
    }
}

/// Finds the commit that is meant.
///
/// # Errors
/// [`UsageError`] if there is none.
pub fn resolve(repository: &Repository, revision: &str) -> anyhow::Result<Resolved> {
    let error = match repository.commit_at(revision) {
        Ok(id) => return Ok(Resolved::Commit(id)),
        Err(error) => error,
    };
    let shallow = repository.git().is_shallow();
    match revision.parse() {
        Ok(id) if shallow => Ok(Resolved::Missing(id)),
        _ => {
            let help =
                if shallow { "; this is a shallow clone: fetch everything, with `git fetch --unshallow`" } else { "" };
            Err(UsageError::new(format!("{error}{help}")).into())
        }
    }
}

/// Whether the root of trust is signed with the key that was given for it, if one was.
///
/// # Errors
/// [`UsageError`] if it is not.
pub fn check_signer(repository: &Repository, root: &RootCommit) -> anyhow::Result<()> {
    let Some(signer) = &root.signer else { return Ok(()) };
    let key = SigningKey::parse(signer)?;
    let signed = match evidence(&repository.commit(root.commit)?) {
        Evidence::Signed(signature) => signature.check(&key) == Check::Good,
        _ => false,
    };
    if signed {
        return Ok(());
    }
    let message = format!("the root of trust {} is not signed with `authorization.root.signer`", root.commit);
    Err(UsageError::new(message).into())
}

/// The commits that `head` has and `base` has not.
pub fn between(repository: &Repository, base: ObjectId, head: ObjectId) -> anyhow::Result<HashSet<ObjectId>> {
    let list = || -> Result<_, git2::Error> {
        let mut walk = repository.git().revwalk()?;
        walk.push(oid_of(head))?;
        walk.hide(oid_of(base))?;
        walk.map(|oid| oid.map(id_of)).collect()
    };
    list().with_context(|| format!("cannot list the commits from {base} to {head}"))
}

/// What a commit says of itself, if it can be read.
pub fn said(repository: &Repository) -> impl Fn(ObjectId) -> Option<Said> {
    |commit| Some(Said::of(&repository.commit(commit).ok()?))
}
