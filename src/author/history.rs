//! The commits that changed a resource.

use super::{AuthorError, Place, Verb, draft::Change, files::is_resource_path};
use crate::{
    authorize::{Blob, ObjectError, ObjectId, Objects},
    git::{GitError, Repository, id_of},
    manifest::{pieces::Pieces, text::MAX_FILE_SIZE},
    resource::ResourceId,
};
use git2::{Delta, Oid, Sort};
use jiff::{Timestamp, Zoned, tz};
use std::{collections::HashMap, path::Path};

/// One commit that changed the resource.
#[derive(Clone, Debug)]
pub struct Event {
    pub commit: ObjectId,
    pub change: Change,
    /// As the commit says, which proves nothing.
    pub author: String,
    pub time: Option<Zoned>,
    /// The first line of the message.
    pub subject: String,
    pub signed: bool,
}

/// The commits up to the current one that created, changed or deleted a resource, newest first; at most `limit`. A merge
/// counts when it has what none of its parents has.
pub fn history(place: &Place, id: &ResourceId, limit: usize) -> Result<Vec<Event>, AuthorError> {
    let Some(repository) = place.repository()? else {
        let message = format!("{} is no git repository: it has no history", place.root().display());
        return Err(AuthorError::Usage(message));
    };
    let git = repository.git();
    let mut events = Vec::new();
    let mut texts = Texts { repository: &repository, id, known: HashMap::new() };
    if super::head::commit(&repository)?.is_none() {
        return Ok(events);
    }
    let mut walk = git.revwalk()?;
    walk.push_head()?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME)?;
    for commit in walk {
        if events.len() == limit {
            break;
        }
        let commit = git.find_commit(commit?)?;
        let Some(change) = change(git, &commit, &mut texts)? else { continue };
        let subject = commit.summary_bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let author = commit.author();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        events.push(Event {
            commit: id_of(commit.id()),
            change,
            author: format!("{} <{}>", text(author.name_bytes()), text(author.email_bytes())),
            time: time(author.when()),
            subject: subject.unwrap_or_default(),
            signed: commit.header_field_bytes("gpgsig").is_ok(),
        });
    }
    Ok(events)
}

fn time(when: git2::Time) -> Option<Zoned> {
    let offset = tz::Offset::from_seconds(when.offset_minutes().checked_mul(60)?).ok()?;
    Some(Timestamp::from_second(when.seconds()).ok()?.to_zoned(offset.to_time_zone()))
}

/// What a commit did to the resource, compared to each of its parents.
fn change(git: &git2::Repository, commit: &git2::Commit, texts: &mut Texts) -> Result<Option<Change>, AuthorError> {
    let tree = commit.tree()?;
    let mut parents: Vec<Option<git2::Tree>> = Vec::new();
    for parent in commit.parents() {
        parents.push(Some(parent.tree()?));
    }
    if parents.is_empty() {
        parents.push(None);
    }
    let mut change = None;
    for parent in &parents {
        match step(git, parent.as_ref(), &tree, texts)? {
            Some(step) => change = change.or(Some(step)),
            // It is what this parent has.
            None => return Ok(None),
        }
    }
    Ok(change)
}

fn step(
    git: &git2::Repository,
    before: Option<&git2::Tree>,
    after: &git2::Tree,
    texts: &mut Texts,
) -> Result<Option<Change>, AuthorError> {
    let diff = git.diff_tree_to_tree(before, Some(after), None)?;
    let (mut old, mut new) = (None, None);
    for delta in diff.deltas() {
        let mut side = |file: git2::DiffFile, there: bool| -> Result<Option<(String, String)>, AuthorError> {
            match file.path().and_then(Path::to_str) {
                Some(path) if there && is_resource_path(path) => {
                    Ok(texts.of(path, file.id())?.map(|text| (path.to_owned(), text)))
                }
                _ => Ok(None),
            }
        };
        old = old.or(side(delta.old_file(), delta.status() != Delta::Added)?);
        new = new.or(side(delta.new_file(), delta.status() != Delta::Deleted)?);
    }
    let id = texts.id.clone();
    Ok(match (old, new) {
        (None, Some((path, _))) => Some(Change { verb: Verb::Create, id, path: path.into() }),
        (Some((path, _)), None) => Some(Change { verb: Verb::Delete, id, path: path.into() }),
        (Some(old), Some(new)) if old != new => Some(Change { verb: Verb::Update, id, path: new.0.into() }),
        _ => None,
    })
}

/// The text of the resource in files, each of which is read once.
struct Texts<'a> {
    repository: &'a Repository,
    id: &'a ResourceId,
    known: HashMap<Oid, Option<String>>,
}

impl Texts<'_> {
    fn of(&mut self, path: &str, blob: Oid) -> Result<Option<String>, AuthorError> {
        if let Some(known) = self.known.get(&blob) {
            return Ok(known.clone());
        }
        let text = match self.repository.blob(id_of(blob), MAX_FILE_SIZE) {
            Ok(Blob::Bytes(bytes)) => {
                let pieces = Pieces::read(path, &bytes).ok();
                pieces.and_then(|pieces| pieces.find(self.id).map(|index| pieces.body(index)))
            }
            // What is too large is no resource, and what is missing is a submodule.
            Ok(Blob::TooLarge(_)) | Err(ObjectError::Missing(_)) => None,
            Err(error) => return Err(GitError::Object(error).into()),
        };
        self.known.insert(blob, text.clone());
        Ok(text)
    }
}
