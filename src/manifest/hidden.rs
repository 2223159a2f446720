//! The text of a document for people who may read it, without what may be a secret in it. Pure.
//!
//! No document should have secrets: they belong into the agent's `secrets_dir`. One that has them all the same is not to
//! spread them further. So of environment variables and headers no value is shown, as in a plan, and elsewhere nothing
//! that looks like a secret.

use super::{
    risk::secret::{literal, within},
    text::{Mark, Text, whole_lines},
    yaml::{self, Content, Node, Value},
};
use std::ops::Range;

/// What stands where something is not shown.
const HIDDEN: &str = "[hidden]";

/// Keys below which no value is shown, wherever they stand.
const CLOSED: [&str; 3] = ["env", "headers", "rewrite"];

/// Keys below those whose values are names: of a header, of a secret, of a variable of the agent.
const NAMES: [&str; 3] = ["name", "secret", "from_agent"];

/// The text of one document, with what may be a secret hidden.
///
/// `None` if it is no YAML that can be read, so that nobody can tell what in it is a value.
pub fn shown(document: &str) -> Option<String> {
    let bytes = whole_lines(document.as_bytes());
    let text = Text::new("", &bytes).ok()?;
    let reading = yaml::read(&text);
    if !reading.findings.is_empty() {
        return None;
    }
    let mut search = Search { places: Vec::new(), secrets: Vec::new() };
    for document in &reading.documents {
        match &document.content {
            Content::Valid(node) => search.node(node, false, None),
            Content::Refused { .. } => return None,
        }
    }
    let text = text.as_str();
    let lines: Vec<usize> =
        std::iter::once(0).chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|i| i + 1)).collect();
    search.places.sort_unstable_by_key(|mark| (mark.line, mark.column));
    let ranges = search.secrets.iter().map(|mark| search.range(*mark, text, &lines)).collect();
    Some(without_remarks(&without(text, ranges)))
}

struct Search {
    /// Where keys and values begin.
    places: Vec<Mark>,
    /// The values that are not shown.
    secrets: Vec<Mark>,
}

impl Search {
    /// Looks at a value and what is below it, which is as deep as the outline lets documents be. `before` is the option
    /// that it is the value of.
    fn node(&mut self, node: &Node, closed: bool, before: Option<&str>) {
        self.places.push(node.mark);
        match &node.value {
            Value::Null => {}
            Value::Bool(_) | Value::Number(_) => self.secrets.extend(closed.then_some(node.mark)),
            Value::String(text) => {
                let option = before.filter(|_| !text.starts_with('-'));
                let secret = || option.and_then(|option| literal(option, text)).or_else(|| within(text)).is_some();
                self.secrets.extend((closed || secret()).then_some(node.mark));
            }
            Value::List(nodes) => {
                let mut before = None;
                for node in nodes {
                    self.node(node, closed, before);
                    before = node.as_str().filter(|text| text.starts_with('-') && !text.contains('='));
                }
            }
            Value::Map(entries) => {
                for entry in entries {
                    self.places.push(entry.mark);
                    let named = closed && NAMES.contains(&&*entry.key) && entry.value.as_str().is_some();
                    let is_text = matches!(&entry.value.value, Value::String(_));
                    // A text called `env` is a label, as in `labels: {env: prod}`: variables are a mapping.
                    let opens = CLOSED.contains(&&*entry.key) && !(is_text && entry.key == "env");
                    let closed = (closed && !named) || opens;
                    let name = is_text.then_some(&*entry.key);
                    self.node(&entry.value, closed, name);
                }
            }
        }
    }

    /// The bytes of a value. What does not end on its line ends before whatever comes next: where exactly is for YAML
    /// parsers to disagree about.
    fn range(&self, mark: Mark, text: &str, lines: &[usize]) -> Range<usize> {
        let start = offset(mark, text, lines);
        let rest = text.get(start..).unwrap_or_default();
        let length = rest.char_indices().nth(mark.length as usize).map_or(rest.len(), |(end, _)| end);
        let value = rest.get(..length).unwrap_or_default();
        if !value.contains('\n') && !value.starts_with(['|', '>']) {
            return start..start + length;
        }
        let here = (mark.line, mark.column);
        let next =
            self.places.iter().find(|place| (place.line, place.column) > here && offset(**place, text, lines) > start);
        let end = next.map_or(text.len(), |next| match next.line > mark.line {
            true => line(next.line, lines),
            false => offset(*next, text, lines),
        });
        // The last end of line stays.
        let end = if text.get(..end).is_some_and(|text| text.ends_with('\n')) { end - 1 } else { end };
        start..end.max(start)
    }
}

fn line(number: u32, lines: &[usize]) -> usize {
    lines.get((number as usize).saturating_sub(1)).copied().unwrap_or_default()
}

/// Where a mark is, in bytes.
fn offset(mark: Mark, text: &str, lines: &[usize]) -> usize {
    let start = line(mark.line, lines);
    let rest = text.get(start..).unwrap_or_default();
    let column = (mark.column as usize).saturating_sub(1);
    start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at)
}

/// The text with [`HIDDEN`] in the place of each range.
fn without(text: &str, mut ranges: Vec<Range<usize>>) -> String {
    ranges.sort_unstable_by_key(|range| range.start);
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for range in ranges {
        if range.start < at {
            continue;
        }
        out += text.get(at..range.start).unwrap_or_default();
        out += HIDDEN;
        at = range.end;
    }
    out + text.get(at..).unwrap_or_default()
}

