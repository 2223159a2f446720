//! Reading the files of the audit, newest first. Blocking.

use super::rotation::is_rotated;
use crate::status::model::audit::{Filter, Record};
use jiff::Timestamp;
use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// The longest line; none that was written here comes near.
const MAX_LINE: u64 = 64 << 10;
/// The most that is found, in bytes of the files.
const MAX_FOUND: usize = 16 << 20;

/// The names in a folder; none if it cannot be read.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// The file that is written and the earlier ones, newest first.
pub fn files(path: &Path) -> Vec<PathBuf> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let mut old: Vec<String> = names(folder).into_iter().filter(|other| is_rotated(name, other)).collect();
    old.sort_unstable_by(|a, b| b.cmp(a));
    std::iter::once(path.to_owned()).chain(old.into_iter().map(|old| folder.join(old))).collect()
}

/// The last `n` records that match, oldest first. `before` is the time and number of a record; it and all that are newer
/// are left out.
pub fn search(path: &Path, filter: &Filter, n: usize, before: Option<(Timestamp, u64)>) -> Vec<Record> {
    let mut found: VecDeque<Record> = VecDeque::new();
    let mut bytes = 0;
    for path in files(path) {
        let mut here: VecDeque<(Record, usize)> = VecDeque::new();
        let mut oldest = None;
        let room = n - found.len();
        each(&path, |record, length| {
            oldest.get_or_insert(record.time);
            if before.is_none_or(|before| (record.time, record.sequence) < before) && filter.matches(&record) {
                here.push_back((record, length));
                bytes += length;
            }
            while here.len() > room || bytes > MAX_FOUND && !here.is_empty() {
                bytes -= here.pop_front().map_or(0, |(_, length)| length);
            }
        });
        here.into_iter().rev().for_each(|(record, _)| found.push_front(record));
        let all_there = filter.since.zip(oldest).is_some_and(|(since, oldest)| oldest < since);
        if found.len() >= n || bytes >= MAX_FOUND || all_there {
            break;
        }
    }
    found.into()
}

/// The first record of a file, if it has one that can be read.
pub fn first_record(path: &Path) -> Option<Record> {
    let mut line = Vec::new();
    BufReader::new(File::open(path).ok()?).take(MAX_LINE).read_until(b'\n', &mut line).ok()?;
    serde_json::from_slice(&line).ok()
}

/// The last one.
pub fn last_record(path: &Path) -> Option<Record> {
    let mut file = File::open(path).ok()?;
    let size = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(MAX_LINE))).ok()?;
    let mut end = Vec::new();
    file.take(MAX_LINE).read_to_end(&mut end).ok()?;
    end.rsplit(|byte| *byte == b'\n').find_map(|line| serde_json::from_slice(line).ok())
}

/// Each record that can be read, with the length of its line.
fn each(path: &Path, mut take: impl FnMut(Record, usize)) {
    let Ok(file) = File::open(path) else { return };
    let mut reader = BufReader::with_capacity(64 << 10, file);
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(length) => {
                if let Ok(record) = serde_json::from_slice(&line) {
                    take(record, length);
                }
            }
        }
    }
}
