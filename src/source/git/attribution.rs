//! Which commit made an entry what it is, and who made that commit. For display alone: nothing is decided by it.
//!
//! What was judged knows its commit. For what is older the history is walked backwards, in slices, while there is
//! nothing better to do.

use super::walk::Walk;
use crate::{
    authorize::{ObjectId, Objects},
    manifest::{Author, Maker, Revision},
};
use jiff::Timestamp;
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

/// The most bytes of an author's name and address that are shown.
const MAX_AUTHOR: usize = 200;
/// Of how many commits the makers are remembered.
const MAX_MAKERS: usize = 50_000;

/// What a commit says of itself, as far as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// `Name <mail>`.
    pub author: String,
    /// When it was committed.
    pub time: Option<Timestamp>,
}

/// Reads the headers of a commit.
pub(super) fn said(commit: &[u8]) -> Said {
    let header = |name: &str| {
        let lines = commit.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
        let mut values = lines.filter_map(|line| line.strip_prefix(name.as_bytes())?.strip_prefix(b" "));
        values.next().map(String::from_utf8_lossy).unwrap_or_default()
    };
    let author = header("author");
    let shown = author.rfind('>').and_then(|end| author.get(..=end)).unwrap_or(&author);
    let committer = header("committer");
    let seconds = committer.rsplit('>').next().and_then(|rest| rest.split_ascii_whitespace().next());
    Said {
        author: shown.chars().take(MAX_AUTHOR).collect(),
        time: seconds.and_then(|seconds| Timestamp::from_second(seconds.parse().ok()?).ok()),
    }
}

/// What is known so far.
#[derive(Default)]
pub(super) struct Attribution {
    makers: HashMap<ObjectId, Maker>,
    /// Of entries that were not judged: their commits, by path.
    traced: HashMap<Arc<str>, ObjectId>,
    /// Commits that made something and have not been read.
    unread: HashSet<ObjectId>,
    walk: Option<Walk>,
    /// What the last walk was to find, and what no walk has found.
    wanted: BTreeSet<Arc<str>>,
    lost: HashSet<Arc<str>>,
}

impl Attribution {
    /// The maker of an entry, if it is known. `made_by` is the commit, where it was judged.
    pub fn of(&self, path: &str, made_by: Option<ObjectId>) -> Option<&Maker> {
        self.makers.get(&made_by.or_else(|| self.traced.get(path).copied())?)
    }

    /// Reads a commit now, and says to whom it was attributed.
    pub fn read(&mut self, objects: &dyn Objects, commit: ObjectId, signer: Option<&String>) {
        self.unread.remove(&commit);
        // Of what cannot be read, the id is shown.
        let read = |bytes: Arc<[u8]>| Arc::new(Author { name: said(&bytes).author, signer: signer.cloned() });
        let author = objects.commit(commit).ok().map(read);
        if self.makers.len() > MAX_MAKERS {
            // Whoever is asked for again is read again.
            self.makers.clear();
        }
        self.makers.insert(commit, Maker { revision: Revision::from(commit.to_string()), author });
    }

    /// To be found out when there is time: the makers of these entries, where `from` is a commit whose tree has them as
    /// they are, for those that were not judged.
    pub fn want<'p>(&mut self, from: ObjectId, entries: impl Iterator<Item = (&'p Arc<str>, Option<ObjectId>)>) {
        let mut wanted = BTreeSet::new();
        for (path, made_by) in entries {
            match made_by.or_else(|| self.traced.get(path).copied()) {
                Some(commit) if self.makers.contains_key(&commit) => {}
                Some(commit) => _ = self.unread.insert(commit),
                None if self.lost.contains(path) => {}
                None => _ = wanted.insert(path.clone()),
            }
        }
        self.wanted.clone_from(&wanted);
        self.walk = (!wanted.is_empty()).then(|| Walk::new(from, wanted));
    }

    /// Forgets who made entries that were not judged: these are others now.
    pub fn forget<'p>(&mut self, paths: impl Iterator<Item = &'p str>) {
        for path in paths {
            self.traced.remove(path);
            self.lost.remove(path);
        }
    }

    /// Forgets who made what was not judged.
    pub fn forget_traced(&mut self) {
        self.traced.clear();
        self.lost.clear();
        self.walk = None;
    }

    /// Whether there is anything left to be found out.
    pub fn is_waiting(&self) -> bool {
        self.walk.is_some() || !self.unread.is_empty()
    }

    /// Goes on finding out, for about so long.
    pub fn work<'s>(&mut self, objects: &dyn Objects, until: Instant, signer: impl Fn(ObjectId) -> Option<&'s String>) {
        while let Some(walk) = self.walk.as_mut().filter(|_| Instant::now() < until) {
            for (path, commit) in walk.step(objects) {
                self.traced.insert(path, commit);
                if !self.makers.contains_key(&commit) {
                    self.unread.insert(commit);
                }
            }
            if walk.is_over() {
                self.walk = None;
                let wanted = std::mem::take(&mut self.wanted);
                self.lost.extend(wanted.into_iter().filter(|path| !self.traced.contains_key(path)));
            }
        }
        while let Some(commit) = self.unread.iter().next().copied().filter(|_| Instant::now() < until) {
            self.read(objects, commit, signer(commit));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_commit_says_of_itself() {
        let commit =
            b"tree 1\nauthor A <b> C <a@example.com> 1700000000 +0100\ncommitter X <x@y> 1700000060 -0200\n\nauthor no";
        let expected =
            Said { author: "A <b> C <a@example.com>".to_owned(), time: Timestamp::from_second(1_700_000_060).ok() };
        assert_eq!(said(commit), expected);
        for bytes in [&b""[..], b"author\ncommitter\n", b"author \xff <\ncommitter > x", b"\n\nauthor A <a> 1 +0000"] {
            assert_eq!(said(bytes).time, None, "{bytes:?}");
        }
        let long = format!("author {}\n\n", "x".repeat(1 << 20));
        assert_eq!(said(long.as_bytes()).author.len(), MAX_AUTHOR);
    }
}
