//! What was listed of a tree, and whether the tree still is as it was then.

use super::{Ignore, ReadError, walk::Walk};
use crate::manifest::Diagnostic;
use std::{
    fs::Metadata,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Bounds of one tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Folders within folders.
    pub depth: usize,
    /// Everything that is listed, resource file or not.
    pub entries: usize,
    pub files: usize,
    /// Contents of all files together.
    pub bytes: u64,
}

impl Bounds {
    pub const DEFAULT: Bounds = Bounds { depth: 64, entries: 1_000_000, files: 200_000, bytes: 512 << 20 };
}

/// A file to be read.
#[derive(Debug)]
pub(super) struct Found {
    /// From the source's root, by the names that are visible there.
    pub path: Arc<str>,
    /// Where it really is, from the root, if a symlink led to it.
    pub target: Option<PathBuf>,
}

impl Found {
    /// Where the file really is, from the root without symlinks.
    pub fn place(&self) -> &Path {
        self.target.as_deref().unwrap_or(Path::new(&*self.path))
    }
}

/// A folder whose entries were listed, or that a link to a file led into.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Folder {
    /// Absolute, without symlinks.
    pub path: PathBuf,
    pub stamp: Stamp,
}

/// Identity and time of the last change of a file or folder. Two folders with equal stamps have the same entries, as
/// far as the clock of the file system can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stamp {
    pub device: u64,
    pub inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub fn of(path: &Path) -> io::Result<Self> {
        path.symlink_metadata().map(|m| Stamp::from(&m))
    }
}

impl From<&Metadata> for Stamp {
    fn from(m: &Metadata) -> Self {
        Stamp {
            device: m.dev(),
            inode: m.ino(),
            size: m.size(),
            modified: (m.mtime(), m.mtime_nsec()),
            changed: (m.ctime(), m.ctime_nsec()),
        }
    }
}

/// A `..data` link of a mount, which is switched to publish all files of a new version at once.
#[derive(Debug)]
pub(super) struct Pin {
    pub link: PathBuf,
    pub target: PathBuf,
}

/// How a tree compares to its listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Since {
    Same,
    /// A folder changed.
    Changed,
    /// The whole tree, or a mount within it, was replaced: what was read may be a mixture of two versions.
    Replaced,
}

#[derive(Debug)]
pub(super) struct Listing {
    /// The root without symlinks.
    pub root: PathBuf,
    pub files: Vec<Found>,
    pub unreadable: Vec<Diagnostic>,
    pub folders: Vec<Folder>,
    pub pins: Vec<Pin>,
    /// Something went away while it was listed.
    pub changed: bool,
}

impl Listing {
    /// Lists what is below `root`, which may itself be reached through symlinks.
    pub fn new(root: &Path, ignore: &Ignore, bounds: Bounds) -> Result<Self, ReadError> {
        let error = |e| ReadError::root(root, e);
        let real = root.canonicalize().map_err(error)?;
        if !real.metadata().map_err(error)?.is_dir() {
            return Err(ReadError::NotAFolder { path: root.into() });
        }
        let listing =
            Listing { root: real, files: vec![], unreadable: vec![], folders: vec![], pins: vec![], changed: false };
        Walk::new(root, ignore, bounds, listing).all()
    }

    /// Compares the tree with the listing. `root` is the path that the listing was made for.
    pub fn since(&self, root: &Path) -> Since {
        let pinned = |pin: &Pin| pin.link.read_link().is_ok_and(|target| target == pin.target);
        if !root.canonicalize().is_ok_and(|real| real == self.root) || !self.pins.iter().all(pinned) {
            return Since::Replaced;
        }
        let mut folders = self.folders.iter().map(|f| (f.stamp, Stamp::of(&f.path)));
        // The first is the root itself.
        let same_root = |(then, now): (Stamp, io::Result<Stamp>)| match now {
            Ok(now) if now == then => Since::Same,
            Ok(now) if (now.device, now.inode) == (then.device, then.inode) => Since::Changed,
            _ => Since::Replaced,
        };
        let first = folders.next().map_or(Since::Same, same_root);
        let rest = folders.all(|(then, now)| now.is_ok_and(|now| now == then));
        first.max(if rest && !self.changed { Since::Same } else { Since::Changed })
    }
}
