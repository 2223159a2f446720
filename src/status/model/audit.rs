//! Who did what: one line of the audit, in its file and in `/v1/audit`. Fields are only ever added.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt, time::Duration};

/// The longest text of a field, in bytes; the rest is cut off.
const MAX_TEXT: usize = 512;
/// The longest arguments, in bytes.
const MAX_ARGUMENTS: usize = 4 << 10;

/// Something that somebody did, or was not let do. What does not apply is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct Record {
    /// Goes up by one with each record, also across restarts where there is a file, so that a gap shows.
    pub sequence: u64,
    /// When it ended.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// One of [`Kind`], or what a newer agent knows.
    #[schema(value_type = String)]
    pub kind: Cow<'static, str>,
    /// One of [`Outcome`], or what a newer agent knows.
    #[schema(value_type = String)]
    pub outcome: Cow<'static, str>,
    /// Who: `operator`, `anonymous`, or `user/NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// From where: an address and port, or `uid N` on the control socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// Tells sessions apart. Not the id that a client shows, which would let others in: the first digits of its digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Of MCP, or of an operation: `tools/call`, `restart`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The tool, the prompt, or the URI of the resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Of the error that was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// Why, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// From the arrival to the end, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    /// The arguments as JSON, without the app's secrets and possibly cut, which is why they are text here. Only where
    /// `audit.arguments` is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
    /// Of a change: where it comes from, and what it is about: `app/demo`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Of the source; of a git source, the commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// As that commit says; nobody vouches for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The user whose key signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// The rule that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// How many records are not here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed: Option<u64>,
}

impl Record {
    pub fn new(kind: Kind, outcome: Outcome) -> Record {
        Record { kind: kind.word().into(), outcome: outcome.word().into(), ..Record::default() }
    }

    pub fn set_outcome(&mut self, outcome: Outcome) {
        self.outcome = outcome.word().into();
    }

    pub fn set_duration(&mut self, duration: Duration) {
        // To the microsecond; nobody reads the rest of it.
        self.duration_ms = Some((duration.as_secs_f64() * 1e6).round() / 1e3);
    }

    /// Cuts what is too long to be kept. About how many bytes are left.
    pub fn bound(&mut self) -> usize {
        let texts = [
            &mut self.principal,
            &mut self.peer,
            &mut self.app,
            &mut self.session,
            &mut self.method,
            &mut self.name,
            &mut self.reason,
            &mut self.source,
            &mut self.resource,
            &mut self.path,
            &mut self.revision,
            &mut self.author,
            &mut self.signer,
            &mut self.rule,
        ];
        let texts: usize = texts.into_iter().map(|text| cut(text, MAX_TEXT)).sum();
        size_of::<Record>() + texts + cut(&mut self.arguments, MAX_ARGUMENTS)
    }
}

/// The length of what is left.
fn cut(text: &mut Option<String>, max: usize) -> usize {
    let Some(text) = text else { return 0 };
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max));
        text.push('…');
        text.shrink_to_fit();
    }
    text.len()
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$word_doc])* $variant,)*
        }

        impl $name {
            pub const ALL: &[$name] = &[$($name::$variant),*];

            pub const fn word(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.word())
            }
        }
    };
}

words! {
    /// What a record is about, by words that stay.
    Kind {
        /// The agent has started; what happened before it is in records before this one, or not at all.
        AgentStart = "agent-start",
        AgentStop = "agent-stop",
        /// A client has opened a session.
        SessionStart = "session-start",
        SessionEnd = "session-end",
        /// A client's request, when it has been answered or has come to another end.
        Request = "request",
        Notification = "notification",
        /// A request of HTTP that was not let in.
        Admission = "admission",
        /// Somebody had the agent do something: restart, suspend, resume, reconcile.
        Operation = "operation",
        /// A resource is another one than before, or a change of one was refused.
        Change = "change",
        /// Records that could not be written, or were too many.
        Dropped = "dropped",
        /// Not of the audit: the follower that gets it was too slow.
        Missed = "missed",
    }
}

words! {
    /// What came of it, by words that stay.
    Outcome {
        Ok = "ok",
        /// It was answered with an error: `code`.
        Error = "error",
        /// Whoever asked may not: nothing of it has reached a server.
        Denied = "denied",
        /// Whoever asked has asked too often, or for too much at a time.
        Limited = "limited",
        /// At the client's own word.
        Cancelled = "cancelled",
        /// The client went away before the answer.
        Gone = "gone",
        /// A change takes no effect.
        Refused = "refused",
    }
}

