//! What stands at a path of a tree: parsed once for each content.

use super::{
    Blob, Code, Failure, ObjectId, State,
    commit::{Commit, author_email, links, vouches},
    signature,
    tree::{Trees, is_faithful},
};
use crate::manifest::{Code as Mistake, Diagnostic, ParsedFile, Severity, parse_file, text::MAX_FILE_SIZE};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// How the placeholder begins that git's large file storage puts in the place of a file.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// What a tree has at a path: a kind of entry, and a name of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Entry {
    /// As git has it: `0o100644` a file, `0o100755` one that can be executed.
    pub mode: u32,
    #[serde(rename = "blob")]
    pub id: ObjectId,
}

/// What a tree has at a path, or that it has nothing.
pub type Slot = Option<Entry>;

impl Entry {
    /// Whether it is one of the kinds of entries that resources may be in.
    pub fn is_file(&self) -> bool {
        matches!(self.mode, 0o100644 | 0o100755)
    }

    /// What it is, if it is no file.
    fn nature(&self) -> &'static str {
        match self.mode {
            0o120000 => "a symlink",
            0o160000 => "a submodule",
            0o040000 => "a folder that is nested too deeply, or cannot be read",
            0 => "a name that stands there more than once",
            _ => "of a kind that git does not have",
        }
    }
}

/// The content of an entry.
#[derive(Debug)]
pub enum Content {
    File(Arc<ParsedFile>),
    /// Nothing that could be a resource file; a clause says why.
    Forbidden(String),
}

impl Content {
    /// The file, if it is one that may take effect.
    pub fn valid(&self) -> Option<&Arc<ParsedFile>> {
        match self {
            Content::File(file) if file.is_valid() => Some(file),
            _ => None,
        }
    }

    /// The file, valid or not.
    pub fn file(&self) -> Option<&Arc<ParsedFile>> {
        match self {
            Content::File(file) => Some(file),
            Content::Forbidden(_) => None,
        }
    }

    /// Why it may not take effect, by itself.
    pub fn fault(&self) -> Option<(Code, String)> {
        match self {
            Content::Forbidden(why) => Some((Code::ForbiddenEntry, format!("{why}; only plain files hold resources"))),
            Content::File(file) => {
                let error = file.diagnostics.iter().find(|d| d.severity == Severity::Error)?;
                let place = error.position.map(|p| format!("{p}: ")).unwrap_or_default();
                let help = error.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
                Some((Code::InvalidResource, format!("the file is not valid: {place}{}{help}", error.message)))
            }
        }
    }
}

/// Contents and commits that have been read. Whatever has a name by its content never changes.
#[derive(Debug, Default)]
pub struct Cache {
    contents: HashMap<Arc<str>, HashMap<Entry, Arc<Content>>>,
    commits: HashMap<ObjectId, Arc<Commit>>,
    links: HashMap<ObjectId, Links>,
    /// How many contents were read since the last time that some were forgotten, with those that were kept then.
    read: usize,
    kept: usize,
    /// The bytes of the contents that were parsed since they were last forgotten.
    bytes: usize,
}

/// The tree and the parents of a commit.
#[derive(Clone, Debug)]
pub struct Links {
    pub tree: ObjectId,
    pub parents: Arc<[ObjectId]>,
}

/// How many contents are remembered without a question. One is some ten KiB in many small pieces, of all ages after a while,
/// and between those that stay the heap has holes: an agent judges for months.
const MANY: usize = 200;
/// How many commits are remembered.
const MANY_COMMITS: usize = 1_000;
/// How many bytes of files are parsed before all contents are forgotten.
const MANY_BYTES: usize = 128 << 20;

impl Cache {
    /// What an entry says. An entry that does not exist says nothing.
    pub fn content(&mut self, trees: &Trees, path: &Arc<str>, slot: Slot) -> Result<Option<Arc<Content>>, Failure> {
        let Some(entry) = slot else { return Ok(None) };
        if let Some(content) = self.contents.get(path).and_then(|of_path| of_path.get(&entry)) {
            return Ok(Some(content.clone()));
        }
        let content = Arc::new(match bytes(trees, path, entry)? {
            Ok(bytes) => {
                self.bytes += bytes.len();
                Content::File(Arc::new(parse_file(path, &bytes)))
            }
            Err(content) => content,
        });
        if self.bytes > MANY_BYTES {
            // What is accepted is held by the states.
            self.contents.clear();
            (self.bytes, self.read, self.kept) = (0, 0, 0);
        }
        self.remember(path.clone(), entry, content.clone());
        Ok(Some(content))
    }

