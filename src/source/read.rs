//! Reading a folder: from files to a [`Tree`] and its revision. Blocking.
//!
//! What is returned is a state that the folder really had, as far as a reader without locks can tell: every file is
//! read between two looks at its metadata, and the tree between two looks at its folders and `..data` links. What
//! changed meanwhile is read again, and what never holds still is reported as unreadable, which is not the same as
//! gone.

use super::{
    Ignore, ReadError,
    listing::{Bounds, Folder, Found, Listing, Since, Stamp},
    open::{NotRead, Root},
    problem,
};
use crate::{
    manifest::{Diagnostic, FileState, ParsedFile, Revision, Tree, check_file, parse_file},
    resource::Digest,
};
use rayon::{
    iter::{IntoParallelRefIterator, ParallelIterator},
    slice::ParallelSliceMut,
};
use sha2::{Digest as _, Sha256};
use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

#[cfg(test)]
mod tests;

/// The files of the trees that this process has read, and has begun to read.
static READ: AtomicUsize = AtomicUsize::new(0);
static LISTED: AtomicUsize = AtomicUsize::new(0);

/// How many files of trees this process has read, of how many that it knows of: for somebody who waits.
pub fn files_read() -> (usize, usize) {
    (READ.load(Ordering::Relaxed), LISTED.load(Ordering::Relaxed))
}

/// How often a tree that changes under the reader is begun again.
const ATTEMPTS: usize = 5;

/// What the files of a tree said last, so that a file that did not change is not parsed again. One for each root.
#[derive(Debug, Default)]
pub struct Cache {
    files: HashMap<Arc<str>, Content>,
    /// Whether files are read for somebody who checks them.
    warns: bool,
}

impl Cache {
    /// An empty one, of files with warnings of what is a risk in them.
    pub fn with_warnings() -> Cache {
        Cache { files: HashMap::new(), warns: true }
    }
}

#[derive(Clone, Debug)]
struct Content {
    digest: Digest,
    parsed: Arc<ParsedFile>,
}

/// A tree as it was read.
#[derive(Clone, Debug)]
pub struct TreeRead {
    pub tree: Tree,
    /// A digest of all paths and contents.
    pub revision: Revision,
    /// The tree kept changing: this is a fair picture, but another look is due soon.
    pub settled: bool,
    /// The root without symlinks.
    root: PathBuf,
    /// Where the files really are to which symlinks led, from the root.
    links: HashMap<Arc<str>, PathBuf>,
}

impl TreeRead {
    /// Where the file that is visible at `path` really is.
    pub fn place(&self, path: &str) -> PathBuf {
        match self.links.get(path) {
            Some(target) => self.root.join(target),
            None => self.visible(path),
        }
    }

    /// Where the file, or the link to it, that is visible at `path` is.
    pub fn visible(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }
}

/// Reads every resource file below `root`.
///
/// Blocks for as long as the disk does, and uses all cores to parse. Problems of single files and folders are in the
/// tree; an error means that nothing can be said about the tree.
pub fn read_tree(root: &Path, ignore: &Ignore, cache: &mut Cache) -> Result<TreeRead, ReadError> {
    read_bounded(root, ignore, cache, Bounds::DEFAULT, |_| {})
}

/// As [`read_tree`]; `listed` is called with the folders before any file is read, so that a watch that it puts on
/// them sees every later change of a file.
pub(super) fn read_bounded(
    root: &Path,
    ignore: &Ignore,
    cache: &mut Cache,
    bounds: Bounds,
    mut listed: impl FnMut(&[Folder]),
) -> Result<TreeRead, ReadError> {
    let mut previous = None;
    for attempt in 1.. {
        let listing = Listing::new(root, ignore, bounds)?;
        listed(&listing.folders);
        let (tree, revision, complete) = read_listed(root, &listing, cache, bounds)?;
        let settled = match listing.since(root) {
            Since::Same => complete,
            // Something else may be written to the folder all the time: what counts is that our files came out the
            // same twice.
            Since::Changed => complete && previous.as_ref() == Some(&revision),
            Since::Replaced if attempt < ATTEMPTS => continue,
            Since::Replaced => break,
        };
        if settled || attempt >= ATTEMPTS {
            let link = |found: Found| Some((found.path, found.target?));
            let links = listing.files.into_iter().filter_map(link).collect();
            return Ok(TreeRead { tree, revision, settled, root: listing.root, links });
        }
        previous = Some(revision);
    }
    Err(ReadError::Restless { path: root.into() })
}