/// Which records are wanted. `None` of something: whatever it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Filter {
    pub app: Option<String>,
    /// `operator`, `anonymous`, `user/NAME`, or a user's bare name.
    pub principal: Option<String>,
    pub tool: Option<String>,
    pub outcome: Option<String>,
    pub kind: Option<String>,
    pub since: Option<Timestamp>,
}

impl Filter {
    pub fn matches(&self, record: &Record) -> bool {
        let is = |wanted: &Option<String>, value: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| value.is_some_and(|value| value == wanted))
        };
        let principal = record.principal.as_deref();
        let bare = principal.and_then(|principal| principal.strip_prefix("user/"));
        let tool = record.name.as_deref().filter(|_| record.method.as_deref() == Some("tools/call"));
        is(&self.app, record.app.as_deref())
            && (is(&self.principal, principal) || is(&self.principal, bare))
            && is(&self.tool, tool)
            && is(&self.outcome, Some(&record.outcome))
            && is(&self.kind, Some(&record.kind))
            && self.since.is_none_or(|since| record.time >= since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Record {
        let text = |text: &str| Some(text.to_owned());
        Record {
            sequence: 7,
            principal: text("user/alice"),
            app: text("demo"),
            method: text("tools/call"),
            name: text("echo"),
            ..Record::new(Kind::Request, Outcome::Denied)
        }
    }

    #[test]
    fn as_json() {
        let mut record = call();
        record.set_duration(Duration::from_nanos(1_234_567));
        let json = serde_json::to_string(&record).unwrap();
        let expected = r#"{"sequence":7,"time":"1970-01-01T00:00:00Z","kind":"request","outcome":"denied","principal":"user/alice","app":"demo","method":"tools/call","name":"echo","duration_ms":1.235}"#;
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_str::<Record>(&json).unwrap(), record);
        let newer = json.replace("\"denied\"", "\"unheard-of\"").replace("\"sequence\":7", "\"new\":[1]");
        assert_eq!(serde_json::from_str::<Record>(&newer).unwrap().outcome, "unheard-of");
    }

    #[test]
    fn filters() {
        let of = |set: fn(&mut Filter, String), value: &str| {
            let mut filter = Filter::default();
            set(&mut filter, value.to_owned());
            filter.matches(&call())
        };
        let app = |filter: &mut Filter, value| filter.app = Some(value);
        let principal = |filter: &mut Filter, value| filter.principal = Some(value);
        let tool = |filter: &mut Filter, value| filter.tool = Some(value);
        let outcome = |filter: &mut Filter, value| filter.outcome = Some(value);
        let kind = |filter: &mut Filter, value| filter.kind = Some(value);
        assert!(Filter::default().matches(&call()));
        assert!(of(app, "demo") && !of(app, "other") && !of(app, ""));
        assert!(of(principal, "alice") && of(principal, "user/alice") && !of(principal, "operator"));
        assert!(of(tool, "echo") && !of(tool, "ech"));
        assert!(of(outcome, "denied") && !of(outcome, "ok"));
        assert!(of(kind, "request") && !of(kind, "change"));
        let operator = Record { principal: Some("operator".into()), method: Some("prompts/get".into()), ..call() };
        assert!(Filter { principal: Some("operator".into()), ..Filter::default() }.matches(&operator));
        assert!(!Filter { tool: Some("echo".into()), ..Filter::default() }.matches(&operator), "it is a prompt");
        let since = |seconds| Some(Timestamp::from_second(seconds).unwrap());
        assert!(Filter { since: since(0), ..Filter::default() }.matches(&call()));
        assert!(!Filter { since: since(1), ..Filter::default() }.matches(&call()));
    }

    #[test]
    fn texts_are_bounded() {
        let mut record = call();
        record.name = Some("ü".repeat(MAX_TEXT));
        record.arguments = Some("x".repeat(MAX_ARGUMENTS * 2));
        let bytes = record.bound();
        assert!(record.name.as_ref().is_some_and(|name| name.len() <= MAX_TEXT + '…'.len_utf8()));
        assert!(bytes < size_of::<Record>() + MAX_ARGUMENTS + 2 * MAX_TEXT, "{bytes}");
    }

    #[test]
    fn words_are_kebab_case_and_different() {
        let kinds = Kind::ALL.iter().map(|kind| kind.word());
        let words: Vec<_> = kinds.chain(Outcome::ALL.iter().map(|outcome| outcome.word())).collect();
        let different: std::collections::BTreeSet<_> = words.iter().collect();
        assert_eq!(words.len(), different.len());
        for word in words {
            assert!(
                word.split('-').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase())),
                "{word}"
            );
        }
    }
}
