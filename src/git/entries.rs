//! What a pack says of the sizes of its objects, read while it passes by.
//!
//! libgit2 asks for as much memory as a pack claims to need, and a few bytes of a delta can claim, and make, gigabytes. So
//! each claim is held against the bounds before libgit2 sees it.

use super::{
    bounds::Bounds,
    error::{FetchError, FetchFailure},
};
use flate2::{Decompress, FlushDecompress, Status};

/// The kinds of entries that are changes to another object, named by its distance or by its id.
const OFFSET_DELTA: u8 = 6;
const NAMED_DELTA: u8 = 7;
const ID: usize = 20;
/// No number has more bits.
const MAX_SHIFT: u32 = 56;

/// The entries of a pack that comes in pieces.
pub(super) struct Entries<'a> {
    bounds: &'a Bounds,
    at: At,
    /// How many entries are still to come.
    left: u64,
    /// What all objects so far come to.
    unpacked: u64,
    inflate: Decompress,
    buffer: Box<[u8]>,
}

/// What the next byte belongs to.
enum At {
    /// `PACK`, a version, the number of entries; so many of its bytes were read.
    Header(usize),
    /// The kind and size of an entry, when its first byte was read.
    Entry(Option<(u8, Number)>),
    /// The name of what a delta changes; so many of its bytes are to come.
    Name(Entry, usize),
    /// The distance to what a delta changes.
    Offset(Entry),
    Content(Entry),
    /// After the last entry: a checksum.
    End,
}

/// An entry that has begun.
#[derive(Clone, Copy)]
struct Entry {
    /// Of the content of the entry itself.
    size: u64,
    /// A delta begins with the sizes of what it changes and of what it makes.
    delta: Option<Sizes>,
}

#[derive(Clone, Copy)]
enum Sizes {
    Before(Number),
    After(Number),
    Known,
}

/// A number of seven bits a byte, the lowest first, that may not be whole yet.
#[derive(Clone, Copy, Default)]
struct Number {
    value: u64,
    shift: u32,
}

impl Number {
    /// Takes in a byte; says whether it was the last. None: there is no such number.
    fn take(&mut self, byte: u8) -> Option<bool> {
        if self.shift > MAX_SHIFT {
            return None;
        }
        self.value |= u64::from(byte & 0x7f) << self.shift;
        self.shift += 7;
        Some(byte & 0x80 == 0)
    }
}

impl<'a> Entries<'a> {
    pub fn new(bounds: &'a Bounds) -> Self {
        let inflate = Decompress::new(true);
        Entries { bounds, at: At::Header(0), left: 0, unpacked: 0, inflate, buffer: vec![0; 64 << 10].into() }
    }

    /// Looks at the next bytes of the pack.
    ///
    /// # Errors
    /// When they claim more than the bounds allow, or are no pack.
    pub fn pass(&mut self, mut bytes: &[u8]) -> Result<(), FetchError> {
        while let Some((&byte, rest)) = bytes.split_first() {
            match &mut self.at {
                At::End => return Ok(()),
                At::Content(entry) => {
                    let mut entry = *entry;
                    let (read, ended) = self.content(&mut entry, bytes)?;
                    bytes = bytes.get(read..).unwrap_or_default();
                    self.at = match ended {
                        true => self.next(),
                        false => At::Content(entry),
                    };
                    continue;
                }
                At::Header(read) => {
                    // The last four bytes are the number of entries.
                    if *read >= 8 {
                        self.left = self.left << 8 | u64::from(byte);
                    }
                    *read += 1;
                    if *read == 12 {
                        self.bounds.objects(self.left)?;
                        self.at = self.start();
                    }
                }
                At::Entry(None) => {
                    let size = Number { value: u64::from(byte & 0x0f), shift: 4 };
                    let kind = byte >> 4 & 7;
                    self.at = match byte & 0x80 {
                        0 => self.entry(kind, size.value)?,
                        _ => At::Entry(Some((kind, size))),
                    };
                }
                At::Entry(Some((kind, size))) => {
                    if size.take(byte).ok_or_else(|| damaged(self.bounds))? {
                        let (kind, size) = (*kind, size.value);
                        self.at = self.entry(kind, size)?;
                    }
                }
                At::Name(entry, 1) => self.at = At::Content(*entry),
                At::Name(_, left) => *left -= 1,
                At::Offset(entry) if byte & 0x80 == 0 => self.at = At::Content(*entry),
                At::Offset(_) => {}
            }
            bytes = rest;
        }
        Ok(())
    }

    /// What follows on the header or on an entry.
    fn start(&self) -> At {
        if self.left == 0 { At::End } else { At::Entry(None) }
    }

    fn next(&mut self) -> At {
        self.left = self.left.saturating_sub(1);
        self.inflate.reset(true);
        self.start()
    }

    fn entry(&mut self, kind: u8, size: u64) -> Result<At, FetchError> {
        self.claim(size)?;
        let delta = Some(Sizes::Before(Number::default()));
        match kind {
            1..=4 => Ok(At::Content(Entry { size, delta: None })),
            OFFSET_DELTA => Ok(At::Offset(Entry { size, delta })),
            NAMED_DELTA => Ok(At::Name(Entry { size, delta }, ID)),
            _ => Err(damaged(self.bounds)),
        }
    }

    /// Unpacks some of an entry: how many bytes of it were read, and whether they were the last.
    fn content(&mut self, entry: &mut Entry, bytes: &[u8]) -> Result<(usize, bool), FetchError> {
        let (read, made) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(bytes, &mut self.buffer, FlushDecompress::None);
        let status = status.map_err(|_| damaged(self.bounds))?;
        let (read, total) = (self.inflate.total_in() - read, self.inflate.total_out());
        for index in 0..total - made {
            let byte = usize::try_from(index).ok().and_then(|index| self.buffer.get(index)).copied();
            if !self.delta(entry, byte.unwrap_or_default())? {
                break;
            }
        }
        let ended = status == Status::StreamEnd;
        let stuck = !ended && read == 0 && total == made;
        let short = ended && (total < entry.size || !matches!(entry.delta, None | Some(Sizes::Known)));
        if stuck || short || total > entry.size {
            return Err(damaged(self.bounds));
        }
        // No more than there was.
        Ok((usize::try_from(read).unwrap_or(bytes.len()), ended))
    }

    /// Takes in a byte of what may be a delta; says whether the next one matters as well.
    fn delta(&mut self, entry: &mut Entry, byte: u8) -> Result<bool, FetchError> {
        let size = match &mut entry.delta {
            Some(Sizes::Before(size) | Sizes::After(size)) => size,
            None | Some(Sizes::Known) => return Ok(false),
        };
        if size.take(byte).ok_or_else(|| damaged(self.bounds))? {
            let size = size.value;
            self.claim(size)?;
            entry.delta = Some(match entry.delta {
                Some(Sizes::Before(_)) => Sizes::After(Number::default()),
                _ => Sizes::Known,
            });
        }
        Ok(true)
    }

    fn claim(&mut self, size: u64) -> Result<(), FetchError> {
        self.bounds.object(None, size)?;
        self.unpacked = self.unpacked.saturating_add(size);
        let most = self.bounds.max_unpacked();
        if self.unpacked <= most {
            return Ok(());
        }
        let what = format!("{} sends objects of more than {most} bytes in all, when unpacked", self.bounds.remote);
        Err(FetchError::new(FetchFailure::TooLarge, what))
    }
}

fn damaged(bounds: &Bounds) -> FetchError {
    FetchError::new(FetchFailure::Truncated, format!("the pack from {} is damaged", bounds.remote))
}

#[cfg(test)]
mod tests;