/// The text without remarks that have something like a secret in them.
fn without_remarks(text: &str) -> String {
    let is_secret = |remark: &str| {
        let words = remark.split(|c: char| c.is_whitespace() || "\"'`,;()[]{}<>".contains(c));
        within(remark.trim()).is_some() || words.into_iter().any(|word| within(word).is_some())
    };
    let one = |line: &str| match remark(line) {
        Some((before, remark)) if is_secret(remark) => format!("{before}# {HIDDEN}"),
        _ => line.to_owned(),
    };
    let mut lines: Vec<String> = text.split('\n').map(one).collect();
    if lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

/// A line in two parts, if it may have a remark: what is before its `#`, and what follows.
fn remark(line: &str) -> Option<(&str, &str)> {
    let is_start = |(at, _): &(usize, &str)| {
        line.get(..*at).is_none_or(|before| before.is_empty() || before.ends_with([' ', '\t']))
    };
    let (at, _) = line.match_indices('#').find(is_start)?;
    Some((line.get(..at)?, line.get(at + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TOKEN: &str = "ghp_0123456789abcdefghijABCDEFGHIJ012345";

    #[test]
    fn values_of_variables_and_headers_are_hidden() {
        let table = [
            ("a: {b: c} # fine\n", "a: {b: c} # fine\n"),
            (
                "spec:\n  mcp:\n    env:\n      A: one  # why\n      B: 2\n      C:\n",
                "spec:\n  mcp:\n    env:\n      A: [hidden]  # why\n      B: [hidden]\n      C:\n",
            ),
            (
                "env: {A: one, \"B\": 'two', C: {secret: x}, D: {from_agent: HOME}}\nz: 1\n",
                "env: {A: [hidden], \"B\": [hidden], C: {secret: x}, D: {from_agent: HOME}}\nz: 1\n",
            ),
            (
                "env:\n  A: |\n    first\n    second\n  B: >-\n    third\nz: 1\n",
                "env:\n  A: |\n    [hidden]\n  B: >-\n    [hidden]\nz: 1\n",
            ),
            (
                "env:\n  A: \"first\n    second\"\n  B: plain\n    goes on\nz: 1\n",
                "env:\n  A: [hidden]\n  B: [hidden]\nz: 1\n",
            ),
            ("env:\n  - A=one\n  - B=two\n", "env:\n  - [hidden]\n  - [hidden]\n"),
            (
                "rewrite:\n  headers:\n    - 'X-Key: abc'\n    - name: X-Team\n      value: a\n    - {name: Y, value: {secret: k}}\n",
                "rewrite:\n  headers:\n    - [hidden]\n    - name: X-Team\n      value: [hidden]\n    - {name: Y, value: {secret: k}}\n",
            ),
            ("args: [--password, hunter2hunter2, --port, '80']\n", "args: [--password, [hidden], --port, '80']\n"),
            ("labels: {env: prod}\nspec: {env: {env: one}}\n", "labels: {env: prod}\nspec: {env: {env: [hidden]}}\n"),
            ("env: {Ä: ö, B: ü}\n", "env: {Ä: [hidden], B: [hidden]}\n"),
        ];
        for (before, after) in table {
            assert_eq!(shown(before).as_deref(), Some(after), "{before}");
        }
    }

    #[test]
    fn what_looks_like_a_secret_is_hidden_wherever_it_is() {
        for text in [
            format!("args: ['--token={TOKEN}']\n"),
            format!("metadata: {{description: {TOKEN}}}\n"),
            format!("a: b # was {TOKEN}\n"),
            format!("# {TOKEN}\na: b\n"),
            format!("# token: \"{TOKEN}\"\na: b\n"),
            format!("uri: 'mcp+https://example.org/?key={TOKEN}'\n"),
            format!("env: {{A: {{secret: {TOKEN}}}}}\n"),
            format!("password: {TOKEN}\n"),
        ] {
            let shown = shown(&text).expect("it can be read");
            assert!(!shown.contains("ghp_") && shown.contains(HIDDEN), "{text}{shown}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_shown() {
        for text in ["a: [", "a: &x b\nc: *x\n", "a: !t b\n", "a: 1\na: 2\n", "a: \u{202e}b\n"] {
            assert_eq!(shown(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_value_of_a_variable_is_ever_shown(
            values in proptest::collection::vec("[a-zü0-9:#|> \n'\"{}\\[\\],&*!%-]{0,16}", 0..5),
            style in 0..3_u8,
        ) {
            let values: Vec<String> = values.into_iter().map(|value| format!("S3CRET{value}S3CRET")).collect();
            let env: serde_json::Map<String, serde_json::Value> =
                values.iter().enumerate().map(|(index, value)| (format!("V{index}"), value.as_str().into())).collect();
            let document = serde_json::json!({"spec": {"mcp": {"env": env, "command": "x"}}});
            let text = match style {
                0 => document.to_string(),
                1 => format!("{document:#}"),
                _ => yaml::to_string(&document).unwrap(),
            };
            if let Some(shown) = shown(&text) {
                prop_assert!(!shown.contains("S3CRET"), "{}\n{}", text, shown);
            }
        }
    }
}
