//! The values, by `serde_yaml`, put at the places that the outline knows.

use super::{
    Amount, Content, Document, Entry, Node, Number, Reading, Value,
    number::{integer, is_unclear},
    outline::{Item, Outline, Shape},
};
use crate::manifest::{
    Code,
    text::{Finding, Mark, quoted},
};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::{borrow::Cow, fmt};

/// Reads the values of all documents that the outline has not refused.
pub fn fill<'a>(text: &'a str, outline: Outline<'a>) -> Reading<'a> {
    let Outline { nodes, documents, mut findings, .. } = outline;
    let mut reading = Vec::with_capacity(documents.len());
    let mut sources = serde_yaml::Deserializer::from_str(text);
    // How many documents the values are behind the outline: what is refused is passed over only if another document
    // follows, and never looked into, so that no alias is expanded.
    let mut behind = 0;
    // After a mistake in the syntax, `serde_yaml` says nothing else about the rest.
    let mut lost = false;
    for sheet in &documents {
        let items = nodes.get(sheet.nodes.clone()).unwrap_or_default();
        let blank = items.iter().all(|i| i.shape == Shape::Plain && i.text.is_empty());
        if blank && !sheet.refused {
            behind += 1;
            continue;
        }
        let filled = if sheet.refused || lost {
            behind += 1;
            Err(Vec::new())
        } else {
            let source = sources.nth(std::mem::take(&mut behind));
            value(source, items)
        };
        let content = match filled {
            Ok(node) => Content::Valid(node),
            Err(mistakes) => {
                lost |= mistakes.iter().any(|m| m.code == Code::Syntax);
                findings.extend(mistakes);
                let text = |index: Option<usize>| index.and_then(|i| nodes.get(i)).map(|i| i.text.to_string());
                Content::Refused { kind: text(sheet.kind), name: text(sheet.name) }
            }
        };
        let mark = items.first().map(|i| i.mark).unwrap_or_default();
        reading.push(Document { mark, content });
    }
    if findings.is_empty() && sources.skip(behind).any(|source| <()>::deserialize(source).is_err()) {
        // The outline ends here, and the values go on.
        let mark = reading.last().map(|d| d.mark).unwrap_or(Mark { line: 1, column: 1, length: 1 });
        findings.push(ambiguous(mark));
    }
    Reading { documents: reading, findings }
}

/// The value of a document, or what is wrong with it.
fn value<'a>(source: Option<serde_yaml::Deserializer<'a>>, items: &[Item<'a>]) -> Result<Node<'a>, Vec<Finding>> {
    let first = items.first().map(|i| i.mark).unwrap_or_default();
    let Some(source) = source else { return Err(vec![ambiguous(first)]) };
    let mut cursor = Cursor { rest: items.iter(), disagreement: None, findings: Vec::new() };
    let result = Seed(&mut cursor).deserialize(source);
    let Cursor { mut rest, disagreement, findings } = cursor;
    match result {
        Ok(node) => match rest.next() {
            Some(unread) => Err(vec![ambiguous(unread.mark)]),
            None if findings.is_empty() => Ok(node),
            None => Err(findings),
        },
        Err(_) if disagreement.is_some() => Err(vec![ambiguous(disagreement.unwrap_or(first))]),
        Err(error) => {
            let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            let place =
                error.location().map(|at| Mark { line: count(at.line()), column: count(at.column()), length: 1 });
            // The place is told apart from the message, and what the parser was at says little.
            let message = error.to_string();
            let message = message.split_once(" at line ").map_or(&*message, |(message, _)| message);
            Err(vec![Finding::error(Code::Syntax, place.unwrap_or(first), message)])
        }
    }
}

fn ambiguous(mark: Mark) -> Finding {
    Finding::error(Code::Ambiguous, mark, "YAML parsers do not agree on what this says")
        .help("write it more simply, for example as a quoted string on one line")
}

/// Where in the outline the values have come to.
struct Cursor<'o, 'a> {
    rest: std::slice::Iter<'o, Item<'a>>,
    /// The first place where outline and values differ; ends the reading of the document.
    disagreement: Option<Mark>,
    findings: Vec<Finding>,
}

impl<'o, 'a> Cursor<'o, 'a> {
    fn disagree<T, E: Error>(&mut self, mark: Mark) -> Result<T, E> {
        self.disagreement.get_or_insert(mark);
        Err(E::custom("the two readings differ"))
    }
}

/// Reads one node: the next of the outline.
struct Seed<'c, 'o, 'a>(&'c mut Cursor<'o, 'a>);

impl<'a> DeserializeSeed<'a> for Seed<'_, '_, 'a> {
    type Value = Node<'a>;

    fn deserialize<D: Deserializer<'a>>(self, source: D) -> Result<Node<'a>, D::Error> {
        let Some(item) = self.0.rest.next() else { return self.0.disagree(Mark::default()) };
        let cursor = self.0;
        let mark = item.mark;
        let value = if is_evidently_string(item) {
            match source.deserialize_str(ValueVisitor { cursor: &mut *cursor, item }) {
                Err(error) if error.to_string().starts_with("invalid type") => return cursor.disagree(mark),
                result => result?,
            }
        } else {
            source.deserialize_any(ValueVisitor { cursor, item })?
        };
        Ok(Node { value, mark })
    }
}

