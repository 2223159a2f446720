//! Something that has begun and is recorded when it ends, however it does.

use super::Log;
use crate::status::model::audit::{Outcome, Record};
use std::time::Instant;

/// A record to come. Dropped without another word, it says that whoever asked went away.
#[derive(Debug)]
pub struct Open {
    log: Log,
    /// `None` once it has been recorded.
    record: Option<Box<Record>>,
    began: Instant,
}

impl Open {
    pub(super) fn new(log: Log, record: Record) -> Self {
        Open { log, record: Some(Box::new(record)), began: Instant::now() }
    }

    /// What it says so far.
    pub fn record(&mut self) -> Option<&mut Record> {
        self.record.as_deref_mut()
    }

    /// It was answered: with an error of this code, or well.
    pub fn answered(&mut self, code: Option<i64>) {
        self.end(if code.is_some() { Outcome::Error } else { Outcome::Ok }, code, None);
    }

    /// It came to nothing: with the code that was answered, if any was, and why.
    pub fn refused(&mut self, outcome: Outcome, code: Option<i64>, reason: &str) {
        self.end(outcome, code, Some(reason));
    }

    /// It is not to be recorded at all.
    pub fn forget(&mut self) {
        self.record = None;
    }

    fn end(&mut self, outcome: Outcome, code: Option<i64>, reason: Option<&str>) {
        let Some(mut record) = self.record.take() else { return };
        record.set_outcome(outcome);
        record.set_duration(self.began.elapsed());
        record.code = code.or(record.code);
        record.reason = reason.map(str::to_owned).or(record.reason.take());
        self.log.record(*record);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.end(Outcome::Gone, None, None);
    }
}
