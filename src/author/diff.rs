//! Edits as a unified diff, for people.

use super::draft::Edit;
use crate::escape::escape;
use anstyle::{AnsiColor, Style};
use similar::{ChangeTag, TextDiff};
use std::{collections::BTreeMap, fmt::Write as _};

/// The lines around a change that are shown with it.
const CONTEXT: usize = 3;

/// All edits, with colours; the writer strips them where they are not wanted.
pub fn unified(edits: &BTreeMap<String, Edit>) -> String {
    let mut out = String::new();
    let bold = Style::new().bold();
    for (path, edit) in edits {
        let text = |bytes: &Option<Vec<u8>>| String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned();
        let (before, after) = (text(&edit.before), text(&edit.after));
        let diff = TextDiff::from_lines(&before, &after);
        let name =
            |side: char, there: bool| if there { format!("{side}/{}", escape(path)) } else { "/dev/null".into() };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{bold}--- {}{bold:#}", name('a', edit.before.is_some()));
        let _ = writeln!(out, "{bold}+++ {}{bold:#}", name('b', edit.after.is_some()));
        for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
            let accent = AnsiColor::Cyan.on_default();
            let _ = writeln!(out, "{accent}{}{accent:#}", hunk.header());
            for change in hunk.iter_changes() {
                let (sign, style) = match change.tag() {
                    ChangeTag::Equal => (' ', Style::new()),
                    ChangeTag::Delete => ('-', AnsiColor::Red.on_default()),
                    ChangeTag::Insert => ('+', AnsiColor::Green.on_default()),
                };
                let line = change.value();
                let shown = line.strip_suffix('\n').unwrap_or(line);
                let _ = writeln!(out, "{style}{sign}{}{style:#}", escape(shown.strip_suffix('\r').unwrap_or(shown)));
                if !line.ends_with('\n') {
                    out.push_str("\\ No newline at end of file\n");
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff() {
        let edit = |before: Option<&str>, after: Option<&str>| Edit {
            before: before.map(|text| text.as_bytes().to_vec()),
            after: after.map(|text| text.as_bytes().to_vec()),
            in_place: false,
        };
        let edits = BTreeMap::from([
            ("apps/a.yaml".to_owned(), edit(Some("one\r\ntwo\r\nthree"), Some("one\r\n2\u{1b}[31m\r\nthree"))),
            ("apps/b.yaml".to_owned(), edit(None, Some("new\n"))),
            ("apps/c.yaml".to_owned(), edit(Some("old\n"), None)),
        ]);
        let plain = anstream::adapter::strip_str(&unified(&edits)).to_string();
        assert_eq!(
            plain,
            "--- a/apps/a.yaml\n+++ b/apps/a.yaml\n@@ -1,3 +1,3 @@\n one\n-two\n+2\\u{1b}[31m\n three\n\
             \\ No newline at end of file\n\
             --- /dev/null\n+++ b/apps/b.yaml\n@@ -0,0 +1 @@\n+new\n\
             --- a/apps/c.yaml\n+++ /dev/null\n@@ -1 +0,0 @@\n-old\n"
        );
    }
}
