//! Shows what has reached the server, and says what it is told to, both to the byte.

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};
use serde_json::value::RawValue;
use std::{
    collections::HashMap,
    fmt,
    io::{self, Write},
};

/// What is not for this mode is not looked at, however deep it is.
type Object<'a> = HashMap<Key, &'a RawValue>;

/// A key of an object. Half a surrogate pair is possible in JSON, and no text.
#[derive(PartialEq, Eq, Hash)]
struct Key(Vec<u8>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Key;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Key, E> {
                Ok(Key(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

fn object<'a>(raw: &'a str) -> Object<'a> {
    serde_json::from_str(raw).unwrap_or_default()
}

fn member<'a>(object: &Object<'a>, key: &str) -> Option<&'a str> {
    object.get(&Key(key.into())).map(|raw| raw.get())
}

/// What was no request.
#[derive(Default)]
pub struct Mirror {
    heard: Vec<String>,
}

impl Mirror {
    /// Handles a line; `false`: it is a request of the ordinary kind.
    ///
    /// A request that has `mirror` in its parameters says which lines are to be said. Of the parts of a line every other
    /// one stands for something: `id`, `token` (the progress token), `line` (this message, as a JSON string) or `heard`
    /// (all that was no request since it was last asked for).
    pub fn handle(&mut self, line: &str) -> bool {
        let message = object(line);
        let (Some(id), Some(_)) = (member(&message, "id"), member(&message, "method")) else {
            self.heard.push(line.to_owned());
            return true;
        };
        let params = object(member(&message, "params").unwrap_or("{}"));
        let script = member(&params, "mirror").and_then(|raw| serde_json::from_str::<Vec<Vec<String>>>(raw).ok());
        let Some(script) = script else { return false };
        let meta = object(member(&params, "_meta").unwrap_or("{}"));
        let token = member(&meta, "progressToken").unwrap_or("null");
        let mut stdout = io::stdout().lock();
        for parts in &script {
            let said = parts.iter().enumerate().map(|(n, part)| match (n % 2, part.as_str()) {
                (0, text) => text.to_owned(),
                (_, "id") => id.to_owned(),
                (_, "token") => token.to_owned(),
                (_, "line") => quoted(&line),
                (_, "heard") => quoted(&std::mem::take(&mut self.heard)),
                (_, other) => quoted(&format!("unknown: {other}")),
            });
            let said: String = said.collect();
            if writeln!(stdout, "{said}").and_then(|()| stdout.flush()).is_err() {
                break;
            }
        }
        true
    }
}

fn quoted(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
