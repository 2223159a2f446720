//! Workflow commands of GitHub Actions, which the runner turns into annotations of the changed files.
//!
//! The runner reads commands from everything that a step prints: a line is one when, white space at its start aside, it
//! begins with `::`, and in an older form when it contains `##[`. So what is a stranger's is escaped here, and
//! [`harmless`] is for all other lines that are printed beside annotations.

use crate::{
    escape::escape_json,
    manifest::{Diagnostic, Position, Severity},
};
use std::{borrow::Cow, fmt::Write as _};

/// How much an annotation matters. GitHub shows only the first ten of a level in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    Error,
    Warning,
    Notice,
}

impl Level {
    fn command(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Notice => "notice",
        }
    }
}

impl From<Severity> for Level {
    fn from(severity: Severity) -> Level {
        match severity {
            Severity::Error => Level::Error,
            Severity::Warning => Level::Warning,
        }
    }
}

/// What is shown at a place of a file, or at none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation<'a> {
    pub severity: Level,
    /// From the root of the repository; `None` is shown for the run as a whole.
    pub path: Option<Cow<'a, str>>,
    pub position: Option<Position>,
    /// One line.
    pub title: Cow<'a, str>,
    /// May have several lines.
    pub message: Cow<'a, str>,
}

impl<'a> From<&'a Diagnostic> for Annotation<'a> {
    fn from(diagnostic: &'a Diagnostic) -> Annotation<'a> {
        let mut message = diagnostic.message.clone();
        if let Some(help) = &diagnostic.help {
            let _ = write!(message, "\n{help}");
        }
        Annotation {
            severity: diagnostic.severity.into(),
            path: Some(Cow::Borrowed(&diagnostic.path)),
            position: diagnostic.position,
            title: Cow::Owned(diagnostic.code.to_string()),
            message: Cow::Owned(message),
        }
    }
}

/// The commands for all annotations, a line each, what matters most first; what matters as much stays in its order.
pub fn github<'a>(annotations: impl IntoIterator<Item = Annotation<'a>>) -> String {
    let mut sorted: Vec<Annotation> = annotations.into_iter().collect();
    sorted.sort_by_key(|annotation| annotation.severity);
    let mut out = String::new();
    for Annotation { severity, path, position, title, message } in sorted {
        // Writing to a string cannot fail.
        let _ = write!(out, "::{} ", severity.command());
        if let Some(path) = path {
            let _ = write!(out, "file={},", property(&path));
        }
        if let Some(Position { line, column }) = position {
            let _ = write!(out, "line={line},col={column},");
        }
        let _ = writeln!(out, "title={}::{}", property(&title), data(&message));
    }
    out
}

/// A text as the runner takes it for the message of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A text as the runner takes it for the value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Lines for people, none of which the runner takes for a command.
pub fn harmless(lines: &str) -> Cow<'_, str> {
    let is_command = |line: &str| line.trim_start().starts_with("::") || line.contains("##[");
    let ends = ['\n', '\r'];
    if !lines.split(ends).any(is_command) {
        return Cow::Borrowed(lines);
    }
    let mut out = String::with_capacity(lines.len() + 8);
    for line in lines.split_inclusive(ends) {
        if line.trim_start().starts_with("::") {
            out.push('|');
        }
        out += &line.replace("##[", "## [");
    }
    Cow::Owned(out)
}

/// The same JSON, fit for terminals and for the runner: `##[` begins a command wherever it stands in a line, and in JSON it
/// can only be within a string.
pub fn harmless_json(json: &str) -> String {
    escape_json(json).replace("##[", "\\u0023#[")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Code;
    use proptest::prelude::*;

    #[test]
    fn the_worst_comes_first_and_nothing_gets_out_of_its_place() {
        let error = Diagnostic {
            position: Some(Position { line: 3, column: 7 }),
            help: Some("100%".into()),
            ..Diagnostic::about_file(Code::Syntax, "a,b:c%.yaml", "bad\r\n::error::more")
        };
        let warning = Diagnostic { severity: Severity::Warning, ..Diagnostic::about_file(Code::Tag, "a.yaml", "w") };
        let notice = Annotation {
            severity: Level::Notice,
            path: None,
            position: None,
            title: "1, 2: 3".into(),
            message: "n".into(),
        };
        assert_eq!(
            github([notice, Annotation::from(&warning), Annotation::from(&error)]),
            "::error file=a%2Cb%3Ac%25.yaml,line=3,col=7,title=syntax::bad%0D%0A::error::more%0A100%25\n\
             ::warning file=a.yaml,title=tag::w\n\
             ::notice title=1%2C 2%3A 3::n\n"
        );
    }

    #[test]
    fn other_lines_are_no_commands() {
        assert_eq!(harmless("a ::error::b\n  c\n"), "a ::error::b\n  c\n");
        assert_eq!(harmless("a\n \t::error::b\n##[error]c ##[d\n"), "a\n| \t::error::b\n## [error]c ## [d\n");
    }

    #[test]
    fn json_is_no_command_either() {
        assert_eq!(harmless_json(r###"{"a": "x ##[error]y"}"###), r##"{"a": "x \u0023#[error]y"}"##);
    }

    proptest! {
        /// What GitHub's runner takes for a command, whatever the texts are.
        #[test]
        fn each_annotation_is_one_line(path in any::<String>(), title in any::<String>(), message in any::<String>()) {
            let annotation = Annotation {
                severity: Level::Error,
                path: Some(path.as_str().into()),
                position: None,
                title: title.as_str().into(),
                message: message.as_str().into(),
            };
            let text = github([annotation]);
            prop_assert!(!text.contains('\r') && text.matches('\n').count() == 1);
            let (properties, rest) = text.trim_end_matches('\n').strip_prefix("::error ").unwrap().split_once("::").unwrap();
            let unescape = |text: &str| text.replace("%0A", "\n").replace("%0D", "\r").replace("%3A", ":").replace("%2C", ",").replace("%25", "%");
            let read: Vec<_> = properties.split(',').map(|p| { let (k, v) = p.split_once('=').unwrap(); (k, unescape(v)) }).collect();
            prop_assert_eq!(read, vec![("file", path), ("title", title)]);
            prop_assert_eq!(unescape(rest), message);
        }

        #[test]
        fn no_line_is_a_command(text in "[ \t\r\n:#a\\[]{0,30}") {
            let printed = harmless(&text);
            prop_assert!(!printed.split(['\n', '\r']).any(|line| line.trim_start().starts_with("::") || line.contains("##[")));
        }
    }
}
