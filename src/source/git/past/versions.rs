//! The commits that changed an app, and what they changed.

use super::{
    super::record::{Record, Recorded},
    Asked, Heads, MAX_STEPS, Page, PastError, Taken, Told, Wanted,
    document::{Difference, Document},
};
use crate::{
    authorize::{Answer, ChangeVerb, ChangeVerdict, Code, ObjectError, ObjectId, Objects as _},
    git::parents,
    resource::{Kind, ResourceId},
};
use std::collections::{BTreeSet, HashSet};

/// Of a commit that changes more files than this it is not looked for the one in which an app was before.
const MAX_MOVED: usize = 1_000;

/// A commit that changed an app, or was to change it.
#[derive(Clone, Debug)]
pub struct Version {
    pub commit: ObjectId,
    pub told: Told,
    pub verb: ChangeVerb,
    /// The file that has the app, or had it.
    pub path: String,
    /// The file that had it before, where that is another.
    pub from: Option<String>,
    /// `None`: the commit was not judged.
    pub judged: Option<Judged>,
    pub difference: Difference,
}

/// What was decided about such a change.
#[derive(Clone, Debug)]
pub struct Judged {
    pub signer: Option<String>,
    pub answer: Answer,
    pub code: Option<Code>,
    pub rule: Option<String>,
    pub message: String,
}

pub(super) fn versions(
    asked: &Asked,
    heads: Heads,
    app: &str,
    path: Option<&str>,
    wanted: Wanted,
) -> Result<Page<Version>, PastError> {
    let record = Record::open(&asked.inner.settings.state_dir)?;
    let recorded = record.commits()?;
    let mut search = Search { asked, id: ResourceId { kind: Kind::App, name: app.to_owned() } };
    let mut taken = Taken::new(wanted);
    // Where the app has been, as far as that is known by now.
    let mut paths: BTreeSet<String> = path.into_iter().map(str::to_owned).collect();
    for decided in record.newest_first() {
        let Recorded { verdict, .. } = decided?;
        let own = |change: &&ChangeVerdict| change.kind == Some(Kind::App) && change.name.as_deref() == Some(app);
        paths.extend(verdict.changes.iter().filter(own).map(|change| change.path.clone()));
        // A file that is refused as a whole may have had it.
        let whole = |change: &&ChangeVerdict| change.kind.is_none() && paths.contains(&change.path);
        let changes: Vec<ChangeVerdict> =
            verdict.changes.iter().filter(|change| own(change) || whole(change)).cloned().collect();
        if changes.is_empty() {
            continue;
        }
        if asked.is_over() {
            return taken.finish(true);
        }
        let (id, signer) = (verdict.id, verdict.signer);
        if !taken.offer(id, || search.judged(id, signer, changes))? {
            return taken.finish(false);
        }
    }
    let Some(start) = heads.accepted.or(heads.seen) else { return taken.finish(false) };
    let Some(path) = path.map(str::to_owned).or_else(|| paths.pop_first()) else { return taken.finish(false) };
    let cut = search.older(start, path, &recorded, &mut taken)?;
    taken.finish(cut)
}

struct Search<'a> {
    asked: &'a Asked<'a>,
    id: ResourceId,
}

