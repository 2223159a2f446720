//! Diagnostics for people at a terminal.

use crate::{
    escape::escape,
    manifest::{Diagnostic, Position, Related, Severity},
};
use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;
use unicode_width::UnicodeWidthStr;

/// One diagnostic as text for a terminal: what, where, the line with a mark under what is meant, and what to do.
/// What comes from files is escaped. Ends with a line feed.
pub fn text(diagnostic: &Diagnostic) -> String {
    let bold = Style::new().bold();
    let frame = AnsiColor::Blue.on_default();
    let accent = match diagnostic.severity {
        Severity::Error => AnsiColor::Red,
        Severity::Warning => AnsiColor::Yellow,
    };
    let accent = accent.on_default().bold();
    let Diagnostic { severity, code, .. } = diagnostic;
    let number = diagnostic.position.map(|p| p.line.to_string()).unwrap_or_default();
    let gap = " ".repeat(number.len());
    let place = place(&diagnostic.path, diagnostic.position);

    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{accent}{severity}[{code}]{accent:#}{bold}: {}{bold:#}", escape(&diagnostic.message));
    let _ = writeln!(out, "{gap}{frame}-->{frame:#} {place}");
    if let (Some(position), Some(shown)) = (diagnostic.position, &diagnostic.line_text) {
        let (before, marked) = split(shown, position, diagnostic.length.unwrap_or(1));
        let (before, line) = (visible(before), visible(shown));
        let pad = " ".repeat(before.width());
        let carets = "^".repeat(visible(marked).width().max(1));
        let _ = writeln!(out, "{gap} {frame}|{frame:#}");
        let _ = writeln!(out, "{frame}{number} |{frame:#} {}", line.trim_end());
        let _ = writeln!(out, "{gap} {frame}|{frame:#} {pad}{accent}{carets}{accent:#}");
    }
    for Related { path, position, message } in &diagnostic.related {
        let place = self::place(path, *position);
        let _ = writeln!(out, "{gap} {frame}={frame:#} {bold}note{bold:#}: {} ({place})", escape(message));
    }
    if let Some(help) = &diagnostic.help {
        let _ = writeln!(out, "{gap} {frame}={frame:#} {bold}help{bold:#}: {}", escape(help));
    }
    out
}

/// `path:line:column`, as terminals and editors recognize it.
fn place(path: &str, position: Option<Position>) -> String {
    let path = escape(path);
    position.map_or_else(|| path.clone().into_owned(), |position| format!("{path}:{position}"))
}

/// The part of a line before the position, and the part that is meant.
fn split(shown: &str, position: Position, length: u32) -> (&str, &str) {
    let at = |n: u32| shown.char_indices().nth(n as usize).map_or(shown.len(), |(i, _)| i);
    let start = position.column.saturating_sub(1);
    let (from, to) = (at(start), at(start.saturating_add(length)));
    (shown.get(..from).unwrap_or_default(), shown.get(from..to).unwrap_or_default())
}

fn visible(text: &str) -> String {
    escape(&text.replace('\t', "    ")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Code;

    fn plain(diagnostic: &Diagnostic) -> String {
        anstream::adapter::strip_str(&text(diagnostic)).to_string()
    }

    #[test]
    fn the_mark_is_under_what_is_meant() {
        let diagnostic = Diagnostic {
            position: Some(Position { line: 12, column: 8 }),
            line_text: Some("\tgröße: \u{1b}[31m日本".into()),
            length: Some(300),
            help: Some("a\nb".into()),
            related: vec![Related { path: "b.yaml".into(), position: None, message: "there".into() }],
            ..Diagnostic::about_file(Code::Syntax, "a.yaml", "bad \u{202e}thing")
        };
        assert_eq!(
            plain(&diagnostic),
            "error[syntax]: bad \\u{202e}thing
  --> a.yaml:12:8
   |
12 |     größe: \\u{1b}[31m日本
   |           ^^^^^^^^^^^^^^^
   = note: there (b.yaml)
   = help: a\\nb
"
        );
    }

    #[test]
    fn a_file_as_a_whole_has_no_line() {
        let diagnostic = Diagnostic::about_file(Code::Unreadable, "a.yaml", "cannot be read");
        assert_eq!(plain(&diagnostic), "error[unreadable]: cannot be read\n--> a.yaml\n");
    }
}
