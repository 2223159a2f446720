//! Text of strangers (from files, servers and clients) made harmless where people see it.

use std::{borrow::Cow, fmt::Write as _};

/// Whether a terminal, or the eye, could be led astray by a character: controls, and what changes the direction of
/// writing or cannot be seen at all.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// How an unsafe character is written.
#[derive(Clone, Copy)]
enum Form {
    Rust,
    Json,
    Yaml,
}

fn escape_where(text: &str, unsafe_here: impl Fn(char) -> bool, form: Form) -> Cow<'_, str> {
    if !text.contains(&unsafe_here) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        // Writing to a string cannot fail.
        match form {
            _ if !unsafe_here(c) => escaped.push(c),
            Form::Rust => escaped.extend(c.escape_default()),
            Form::Json => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(escaped, "\\u{unit:04x}");
                }
            }
            Form::Yaml => {
                let _ = write!(escaped, "\\U{:08x}", u32::from(c));
            }
        }
    }
    Cow::Owned(escaped)
}

/// Text from files, servers and clients, fit to be shown within a line.
pub fn escape(text: &str) -> Cow<'_, str> {
    escape_where(text, is_unsafe, Form::Rust)
}

/// Text from files, servers and clients, fit to be shown as lines of its own: line feeds and tabs stay.
pub fn escape_lines(text: &str) -> Cow<'_, str> {
    escape_where(text, |c| is_unsafe(c) && c != '\n' && c != '\t', Form::Rust)
}

/// The same JSON without characters that could lead a terminal astray, which JSON allows within strings.
pub fn escape_json(text: &str) -> Cow<'_, str> {
    escape_where(text, |c| is_unsafe(c) && c != '\n' && c != '\t' && c != '\r', Form::Json)
}

/// Text from files, servers and clients as a code span of Markdown, in which a forge finds no markup, link, reference or
/// mention. Fit for a cell of a table.
pub fn markdown_code(text: &str) -> String {
    let text = escape(text.trim());
    if text.is_empty() {
        return String::new();
    }
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    // A span may not begin or end with a back tick, and gives away a space at both ends if it has them.
    let gap = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    // Renderers do not agree on whether a bar after two backslashes ends the cell.
    let text = text.replace("\\|", "\\¦").replace('|', "\\|");
    format!("{fence}{gap}{text}{gap}{fence}")
}

/// The same for JSON that is to be read as YAML, where a character has one escape and not two halves.
pub fn escape_json_as_yaml(text: &str) -> Cow<'_, str> {
    escape_where(text, |c| is_unsafe(c) && c != '\n', Form::Yaml)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn strangers_text() {
        for (text, expected) in [
            ("grüß 👋", "grüß 👋"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("a\r\nb\tc", "a\\r\\nb\\tc"),
            ("a\u{9b}b\u{7f}", "a\\u{9b}b\\u{7f}"),
            ("abc\u{202e}def\u{2066}", "abc\\u{202e}def\\u{2066}"),
            ("a\u{200b}b", "a\\u{200b}b"),
        ] {
            assert_eq!(escape(text), expected);
        }
        assert_eq!(escape_lines("a\n\tb\r\u{1b}"), "a\n\tb\\r\\u{1b}");
        assert_eq!(escape_json("{\n\"a\":\"\u{9b}\u{e0041}\"}"), "{\n\"a\":\"\\u009b\\udb40\\udc41\"}");
    }

    #[test]
    fn markdown_has_nothing_of_strangers_but_code() {
        for (text, expected) in [
            ("", ""),
            (" a b ", "`a b`"),
            ("@all <b> [x](y)", "`@all <b> [x](y)`"),
            ("`x` and ``y``", "``` `x` and ``y`` ```"),
            ("^(a|b)$", "`^(a\\|b)$`"),
            ("a\\|b", "`a\\¦b`"),
            ("a\nb", "`a\\nb`"),
        ] {
            assert_eq!(markdown_code(text), expected);
        }
    }

    proptest! {
        #[test]
        fn json_stays_the_same_json(text in any::<String>()) {
            let written = serde_json::to_string_pretty(&serde_json::json!({ "a": text })).unwrap();
            let escaped = escape_json(&written);
            prop_assert!(!escaped.chars().any(|c| is_unsafe(c) && c != '\n'));
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), serde_json::json!({ "a": text }));
        }
    }
}
