//! `--set path.to.setting=value`: changes the document before it is decoded, so that one decoder checks everything.
//!
//! The options are appended to the text of the file, a line each, and what they change is marked as written there. So
//! a diagnostic about them shows the option, and only its path and line have to be put right in the end.

use crate::manifest::{
    Code, Diagnostic,
    decode::{Context, Decoded},
    text::{Mark, Text, quoted},
    yaml::{self, Content, Entry, Node, Value},
};
use std::borrow::Cow;

/// What diagnostics about options have as their path.
const OPTION: &str = "--set";

/// The deepest path.
const MAX_DEPTH: usize = 16;

/// Reads a file of one document with options applied over it.
pub(super) fn read<T>(
    path: &str,
    bytes: &[u8],
    set: &[String],
    decode: impl FnOnce(&Node, &Context) -> Option<T>,
) -> Decoded<T> {
    let refused = |diagnostic: Box<Diagnostic>| Decoded { value: None, diagnostics: vec![*diagnostic] };
    let text = match Text::new(path, bytes) {
        Ok(text) => text,
        Err(diagnostic) => return refused(diagnostic),
    };
    let mut all = text.as_str().to_owned();
    if !all.is_empty() && !all.ends_with('\n') {
        all.push('\n');
    }
    // Fewer than 2^20: the text is bounded.
    let lines = u32::try_from(memchr::memchr_iter(b'\n', all.as_bytes()).count()).unwrap_or(u32::MAX);
    for option in set {
        // A line break would shift the lines of the options behind it; no setting can have one.
        all.push_str(&format!("{OPTION} {}\n", option.replace(['\n', '\r'], "\u{2424}")));
    }
    let shown = match Text::new(path, all.as_bytes()) {
        Ok(shown) => shown,
        Err(mut diagnostic) => {
            relocate(&mut diagnostic, lines);
            return refused(diagnostic);
        }
    };

    let context = Context::new();
    let reading = yaml::read(&text);
    reading.findings.into_iter().for_each(|finding| context.report(finding));
    let mut documents = reading.documents.into_iter();
    let first = documents.next().map(|document| document.content);
    if let Some(second) = documents.next() {
        context.error::<()>(Code::TooManyDocuments, second.mark, "this file must have only one document");
    }
    let root = match first {
        Some(Content::Valid(node)) => Some(node),
        Some(Content::Refused { .. }) => None,
        None => Some(Node { value: Value::Map(Vec::new()), mark: Mark::default() }),
    };
    let value = root.and_then(|mut root| {
        for (line, option) in (lines.saturating_add(1)..).zip(set) {
            apply(&mut root, option, line, &context);
        }
        decode(&root, &context)
    });
    let value = value.filter(|_| context.errors() == 0);
    let mut diagnostics = context.into_diagnostics(&shown);
    diagnostics.iter_mut().for_each(|diagnostic| relocate(diagnostic, lines));
    Decoded { value, diagnostics }
}

/// Gives a diagnostic about an option the option's path and number.
fn relocate(diagnostic: &mut Diagnostic, lines: u32) {
    if let Some(position) = &mut diagnostic.position
        && position.line > lines
    {
        position.line -= lines;
        diagnostic.path = OPTION.to_owned();
    }
}

/// A step of the path of a setting.
struct Step {
    name: String,
    mark: Mark,
}

fn apply<'a>(root: &mut Node<'a>, option: &str, line: u32, context: &Context) {
    // In characters, from the start of the line that is shown.
    let column = |offset: usize| {
        let before = option.get(..offset).map_or(0, |text| text.chars().count()) + OPTION.len() + 2;
        u32::try_from(before).unwrap_or(u32::MAX)
    };
    let mark = |start: usize, end: usize| Mark {
        line,
        column: column(start),
        length: column(end).saturating_sub(column(start)).max(1),
    };
    let help = "write it like `--set gateway.listen=127.0.0.1:7421` or `--set sources[0].name=fleet`";
    let Some(equals) = end_of_path(option) else {
        context.error_with_help::<()>(
            Code::Syntax,
            mark(0, option.len()),
            "an option has a path, `=` and a value",
            help,
        );
        return;
    };
    let path = option.get(..equals).unwrap_or_default();
    let written = option.get(equals + 1..).unwrap_or_default();
    let steps = match steps(path) {
        Ok(steps) => steps,
        Err(offset) => {
            let message = format!("{} is not the path of a setting", quoted(path));
            context.error_with_help::<()>(Code::Syntax, mark(offset, path.len()), message, help);
            return;
        }
    };
    let steps: Vec<_> = steps.into_iter().map(|(name, start, end)| Step { name, mark: mark(start, end) }).collect();
    let value = Node { value: scalar(written), mark: mark(equals + 1, option.len()) };
    put(root, &steps, value, context);
}

