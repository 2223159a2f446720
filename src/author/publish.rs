//! From a draft to files, a commit, and a push.

use super::{
    AuthorError, Change, Draft, Place, Verb,
    draft::Edit,
    files,
    git::{Upstream, Work},
    head,
    prepared::Prepared,
};
use crate::{
    authorize::{
        Cache, CommitAnswer, CommitVerdict, Failure, Judge, ObjectId, Objects as _, Rules,
        text::{Said, commits},
    },
    git::{GitError, Repository, id_of, oid_of},
};
use std::collections::BTreeMap;

/// How many changes a commit message names.
const NAMED: usize = 3;

/// By what history is judged.
pub struct Terms {
    pub rules: Rules,
    /// The root of trust, if the configuration names one.
    pub root: Option<ObjectId>,
    /// Whether what is refused has no effect; otherwise verdicts are only reported, or there are none.
    pub enforced: bool,
}

/// Finds out by what the history of a repository is judged, given the commit whose configuration counts.
pub type FindTerms<'a> = &'a dyn Fn(&Repository, ObjectId) -> Result<Terms, AuthorError>;

/// What is to be done with a draft.
pub struct Orders<'a> {
    /// The commit's message; without it, one that says what is done.
    pub message: Option<String>,
    pub push: bool,
    /// Commit and push also what would be refused.
    pub anyway: bool,
    pub terms: FindTerms<'a>,
}

/// What has been done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    pub changes: Vec<Change>,
    /// `None` in a plain folder.
    pub commit: Option<ObjectId>,
    pub pushed: Pushed,
    /// Why a commit would be refused that was made all the same; lines for people.
    pub refused: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// To where; and with how many earlier commits that had not been pushed yet.
    To { upstream: String, earlier: usize },
    /// Nothing else was asked for, or there is no remote.
    No,
    /// There are remotes, and the branch is not said to go to any.
    NoUpstream,
}

/// Writes a draft, which has been validated, and commits and pushes it. Whatever fails before the branch is moved leaves
/// everything as it was; what fails later says that the commit stays.
pub fn publish(place: &Place, draft: &Draft, orders: &Orders) -> Result<Published, AuthorError> {
    let changes = draft.changes();
    let written = Written::write(place, draft.edits())?;
    let Some(work) = place.work() else {
        return Ok(Published { changes, commit: None, pushed: Pushed::No, refused: None });
    };
    let message = orders.message.clone().unwrap_or_else(|| message(&changes, draft.edits()));
    let committed = committed(place, work, &written, &message, orders);
    let Committed { prepared, refused, pushed, upstream } = committed.map_err(|error| written.undone(error))?;
    work.settle(&prepared)?;
    if let (Pushed::To { .. }, Some(upstream)) = (&pushed, upstream) {
        work.push(&upstream)?;
    }
    Ok(Published { changes, commit: Some(prepared.commit), pushed, refused })
}

/// A commit that the branch leads to.
struct Committed {
    prepared: Prepared,
    refused: Option<String>,
    /// What is still to be done.
    pushed: Pushed,
    upstream: Option<Upstream>,
}

/// Commits what has been written, unless it would be refused. That the branch moves is the last thing to be done.
fn committed(
    place: &Place,
    work: &Work,
    written: &Written,
    message: &str,
    orders: &Orders,
) -> Result<Committed, AuthorError> {
    let before = current(place)?;
    let upstream = work.upstream()?;
    let paths: Vec<&str> = written.edits.keys().map(String::as_str).collect();
    let prepared = work.prepare(before, &paths, message)?;
    let refused = match refused(place, before, prepared.commit, upstream.as_ref(), orders) {
        Ok(Some(why)) if !orders.anyway => return Err(AuthorError::WouldBeRefused(why)),
        Err(error) if !orders.anyway => return Err(error),
        judged => judged.unwrap_or_default(),
    };
    let pushed = match &upstream {
        _ if !orders.push => Pushed::No,
        Some(upstream) => Pushed::To { upstream: upstream.shown(), earlier: earlier(place, before, upstream)? },
        None if work.has_remotes()? => Pushed::NoUpstream,
        None => Pushed::No,
    };
    work.advance(&prepared)?;
    Ok(Committed { prepared, refused, pushed, upstream })
}

fn current(place: &Place) -> Result<Option<ObjectId>, AuthorError> {
    match place.repository()? {
        Some(repository) => head::commit(&repository),
        None => Ok(None),
    }
}

