//! The pack files of a mirror: what a killed process left behind, what is damaged, and not too many of them.

use super::{
    bounds::Bounds,
    entries::Entries,
    error::{FetchError, FetchFailure},
    objects::{Repository, id_of, oid_of},
};
use crate::authorize::ObjectId;
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// Each fetch adds a pack, and each is looked into for every object.
const MAX_PACKS: usize = 50;
/// How many bytes of packs are made into one, the smallest first. To write more anew would take longer than it saves.
const MAX_MERGED: u64 = 64 << 20;

/// A pack on its way into a mirror: all of it gets there, or nothing.
pub(super) struct Incoming<'a> {
    indexer: git2::Indexer<'a>,
    entries: Entries<'a>,
    folder: PathBuf,
    bounds: &'a Bounds,
}

impl<'a> Incoming<'a> {
    pub fn new(repository: &'a Repository, bounds: &'a Bounds) -> Result<Self, FetchError> {
        let git = |error: git2::Error| FetchError::of_git(&bounds.remote, &error);
        let odb = repository.git().odb().map_err(git)?;
        // Checks names and deltas. Whether all that is led to is there is for the reader: a server that leaves out a file
        // would otherwise keep out all the others.
        let folder = folder(repository.git().path());
        let mut indexer = git2::Indexer::new(Some(&odb), &folder, 0o444, false).map_err(git)?;
        // Asked after each object: unpacking takes long after the last byte was received.
        indexer.progress(move |told| {
            bounds.fetch.received(&told);
            bounds.left().is_ok()
        });
        Ok(Incoming { indexer, entries: Entries::new(bounds), folder, bounds })
    }

    /// The next bytes of the pack.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), FetchError> {
        self.bounds.left()?;
        self.entries.pass(bytes)?;
        self.indexer.write_all(bytes).map_err(|error| {
            match error.get_ref().and_then(|inner| inner.downcast_ref::<git2::Error>()) {
                Some(error) => {
                    self.bounds.left().err().unwrap_or_else(|| FetchError::of_git(&self.bounds.remote, error))
                }
                None => FetchError::new(FetchFailure::Storage, format!("cannot store a pack: {error}")),
            }
        })
    }

    /// Makes the objects readable, and gives the name of the pack. From then on they survive a loss of power.
    ///
    /// # Errors
    /// When the pack is not whole.
    pub fn finish(self) -> Result<String, FetchError> {
        let Incoming { indexer, folder, bounds, .. } = self;
        let name = indexer
            .commit()
            .map_err(|error| bounds.left().err().unwrap_or_else(|| FetchError::of_git(&bounds.remote, &error)))?;
        sync(&folder, &name).map_err(|error| FetchError::storage("keep a pack in", &folder, &error))?;
        Ok(name)
    }
}

/// Waits until a pack is on the disk: what is decided from it is written there too, and must not be all that is left.
fn sync(folder: &Path, pack: &str) -> io::Result<()> {
    for ending in ["pack", "idx"] {
        File::open(folder.join(format!("pack-{pack}.{ending}")))?.sync_all()?;
    }
    File::open(folder)?.sync_all()
}

/// Takes back a pack that was received.
pub(super) fn discard(mirror: &Path, pack: &str) -> Result<(), FetchError> {
    let path = |ending: &str| folder(mirror).join(format!("pack-{pack}.{ending}"));
    let removed = fs::remove_file(path("idx")).and_then(|()| fs::remove_file(path("pack")));
    removed.map_err(|error| FetchError::storage("remove a pack of", mirror, &error))
}

/// Removes what a process that was killed may have left: locks, halves of packs. There is one user of a mirror.
pub(super) fn sweep(mirror: &Path) -> io::Result<()> {
    for entry in walkdir::WalkDir::new(mirror).into_iter() {
        let entry = entry?;
        if entry.file_type().is_file() && entry.path().extension().is_some_and(|extension| extension == "lock") {
            fs::remove_file(entry.path())?;
        }
    }
    let folder = folder(mirror);
    let names = names(&folder)?;
    for name in &names {
        let whole = match name.strip_suffix(".pack").map(|stem| (stem, ".idx")) {
            found @ Some(_) => found,
            None => name.strip_suffix(".idx").map(|stem| (stem, ".pack")),
        };
        if !whole.is_some_and(|(stem, other)| stem.starts_with("pack-") && names.contains(&format!("{stem}{other}"))) {
            fs::remove_file(folder.join(name))?;
        }
    }
    Ok(())
}

