//! Going through a tree, without opening a file.
//!
//! Hidden entries are skipped, which also leaves out the `..data` link and the `..2026_…` folders of a Kubernetes
//! mount: its visible entries are links into them. A symlink is followed when what it leads to lies inside the root,
//! and is listed under the name of the link.

use super::{
    Ignore, ReadError,
    listing::{Bounds, Folder, Found, Listing, Pin, Stamp},
    problem,
};
use nix::errno::Errno;
use std::{
    ffi::OsStr,
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};
use walkdir::{DirEntry, WalkDir};

pub(super) struct Walk<'a> {
    /// The root as it was named by the user, for errors.
    shown: &'a Path,
    ignore: &'a Ignore,
    bounds: Bounds,
    entries: usize,
    /// The folder links that led here: each the real folder that was being walked and the real folder the link is in.
    frames: Vec<(PathBuf, PathBuf)>,
    listing: Listing,
}

impl<'a> Walk<'a> {
    /// A walk that adds to `listing`, which has only its root yet; `shown` is what the user calls the root.
    pub fn new(shown: &'a Path, ignore: &'a Ignore, bounds: Bounds, listing: Listing) -> Self {
        Walk { shown, ignore, bounds, entries: 0, frames: vec![], listing }
    }

    /// Goes through all of the root.
    pub fn all(mut self) -> Result<Listing, ReadError> {
        let root = self.listing.root.clone();
        self.folder(&root, "")?;
        Ok(self.listing)
    }

