//! A change that is judged before it is merged: what is in force where it begins, and what would be after it.

use super::{
    UsageError,
    judging::{check_signer, resolve},
};
use crate::{
    authorize::{Cache, Code, Failure, Judge, ObjectId, Report, Rules, State},
    config::Judging,
    git::{Repository, id_of, oid_of},
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
    pub states: Option<States>,
}

pub struct States {
    /// What the fork has, accepted or not.
    pub fork: State,
    /// What is accepted there.
    pub before: State,
    /// What is accepted of the head.
    pub after: State,
    /// What the head has, accepted or not.
    pub head: State,
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
        match self.look(&mut judge, rules) {
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

    fn look(&self, judge: &mut Judge, rules: &Rules) -> Result<(Report, States), Failure> {
        let fork = judge.root(self.fork)?;
        let before = match self.root {
            Some(root) => {
                let trusted = judge.root(root)?;
                trusted.check_root(rules)?;
                judge.advance(&trusted, self.fork)?.state
            }
            None => fork.clone(),
        };
        let judgement = judge.advance(&before, self.head)?;
        let report = Report::of_push(&before, &judgement);
        Ok((report, States { fork, before, after: judgement.state, head: judge.root(self.head)? }))
    }
}

/// The newest commit that both have.
fn fork(repository: &Repository, base: ObjectId, head: ObjectId) -> anyhow::Result<ObjectId> {
    match repository.git().merge_base(oid_of(base), oid_of(head)) {
        Ok(fork) => Ok(id_of(fork)),
        Err(error) if error.code() == git2::ErrorCode::NotFound => {
            let shallow = if repository.git().is_shallow() {
                "; this is a shallow clone: fetch everything, with `git fetch --unshallow` or `fetch-depth: 0`"
            } else {
                ""
            };
            Err(UsageError::new(format!("{base} and {head} have no commit in common{shallow}")).into())
        }
        Err(error) => Err(error).with_context(|| format!("cannot read the history of {head}")),
    }
}