/// Where the path ends: at the first `=` outside of quotes.
fn end_of_path(option: &str) -> Option<usize> {
    let mut quoted = false;
    option.bytes().position(|b| {
        quoted ^= b == b'"';
        b == b'=' && !quoted
    })
}

/// The steps of `a.b[0]["c.d"].e` with their places, or the offset of what is wrong.
fn steps(path: &str) -> Result<Vec<(String, usize, usize)>, usize> {
    let mut steps = Vec::new();
    let mut offset = 0;
    while let Some(rest) = path.get(offset..).filter(|rest| !rest.is_empty()) {
        if steps.len() == MAX_DEPTH {
            return Err(offset);
        }
        if let Some(inner) = rest.strip_prefix("[\"") {
            let length = inner.find("\"]").ok_or(offset)?;
            steps.push((inner.get(..length).unwrap_or_default().to_owned(), offset + 2, offset + 2 + length));
            offset += length + 4;
        } else if let Some(inner) = rest.strip_prefix('[') {
            let length = inner.find(']').ok_or(offset)?;
            let index = inner.get(..length).filter(|index| index.parse::<usize>().is_ok()).ok_or(offset)?;
            steps.push((index.to_owned(), offset + 1, offset + 1 + length));
            offset += length + 2;
        } else {
            let start = if steps.is_empty() { offset } else { offset + usize::from(rest.starts_with('.')) };
            let name = path.get(start..).unwrap_or_default();
            let length = name.find(['.', '[']).unwrap_or(name.len());
            if length == 0 || (start == offset && !steps.is_empty()) {
                return Err(offset);
            }
            steps.push((name.get(..length).unwrap_or_default().to_owned(), start, start + length));
            offset = start + length;
        }
    }
    if steps.is_empty() { Err(0) } else { Ok(steps) }
}

/// A value as YAML would read it if it is a scalar; anything else is a string as it stands.
fn scalar(written: &str) -> Value<'static> {
    let owned = |text: Cow<str>| Cow::Owned(text.into_owned());
    let read = Text::new(OPTION, written.as_bytes()).ok().map(|text| yaml::read(&text)).and_then(|reading| {
        let one = reading.findings.is_empty() && reading.documents.len() == 1;
        match reading.documents.into_iter().next().filter(|_| one)?.content {
            Content::Valid(Node { value: Value::Null, .. }) => Some(Value::Null),
            Content::Valid(Node { value: Value::Bool(value), .. }) => Some(Value::Bool(value)),
            Content::Valid(Node { value: Value::Number(number), .. }) => {
                Some(Value::Number(Box::new(yaml::Number { text: owned(number.text), amount: number.amount })))
            }
            Content::Valid(Node { value: Value::String(text), .. }) => Some(Value::String(owned(text))),
            _ => None,
        }
    });
    read.unwrap_or_else(|| Value::String(Cow::Owned(written.to_owned())))
}

/// Puts a value at the end of a path; mappings on the way are made, and one entry at the end of a list.
fn put<'a>(node: &mut Node<'a>, steps: &[Step], value: Node<'a>, context: &Context) {
    let Some((step, rest)) = steps.split_first() else {
        if matches!(node.value, Value::Map(_) | Value::List(_)) {
            let message = format!("this setting is {}; only single values can be set", node.value.describe());
            context.error::<()>(Code::WrongType, value.mark, message);
        } else {
            *node = value;
        }
        return;
    };
    if node.value == Value::Null {
        let first = step.name == "0";
        *node = Node { value: if first { Value::List(Vec::new()) } else { Value::Map(Vec::new()) }, mark: step.mark };
    }
    let missing = Node { value: Value::Null, mark: step.mark };
    match &mut node.value {
        Value::Map(entries) => {
            let index = entries.iter().position(|entry| entry.key == step.name).unwrap_or_else(|| {
                entries.push(Entry { key: Cow::Owned(step.name.clone()), mark: step.mark, value: missing });
                entries.len() - 1
            });
            if let Some(entry) = entries.get_mut(index) {
                // What is wrong with this setting now is the option's doing.
                entry.mark = if rest.is_empty() { step.mark } else { entry.mark };
                put(&mut entry.value, rest, value, context);
            }
        }
        Value::List(nodes) => {
            let count = nodes.len();
            match step.name.parse::<usize>() {
                Ok(index) if index <= count => {
                    if index == count {
                        nodes.push(missing);
                    }
                    if let Some(node) = nodes.get_mut(index) {
                        put(node, rest, value, context);
                    }
                }
                _ => {
                    let message = format!("{} is not the place of an entry in this list", quoted(&step.name));
                    let help = format!("it has {count} entries: write 0 to {count}, the last of which adds one");
                    context.error_with_help::<()>(Code::UnknownField, step.mark, message, help);
                }
            }
        }
        other => {
            let message = format!("there is no {} here: this setting is {}", quoted(&step.name), other.describe());
            context.error::<()>(Code::WrongType, step.mark, message);
        }
    }
}
