//! Settings that are planned, and not there yet.

use crate::manifest::{
    Code,
    decode::{Context, Fields},
    text::{Finding, Mark},
    yaml::{Amount, Entry, Node, Value},
};
use serde::{Serialize, Serializer, ser::SerializeMap};

/// The default of a setting that this version does not have, and so the only value that the setting can have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Later {
    Null,
    Bool(bool),
    Integer(u32),
    Text(&'static str),
    /// `[]`
    List,
    /// Settings below this one; none of them is `{}`.
    Map(&'static [(&'static str, Later)]),
}

impl Later {
    /// Reads the setting `name`: left out, empty, or as the default has it, it is fine; anything else is reported as
    /// not yet supported. `within` is where the setting belongs, as in `gateway.`.
    pub(super) fn decode(self, within: &str, name: &'static str, f: &mut Fields, context: &Context) -> Later {
        if let Some(entry) = f.entry(name)
            && let Some(other) = self.other_than(entry)
        {
            let finding =
                Finding::error(Code::NotYetSupported, other, format!("`{within}{name}` is not yet supported"));
            context.report(finding.help("remove it: this version does not have this setting"));
        }
        self
    }

    /// The first key whose value is not the default.
    fn other_than(self, entry: &Entry) -> Option<Mark> {
        match (self, &entry.value.value) {
            (_, Value::Null) => None,
            (Later::Map(defaults), Value::Map(entries)) => {
                entries.iter().find_map(|entry| match defaults.iter().find(|(name, _)| *name == entry.key) {
                    Some((_, default)) => default.other_than(entry),
                    None => Some(entry.mark),
                })
            }
            _ => (!self.is(&entry.value)).then_some(entry.mark),
        }
    }

    fn is(self, node: &Node) -> bool {
        match (self, &node.value) {
            (Later::Bool(default), Value::Bool(value)) => default == *value,
            (Later::Integer(default), Value::Number(number)) => number.amount == Amount::Integer(default.into()),
            (Later::Text(default), Value::String(value)) => default == value,
            (Later::List, Value::List(nodes)) => nodes.is_empty(),
            _ => false,
        }
    }
}

impl Serialize for Later {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Later::Null => serializer.serialize_none(),
            Later::Bool(value) => serializer.serialize_bool(*value),
            Later::Integer(value) => serializer.serialize_u32(*value),
            Later::Text(value) => serializer.serialize_str(value),
            Later::List => serializer.collect_seq(std::iter::empty::<()>()),
            Later::Map(settings) => {
                let mut map = serializer.serialize_map(Some(settings.len()))?;
                settings.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
                map.end()
            }
        }
    }
}