/// Whether each pack is the one that its index was made for, as far as their last bytes tell: a pack ends with its
/// checksum, and an index has that before its own. What is damaged within is found when it is read.
///
/// # Errors
/// What is wrong.
pub(super) fn check(mirror: &Path) -> io::Result<()> {
    let folder = folder(mirror);
    for stem in stems(&folder)? {
        let (pack, index) =
            (tail(&folder.join(format!("{stem}.pack")), 20)?, tail(&folder.join(format!("{stem}.idx")), 40)?);
        if index.get(..20) != Some(pack.as_slice()) {
            return Err(io::Error::other(format!("{stem}.pack is not whole")));
        }
    }
    Ok(())
}

/// Writes many small packs into one, when there are too many. All objects stay, also those that no reference leads to
/// any more: the trusted state may be among them.
pub(super) fn merge(mirror: &Path, repository: &Repository) -> Result<bool, FetchError> {
    let failed = |error: io::Error| FetchError::storage("merge the packs of", mirror, &error);
    let git = |error: git2::Error| FetchError::of_git("the mirror", &error);
    let folder = folder(mirror);
    let mut packs = stems(&folder).and_then(|stems| sizes(&folder, stems)).map_err(failed)?;
    if packs.len() <= MAX_PACKS {
        return Ok(false);
    }
    packs.sort_unstable();
    let mut bytes = 0_u64;
    let small = packs.into_iter().take_while(|(size, _)| {
        bytes = bytes.saturating_add(*size);
        bytes <= MAX_MERGED
    });
    let small: Vec<String> = small.map(|(_, stem)| stem).collect();
    if small.len() < 2 {
        return Ok(false);
    }
    let mut builder = repository.git().packbuilder().map_err(git)?;
    builder.set_threads(1);
    let mut merged = Vec::new();
    for stem in small {
        let (pack, index) = (folder.join(format!("{stem}.pack")), folder.join(format!("{stem}.idx")));
        for id in objects(&fs::read(&index).map_err(failed)?) {
            builder.insert_object(oid_of(id), None).map_err(git)?;
        }
        merged.push((pack, index));
    }
    builder.write(&folder, 0o444).map_err(git)?;
    let Some(name) = builder.name().map_err(git)?.map(str::to_owned) else { return Ok(false) };
    sync(&folder, &name).map_err(failed)?;
    let written = folder.join(format!("pack-{name}.pack"));
    for (pack, index) in merged.into_iter().filter(|(pack, _)| *pack != written) {
        // Without its index a pack is nothing; the next sweep takes what a kill leaves here.
        fs::remove_file(index).and_then(|()| fs::remove_file(pack)).map_err(failed)?;
    }
    Ok(true)
}

/// The names in an index of version 2: a header of 8 bytes, 256 counts that end with the number of all, the names.
fn objects(index: &[u8]) -> impl Iterator<Item = ObjectId> {
    const NAMES: usize = 8 + 256 * 4;
    let count = index.get(NAMES - 4..NAMES).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes);
    let names = index.get(NAMES..).unwrap_or_default().chunks_exact(20).take(count as usize);
    names.filter_map(|name| git2::Oid::from_bytes(name).ok()).map(id_of)
}

fn folder(mirror: &Path) -> PathBuf {
    mirror.join("objects/pack")
}

fn names(folder: &Path) -> io::Result<BTreeSet<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        entries => entries?,
    };
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// The packs, each without its ending.
fn stems(folder: &Path) -> io::Result<Vec<String>> {
    Ok(names(folder)?.iter().filter_map(|name| name.strip_suffix(".pack")).map(str::to_owned).collect())
}

fn sizes(folder: &Path, stems: Vec<String>) -> io::Result<Vec<(u64, String)>> {
    let size = |stem: String| Ok((fs::metadata(folder.join(format!("{stem}.pack")))?.len(), stem));
    stems.into_iter().map(size).collect()
}

fn tail(path: &Path, bytes: usize) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::End(-(bytes as i64)))?;
    let mut tail = vec![0; bytes];
    file.read_exact(&mut tail)?;
    tail.truncate(20);
    Ok(tail)
}