    /// Reads many entries at once, on all cores.
    pub fn prepare(&mut self, trees: &Trees, entries: &[(Arc<str>, Entry)]) -> Result<(), Failure> {
        // In pieces, so that their bytes need not all be there at once.
        for piece in entries.chunks(2_000) {
            let known = |(path, entry): &&(Arc<str>, Entry)| {
                self.contents.get(path).is_some_and(|of_path| of_path.contains_key(entry))
            };
            let mut new = Vec::with_capacity(piece.len());
            for (path, entry) in piece.iter().filter(|one| !known(one)) {
                new.push((path.clone(), *entry, bytes(trees, path, *entry)?));
            }
            let parse = |(path, entry, bytes): (Arc<str>, Entry, Result<Vec<u8>, Content>)| {
                let content = match bytes {
                    Ok(bytes) => Content::File(Arc::new(parse_file(&path, &bytes))),
                    Err(content) => content,
                };
                (path, entry, Arc::new(content))
            };
            let parsed: Vec<_> = new.into_par_iter().map(parse).collect();
            for (path, entry, content) in parsed {
                self.remember(path, entry, content);
            }
        }
        Ok(())
    }

    fn remember(&mut self, path: Arc<str>, entry: Entry, content: Arc<Content>) {
        self.read += 1;
        self.contents.entry(path).or_default().insert(entry, content);
    }

    /// Forgets, when there is a lot of it, what a state says nothing of.
    pub fn forget_all_but(&mut self, state: &State) {
        if self.read > MANY && self.read > 2 * self.kept {
            let kept: HashSet<(Arc<str>, Entry)> = state.entries().into_iter().collect();
            self.contents.retain(|path, of_path| {
                of_path.retain(|entry, _| kept.contains(&(path.clone(), *entry)));
                !of_path.is_empty()
            });
            self.read = kept.len();
            self.kept = kept.len();
        }
        if self.commits.len() > MANY_COMMITS {
            self.commits.clear();
        }
        if self.links.len() > 10 * MANY_COMMITS {
            self.links.clear();
        }
    }

    pub fn commit(&mut self, objects: &dyn super::Objects, id: ObjectId) -> Result<Arc<Commit>, Failure> {
        if let Some(commit) = self.commits.get(&id) {
            return Ok(commit.clone());
        }
        let bytes = objects.commit(id)?;
        let (tree, _) = links(&bytes).ok_or_else(|| damaged(id))?;
        let commit = Arc::new(Commit {
            tree,
            author_email: author_email(&bytes),
            vouches: vouches(&bytes),
            evidence: signature::evidence(&bytes),
        });
        self.commits.insert(id, commit.clone());
        Ok(commit)
    }

    pub fn links(&mut self, objects: &dyn super::Objects, id: ObjectId) -> Result<Links, Failure> {
        if let Some(links) = self.links.get(&id) {
            return Ok(links.clone());
        }
        let (tree, parents) = links(&objects.commit(id)?).ok_or_else(|| damaged(id))?;
        let links = Links { tree, parents: parents.into() };
        self.links.insert(id, links.clone());
        Ok(links)
    }
}

fn damaged(id: ObjectId) -> Failure {
    super::ObjectError::Damaged { id, message: "it is not a commit".to_owned() }.into()
}

/// The bytes of a resource file, or why it is none.
fn bytes(trees: &Trees, path: &str, entry: Entry) -> Result<Result<Vec<u8>, Content>, Failure> {
    let forbidden = |why: String| Ok(Err(Content::Forbidden(why)));
    if !entry.is_file() {
        return forbidden(format!("it is {}", entry.nature()));
    }
    if !is_faithful(path) {
        return forbidden("its name is not UTF-8, or not a name".to_owned());
    }
    let blob = match trees.blob(entry.id, MAX_FILE_SIZE) {
        Err(error) if error.is_about_content() => return forbidden(format!("it is no file: {error}")),
        blob => blob?,
    };
    match blob {
        Blob::Bytes(bytes) if bytes.starts_with(LFS_POINTER) => {
            forbidden("it is a pointer to large file storage".to_owned())
        }
        Blob::Bytes(bytes) => Ok(Ok(bytes)),
        Blob::TooLarge(size) => {
            let message = format!("the file has {size} bytes, and a resource file may have {MAX_FILE_SIZE}");
            let diagnostics = vec![Diagnostic::about_file(Mistake::FileTooLarge, path, message)];
            Ok(Err(Content::File(Arc::new(ParsedFile { diagnostics, ..ParsedFile::default() }))))
        }
    }
}