impl Search<'_> {
    /// What a commit that was judged did to the app. `None`: nothing, but to others in its file.
    fn judged(
        &mut self,
        commit: ObjectId,
        signer: Option<String>,
        changes: Vec<ChangeVerdict>,
    ) -> Result<Option<Version>, PastError> {
        let (told, parent) = match self.asked.repository.commit(commit) {
            Ok(bytes) => (Told::of(&bytes), Some(parents(&bytes).next())),
            // What was decided about it is known all the same.
            Err(ObjectError::Missing(_)) => (Told::default(), None),
            Err(error) => return Err(error.into()),
        };
        let paths: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
        let (before, after) = match parent {
            Some(parent) => (self.first(parent, &paths)?, self.first(Some(commit), &paths)?),
            None => (None, None),
        };
        let refused = changes.iter().any(|change| change.verdict == Answer::Refused);
        // What was refused counts before what was accepted, and where it is before where it was.
        let order =
            |change: &&ChangeVerdict| (change.verdict == Answer::Refused, change.verb != Some(ChangeVerb::Delete));
        let Some(change) = changes.iter().max_by_key(order) else { return Ok(None) };
        let file = |found: &Option<(String, Document)>| found.as_ref().map_or(&change.path, |(path, _)| path).clone();
        let (old, new) = (file(&before), file(&after));
        let absent = Document::Absent;
        let text =
            |found: &'_ Option<(String, Document)>| found.as_ref().map_or(absent.clone(), |(_, text)| text.clone());
        let (old_text, new_text) = (text(&before), text(&after));
        let is_known = parent.is_some() && (old_text != new_text || change.kind.is_some() && refused);
        let is_whole = change.kind.is_none() && old_text == Document::Absent && new_text == Document::Absent;
        if parent.is_some() && (!is_known || is_whole) {
            return Ok(None);
        }
        let verb = match (&old_text, &new_text) {
            (Document::Absent, Document::Absent) => change.verb.unwrap_or(ChangeVerb::Update),
            (before, after) => verb(before, after),
        };
        let judged = Judged {
            signer,
            answer: change.verdict,
            code: change.code,
            rule: change.rule.clone(),
            message: change.message.clone(),
        };
        let difference = Difference::between((&old, &old_text), (&new, &new_text));
        let path = if verb == ChangeVerb::Delete { old.clone() } else { new };
        let from = (verb == ChangeVerb::Update && old != path).then_some(old);
        Ok(Some(Version { commit, told, verb, path, from, judged: Some(judged), difference }))
    }

    /// The first of some files of a commit that has the app, or of which that cannot be told.
    fn first(&self, commit: Option<ObjectId>, paths: &[&str]) -> Result<Option<(String, Document)>, PastError> {
        let Some(commit) = commit else { return Ok(None) };
        let mut found = None;
        for path in paths {
            match self.document(commit, path)? {
                Document::Absent => {}
                document @ Document::There(_) => return Ok(Some(((*path).to_owned(), document))),
                document @ Document::Unclear => found = found.or(Some(((*path).to_owned(), document))),
            }
        }
        Ok(found)
    }

    fn document(&self, commit: ObjectId, path: &str) -> Result<Document, PastError> {
        let repository = &self.asked.repository;
        Ok(Document::read(repository, path, repository.file_at(commit, path)?, &self.id)?)
    }

    /// Follows the app's file back from a commit, as `git log --follow` does, and offers what was not judged. Whether it was
    /// given up.
    fn older(
        &mut self,
        start: ObjectId,
        mut path: String,
        recorded: &HashSet<ObjectId>,
        taken: &mut Taken<Version>,
    ) -> Result<bool, PastError> {
        let repository = &self.asked.repository;
        let mut at = start;
        // What is at the path there, once that is known.
        let mut known = None;
        for _ in 0..MAX_STEPS {
            if self.asked.is_over() {
                return Ok(true);
            }
            let bytes = match repository.commit(at) {
                Ok(bytes) => bytes,
                // Where history is cut off.
                Err(ObjectError::Missing(_)) => return Ok(false),
                Err(error) => return Err(error.into()),
            };
            let older: Vec<ObjectId> = parents(&bytes).collect();
            let here = match known.take() {
                Some(file) => file,
                None => repository.file_at(at, &path)?,
            };
            let mut same = None;
            for parent in &older {
                match repository.file_at(*parent, &path) {
                    Ok(file) if file == here => {
                        same = Some(*parent);
                        break;
                    }
                    Ok(_) | Err(ObjectError::Missing(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            if let Some(parent) = same {
                (at, known) = (parent, Some(here));
                continue;
            }
            let first = older.first().copied().filter(|first| repository.commit(*first).is_ok());
            let after = self.document(at, &path)?;
            let mut before = match first {
                Some(first) => self.document(first, &path)?,
                None => Document::Absent,
            };
            let mut from = path.clone();
            if let (Some(first), Document::Absent, true) = (first, &before, after != Document::Absent)
                && let Some((file, document)) = self.moved(first, at)?
            {
                (from, before) = (file, document);
            }
            if !recorded.contains(&at) && before != after {
                let verb = verb(&before, &after);
                let make = || {
                    let difference = Difference::between((&from, &before), (&path, &after));
                    let file = if verb == ChangeVerb::Delete { from.clone() } else { path.clone() };
                    let from = (verb == ChangeVerb::Update && from != file).then(|| from.clone());
                    let told = Told::of(&bytes);
                    Ok(Some(Version { commit: at, told, verb, path: file, from, judged: None, difference }))
                };
                if !taken.offer(at, make)? {
                    return Ok(false);
                }
            }
            let Some(first) = first else { return Ok(false) };
            (at, path) = (first, from);
        }
        Ok(true)
    }

    /// Where the app was before a commit that has it in a new file.
    fn moved(&self, before: ObjectId, after: ObjectId) -> Result<Option<(String, Document)>, PastError> {
        let repository = &self.asked.repository;
        let managed = &self.asked.inner.settings.rules.managed;
        for file in repository.changed(Some(before), after, MAX_MOVED)? {
            if file.before.is_some() && managed.is_match(&file.path) {
                let document = Document::read(repository, &file.path, file.before, &self.id)?;
                if matches!(document, Document::There(_)) {
                    return Ok(Some((file.path, document)));
                }
            }
        }
        Ok(None)
    }
}

fn verb(before: &Document, after: &Document) -> ChangeVerb {
    match (before, after) {
        (Document::Absent, _) => ChangeVerb::Create,
        (_, Document::Absent) => ChangeVerb::Delete,
        _ => ChangeVerb::Update,
    }
}
