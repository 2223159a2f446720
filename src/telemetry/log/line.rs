//! An event of the log as a line. Pure: whatever is in it, it is one line, and nothing that a terminal would obey.

use crate::escape::{escape, escape_json};
use jiff::Timestamp;
use serde_json::Value as Json;
use std::fmt::{self, Write as _};
use tracing::Level;

/// The longest text of a value, in bytes.
const MAX_TEXT: usize = 8 << 10;

/// What stands before all fields of a line's own.
const OWN: [&str; 6] = ["timestamp", "level", "target", "message", "trace_id", "span_id"];

/// An event.
pub(super) struct Line<'a> {
    pub time: Timestamp,
    pub level: Level,
    pub target: &'a str,
    pub message: String,
    pub fields: Vec<(&'static str, Value)>,
    /// The trace and the span that it happened in.
    pub span: Option<(String, String)>,
}

/// The value of a field.
pub(super) enum Value {
    /// A text.
    Text(String),
    /// What a value says of itself.
    Raw(String),
    /// A number or truth value.
    Json(Json),
}

impl Line<'_> {
    /// One JSON object.
    pub fn json(self) -> String {
        let (time, level) = (format!("{:.6}", self.time), self.level.to_string());
        let mut object = String::from("{");
        let mut add = |name: &str, value: Json| {
            let separator = if object.len() > 1 { "," } else { "" };
            // Writing to a string cannot fail.
            let _ = write!(object, "{separator}{}:{value}", Json::from(name));
        };
        add("timestamp", time.into());
        add("level", level.into());
        add("target", self.target.into());
        add("message", self.message.into());
        if let Some((trace, span)) = self.span {
            add("trace_id", trace.into());
            add("span_id", span.into());
        }
        for (name, value) in self.fields {
            let value = match value {
                Value::Text(text) | Value::Raw(text) => text.into(),
                Value::Json(value) => value,
            };
            match OWN.contains(&name) {
                true => add(&format!("{name}_"), value),
                false => add(name, value),
            }
        }
        object.push('}');
        escape_json(&object).into_owned()
    }

    /// Time, level and message, then the fields.
    pub fn text(self, colours: bool) -> String {
        let (dim, colour, reset) = match colours {
            true => ("\u{1b}[2m", colour(self.level), "\u{1b}[0m"),
            false => ("", "", ""),
        };
        let time = format!("{:.6}", self.time);
        let mut text =
            format!("{dim}{time}{reset} {colour}{:>5}{reset} {}", self.level.as_str(), escape(&self.message));
        for (name, value) in self.fields {
            // Writing to a string cannot fail.
            let _ = match value {
                Value::Text(value) => write!(text, " {dim}{name}={reset}{}", escape(&format!("{value:?}"))),
                Value::Raw(value) => write!(text, " {dim}{name}={reset}{}", escape(&value)),
                Value::Json(value) => write!(text, " {dim}{name}={reset}{value}"),
            };
        }
        text
    }
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\u{1b}[31m",
        Level::WARN => "\u{1b}[33m",
        Level::INFO => "\u{1b}[32m",
        Level::DEBUG => "\u{1b}[34m",
        Level::TRACE => "\u{1b}[35m",
    }
}

/// What a value says of itself, cut to what a line can have.
pub(super) fn bounded(value: &dyn fmt::Debug) -> String {
    struct Bounded(String);
    impl fmt::Write for Bounded {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let mut end = text.len().min(MAX_TEXT.saturating_sub(self.0.len()));
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            self.0.push_str(text.get(..end).unwrap_or_default());
            // No more of it is made than is taken.
            if end < text.len() { Err(fmt::Error) } else { Ok(()) }
        }
    }
    let mut bounded = Bounded(String::new());
    if write!(bounded, "{value:?}").is_err() {
        bounded.0.push('…');
    }
    bounded.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(message: &str, fields: Vec<(&'static str, Value)>) -> Line<'static> {
        let time = "2026-01-02T03:04:05.000006Z".parse().unwrap();
        let (message, span) = (message.to_owned(), Some(("t1".to_owned(), "s1".to_owned())));
        Line { time, level: Level::WARN, target: "mcpfleet::x", message, fields, span }
    }

    #[test]
    fn lines() {
        let fields = || {
            vec![
                ("app", Value::Text("a\nb".into())),
                ("error", Value::Raw("no \u{1b}[2J".into())),
                ("count", Value::Json(3.into())),
                ("level", Value::Text("high".into())),
            ]
        };
        assert_eq!(
            line("it \u{202e}failed\r\n", fields()).text(false),
            "2026-01-02T03:04:05.000006Z  WARN it \\u{202e}failed\\r\\n app=\"a\\nb\" error=no \\u{1b}[2J count=3 level=\"high\""
        );
        assert_eq!(
            line("it \u{202e}failed\r\n", fields()).json(),
            "{\"timestamp\":\"2026-01-02T03:04:05.000006Z\",\"level\":\"WARN\",\"target\":\"mcpfleet::x\",\"message\":\"it \
             \\u202efailed\\r\\n\",\"trace_id\":\"t1\",\"span_id\":\"s1\",\"app\":\"a\\nb\",\"error\":\"no \
             \\u001b[2J\",\"count\":3,\"level_\":\"high\"}"
        );
        assert!(line("a", Vec::new()).text(true).starts_with("\u{1b}[2m2026"));
    }

    #[test]
    fn long_values_are_cut() {
        let long = "é".repeat(MAX_TEXT);
        assert_eq!(bounded(&format_args!("{long}")).len(), MAX_TEXT + '…'.len_utf8());
        assert_eq!(bounded(&format_args!("short")), "short");
    }

    proptest! {
        #[test]
        fn whatever_is_in_it_is_one_line(message in any::<String>(), text in any::<String>(), raw in any::<String>()) {
            let fields = || vec![("a", Value::Text(text.clone())), ("b", Value::Raw(raw.clone()))];
            let json = line(&message, fields()).json();
            prop_assert!(!json.chars().any(char::is_control) && !line(&message, fields()).text(false).chars().any(char::is_control));
            let read: serde_json::Value = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(&read["message"], &serde_json::json!(message));
            prop_assert_eq!((&read["a"], &read["b"]), (&serde_json::json!(text), &serde_json::json!(raw)));
        }
    }
}