/// A hash over the metadata of everything that [`read_tree`] would read, which costs much less and, as far as the clock
/// of the file system can tell, changes with it. `None` when the tree cannot be listed.
pub(super) fn survey(root: &Path, ignore: &Ignore, bounds: Bounds) -> Option<u64> {
    let listing = Listing::new(root, ignore, bounds).ok()?;
    let stamp = |found: &Found| Stamp::of(&listing.root.join(found.place())).ok();
    let stamps: Vec<_> = listing.files.par_iter().map(stamp).collect();
    let mut hasher = DefaultHasher::new();
    listing.folders.hash(&mut hasher);
    for (found, stamp) in listing.files.iter().zip(stamps) {
        (&found.path, stamp).hash(&mut hasher);
    }
    for diagnostic in &listing.unreadable {
        (&diagnostic.path, &diagnostic.message).hash(&mut hasher);
    }
    Some(hasher.finish())
}

/// Reads the one file at `path`, for somebody who checks it, which may be reached through symlinks; `shown` is its path in diagnostics. An error
/// means that there is no such file; whatever else is wrong with it is a diagnostic.
pub fn read_file(path: &Path, shown: &str) -> Result<FileState, ReadError> {
    let error = |e| ReadError::root(path, e);
    let real = path.canonicalize().map_err(error)?;
    let (Some(folder), Some(name)) = (real.parent(), real.file_name()) else {
        return Err(ReadError::NotAFile { path: path.into() });
    };
    if real.is_dir() {
        return Err(ReadError::NotAFile { path: path.into() });
    }
    let mut buffer = vec![];
    Ok(match Root::open(folder).map_err(error)?.read(Path::new(name), &mut buffer) {
        Ok(()) => FileState::Parsed(Arc::new(check_file(shown, &buffer))),
        Err(why) => FileState::Unreadable(Box::new(problem::not_read(shown, &why))),
    })
}

/// A file of the tree and its content, or why there is none.
type Read = (Arc<str>, Result<Content, Box<Diagnostic>>);

/// Reads what was listed, and whether all of it was still there.
fn read_listed(
    root: &Path,
    listing: &Listing,
    cache: &mut Cache,
    bounds: Bounds,
) -> Result<(Tree, Revision, bool), ReadError> {
    let folder = Root::open(&listing.root).map_err(|e| ReadError::root(root, e))?;
    let total = AtomicU64::new(0);
    LISTED.fetch_add(listing.files.len(), Ordering::Relaxed);
    let read = |buffer: &mut Vec<u8>, found: &Found| -> Result<(Read, bool), ReadError> {
        let outcome = folder.read(found.place(), buffer);
        READ.fetch_add(1, Ordering::Relaxed);
        let complete = !matches!(outcome, Err(NotRead::Restless | NotRead::Changed));
        let content = match outcome {
            Ok(()) => {
                let bytes = total.fetch_add(buffer.len() as u64, Ordering::Relaxed) + buffer.len() as u64;
                if bytes > bounds.bytes {
                    return Err(ReadError::too_much(root, "bytes in its resource files", bounds.bytes));
                }
                Ok(content(&found.path, buffer, cache))
            }
            Err(NotRead::Failed(error)) if ReadError::is_exhaustion(&error) => {
                return Err(ReadError::root(root, error));
            }
            Err(why) => Err(Box::new(problem::not_read(&found.path, &why))),
        };
        Ok(((found.path.clone(), content), complete))
    };
    let read: Vec<(Read, bool)> = listing.files.par_iter().map_init(Vec::new, read).collect::<Result<_, _>>()?;

    let complete = read.iter().all(|(_, complete)| *complete);
    let unreadable = listing.unreadable.iter().map(|d| (d.path.as_str().into(), Err(Box::new(d.clone()))));
    let mut files: Vec<Read> = read.into_iter().map(|(file, _)| file).chain(unreadable).collect();
    files.par_sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let known = || files.iter().filter_map(|(path, c)| Some((path.clone(), c.as_ref().ok()?.clone()))).collect();
    let (revision, known) = rayon::join(|| revision(&files), known);
    cache.files = known;
    let state = |content: Result<Content, Box<Diagnostic>>| match content {
        Ok(content) => FileState::Parsed(content.parsed),
        Err(diagnostic) => FileState::Unreadable(diagnostic),
    };
    Ok((files.into_iter().map(|(path, content)| (path, state(content))).collect(), revision, complete))
}

fn content(path: &str, bytes: &[u8], cache: &Cache) -> Content {
    let digest = Digest::of_bytes(bytes);
    match cache.files.get(path) {
        Some(known) if known.digest == digest => known.clone(),
        _ => {
            let parsed = if cache.warns { check_file(path, bytes) } else { parse_file(path, bytes) };
            Content { digest, parsed: Arc::new(parsed) }
        }
    }
}

/// The digest of sorted paths and contents. What cannot be read counts with the reason.
fn revision(files: &[Read]) -> Revision {
    let mut hasher = Sha256::new();
    for (path, content) in files {
        hasher.update(path.as_bytes());
        match content {
            Ok(content) => {
                hasher.update(b"\0=");
                hasher.update(content.digest.as_bytes());
            }
            Err(diagnostic) => {
                hasher.update(b"\0!");
                hasher.update(diagnostic.message.as_bytes());
                hasher.update(b"\0");
            }
        }
    }
    Revision::from(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}