/// Why any of the commits that are not pushed yet would be refused; lines for people. What was refused earlier on the
/// upstream is nothing new.
fn refused(
    place: &Place,
    parent: Option<ObjectId>,
    head: ObjectId,
    upstream: Option<&Upstream>,
    orders: &Orders,
) -> Result<Option<String>, AuthorError> {
    let Some(repository) = place.repository()? else { return Ok(None) };
    let seen = upstream.and_then(|upstream| repository.commit_at(&upstream.tracking).ok());
    // What both sides have, if others have pushed meanwhile.
    let common = |seen: ObjectId| repository.git().merge_base(oid_of(seen), oid_of(head)).ok().map(id_of);
    let Some(base) = seen.and_then(common).or(parent) else { return Ok(None) };
    let Terms { rules, root, enforced } = (orders.terms)(&repository, base)?;
    if !enforced {
        return Ok(None);
    }

    let mut cache = Cache::default();
    let mut judge = Judge::new(&repository, &rules, &mut cache);
    let mut judge_all = || -> Result<Vec<CommitVerdict>, Failure> {
        let mut state = judge.root(root.unwrap_or(base))?;
        match root {
            Some(root) if root != base => state = judge.advance(&state, base)?.state,
            Some(_) => {}
            // Nobody has said that this repository is one with rules, and it has none.
            None if state.check_root(&rules).is_err() => return Ok(Vec::new()),
            None => {}
        }
        Ok(judge.advance(&state, head)?.commits)
    };
    let mut verdicts = match judge_all() {
        Ok(verdicts) => verdicts,
        Err(Failure::Refused(refusal)) => return Err(AuthorError::Refused(refusal.message)),
        Err(Failure::Object(error)) => return Err(GitError::Object(error).into()),
    };
    verdicts.retain(|verdict| verdict.verdict == CommitAnswer::Refused);
    let said = |commit| Some(Said::of(&repository.commit(commit).ok()?));
    Ok((!verdicts.is_empty()).then(|| commits(&verdicts, said)))
}

/// How many commits up to `before` the upstream does not have either.
fn earlier(place: &Place, before: Option<ObjectId>, upstream: &Upstream) -> Result<usize, AuthorError> {
    let (Some(repository), Some(before)) = (place.repository()?, before) else { return Ok(0) };
    let Ok(seen) = repository.commit_at(&upstream.tracking) else { return Ok(0) };
    Ok(repository.git().graph_ahead_behind(oid_of(before), oid_of(seen))?.0)
}

/// Files that have been written, and what they were.
struct Written<'a> {
    place: &'a Place,
    edits: &'a BTreeMap<String, Edit>,
}

impl<'a> Written<'a> {
    fn write(place: &'a Place, edits: &'a BTreeMap<String, Edit>) -> Result<Written<'a>, AuthorError> {
        let written = Written { place, edits };
        for (path, edit) in edits.iter().filter(|(_, edit)| !edit.in_place) {
            files::write(place.root(), path, edit.after.as_deref()).map_err(|error| written.undone(error))?;
        }
        Ok(written)
    }

    /// Makes the files what they were, because of an error.
    fn undone(&self, error: AuthorError) -> AuthorError {
        let mut left = Vec::new();
        for (path, edit) in self.edits.iter().filter(|(_, edit)| !edit.in_place) {
            let restored = files::write(self.place.root(), path, edit.before.as_deref());
            left.extend(restored.err().map(|error| error.to_string()));
        }
        if left.is_empty() {
            return error;
        }
        AuthorError::Program(format!("{error}; and not all files are what they were: {}", left.join("; ")))
    }
}

fn message(changes: &[Change], edits: &BTreeMap<String, Edit>) -> String {
    let word = |verb: Verb| match verb {
        Verb::Create => "Create",
        Verb::Update => "Update",
        Verb::Delete => "Delete",
    };
    let mut parts: Vec<String> = Vec::new();
    for verb in [Verb::Create, Verb::Update, Verb::Delete] {
        let ids: Vec<String> = changes.iter().filter(|c| c.verb == verb).map(|c| c.id.to_string()).collect();
        let word = if parts.is_empty() { word(verb).to_owned() } else { word(verb).to_lowercase() };
        match ids.len() {
            0 => {}
            1..=NAMED => parts.push(format!("{word} {}", ids.join(", "))),
            n => parts.push(format!("{word} {n} resources")),
        }
    }
    if parts.is_empty() {
        let paths: Vec<&str> = edits.keys().map(String::as_str).collect();
        return format!("Update {}", paths.join(", "));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Kind, ResourceId};

    #[test]
    fn messages() {
        let change = |verb, name: &str| Change {
            verb,
            id: ResourceId { kind: Kind::App, name: name.to_owned() },
            path: "f.yaml".into(),
        };
        let edits = BTreeMap::from([("apps/a.yaml".to_owned(), Edit { before: None, after: None, in_place: false })]);
        let many: Vec<Change> = ["a", "b", "c", "d"].iter().map(|name| change(Verb::Delete, name)).collect();
        for (changes, expected) in [
            (vec![change(Verb::Create, "a")], "Create app/a"),
            (vec![change(Verb::Update, "a"), change(Verb::Create, "b")], "Create app/b; update app/a"),
            (many, "Delete 4 resources"),
            (Vec::new(), "Update apps/a.yaml"),
        ] {
            assert_eq!(message(&changes, &edits), expected);
        }
    }
}
