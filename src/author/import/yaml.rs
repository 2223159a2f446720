//! Resources as people would write them: blocks, short lists on a line, quotes where they are needed.

use crate::{
    escape::escape_json_as_yaml,
    manifest::yaml::{Entry, Node, Value},
};
use std::borrow::Cow;

/// The longest line that a list of scalars gets.
const WIDTH: usize = 100;

pub fn text<'a>(text: impl Into<Cow<'a, str>>) -> Node<'a> {
    node(Value::String(text.into()))
}

pub fn list<'a>(items: impl IntoIterator<Item = Node<'a>>) -> Node<'a> {
    node(Value::List(items.into_iter().collect()))
}

pub fn map<'a>(entries: impl IntoIterator<Item = (Cow<'a, str>, Node<'a>)>) -> Node<'a> {
    let entry = |(key, value)| Entry { key, mark: Default::default(), value };
    node(Value::Map(entries.into_iter().map(entry).collect()))
}

fn node(value: Value) -> Node {
    Node { value, mark: Default::default() }
}

/// Writes a mapping as a document.
pub fn write(node: &Node) -> String {
    let mut out = String::new();
    block(node, 0, &mut out);
    out
}

/// A mapping or list, each of its parts on lines of its own.
fn block(node: &Node, indent: usize, out: &mut String) {
    let space = " ".repeat(indent);
    match &node.value {
        Value::Map(entries) => {
            for Entry { key, value, .. } in entries {
                let key = scalar(key, false);
                match flow(value, indent + key.len() + 2) {
                    Some(line) => *out += &format!("{space}{key}: {line}\n"),
                    None => {
                        *out += &format!("{space}{key}:\n");
                        block(value, indent + 2, out);
                    }
                }
            }
        }
        Value::List(items) => {
            for item in items {
                match flow(item, indent + 2) {
                    Some(line) => *out += &format!("{space}- {line}\n"),
                    None => {
                        let mut inner = String::new();
                        block(item, indent + 2, &mut inner);
                        *out += &format!("{space}- {}", inner.trim_start_matches(' '));
                    }
                }
            }
        }
        _ => {}
    }
}

/// A value on the line that it begins on, if it has its place there.
fn flow(node: &Node, column: usize) -> Option<String> {
    let fits = |line: &String| column + line.chars().count() <= WIDTH;
    match &node.value {
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| plain(item, true)).collect::<Option<_>>()?;
            Some(format!("[{}]", items.join(", "))).filter(|line| items.is_empty() || fits(line))
        }
        Value::Map(entries) => match entries.as_slice() {
            [] => Some("{}".to_owned()),
            // A reference, as the documentation has it.
            [Entry { key, value, .. }] if matches!(&**key, "secret" | "from_agent") => {
                Some(format!("{{{key}: {}}}", plain(value, true)?))
            }
            _ => None,
        },
        _ => plain(node, false),
    }
}

fn plain(node: &Node, inside: bool) -> Option<String> {
    Some(match &node.value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.text.to_string(),
        Value::String(text) => scalar(text, inside),
        Value::List(_) | Value::Map(_) => return None,
    })
}

/// A text without quotes where no reader could take it for something else. `inside`: of brackets or braces.
pub fn scalar(text: &str, inside: bool) -> String {
    const WORDS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let first = |c: char| c.is_ascii_alphabetic() || c == '/';
    let inner = |c: char| c.is_ascii_alphanumeric() || "._-/+=@".contains(c) || (!inside && " (),'".contains(c));
    let colons = text.replace("://", "");
    let good = text.starts_with(first)
        && !text.ends_with(' ')
        && (if inside { text } else { &colons }).chars().all(inner)
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if good {
        return text.to_owned();
    }
    escape_json_as_yaml(&serde_json::Value::from(text).to_string()).into_owned()
}
