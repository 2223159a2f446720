//! Something to tell of: an event of the agent's life, or what has become of a commit. Pure.

use super::outcome::Outcome;
use crate::{
    config::Filter,
    status::model::{
        AppState,
        event::{Event, EventKind, EventLevel},
        notification::CommitState,
    },
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// What there is to tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    pub time: Timestamp,
    /// A kind of events, or `commit-failure` and its like.
    pub kind: String,
    pub level: EventLevel,
    /// What it is about: told of the same again and again, somebody wants to hear of it now and then.
    pub subject: Subject,
    /// Where that comes from, if from a source.
    pub source: Option<String>,
    pub message: String,
    /// For machines.
    pub data: Value,
    /// An app has come to what it is to be.
    pub good: bool,
}

/// What something is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    App(String),
    Source(String),
    Commit(String),
    Agent,
}

impl Notice {
    /// Of an event. `source` is where its app comes from. `None` for what is not told of.
    pub fn of_event(event: &Event, source: Option<&str>) -> Option<Notice> {
        EventKind::named(&event.kind).filter(|kind| kind.is_notified())?;
        let details = &event.details;
        let source = details.source.as_deref().or(source).map(str::to_owned);
        let subject = match (&event.app, &details.commit, &details.source) {
            (Some(app), ..) => Subject::App(app.clone()),
            (None, Some(commit), _) => Subject::Commit(commit.clone()),
            (None, None, Some(source)) => Subject::Source(source.clone()),
            (None, None, None) => Subject::Agent,
        };
        let mut data = json!(event);
        if let (Some(source), Some(object)) = (&source, data.as_object_mut()) {
            object.insert("source".to_owned(), json!(source));
        }
        Some(Notice {
            time: event.time,
            kind: event.kind.to_string(),
            level: event.level,
            subject,
            source,
            message: event.message.clone(),
            data,
            good: event.kind == EventKind::StateChanged.word() && details.state == Some(AppState::Ready),
        })
    }

    /// Of what has become of a commit.
    pub fn of_outcome(outcome: &Outcome, source: &str, time: Timestamp) -> Notice {
        let level = match outcome.state {
            CommitState::Failure | CommitState::Error => EventLevel::Warning,
            CommitState::Pending | CommitState::Success => EventLevel::Info,
        };
        let Outcome { commit, state, description, .. } = outcome;
        Notice {
            time,
            kind: state.kind().to_owned(),
            level,
            subject: Subject::Commit(commit.clone()),
            source: Some(source.to_owned()),
            message: description.clone(),
            data: json!({
                "level": level, "kind": state.kind(), "source": source, "commit": commit, "state": state,
                "message": description,
            }),
            good: false,
        }
    }

    /// The commits that it is about: of what was told of them by an agent before this one, nobody hears again.
    pub fn commit(&self) -> Option<&str> {
        match EventKind::named(&self.kind)? {
            EventKind::ChangeRefused => self.data.get("commit")?.as_str(),
            EventKind::RevisionApplied => self.data.get("revision")?.as_str(),
            _ => None,
        }
    }

    /// Whether it is what somebody wants to hear of.
    pub fn passes(&self, filter: &Filter) -> bool {
        let source = |name: &String| self.source.as_ref() == Some(name);
        (filter.sources.is_empty() || filter.sources.iter().any(source))
            && (filter.level == EventLevel::Info || self.level == EventLevel::Warning)
            && (filter.events.is_empty() || filter.events.contains(&self.kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::model::event::Details;

    fn event(kind: EventKind, level: EventLevel, app: Option<&str>, details: Details) -> Event {
        Event {
            sequence: 1,
            time: Timestamp::UNIX_EPOCH,
            level,
            kind: kind.word().into(),
            app: app.map(str::to_owned),
            instance: None,
            message: "text".into(),
            details,
        }
    }

    #[test]
    fn of_what_it_is_and_who_hears_of_it() {
        let filter = |sources: &[&str], level, events: &[&str]| Filter {
            sources: sources.iter().map(ToString::to_string).collect(),
            level,
            events: events.iter().map(ToString::to_string).collect(),
        };
        let ended = event(EventKind::Ended, EventLevel::Warning, Some("demo"), Details::default());
        let notice = Notice::of_event(&ended, Some("fleet")).unwrap();
        assert_eq!((&notice.subject, notice.source.as_deref()), (&Subject::App("demo".into()), Some("fleet")));
        assert_eq!((&notice.data["kind"], &notice.data["source"]), (&json!("ended"), &json!("fleet")));
        let table = [
            (filter(&[], EventLevel::Info, &[]), true),
            (filter(&[], EventLevel::Warning, &[]), true),
            (filter(&["fleet"], EventLevel::Info, &[]), true),
            (filter(&["other"], EventLevel::Info, &[]), false),
            (filter(&[], EventLevel::Info, &["ended"]), true),
            (filter(&[], EventLevel::Info, &["backoff", "commit-failure"]), false),
        ];
        for (filter, expected) in table {
            assert_eq!(notice.passes(&filter), expected, "{filter:?}");
        }
        let started = event(EventKind::Started, EventLevel::Info, Some("demo"), Details::default());
        assert!(!Notice::of_event(&started, None).unwrap().passes(&filter(&[], EventLevel::Warning, &[])));
        for kind in [EventKind::NotificationFailed, EventKind::NotificationRecovered, EventKind::Missed] {
            assert_eq!(Notice::of_event(&event(kind, EventLevel::Warning, None, Details::default()), None), None);
        }
    }

    #[test]
    fn outcomes_are_told_like_events() {
        let outcome =
            Outcome { commit: "c".into(), state: CommitState::Failure, description: "refused: x".into(), changes: 1 };
        let notice = Notice::of_outcome(&outcome, "fleet", Timestamp::UNIX_EPOCH);
        assert_eq!((notice.kind.as_str(), notice.level), ("commit-failure", EventLevel::Warning));
        let expected = json!({
            "level": "warning", "kind": "commit-failure", "source": "fleet", "commit": "c", "state": "failure",
            "message": "refused: x",
        });
        assert_eq!(notice.data, expected);
    }
}
