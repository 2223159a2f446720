//! How many events there have been, whether or not they are kept. Pure.

use crate::status::model::event::{Event, EventKind};
use std::collections::{BTreeMap, HashMap};

/// Of how many apps the lives are counted one by one.
const MAX_APPS: usize = 16_384;

/// How often processes of an app began and ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lives {
    pub started: u64,
    /// As they were told to.
    pub ended: u64,
    /// By themselves, or by force.
    pub failed: u64,
}

/// The counts of an agent's life.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// By the words of their kinds.
    pub kinds: BTreeMap<&'static str, u64>,
    pub apps: HashMap<String, Lives>,
    /// Events of apps that are not counted, because there are too many.
    pub uncounted: u64,
}

impl Tally {
    pub(super) fn add(&mut self, kind: EventKind, event: &Event) {
        *self.kinds.entry(kind.word()).or_default() += 1;
        let Some(app) = event.app.as_deref().filter(|_| matches!(kind, EventKind::Started | EventKind::Ended)) else {
            return;
        };
        if !self.apps.contains_key(app) && self.apps.len() >= MAX_APPS {
            self.uncounted += 1;
            return;
        }
        let lives = self.apps.entry(app.to_owned()).or_default();
        match (kind, event.details.expected) {
            (EventKind::Started, _) => lives.started += 1,
            (_, Some(true)) => lives.ended += 1,
            _ => lives.failed += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::journal::{Draft, Journal};

    #[test]
    fn lives_are_counted_of_so_many_apps() {
        let journal = Journal::default();
        let draft = |kind, app: &str| Draft::info(kind, "x").of_app(app);
        journal.keep(draft(EventKind::Started, "a"));
        journal.keep(draft(EventKind::Ended, "a").with(|details| details.expected = Some(true)));
        journal.keep(draft(EventKind::Ended, "a").with(|details| details.expected = Some(false)));
        journal.keep(draft(EventKind::Suspended, "b"));
        let tally = journal.tally();
        assert_eq!(tally.apps, HashMap::from([("a".to_owned(), Lives { started: 1, ended: 1, failed: 1 })]));
        assert_eq!(tally.kinds, BTreeMap::from([("ended", 2), ("started", 1), ("suspended", 1)]));

        let mut tally = Tally::default();
        let event = journal.keep(draft(EventKind::Started, "a"));
        for number in 0..MAX_APPS + 5 {
            tally.add(EventKind::Started, &Event { app: Some(number.to_string()), ..Event::clone(&event) });
        }
        assert_eq!((tally.apps.len(), tally.uncounted), (MAX_APPS, 5));
        journal.forget(|app| app != "a");
        assert!(journal.tally().apps.is_empty());
    }
}
