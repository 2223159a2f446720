//! What was decided about commits, kept for people: nothing is decided by it.
//!
//! One line of JSON for each commit, in the order in which they were judged. It is written before what was judged takes
//! effect; whoever is killed in between judges again, and of two lines about a commit the later one counts. When it has
//! become too long, its older half is forgotten.

use super::file::{self, StateError};
use crate::authorize::{Answer, CommitVerdict, ObjectId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    collections::HashSet,
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{FileExt as _, OpenOptionsExt},
    path::{Path, PathBuf},
};

const FILE: &str = "verdicts.jsonl";

/// The most bytes of the file, and how many of them stay when it has more.
const MAX_BYTES: usize = 8 << 20;
const KEPT_BYTES: usize = 4 << 20;

/// How many changes of one commit are kept. Those that were refused go before others.
const MAX_CHANGES: usize = 500;

/// What is kept of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    #[serde(flatten)]
    pub verdict: CommitVerdict,
    /// How many of its changes are not here.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// What stands where trust began anew: what was judged before does not count any more.
#[derive(Serialize, Deserialize)]
struct Began {
    began: ObjectId,
}

impl Recorded {
    fn of(verdict: &CommitVerdict) -> Recorded {
        let mut verdict = verdict.clone();
        let left_out = verdict.changes.len().saturating_sub(MAX_CHANGES);
        if left_out > 0 {
            verdict.changes.sort_by_key(|change| change.verdict == Answer::Accepted);
            verdict.changes.truncate(MAX_CHANGES);
        }
        Recorded { verdict, left_out }
    }
}

/// Adds verdicts, parents first.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn add(state_dir: &Path, verdicts: &[CommitVerdict]) -> Result<(), StateError> {
    // Those that would be forgotten at once are not written.
    let (mut lines, mut bytes) = (Vec::new(), 0);
    for verdict in verdicts.iter().rev() {
        let line = line(&Recorded::of(verdict));
        bytes += line.len();
        if bytes > KEPT_BYTES {
            break;
        }
        lines.push(line);
    }
    if lines.is_empty() {
        return Ok(());
    }
    append(state_dir, &lines.into_iter().rev().collect::<Vec<_>>().concat())
}

/// Notes that trust begins anew with a commit.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn begin(state_dir: &Path, root: ObjectId) -> Result<(), StateError> {
    append(state_dir, &line(&Began { began: root }))
}

fn line(value: &impl Serialize) -> Vec<u8> {
    // Nothing in it can fail to be written as JSON.
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

fn append(state_dir: &Path, lines: &[u8]) -> Result<(), StateError> {
    let path = state_dir.join(FILE);
    let size = fs::metadata(&path).map_or(0, |metadata| metadata.len());
    if size.saturating_add(lines.len() as u64) > MAX_BYTES as u64 {
        let before = file::read(&path)?.unwrap_or_default();
        let from = before.len().saturating_sub(KEPT_BYTES);
        let whole = before.get(from..).and_then(|rest| Some(from + memchr::memchr(b'\n', rest)? + 1));
        let kept = before.get(whole.unwrap_or(before.len())..).unwrap_or_default();
        return file::replace(&path, &[kept, lines].concat());
    }
    let write = || {
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
        // What a crash has cut off stays a line of its own.
        let cut = size > 0 && !ends_with_line(&path)?;
        file.write_all(&[if cut { b"\n" } else { &b""[..] }, lines].concat())
    };
    write().map_err(StateError::io("write", &path))
}

fn ends_with_line(path: &Path) -> io::Result<bool> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = fs::File::open(path)?;
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// The record, as it was at one moment. It is read from its end, a piece at a time: all of it is many times its bytes, and
/// whoever asks wants the newest.
#[derive(Debug)]
pub(super) struct Record(Option<Backwards>);

impl Record {
    /// Opens the file of a source's state directory. Without one nothing is recorded.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn open(state_dir: &Path) -> Result<Record, StateError> {
        let path = state_dir.join(FILE);
        match Backwards::open(&path) {
            Ok(lines) => Ok(Record(Some(lines))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Record(None)),
            Err(error) => Err(StateError::io("read", &path)(error)),
        }
    }

    /// What was decided since trust began, newest first; each commit once.
    pub fn newest_first(&self) -> impl Iterator<Item = Result<Recorded, StateError>> {
        let mut seen = HashSet::new();
        self.read::<Recorded>().filter(move |read| read.as_ref().map_or(true, |new| seen.insert(new.verdict.id)))
    }

    /// The commits about which something was decided since then.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn commits(&self) -> Result<HashSet<ObjectId>, StateError> {
        #[derive(Deserialize)]
        struct Named {
            id: ObjectId,
        }
        self.read::<Named>().map(|read| Ok(read?.id)).collect()
    }

    /// What the lines say since trust began. One that is still being written, or was cut off, says nothing.
    fn read<T: DeserializeOwned>(&self) -> impl Iterator<Item = Result<T, StateError>> {
        let lines = self.0.iter().flat_map(|file| {
            let path = &file.path;
            file.lines().map(move |line| line.map_err(StateError::io("read", path)))
        });
        let since = |line: &Result<Vec<u8>, StateError>| {
            line.as_ref().map_or(true, |line| serde_json::from_slice::<Began>(line).is_err())
        };
        lines.take_while(since).filter_map(|line| match line {
            Ok(line) => serde_json::from_slice(&line).ok().map(Ok),
            Err(error) => Some(Err(error)),
        })
    }
}

/// A file of lines that is read from its end, up to where that was when it was opened.
#[derive(Debug)]
struct Backwards {
    path: PathBuf,
    file: fs::File,
    size: u64,
}

/// The bytes of a piece.
const PIECE: u64 = 64 << 10;