    /// Walks the real folder `top`, which is visible as `prefix`.
    fn folder(&mut self, top: &Path, prefix: &str) -> Result<(), ReadError> {
        let mut entries = WalkDir::new(top).into_iter();
        let skip = top.as_os_str().len() + usize::from(top != Path::new("/"));
        while let Some(entry) = entries.next() {
            self.entries += 1;
            if self.entries > self.bounds.entries {
                return Err(ReadError::too_much(self.shown, "entries", self.bounds.entries as u64));
            }
            let (path, depth) = match &entry {
                Ok(entry) => (Some(entry.path()), entry.depth()),
                Err(error) => (error.path(), error.depth()),
            };
            // An error without a path came from listing an open folder, and does not say which.
            let whole_tree = path.is_none() || (depth == 0 && prefix.is_empty());
            let below = path.and_then(|p| p.as_os_str().as_bytes().get(skip..)).unwrap_or_default();
            let below = String::from_utf8_lossy(below);
            let shown = match (prefix.is_empty(), below.is_empty()) {
                (true, _) => below.into_owned(),
                (false, true) => prefix.to_owned(),
                (false, false) => format!("{prefix}/{below}"),
            };
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    let error = error.into_io_error().unwrap_or_else(|| io::ErrorKind::Other.into());
                    self.error(shown, whole_tree, error)?;
                    continue;
                }
            };
            if depth > 0 && is_hidden(entry.file_name()) {
                self.pin(&entry);
                if entry.file_type().is_dir() {
                    entries.skip_current_dir();
                }
            } else if entry.file_type().is_dir() {
                if !self.enter(&entry, &shown) {
                    entries.skip_current_dir();
                }
            } else if depth == 0 {
                // It was a folder a moment ago.
                self.listing.changed = true;
            } else {
                self.entry(&entry, top, shown)?;
            }
            if self.listing.files.len() > self.bounds.files {
                return Err(ReadError::too_much(self.shown, "resource files", self.bounds.files as u64));
            }
        }
        Ok(())
    }

    /// A folder: whether to list it.
    fn enter(&mut self, entry: &DirEntry, shown: &str) -> bool {
        if entry.file_name().to_str().is_none() && entry.depth() > 0 {
            self.listing.unreadable.push(problem::file_name(shown));
        } else if self.ignore.folder(shown) {
        } else if shown.split_terminator('/').count() > self.bounds.depth {
            self.listing.unreadable.push(problem::too_deep(shown, self.bounds.depth));
        } else {
            // Before its entries are listed: what changes from now on shows.
            match Stamp::of(entry.path()) {
                Ok(stamp) => self.listing.folders.push(Folder { path: entry.path().into(), stamp }),
                Err(_) => self.listing.changed = true,
            }
            return true;
        }
        false
    }

    /// A visible entry that is not a folder.
    fn entry(&mut self, entry: &DirEntry, top: &Path, shown: String) -> Result<(), ReadError> {
        let kind = entry.file_type();
        let relevant = is_resource_file(entry.file_name());
        if !(relevant || kind.is_symlink()) || self.ignore.file(&shown) {
            return Ok(());
        }
        if entry.file_name().to_str().is_none() {
            self.listing.unreadable.push(problem::file_name(&shown));
        } else if kind.is_symlink() {
            self.link(entry, top, shown, relevant)?;
        } else if kind.is_file() {
            let through_link = !self.frames.is_empty();
            let target = through_link.then(|| entry.path().strip_prefix(&self.listing.root).ok()).flatten();
            let target = target.map(Path::to_owned);
            self.listing.files.push(Found { path: shown.into(), target });
        } else {
            self.listing.unreadable.push(problem::special(&shown));
        }
        Ok(())
    }

    /// A visible symlink. It matters when it is named like a resource file or leads to a folder; one that leads
    /// nowhere could have been to a folder, and what was below it then is not gone.
    fn link(&mut self, entry: &DirEntry, top: &Path, shown: String, relevant: bool) -> Result<(), ReadError> {
        if self.ignore.folder(&shown) {
            return Ok(());
        }
        let resolved = entry.path().canonicalize().and_then(|real| real.metadata().map(|metadata| (real, metadata)));
        let (real, metadata) = match resolved {
            Ok(found) => found,
            Err(error) => {
                self.broken_link(entry.path(), shown, error);
                return Ok(());
            }
        };
        let is_folder = metadata.is_dir();
        let Ok(target) = real.strip_prefix(&self.listing.root) else {
            if relevant || is_folder {
                self.listing.unreadable.push(problem::escapes(&shown));
            }
            return Ok(());
        };
        let holder = entry.path().parent().unwrap_or(top);
        if is_folder {
            let is_loop = |(top, at): &(PathBuf, PathBuf)| at.starts_with(&real) && real.starts_with(top);
            self.frames.push((top.into(), holder.into()));
            let walked = if self.frames.iter().any(is_loop) {
                self.listing.unreadable.push(problem::link_loop(&shown));
                Ok(())
            } else {
                self.folder(&real, &shown)
            };
            self.frames.pop();
            walked?;
        } else if relevant && metadata.is_file() {
            // An edit of the target in its place is announced only in the folder it is in.
            if let Some(parent) = real.parent().filter(|parent| *parent != holder)
                && self.listing.folders.last().is_none_or(|f| f.path != parent)
                && let Ok(stamp) = Stamp::of(parent)
            {
                self.listing.folders.push(Folder { path: parent.into(), stamp });
            }
            self.listing.files.push(Found { path: shown.into(), target: Some(target.into()) });
        } else if relevant {
            self.listing.unreadable.push(problem::special(&shown));
        }
        Ok(())
    }

    fn broken_link(&mut self, link: &Path, shown: String, error: io::Error) {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => match link.read_link() {
                // kubelet takes the visible link of a deleted key away a moment after it has published the mount
                // without the key.
                Ok(target) if target.starts_with("..data") && link.with_file_name("..data").is_dir() => {}
                Ok(_) => self.listing.unreadable.push(problem::dangling(&shown)),
                Err(_) => self.listing.changed = true,
            },
            _ if error.raw_os_error() == Some(Errno::ELOOP as i32) => {
                self.listing.unreadable.push(problem::link_loop(&shown))
            }
            _ => self.listing.unreadable.push(problem::unreadable(&shown, &error)),
        }
    }

    /// Notes a `..data` link.
    fn pin(&mut self, entry: &DirEntry) {
        if entry.file_name() == "..data" && entry.file_type().is_symlink() {
            match entry.path().read_link() {
                Ok(target) => self.listing.pins.push(Pin { link: entry.path().into(), target }),
                Err(_) => self.listing.changed = true,
            }
        }
    }

    /// An entry that could not be looked at, or a folder that could not be listed.
    fn error(&mut self, shown: String, whole_tree: bool, error: io::Error) -> Result<(), ReadError> {
        if whole_tree || ReadError::is_exhaustion(&error) {
            return Err(ReadError::root(self.shown, error));
        }
        if error.kind() == io::ErrorKind::NotFound {
            self.listing.changed = true;
        } else {
            self.listing.unreadable.push(problem::unreadable(&shown, &error));
        }
        Ok(())
    }
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b".")
}

fn is_resource_file(name: &OsStr) -> bool {
    [".yaml", ".yml"].iter().any(|end| name.as_bytes().ends_with(end.as_bytes()))
}
