//! What happened in an agent: one line of `/v1/events`, which is a stream of these as JSON lines. Fields are only ever
//! added.

use super::AppState;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Event {
    /// Counts all events of the agent's life from 1, so that a gap shows.
    pub sequence: u64,
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    pub level: EventLevel,
    /// One of [`EventKind`], or what a newer agent knows.
    #[schema(value_type = String)]
    pub kind: Cow<'static, str>,
    /// `None` where it is about the agent or a source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The process that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// For people.
    pub message: String,
    #[serde(flatten)]
    pub details: Details,
}

/// Whether somebody should look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EventLevel {
    Info,
    Warning,
}

/// What machines may want to know of an event. What does not apply is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct Details {
    /// The state that the app has come to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<AppState>,
    /// Why, in the words of `status`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// First digits of the digest of the spec that is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spec: Option<String>,
    /// Of the server's process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// `legacy` or `modern`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub era: Option<String>,
    /// From the start to the event, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// The exit status of a process that ended by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// The signal that ended a process: `SIGKILL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// The kernel killed a process for want of memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom: Option<bool>,
    /// Whether the agent had told the process to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<bool>,
    /// Starts after the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Of the source; of a git source, the commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The commit of a change that was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// As that commit says; nobody vouches for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The user whose key signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// The rule that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// A stable word for the kind of problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// How many events a follower that was too slow has not got.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed: Option<u64>,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $word:literal,)*) => {
        /// The kinds of events, by words that stay.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EventKind {
            $($(#[$doc])* $kind,)*
        }

        impl EventKind {
            pub const ALL: &[EventKind] = &[$(EventKind::$kind),*];

            pub const fn word(self) -> &'static str {
                match self {
                    $(EventKind::$kind => $word,)*
                }
            }
        }
    };
}

kinds! {
    /// A process of an app was started; nothing has been heard of it yet.
    Started = "started",
    /// The server has answered.
    Answered = "answered",
    /// The process, and all that it started, is gone.
    Ended = "ended",
    /// A process for a session could not be started.
    StartFailed = "start-failed",
    /// Another start is due, at `next_attempt`.
    Backoff = "backoff",
    /// A new version serves; the one before drains.
    Switched = "switched",
    /// A new version does not start; the one before goes on serving.
    UpdateFailed = "update-failed",
    /// An app has come to another state.
    StateChanged = "state-changed",
    /// A server has other tools than when its definition was accepted.
    ToolsChanged = "tools-changed",
    /// The controller had an app started.
    AppStart = "app-start",
    /// The controller had a new version of an app started.
    AppReplace = "app-replace",
    /// What changed of an app touches no process.
    AppUpdate = "app-update",
    /// The controller had an app stopped.
    AppStop = "app-stop",
    /// The removal of an app waits for somebody to confirm it.
    RemovalHeld = "removal-held",
    /// Somebody wants new processes of an app.
    RestartAsked = "restart-asked",
    /// Somebody wants that an app does not run for now, or that nothing new is applied.
    Suspended = "suspended",
    /// That is over.
    Resumed = "resumed",
    /// What a source says since a revision is in force.
    RevisionApplied = "revision-applied",
    /// A source cannot be read.
    SourceFailed = "source-failed",
    /// It can again.
    SourceRecovered = "source-recovered",
    /// A change takes no effect.
    ChangeRefused = "change-refused",
    /// The gateway shows another certificate to those who connect from now on.
    CertificateRenewed = "certificate-renewed",
    /// The gateway cannot show what the files have, or what it shows ends soon.
    CertificateFailed = "certificate-failed",
    /// A notification does not get through, or never will.
    NotificationFailed = "notification-failed",
    /// Notifications get through again.
    NotificationRecovered = "notification-recovered",
    /// Not of the agent's life: the follower that gets it was too slow.
    Missed = "missed",
}

impl EventKind {
    /// Whether notifications may tell of it: never of themselves.
    pub const fn is_notified(self) -> bool {
        !matches!(self, EventKind::NotificationFailed | EventKind::NotificationRecovered | EventKind::Missed)
    }

    /// By its word.
    pub fn named(word: &str) -> Option<EventKind> {
        EventKind::ALL.iter().copied().find(|kind| kind.word() == word)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl fmt::Display for EventLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            EventLevel::Info => "info",
            EventLevel::Warning => "warning",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kebab_case_and_different() {
        let words: std::collections::BTreeSet<_> = EventKind::ALL.iter().map(|kind| kind.word()).collect();
        assert_eq!(words.len(), EventKind::ALL.len());
        for word in words {
            assert!(
                word.split('-').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase())),
                "{word}"
            );
        }
    }

    #[test]
    fn as_json() {
        let event = Event {
            sequence: 7,
            time: Timestamp::UNIX_EPOCH,
            level: EventLevel::Warning,
            kind: EventKind::Ended.word().into(),
            app: Some("demo".into()),
            instance: Some("demo-3".into()),
            message: "exit status 1".into(),
            details: Details { exit: Some(1), expected: Some(false), ..Details::default() },
        };
        let json = serde_json::to_string(&event).unwrap();
        let expected = r#"{"sequence":7,"time":"1970-01-01T00:00:00Z","level":"warning","kind":"ended","app":"demo","instance":"demo-3","message":"exit status 1","exit":1,"expected":false}"#;
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
        let newer = json.replace("\"ended\"", "\"unheard-of\"").replace("\"exit\":1", "\"new\":[1]");
        assert_eq!(serde_json::from_str::<Event>(&newer).unwrap().kind, "unheard-of");
    }
}
