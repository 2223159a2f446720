//! What was let go and is still true is offered again, after a while. Pure: the time is told.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// So long is a target left alone that has not taken something in the end.
const PAUSE: Duration = Duration::from_secs(30 * 60);

/// What was let go, by its source and commit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LetGo {
    commits: BTreeSet<(String, String)>,
    due: Option<Instant>,
}

impl LetGo {
    /// One more. The first says when all are offered again.
    pub fn add(&mut self, source: String, commit: String, now: Instant) {
        self.commits.insert((source, commit));
        self.due = self.due.or_else(|| now.checked_add(PAUSE));
    }

    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// What is to be offered again, if it is time.
    pub fn take(&mut self, now: Instant) -> BTreeSet<(String, String)> {
        match self.due {
            Some(due) if due <= now => std::mem::take(self).commits,
            _ => BTreeSet::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_at_once_and_after_a_while() {
        let start = Instant::now();
        let mut let_go = LetGo::default();
        assert_eq!((let_go.due(), let_go.take(start)), (None, BTreeSet::new()));
        let one = |commit: &str| ("fleet".to_owned(), commit.to_owned());
        for (commit, after) in [("a", 0), ("b", 60), ("a", 90)] {
            let_go.add("fleet".into(), commit.into(), start + Duration::from_secs(after));
        }
        assert_eq!(let_go.due(), Some(start + PAUSE));
        assert_eq!(let_go.take(start + PAUSE - Duration::from_secs(1)), BTreeSet::new());
        assert_eq!(let_go.take(start + PAUSE), BTreeSet::from([one("a"), one("b")]));
        assert_eq!(let_go, LetGo::default());
    }
}
