//! Mappings of somebody else's format: known fields are asked for one by one, and the others are told of.

use super::desk::Desk;
use crate::manifest::{
    Code,
    text::{Mark, quoted},
    yaml::{Entry, Node, Value},
};

pub struct Object<'n, 'a> {
    entries: &'n [Entry<'a>],
    pub mark: Mark,
    /// What messages call it; ends with `: ` unless it is empty.
    place: String,
    asked: Vec<&'static str>,
}

impl<'n, 'a> Object<'n, 'a> {
    /// Reports anything that is not a mapping.
    pub fn read(node: &'n Node<'a>, place: &str, desk: &mut Desk) -> Option<Object<'n, 'a>> {
        let place = if place.is_empty() { String::new() } else { format!("{place}: ") };
        match &node.value {
            Value::Map(entries) => Some(Object { entries, mark: node.mark, place, asked: Vec::new() }),
            other => {
                let message = format!("{place}expected an object, found {}", other.describe());
                desk.problem(Code::WrongType, node.mark, message, "see docs/import.md for the forms that are read");
                None
            }
        }
    }

    pub fn entries(&self) -> &'n [Entry<'a>] {
        self.entries
    }

    /// A field that is there and not `null`.
    pub fn get(&mut self, name: &'static str) -> Option<&'n Entry<'a>> {
        self.asked.push(name);
        self.entries.iter().find(|entry| entry.key == name && entry.value.value != Value::Null)
    }

    pub fn text(&mut self, name: &'static str, desk: &mut Desk) -> Option<(&'n str, Mark)> {
        let entry = self.get(name)?;
        match entry.value.as_str() {
            Some(text) => Some((text, entry.value.mark)),
            None => self.wrong(name, "a string", &entry.value, desk),
        }
    }

    pub fn list(&mut self, name: &'static str, desk: &mut Desk) -> &'n [Node<'a>] {
        match self.get(name).map(|entry| &entry.value) {
            None => &[],
            Some(Node { value: Value::List(items), .. }) => items,
            Some(other) => self.wrong(name, "a list", other, desk).unwrap_or_default(),
        }
    }

    pub fn flag(&mut self, name: &'static str, desk: &mut Desk) -> bool {
        match self.get(name).map(|entry| &entry.value) {
            None => false,
            Some(Node { value: Value::Bool(flag), .. }) => *flag,
            Some(other) => self.wrong(name, "`true` or `false`", other, desk).unwrap_or_default(),
        }
    }

    pub fn object(&mut self, name: &'static str, desk: &mut Desk) -> Option<Object<'n, 'a>> {
        let entry = self.get(name)?;
        Object::read(&entry.value, &format!("{}`{name}`", self.place), desk)
    }

    fn wrong<T>(&self, name: &str, expected: &str, node: &Node, desk: &mut Desk) -> Option<T> {
        let message = format!("{}`{name}`: expected {expected}, found {}", self.place, node.value.describe());
        desk.problem(Code::WrongType, node.mark, message, "see docs/import.md for the forms that are read");
        None
    }

    /// Tells of the fields that nobody asked for.
    pub fn finish(self, desk: &mut Desk) {
        for entry in self.entries.iter().filter(|entry| !self.asked.contains(&&*entry.key)) {
            desk.note(
                entry.mark,
                format!("{}{} is left out: mcpfleet has nothing like it", self.place, quoted(&entry.key)),
            );
        }
    }

    /// Tells of a field that is known and has no counterpart.
    pub fn leave_out(&mut self, name: &'static str, why: &str, desk: &mut Desk) {
        if let Some(entry) = self.get(name) {
            desk.note(entry.mark, format!("{}`{name}` is left out: {why}", self.place));
        }
    }
}