impl Backwards {
    fn open(path: &Path) -> io::Result<Backwards> {
        let file = fs::File::open(path)?;
        let size = file.metadata()?.len();
        Ok(Backwards { path: path.to_owned(), file, size })
    }

    /// The last one first.
    fn lines(&self) -> impl Iterator<Item = io::Result<Vec<u8>>> {
        // What has been read and is in no line yet, and where that begins in the file.
        let (mut rest, mut at) = (Vec::new(), self.size);
        std::iter::from_fn(move || {
            loop {
                if let Some(end) = memchr::memrchr(b'\n', &rest) {
                    let line = rest.split_off(end + 1);
                    rest.pop();
                    return Some(Ok(line));
                }
                if at == 0 {
                    return (!rest.is_empty()).then(|| Ok(std::mem::take(&mut rest)));
                }
                let length = at.min(PIECE);
                // A piece always fits.
                let mut piece = vec![0; length as usize];
                if let Err(error) = self.file.read_exact_at(&mut piece, at - length) {
                    (at, rest) = (0, Vec::new());
                    return Some(Err(error));
                }
                at -= length;
                piece.append(&mut rest);
                rest = piece;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::{ChangeVerdict, Code, CommitAnswer};

    fn id(number: u8) -> ObjectId {
        ObjectId::new([number; 20])
    }

    fn verdict(number: u8, signer: &str, changes: usize) -> CommitVerdict {
        let change = |index: usize| ChangeVerdict {
            path: format!("{index}.yaml"),
            kind: None,
            name: None,
            verb: None,
            verdict: if index + 1 == changes { Answer::Refused } else { Answer::Accepted },
            code: Some(Code::NotAllowed),
            rule: None,
            message: "a \"message\"\n".to_owned(),
        };
        CommitVerdict {
            id: id(number),
            signer: Some(signer.to_owned()),
            verdict: CommitAnswer::Accepted,
            changes: (0..changes).map(change).collect(),
        }
    }

    fn read(folder: &Path) -> Vec<(ObjectId, Option<String>)> {
        let record = Record::open(folder).expect("readable");
        let all = record.newest_first().map(|recorded| recorded.expect("readable").verdict);
        let all: Vec<_> = all.map(|verdict| (verdict.id, verdict.signer)).collect();
        assert_eq!(record.commits().expect("readable"), all.iter().map(|(commit, _)| *commit).collect());
        all
    }

    #[test]
    fn it_is_read_newest_first_and_the_last_word_counts() {
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(read(dir.path()), []);
        begin(dir.path(), id(0)).expect("written");
        add(dir.path(), &[verdict(1, "a", 1), verdict(2, "a", 0)]).expect("written");
        add(dir.path(), &[verdict(2, "b", 0), verdict(3, "b", 0)]).expect("written");
        let named = |all: &[(u8, &str)]| -> Vec<_> {
            all.iter().map(|(number, name)| (id(*number), Some((*name).to_owned()))).collect()
        };
        assert_eq!(read(dir.path()), named(&[(3, "b"), (2, "b"), (1, "a")]));
        // Cut off by a crash.
        let path = dir.path().join(FILE);
        let text = fs::read(&path).expect("a file");
        fs::write(&path, &text[..text.len() - 10]).expect("written");
        assert_eq!(read(dir.path()), named(&[(2, "b"), (1, "a")]));
        add(dir.path(), &[verdict(4, "c", 0)]).expect("written");
        assert_eq!(read(dir.path()), named(&[(4, "c"), (2, "b"), (1, "a")]));
        begin(dir.path(), id(1)).expect("written");
        assert_eq!(read(dir.path()), []);
    }

    #[test]
    fn there_is_a_bound_on_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let large = verdict(1, "a", MAX_CHANGES + 1);
        add(dir.path(), std::slice::from_ref(&large)).expect("written");
        let record = Record::open(dir.path()).expect("readable");
        let first = record.newest_first().next().expect("one").expect("readable");
        assert_eq!((first.left_out, first.verdict.changes.len()), (1, MAX_CHANGES));
        assert_eq!(first.verdict.changes.first().map(|change| change.verdict), Some(Answer::Refused));
        // A history that is longer than what is kept, at once and over time.
        let many: Vec<_> = (0..=255).map(|number| verdict(number, "a", MAX_CHANGES)).collect();
        for _ in 0..3 {
            add(dir.path(), &many).expect("written");
            let size = fs::metadata(dir.path().join(FILE)).expect("a file").len();
            assert!(size <= MAX_BYTES as u64, "{size}");
        }
        let kept = read(dir.path());
        assert_eq!(kept.first().map(|(commit, _)| *commit), Some(id(255)));
        assert!(kept.len() < 256 && !kept.is_empty(), "{}", kept.len());
    }

    #[test]
    fn a_file_is_read_from_its_end() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("lines");
        let long = "x".repeat(PIECE as usize + 1);
        for text in ["", "\n", "a", "a\n", "a\nb", "\n\na\n", &format!("a\n{long}\nb\n{long}")] {
            fs::write(&path, text).expect("a file");
            let file = Backwards::open(&path).expect("a file");
            // What is written later is not of that moment.
            fs::OpenOptions::new()
                .append(true)
                .open(&path)
                .and_then(|mut file| file.write_all(b"later\n"))
                .expect("written");
            let lines: Vec<_> =
                file.lines().map(|line| String::from_utf8(line.expect("readable")).expect("text")).collect();
            let mut expected: Vec<_> = text.split('\n').rev().map(str::to_owned).collect();
            // What begins the file ends nothing.
            if text.is_empty() || text.starts_with('\n') {
                expected.pop();
            }
            assert_eq!(lines, expected, "{}", text.len());
        }
    }
}