/// Whether a scalar can be nothing but a string, going by its first character. Trying what else it might be is half
/// the work of reading a file.
fn is_evidently_string(item: &Item) -> bool {
    match item.shape {
        Shape::Quoted => true,
        Shape::Plain => item.text.bytes().next().is_some_and(|first| {
            // Numbers and their signs, `.inf` and `.nan`, null, true and false.
            !matches!(first, b'0'..=b'9' | b'+' | b'-' | b'.' | b'~' | b'n' | b'N' | b't' | b'T' | b'f' | b'F')
        }),
        Shape::List | Shape::Map => false,
    }
}

struct ValueVisitor<'c, 'o, 'a> {
    cursor: &'c mut Cursor<'o, 'a>,
    item: &'o Item<'a>,
}

impl<'a> ValueVisitor<'_, '_, 'a> {
    /// The value, if the outline has a scalar that says the same.
    fn check<E: Error>(self, agrees: bool, value: Value<'a>) -> Result<Value<'a>, E> {
        if agrees { Ok(value) } else { self.cursor.disagree(self.item.mark) }
    }

    fn plain<E: Error>(self, agrees: impl Fn(&str) -> bool, value: Value<'a>) -> Result<Value<'a>, E> {
        let same = self.item.shape == Shape::Plain && agrees(&self.item.text);
        self.check(same, value)
    }

    fn number<E: Error>(self, agrees: impl Fn(&str) -> bool, amount: Amount) -> Result<Value<'a>, E> {
        let text = self.item.text.clone();
        self.plain(agrees, Value::Number(Box::new(Number { text, amount })))
    }
}

impl<'a> Visitor<'a> for ValueVisitor<'_, '_, 'a> {
    type Value = Value<'a>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value without tag")
    }

    fn visit_unit<E: Error>(self) -> Result<Value<'a>, E> {
        self.plain(|text| matches!(text, "" | "~" | "null" | "Null" | "NULL"), Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value<'a>, E> {
        self.visit_unit()
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value<'a>, E> {
        self.plain(|text| text.eq_ignore_ascii_case(if value { "true" } else { "false" }), Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value<'a>, E> {
        self.visit_i128(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value<'a>, E> {
        self.visit_i128(value.into())
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Value<'a>, E> {
        match i128::try_from(value) {
            Ok(value) => self.visit_i128(value),
            Err(_) => self.visit_f64(value as f64),
        }
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Value<'a>, E> {
        self.number(|text| integer(text) == Some(value), Amount::Integer(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value<'a>, E> {
        let same = |text: &str| match text.to_ascii_lowercase().trim_start_matches('+') {
            ".inf" => value == f64::INFINITY,
            "-.inf" => value == f64::NEG_INFINITY,
            ".nan" => value.is_nan(),
            text => text.parse() == Ok(value),
        };
        self.number(same, Amount::Float(value))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'a str) -> Result<Value<'a>, E> {
        if self.item.shape == Shape::Plain && is_unclear(value) {
            return self.number(|text| text == value, Amount::Unclear);
        }
        let same = self.item.shape.is_scalar() && self.item.text == value;
        self.check(same, Value::String(Cow::Borrowed(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value<'a>, E> {
        if self.item.shape == Shape::Plain && is_unclear(value) {
            return self.number(|text| text == value, Amount::Unclear);
        }
        let same = self.item.shape.is_scalar() && self.item.text == value;
        self.check(same, Value::String(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut source: A) -> Result<Value<'a>, A::Error> {
        if self.item.shape != Shape::List {
            return self.cursor.disagree(self.item.mark);
        }
        let mut list = Vec::with_capacity(self.item.children);
        while let Some(node) = source.next_element_seed(Seed(self.cursor))? {
            list.push(node);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'a>>(self, mut source: A) -> Result<Value<'a>, A::Error> {
        if self.item.shape != Shape::Map {
            return self.cursor.disagree(self.item.mark);
        }
        let mut entries = Vec::with_capacity(self.item.children);
        while let Some(key) = source.next_key_seed(Seed(self.cursor))? {
            let value = source.next_value_seed(Seed(self.cursor))?;
            let mark = key.mark;
            let text = match key.value {
                Value::String(text) => text,
                other => {
                    self.cursor.findings.push(key_type(&other, mark));
                    continue;
                }
            };
            entries.push(Entry { key: text, mark, value });
        }
        Ok(Value::Map(entries))
    }
}

fn key_type(key: &Value, mark: Mark) -> Finding {
    let finding = Finding::error(Code::KeyType, mark, format!("a key must be a string, not {}", key.describe()));
    match key {
        Value::Number(number) => finding.help(format!("quote it: {}", quoted(&format!("\"{}\"", number.text)))),
        Value::Bool(value) => finding.help(format!("quote it: `\"{value}\"`")),
        _ => finding,
    }
}
