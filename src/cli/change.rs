//! A change that is judged before it is merged: what is in force where it begins, and what would be after it.

use super::{
    UsageError,
    judging::{check_signer, resolve},
};
use crate::{
    authorize::{Cache, Code, Failure, Judge, ObjectId, Proposed, Report, Rules, Since},
    config::Judging,
    git::Repository,
};
use anyhow::Context as _;

/// From where to where, and since when it counts.
pub struct Change {
    /// The newest commit that base and head both have.
    pub fork: ObjectId,
    /// `None`: everything that the fork has counts as accepted.
    pub root: Option<ObjectId>,
    pub head: ObjectId,
}

/// What a judge says of a change.
pub struct Judged {
    pub report: Report,
    /// `None`: the head could not be judged at all, as the report says, and nothing moves.
    pub states: Option<Proposed>,
}

impl Change {
    /// # Errors
    /// [`UsageError`] when the two have nothing in common, or there is no such root.
    pub fn new(
        repository: &Repository,
        (base, head): (ObjectId, ObjectId),
        root: Option<&str>,
        judging: &Judging,
    ) -> anyhow::Result<Change> {
        let root = match (root, &judging.authorization.root) {
            (Some(revision), _) => Some(resolve(repository, revision)?.known()?),
            (None, Some(root)) => {
                resolve(repository, &root.commit.to_string())?.known()?;
                check_signer(repository, root)?;
                Some(root.commit)
            }
            (None, None) => None,
        };
        Ok(Change { fork: fork(repository, base, head)?, root, head })
    }

    /// # Errors
    /// [`UsageError`] for a root that is nothing to begin with, and what keeps the repository from being read.
    pub fn judge(&self, repository: &Repository, rules: &Rules) -> anyhow::Result<Judged> {
        let mut cache = Cache::default();
        let mut judge = Judge::new(repository, rules, &mut cache);
        let since = self.root.map_or(Since::Everything, Since::Root);
        match judge.propose(rules, self.fork, since, self.head) {
            Ok((mut report, states)) => {
                report.assumed_root = self.root.is_none();
                Ok(Judged { report, states: Some(states) })
            }
            // A root without an administrator is nothing to begin with.
            Err(Failure::Refused(refusal)) if refusal.code == Code::PolicyLockout => {
                Err(UsageError::new(refusal.message).into())
            }
            Err(Failure::Refused(refusal)) => {
                let report = Report::refused(self.fork, self.head, refusal, self.root.is_none());
                Ok(Judged { report, states: None })
            }
            Err(Failure::Object(error)) => Err(error.into()),
        }
    }
}

/// The newest commit that both have.
fn fork(repository: &Repository, base: ObjectId, head: ObjectId) -> anyhow::Result<ObjectId> {
    let found = repository.fork(base, head).with_context(|| format!("cannot read the history of {head}"))?;
    found.ok_or_else(|| {
        let shallow = if repository.git().is_shallow() {
            "; this is a shallow clone: fetch everything, with `git fetch --unshallow` or `fetch-depth: 0`"
        } else {
            ""
        };
        UsageError::new(format!("{base} and {head} have no commit in common{shallow}")).into()
    })
}
