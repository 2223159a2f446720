//! Puts apps into the text of a client's configuration file and leaves the rest of it as it stands. Pure.

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};
use std::{fmt, ops::Range};

/// Why a file is left alone.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    #[error("it is not plain JSON ({0}); comments and trailing commas would be lost, so add the entries by hand")]
    Json(serde_json::Error),
    #[error("its `{0}` is not an object")]
    NoObject(String),
    #[error("the key `{0}` stands there twice")]
    Twice(String),
    #[error("its entry `{0}` is not one that mcpfleet wrote")]
    Foreign(String),
}

/// What becomes of one app's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Added,
    Updated,
    Unchanged,
}

/// A new text, and what is different in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    pub text: String,
    pub changes: Vec<(String, Change)>,
}

/// The keys of an entry that say how the server is reached. Others are the user's.
const OURS: [&str; 4] = ["type", "command", "args", "url"];
const BOM: char = '\u{feff}';

/// Sets `entries` in the object `key` of `text`. An entry that somebody else wrote is only replaced by `force`.
pub fn merge(
    text: &str,
    key: &str,
    entries: &[(String, Map<String, Value>)],
    force: bool,
) -> Result<Merged, MergeError> {
    let (bom, text) = match text.strip_prefix(BOM) {
        Some(rest) => (&text[..BOM.len_utf8()], rest),
        None => ("", text),
    };
    let text = if text.trim_ascii().is_empty() { "{}\n" } else { text };
    let top = Object::read(text, text, "file")?;
    let indent = top.indent(text).unwrap_or("  ").to_owned();

    let mut changes = Vec::new();
    let mut edits = Vec::new();
    match top.get(key)? {
        Some(servers) => {
            let servers = Object::read(text, servers, key)?;
            let mut new = Vec::new();
            for (name, entry) in entries {
                let change = match servers.get(name)? {
                    None => {
                        new.push((name.as_str(), Value::Object(entry.clone())));
                        Change::Added
                    }
                    Some(present) => match updated(name, present, entry, force)? {
                        None => Change::Unchanged,
                        Some(value) => {
                            edits.push((span(text, present), pretty(&value, &indent, 2)));
                            Change::Updated
                        }
                    },
                };
                changes.push((name.clone(), change));
            }
            edits.extend(servers.append(text, &new, &indent, 2));
        }
        None => {
            let mut servers = Map::new();
            for (name, entry) in entries {
                servers.insert(name.clone(), Value::Object(entry.clone()));
                changes.push((name.clone(), Change::Added));
            }
            edits.extend(top.append(text, &[(key, Value::Object(servers))], &indent, 1));
        }
    }
    edits.sort_by_key(|(at, _): &(Range<usize>, String)| at.start);
    Ok(Merged { text: bom.to_owned() + &splice(text, &edits), changes })
}

/// The entry as it is to be, if it is not already so.
fn updated(name: &str, present: &str, wanted: &Map<String, Value>, force: bool) -> Result<Option<Value>, MergeError> {
    let present: Value = serde_json::from_str(present).map_err(MergeError::Json)?;
    let mut entry = match &present {
        Value::Object(entry) if is_ours(name, entry) || force => entry.clone(),
        _ if force => Map::new(),
        _ => return Err(MergeError::Foreign(name.to_owned())),
    };
    entry.retain(|key, _| !OURS.contains(&key.as_str()));
    entry.extend(wanted.clone());
    let entry = Value::Object(entry);
    Ok((entry != present).then_some(entry))
}

/// Whether an entry names an app of that name behind some mcpfleet.
fn is_ours(name: &str, entry: &Map<String, Value>) -> bool {
    let url = entry.get("url").and_then(Value::as_str).is_some_and(|url| url.ends_with(&format!("/mcp/{name}")));
    let args: Vec<&str> =
        entry.get("args").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    url || args.starts_with(&["mcp", "connect", name])
}

/// An object in the text, with its members in their order.
struct Object<'a> {
    /// With its braces.
    span: Range<usize>,
    members: Vec<(String, &'a str)>,
}

impl<'a> Object<'a> {
    fn read(text: &'a str, json: &'a str, what: &str) -> Result<Object<'a>, MergeError> {
        let Members(members) = match serde_json::from_str(json) {
            Ok(members) => members,
            Err(error) if error.is_data() => return Err(MergeError::NoObject(what.to_owned())),
            Err(error) => return Err(MergeError::Json(error)),
        };
        let trimmed = json.trim_ascii();
        Ok(Object { span: span(text, trimmed), members })
    }

    fn get(&self, key: &str) -> Result<Option<&'a str>, MergeError> {
        let mut found = self.members.iter().filter(|(name, _)| name == key).map(|(_, value)| *value);
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(MergeError::Twice(key.to_owned())),
            (found, None) => Ok(found),
        }
    }

    /// The white space before the first member, if it has a line of its own.
    fn indent(&self, text: &'a str) -> Option<&'a str> {
        let inside = text.get(self.span.start + 1..self.span.end)?;
        let space = &inside[..inside.len() - inside.trim_start().len()];
        let indent = space.rsplit_once('\n')?.1;
        Some(indent).filter(|indent| !indent.is_empty() && !self.members.is_empty())
    }

    /// What to write where so that the object, itself `depth - 1` deep, gets more members.
    fn append(&self, text: &str, new: &[(&str, Value)], indent: &str, depth: usize) -> Option<(Range<usize>, String)> {
        if new.is_empty() {
            return None;
        }
        let members: Vec<String> = new
            .iter()
            .map(|(name, value)| {
                format!("\n{}{}: {}", indent.repeat(depth), Value::from(*name), pretty(value, indent, depth))
            })
            .collect();
        let members = members.join(",");
        Some(match self.members.last() {
            Some((_, last)) => {
                let end = span(text, last).end;
                (end..end, format!(",{members}"))
            }
            None => (self.span.clone(), format!("{{{members}\n{}}}", indent.repeat(depth - 1))),
        })
    }
}

/// Where a part of a text stands in it.
fn span(text: &str, part: &str) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    start..start + part.len()
}

/// A value in the file's own indentation, as it looks at `depth`.
fn pretty(value: &Value, indent: &str, depth: usize) -> String {
    // Two blanks a level is what serde_json writes; blanks within strings do not start a line.
    let written = format!("{value:#}");
    let mut lines = written.lines();
    let mut text = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        let content = line.trim_start_matches(' ');
        let level = (line.len() - content.len()) / 2;
        text.push('\n');
        text.push_str(&indent.repeat(depth + level));
        text.push_str(content);
    }
    text
}

/// `text` with some parts replaced; they are in order and do not overlap.
fn splice(text: &str, edits: &[(Range<usize>, String)]) -> String {
    let (mut out, mut at) = (String::with_capacity(text.len() + 256), 0);
    for (range, with) in edits {
        out.push_str(text.get(at..range.start).unwrap_or_default());
        out.push_str(with);
        at = range.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// The members of an object as they stand, in their order.
struct Members<'a>(Vec<(String, &'a str)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    members.push((key, value.get()));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

#[cfg(test)]
mod tests;
