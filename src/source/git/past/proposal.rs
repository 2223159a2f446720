//! What a branch or commit would bring: judged as the agent judges, and forgotten.

use super::{Ground, Heads, Inner, PastError, aside::Aside};
use crate::{
    authorize::{
        Blob, Cache, Failure, Judge, ObjectError, ObjectId, Objects, Proposed, Refusal, Report, Since, TreeItem,
    },
    git::{Follow, Repository},
    source::git::Mode,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How long is judged.
const TIME: Duration = Duration::from_secs(10);
/// The longest name of a branch.
const MAX_NAME: usize = 250;

/// What came of judging a branch or commit.
#[derive(Debug)]
pub struct Proposal {
    /// Where it left what is accepted.
    pub fork: ObjectId,
    pub head: ObjectId,
    /// What is refused takes no effect.
    pub enforced: bool,
    /// What would be in force; or why it could not be judged at all.
    pub judged: Result<Box<(Report, Proposed)>, Refusal>,
}

pub(super) fn propose(inner: &Inner, heads: Heads, reference: &str) -> Result<Proposal, PastError> {
    let mirror = inner.open()?;
    let ground = inner.footing.ground();
    let trusted = ground.trusted.as_ref().map(|(_, state)| state.commit());
    let base = trusted.or(heads.accepted).ok_or(PastError::NotYet)?;
    if let Some(head) = reference.parse().ok().filter(|head| is_here(&mirror, *head)) {
        return judge(inner, &ground, &mirror, base, head);
    }
    let mut aside = Aside::new(&inner.settings, inner.mirror())?;
    let follow = follow(reference)?;
    let head = aside.look(&follow)?;
    if is_here(&mirror, head) {
        return judge(inner, &ground, &mirror, base, head);
    }
    judge(inner, &ground, aside.fetch(&follow, head)?, base, head)
}

/// What the name of a branch, or the id of a commit, means.
fn follow(reference: &str) -> Result<Follow, PastError> {
    if let Ok(commit) = reference.parse() {
        return Ok(Follow::Commit(commit));
    }
    let name = reference.strip_prefix("refs/heads/").unwrap_or(reference);
    if name.is_empty() || name.len() > MAX_NAME || !git2::Reference::is_valid_name(&format!("refs/heads/{name}")) {
        return Err(PastError::Unknown("`ref` must be the name of a branch, or the full id of a commit".to_owned()));
    }
    Ok(Follow::Branch(name.to_owned()))
}

/// Whether a commit has been fetched: then all that it leads to has been.
fn is_here(mirror: &Repository, commit: ObjectId) -> bool {
    mirror.commit(commit).is_ok()
}

fn judge(
    inner: &Inner,
    ground: &Ground,
    repository: &Repository,
    base: ObjectId,
    head: ObjectId,
) -> Result<Proposal, PastError> {
    let enforced = inner.settings.mode == Mode::Enforce;
    let Some(fork) = repository.fork(base, head)? else {
        return Err(PastError::Unknown(format!("{head} has no commit in common with what is accepted, {base}")));
    };
    let since = match &ground.trusted {
        Some((_, state)) if state.commit() == fork => Since::State(state),
        Some((root, _)) if repository.is_ancestor(*root, fork)? => Since::Root(*root),
        // It is older than the root of trust, from where on nothing goes back.
        Some((root, _)) => {
            let message = format!(
                "{head} left the history before the root of trust, {root}: rebase it, or merge what is accepted into it"
            );
            return Err(PastError::Unknown(message));
        }
        None => Since::Everything,
    };
    let objects = Limited { repository, until: Instant::now() + TIME };
    let (rules, mut cache) = (&*ground.rules, Cache::default());
    let judged = match Judge::new(&objects, rules, &mut cache).propose(rules, fork, since, head) {
        Ok(judged) => Ok(Box::new(judged)),
        Err(Failure::Refused(refusal)) => Err(refusal),
        Err(Failure::Object(_)) if Instant::now() >= objects.until => return Err(PastError::TooLong(TIME)),
        Err(Failure::Object(error)) => return Err(error.into()),
    };
    Ok(Proposal { fork, head, enforced, judged })
}

/// Objects that are there for so long only: a judgement knows no other end.
struct Limited<'r> {
    repository: &'r Repository,
    until: Instant,
}

impl Limited<'_> {
    fn check(&self, id: ObjectId) -> Result<(), ObjectError> {
        match Instant::now() < self.until {
            true => Ok(()),
            false => Err(ObjectError::Unreadable { id, message: "there is no time left".to_owned() }),
        }
    }
}

impl Objects for Limited<'_> {
    fn commit(&self, id: ObjectId) -> Result<Arc<[u8]>, ObjectError> {
        self.check(id).and_then(|()| self.repository.commit(id))
    }

    fn tree(&self, id: ObjectId) -> Result<Arc<[TreeItem]>, ObjectError> {
        self.check(id).and_then(|()| self.repository.tree(id))
    }

    fn blob(&self, id: ObjectId, limit: usize) -> Result<Blob, ObjectError> {
        self.check(id).and_then(|()| self.repository.blob(id, limit))
    }

    fn is_shallow(&self, id: ObjectId) -> bool {
        self.repository.is_shallow(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reference_may_be() {
        let of = |reference: &str| follow(reference).map_err(|error| error.code());
        let branch = |name: &str| Ok(Follow::Branch(name.to_owned()));
        assert_eq!(of("main"), branch("main"));
        assert_eq!(of("refs/heads/a/b"), branch("a/b"));
        let id = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(of(id), Ok(Follow::Commit(id.parse().expect("an id"))));
        let long = "x".repeat(MAX_NAME + 1);
        for bad in ["", "a..b", "a b", "-\n", "a~1", "HEAD^{tree}", ":/x", "refs/heads/", &long] {
            assert_eq!(of(bad), Err("unknown-commit"), "{bad:?}");
        }
    }
}
