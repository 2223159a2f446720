//! When a file is full or old, what becomes of its name, and which files go. Pure.

use jiff::{Timestamp, tz::TimeZone};
use std::time::Duration;

/// How long and how many files are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Bytes of a file.
    pub size: u64,
    /// From the first record of a file.
    pub age: Duration,
    /// Files besides the one that is written.
    pub keep: usize,
}

/// The time in a name, as `20261128T202439123Z`, so that names are in the order of time.
const STAMP: &str = "%Y%m%dT%H%M%S%3fZ";
const STAMP_LENGTH: usize = "20261128T202439123Z".len();

impl Rotation {
    /// Whether a file of `size` bytes whose first record is of `since` takes no more: `next` bytes are to be added.
    pub fn is_due(&self, size: u64, since: Timestamp, next: u64, now: Timestamp) -> bool {
        let age = Duration::try_from(now.duration_since(since)).unwrap_or_default();
        size > 0 && (size.saturating_add(next) > self.size || age >= self.age)
    }

    /// Of `names`, which are all that are in the folder, those of files that are to go.
    pub fn surplus<'n>(&self, file: &str, names: &'n [String]) -> Vec<&'n str> {
        let mut old: Vec<&str> = names.iter().map(String::as_str).filter(|name| is_rotated(file, name)).collect();
        old.sort_unstable();
        old.truncate(old.len().saturating_sub(self.keep));
        old
    }
}

/// The name of a file of which `now` another takes the place.
pub fn rotated(file: &str, now: Timestamp) -> String {
    format!("{file}.{}", now.to_zoned(TimeZone::UTC).strftime(STAMP))
}

/// Whether that is the name of an earlier file of `file`. Nothing else in the folder is touched.
pub fn is_rotated(file: &str, name: &str) -> bool {
    let stamp = name.strip_prefix(file).and_then(|rest| rest.strip_prefix('.'));
    stamp.is_some_and(|stamp| {
        stamp.len() == STAMP_LENGTH
            && stamp.char_indices().all(|(at, c)| match at {
                8 => c == 'T',
                _ if at == STAMP_LENGTH - 1 => c == 'Z',
                _ => c.is_ascii_digit(),
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotation() -> Rotation {
        Rotation { size: 100, age: Duration::from_secs(60), keep: 2 }
    }

    #[test]
    fn when_it_is_due() {
        let since: Timestamp = "2026-11-28T20:00:00Z".parse().unwrap();
        let after = |seconds| since + jiff::SignedDuration::from_secs(seconds);
        for (size, next, seconds, expected) in [
            (0, 1000, 0, false),
            (50, 50, 0, false),
            (50, 51, 0, true),
            (1, 1, 59, false),
            (1, 1, 60, true),
            (0, 1, 6000, false),
            (1, 1, -100, false),
        ] {
            assert_eq!(rotation().is_due(size, since, next, after(seconds)), expected, "{size} {next} {seconds}");
        }
    }

    #[test]
    fn names_are_in_the_order_of_time() {
        let name = rotated("audit.jsonl", "2026-11-28T20:24:39.123456Z".parse().unwrap());
        assert_eq!(name, "audit.jsonl.20261128T202439123Z");
        assert!(is_rotated("audit.jsonl", &name));
        for other in ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2026112xT202439123Z", "b.20261128T202439123Z"] {
            assert!(!is_rotated("audit.jsonl", other), "{other}");
        }
    }

    #[test]
    fn the_oldest_go_and_nothing_else() {
        let at = |second| rotated("a", Timestamp::from_second(second).unwrap());
        let names = vec!["a".into(), at(3), "notes".into(), at(1), at(4), at(2), "a.1".into()];
        assert_eq!(rotation().surplus("a", &names), [at(1), at(2)]);
        assert_eq!(Rotation { keep: 0, ..rotation() }.surplus("a", &names).len(), 4);
        assert!(Rotation { keep: 9, ..rotation() }.surplus("a", &names).is_empty());
    }
}
