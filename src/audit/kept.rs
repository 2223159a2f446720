//! The records in memory: those that are to be written, and before them the last ones that are, for whoever asks. Pure.

use crate::status::model::audit::{Filter, Kind, Outcome, Record};
use jiff::Timestamp;
use std::{collections::VecDeque, sync::Arc};

/// The records that are kept once they are written, or where there is no file.
const MAX_KEPT: usize = 4_096;
/// Their bytes, about.
const MAX_KEPT_BYTES: usize = 4 << 20;
/// The records that may wait to be written.
const MAX_WAITING: usize = 16_384;
/// Their bytes, about.
const MAX_WAITING_BYTES: usize = 16 << 20;

#[derive(Debug)]
pub struct Kept {
    /// Oldest first. The last [`Kept::waiting`] of them are still to be written.
    records: VecDeque<(Arc<Record>, usize)>,
    bytes: usize,
    waiting: usize,
    waiting_bytes: usize,
    /// Whether there is somebody who writes.
    written: bool,
    next: u64,
    /// Since that was last told.
    dropped: u64,
    dropped_in_all: u64,
}

impl Kept {
    /// `next` is the number of the first record.
    pub fn new(written: bool, next: u64) -> Self {
        Kept {
            records: VecDeque::new(),
            bytes: 0,
            waiting: 0,
            waiting_bytes: 0,
            written,
            next,
            dropped: 0,
            dropped_in_all: 0,
        }
    }

    /// Takes a record in, or drops it where too many wait already.
    pub fn add(&mut self, mut record: Record, now: Timestamp) -> Option<Arc<Record>> {
        let bytes = record.bound();
        record.sequence = self.next;
        record.time = now;
        self.next += 1;
        if self.waiting >= MAX_WAITING || self.waiting_bytes + bytes > MAX_WAITING_BYTES {
            self.drop_some(1);
            return None;
        }
        let record = Arc::new(record);
        self.records.push_back((record.clone(), bytes));
        self.bytes += bytes;
        if self.written {
            self.waiting += 1;
            self.waiting_bytes += bytes;
        }
        self.forget();
        Some(record)
    }

    /// What is to be written now. It is remembered that it was taken.
    pub fn take(&mut self) -> Vec<Arc<Record>> {
        let written = self.records.len() - self.waiting;
        let taken = self.records.iter().skip(written).map(|(record, _)| record.clone()).collect();
        (self.waiting, self.waiting_bytes) = (0, 0);
        self.forget();
        taken
    }

    /// Puts in, for readers of the file, how many records are missing, if any are.
    pub fn tell_dropped(&mut self, now: Timestamp) -> Option<Arc<Record>> {
        let missed = std::mem::take(&mut self.dropped);
        if missed == 0 {
            return None;
        }
        let reason = "they came faster than they could be written";
        let told =
            Record { missed: Some(missed), reason: Some(reason.into()), ..Record::new(Kind::Dropped, Outcome::Ok) };
        self.add(told, now)
    }

    fn drop_some(&mut self, count: u64) {
        self.dropped += count;
        self.dropped_in_all += count;
    }

    pub fn dropped_in_all(&self) -> u64 {
        self.dropped_in_all
    }

    pub fn waiting(&self) -> usize {
        self.waiting
    }

    pub fn has_waiting(&self) -> bool {
        self.waiting > 0
    }

    /// Whether so many wait that whoever writes should not wait any longer.
    pub fn is_pressing(&self) -> bool {
        self.waiting >= MAX_WAITING / 4 || self.waiting_bytes >= MAX_WAITING_BYTES / 4
    }

    /// The last `n` that match, oldest first.
    pub fn tail(&self, filter: &Filter, n: usize) -> Vec<Arc<Record>> {
        let records = self.records.iter().rev().map(|(record, _)| record);
        let mut tail: Vec<_> = records.filter(|record| filter.matches(record)).take(n).cloned().collect();
        tail.reverse();
        tail
    }

    /// The oldest record here; what is older is in the file alone.
    pub fn first(&self) -> Option<&Arc<Record>> {
        self.records.front().map(|(record, _)| record)
    }

    fn forget(&mut self) {
        while self.records.len() > self.waiting && (self.records.len() > MAX_KEPT || self.bytes > MAX_KEPT_BYTES) {
            let Some((_, bytes)) = self.records.pop_front() else { return };
            self.bytes -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str) -> Record {
        Record { name: Some(name.into()), ..Record::new(Kind::Request, Outcome::Ok) }
    }

    fn numbers(records: &[Arc<Record>]) -> Vec<u64> {
        records.iter().map(|record| record.sequence).collect()
    }

    #[test]
    fn without_a_file_the_last_ones_are_kept() {
        let mut kept = Kept::new(false, 1);
        for _ in 0..MAX_KEPT + 5 {
            kept.add(record("a"), Timestamp::UNIX_EPOCH).unwrap();
        }
        kept.add(record("b"), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((kept.records.len(), kept.first().unwrap().sequence, kept.has_waiting()), (MAX_KEPT, 7, false));
        assert_eq!(numbers(&kept.tail(&Filter::default(), 2)), [MAX_KEPT as u64 + 5, MAX_KEPT as u64 + 6]);
        assert_eq!(kept.dropped_in_all(), 0);
    }

    #[test]
    fn what_waits_is_written_once_and_still_there() {
        let mut kept = Kept::new(true, 40);
        kept.add(record("a"), Timestamp::UNIX_EPOCH);
        kept.add(record("b"), Timestamp::UNIX_EPOCH);
        assert_eq!(numbers(&kept.take()), [40, 41]);
        assert!(kept.take().is_empty() && !kept.has_waiting());
        kept.add(record("c"), Timestamp::UNIX_EPOCH);
        assert_eq!(numbers(&kept.take()), [42]);
        assert_eq!(kept.tail(&Filter::default(), 9).len(), 3);
    }

    #[test]
    fn too_many_are_dropped_counted_and_told() {
        let mut kept = Kept::new(true, 1);
        for _ in 0..MAX_WAITING + 3 {
            kept.add(record("a"), Timestamp::UNIX_EPOCH);
        }
        assert!(kept.is_pressing() && kept.add(record("a"), Timestamp::UNIX_EPOCH).is_none());
        assert_eq!((kept.take().len(), kept.dropped_in_all()), (MAX_WAITING, 4));
        assert!(kept.records.len() <= MAX_KEPT);
        let told = kept.tell_dropped(Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((told.missed, told.sequence), (Some(4), MAX_WAITING as u64 + 5));
        assert!(kept.tell_dropped(Timestamp::UNIX_EPOCH).is_none());
        assert_eq!(numbers(&kept.take()), [MAX_WAITING as u64 + 5]);
    }

    #[test]
    fn bytes_are_bounded() {
        let mut kept = Kept::new(true, 1);
        for _ in 0..MAX_WAITING {
            let arguments = Some("x".repeat(4 << 10));
            kept.add(Record { arguments, ..record("a") }, Timestamp::UNIX_EPOCH);
        }
        assert!(kept.bytes <= MAX_WAITING_BYTES && kept.dropped_in_all() > 0);
        kept.take();
        assert!(kept.bytes <= MAX_KEPT_BYTES && kept.bytes == kept.records.iter().map(|(_, b)| b).sum::<usize>());
    }
}
