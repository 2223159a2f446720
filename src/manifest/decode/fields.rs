//! Mappings with known fields.

use super::{Context, scalar::nearest};
use crate::manifest::{
    Code,
    text::{Finding, Mark, quoted},
    yaml::{Entry, Node, Value},
};

/// The fields of a mapping, asked for one by one.
pub struct Fields<'n, 'a> {
    context: &'n Context,
    entries: &'n [Entry<'a>],
    mark: Mark,
    /// What the mapping is called in messages; empty for the document itself.
    place: &'static str,
    asked: Vec<&'static str>,
    /// How many entries have been asked for; all of them is what a good mapping has.
    found: usize,
}

/// Starts reading a mapping with known fields. `place` is what messages call it: `spec.mcp`; empty for a document.
/// Reports anything that is not a mapping.
pub fn fields<'n, 'a>(node: &'n Node<'a>, place: &'static str, context: &'n Context) -> Option<Fields<'n, 'a>> {
    match &node.value {
        Value::Map(entries) => {
            Some(Fields { context, entries, mark: node.mark, place, asked: Vec::with_capacity(16), found: 0 })
        }
        other => {
            let what = if place.is_empty() { "a document".to_owned() } else { format!("`{place}`") };
            context.error(
                Code::WrongType,
                node.mark,
                format!("{what} must be a mapping of fields, found {}", other.describe()),
            )
        }
    }
}

impl<'n, 'a> Fields<'n, 'a> {
    /// Where the mapping starts.
    pub fn mark(&self) -> Mark {
        self.mark
    }

    /// Whether a field is there.
    pub fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|e| e.key == name)
    }

    /// Where a field is, if it is there and not `null`.
    pub fn given(&self, name: &str) -> Option<Mark> {
        self.entries.iter().find(|e| e.key == name && e.value.value != Value::Null).map(|e| e.mark)
    }

    /// A field's key and value as they stand; counts as known from now on.
    pub fn entry(&mut self, name: &'static str) -> Option<&'n Entry<'a>> {
        self.asked.push(name);
        let entry = self.entries.iter().find(|e| e.key == name);
        self.found += usize::from(entry.is_some());
        entry
    }

    /// A field that must be there and have a value.
    pub fn required<T>(
        &mut self,
        name: &'static str,
        decode: impl FnOnce(&Node<'a>, &Context) -> Option<T>,
    ) -> Option<T> {
        match self.entry(name) {
            Some(entry) => self.decode(entry, decode),
            None => {
                let message = format!("missing field `{name}`{}", self.within());
                self.context.error(Code::MissingField, self.mark, message)
            }
        }
    }

    /// A field that may be left out, but not be left empty: an empty `sandbox:` must not mean "no sandbox".
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        decode: impl FnOnce(&Node<'a>, &Context) -> Option<T>,
    ) -> Option<T> {
        let entry = self.entry(name)?;
        self.decode(entry, decode)
    }

    /// A field that may be left out or `null`, which is the same.
    pub fn nullable<T>(
        &mut self,
        name: &'static str,
        decode: impl FnOnce(&Node<'a>, &Context) -> Option<T>,
    ) -> Option<T> {
        let entry = self.entry(name)?;
        if entry.value.value == Value::Null { None } else { self.decode(entry, decode) }
    }

    /// A field that exists elsewhere and is an error here. Answers whether it is there.
    pub fn refuse(&mut self, name: &'static str, code: Code, message: impl Into<String>, help: Option<&str>) -> bool {
        // Only what is there counts as known: nobody is to be told to write what is refused.
        if !self.has(name) {
            return false;
        }
        let Some(entry) = self.entry(name) else { return false };
        let mut finding = Finding::error(code, entry.mark, message);
        finding.help = help.map(str::to_owned);
        self.context.report(finding);
        true
    }

    fn decode<T>(&self, entry: &Entry<'a>, decode: impl FnOnce(&Node<'a>, &Context) -> Option<T>) -> Option<T> {
        if entry.value.value == Value::Null {
            let message = format!("`{}` has no value", entry.key);
            return self.context.error_with_help(Code::EmptyValue, entry.mark, message, "give it one or remove it");
        }
        decode(&entry.value, self.context)
    }

    fn within(&self) -> String {
        if self.place.is_empty() { String::new() } else { format!(" in `{}`", self.place) }
    }

    /// Reports the fields that nobody asked for.
    pub fn finish(self) {
        if self.found == self.entries.len() {
            return;
        }
        for entry in self.entries.iter().filter(|e| !self.asked.contains(&&*e.key)) {
            let message = format!("unknown field {}{}", quoted(&entry.key), self.within());
            let mut finding = Finding::error(Code::UnknownField, entry.mark, message);
            finding.help = nearest(&entry.key, &self.asked).map(|name| format!("did you mean `{name}`?"));
            self.context.report(finding);
        }
    }
}
