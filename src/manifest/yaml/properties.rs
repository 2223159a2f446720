//! Whatever the text: no panic, and what is accepted is what `serde_yaml` makes of it alone.

use super::*;
use crate::manifest::parse_file;
use proptest::{collection::vec, prelude::*, sample::Index};

const VALID: &str = "\
# An app, a role and a user
kind: app
version: v3
metadata:
  name: everything
  labels: {env: dev, \"größe\": '1'}
spec:
  mcp:
    command: docker
    args: [run, \"-i\", --rm, mcp/everything]
    env:
      TEXT: |
        two
        lines
      FOLDED: >-
        one
        line
---
{kind: user, version: v2, metadata: {name: a}, spec: {traits: {t: [x, \"\\u00e9\"]}}}
";

/// Pieces that mean something in YAML.
const PIECES: &[&str] = &[
    ":",
    " ",
    "\n",
    "- ",
    "? ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "#",
    " #",
    "&a ",
    "*a",
    "!t ",
    "|",
    ">",
    "'",
    "\"",
    "%",
    "@",
    "---\n",
    "...\n",
    "<<: ",
    "\t",
    "\r\n",
    "\\",
    "~",
    "null",
    "0",
    "0x1",
    "1e9",
    "true",
    ".nan",
    "é",
    "\u{a0}",
    "-",
    "+1",
    "|2-\n",
    ">+\n",
    ": ",
    "a: b",
    "  ",
    "日本",
    "\u{10ffff}",
];

/// A valid text after some cuts and insertions.
fn mutated() -> impl Strategy<Value = String> {
    let edit = (any::<Index>(), 0..4usize, prop::sample::select(PIECES));
    vec(edit, 0..6).prop_map(|edits| {
        let mut text: Vec<char> = VALID.chars().collect();
        for (at, cut, piece) in edits {
            let at = at.index(text.len().max(1)).min(text.len());
            let end = (at + cut).min(text.len());
            text.splice(at..end, piece.chars());
        }
        text.into_iter().collect()
    })
}

/// A text of nothing but pieces.
fn assembled() -> impl Strategy<Value = String> {
    vec(prop::sample::select(PIECES), 0..30).prop_map(|pieces| pieces.concat())
}

/// Whether a node says what the value says.
fn same(node: &Node, value: &serde_yaml::Value) -> bool {
    use serde_yaml::Value as Yaml;
    match (&node.value, value) {
        (Value::Null, Yaml::Null) => true,
        (Value::Bool(a), Yaml::Bool(b)) => a == b,
        (Value::Number(n), Yaml::String(b)) => n.amount == Amount::Unclear && n.text == *b,
        (Value::Number(n), Yaml::Number(b)) => match n.amount {
            Amount::Integer(a) => b.as_i64().map(i128::from).or(b.as_u64().map(i128::from)) == Some(a),
            Amount::Float(a) => b.as_f64().is_some_and(|b| a == b || (a.is_nan() && b.is_nan())),
            Amount::Unclear => false,
        },
        (Value::String(a), Yaml::String(b)) => a == b,
        (Value::List(a), Yaml::Sequence(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Map(a), Yaml::Mapping(b)) => {
            let entries = a.iter().zip(b).all(|(a, (key, b))| key.as_str() == Some(&a.key) && same(&a.value, b));
            a.len() == b.len() && entries
        }
        _ => false,
    }
}

fn check(text: &str) -> Result<(), TestCaseError> {
    let Ok(text) = Text::new("f.yaml", text.as_bytes()) else { return Ok(()) };
    let reading = read(&text);
    if reading.findings.is_empty() {
        use serde::Deserialize;
        let alone: Vec<serde_yaml::Value> = serde_yaml::Deserializer::from_str(text.as_str())
            .map(serde_yaml::Value::deserialize)
            .collect::<Result<_, _>>()
            .map_err(|e| TestCaseError::fail(e.to_string()))?;
        let mut alone = alone.iter().filter(|v| !v.is_null());
        for document in &reading.documents {
            let Content::Valid(node) = &document.content else { continue };
            if node.value != Value::Null {
                prop_assert!(alone.next().is_some_and(|value| same(node, value)), "{:?}", node);
            }
        }
        prop_assert_eq!(alone.next(), None);
    }
    Ok(())
}

proptest! {
    #[test]
    fn mutated_files_are_read_as_they_are(text in mutated()) {
        check(&text)?;
    }

    #[test]
    fn any_yaml_is_read_as_it_is(text in assembled()) {
        check(&text)?;
    }

    #[test]
    fn any_bytes_come_to_something(bytes in vec(any::<u8>(), 0..200)) {
        parse_file("f.yaml", &bytes);
    }

    #[test]
    fn every_diagnostic_has_its_place(text in mutated()) {
        for diagnostic in parse_file("f.yaml", text.as_bytes()).diagnostics {
            let Some(position) = diagnostic.position else { continue };
            let line = text.lines().nth(position.line as usize - 1).unwrap_or_default();
            prop_assert!(position.column as usize <= line.chars().count() + 1, "{:?} {:?}", position, line);
            prop_assert_eq!(diagnostic.line_text.as_deref(), Some(line.trim_end_matches('\r')));
        }
    }
}
