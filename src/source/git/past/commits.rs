//! The commits of a source, with what was decided about them.

use super::{
    super::record::{Record, Recorded},
    Asked, Heads, MAX_STEPS, Page, PastError, Taken, Told, Wanted,
    told::{Newest, Step},
};
use crate::{
    authorize::{CommitVerdict, ObjectId},
    git::Changed,
};

/// How many commits that wait are told.
const MAX_WAITING: usize = 200;
/// How many files of a commit that was not judged are named.
const MAX_FILES: usize = 100;

/// A commit, and what was decided about it.
#[derive(Clone, Debug)]
pub struct Commit {
    pub id: ObjectId,
    pub told: Told,
    pub stands: Stands,
}

/// How a commit stands.
#[derive(Clone, Debug)]
pub enum Stands {
    /// It was judged. So many of its changes are not named.
    Judged(Box<CommitVerdict>, usize),
    /// It has been fetched, and has not been judged.
    Waiting(Vec<Changed>),
    /// All that it has is trusted.
    Root,
    /// It is older than what is known to have been judged, or nothing is judged.
    Unjudged(Vec<Changed>),
}

pub(super) fn commits(asked: &Asked, heads: Heads, wanted: Wanted) -> Result<Page<Commit>, PastError> {
    let record = Record::open(&asked.inner.settings.state_dir)?;
    let recorded = record.commits()?;
    let mut taken = Taken::new(wanted);

    let known = recorded.iter().copied().chain(heads.accepted).chain(heads.root);
    let waits = heads.seen.filter(|seen| heads.accepted.is_some() && !recorded.contains(seen));
    // What has not been fetched yet is not told of.
    let mut waiting = waits.and_then(|seen| Newest::from(&asked.repository, seen, known).ok());
    for told in 0.. {
        let Some(step) = waiting.as_mut().map(Newest::next).transpose()?.flatten() else { break };
        if told == MAX_WAITING {
            // Older ones are not listed as if these were all.
            return taken.finish(true);
        }
        let make = || Ok(Some(commit(&step, Stands::Waiting(files(asked, &step)?))));
        if asked.is_over() || !taken.offer(step.id, make)? {
            return taken.finish(asked.is_over());
        }
    }
    for decided in record.newest_first() {
        let Recorded { verdict, left_out } = decided?;
        let id = verdict.id;
        let make = || {
            let told = Told::by(&asked.repository, id);
            Ok(Some(Commit { id, told, stands: Stands::Judged(Box::new(verdict), left_out) }))
        };
        if !taken.offer(id, make)? {
            return taken.finish(false);
        }
    }
    let Some(start) = heads.accepted.or(heads.seen) else { return taken.finish(false) };
    let mut walk = match Newest::from(&asked.repository, start, []) {
        Ok(walk) => walk,
        // The mirror was made anew, and does not have what was accepted.
        Err(_) => return taken.finish(false),
    };
    for _ in 0..MAX_STEPS {
        let Some(step) = walk.next()? else { return taken.finish(false) };
        if asked.is_over() {
            return taken.finish(true);
        }
        if recorded.contains(&step.id) {
            continue;
        }
        let make = || {
            let stands = match heads.root == Some(step.id) {
                true => Stands::Root,
                false if heads.accepted.is_none() => Stands::Waiting(files(asked, &step)?),
                false => Stands::Unjudged(files(asked, &step)?),
            };
            Ok(Some(commit(&step, stands)))
        };
        if !taken.offer(step.id, make)? {
            return taken.finish(false);
        }
    }
    taken.finish(true)
}

fn commit(step: &Step, stands: Stands) -> Commit {
    Commit { id: step.id, told: step.told.clone(), stands }
}

/// The managed files that a commit changes. A merge has what its sides have.
fn files(asked: &Asked, step: &Step) -> Result<Vec<Changed>, PastError> {
    if step.parents.len() > 1 {
        return Ok(Vec::new());
    }
    let managed = &asked.inner.settings.rules.managed;
    let mut changed = asked.repository.changed(step.parents.first().copied(), step.id, 100 * MAX_FILES)?;
    changed.retain(|file| managed.is_match(&file.path));
    changed.truncate(MAX_FILES);
    Ok(changed)
}
