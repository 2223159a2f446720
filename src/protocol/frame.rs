//! One JSON-RPC message as bytes, with the places that routing needs.

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::HashSet, fmt, ops::Range};

/// Why bytes are not a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Not JSON at all: -32700.
    #[error("the message is not valid JSON: {0}")]
    Json(String),
    /// JSON, but no JSON-RPC message, or an ambiguous one: -32600.
    #[error("{0}")]
    Invalid(String),
}

/// The raw text of a JSON-RPC id: a string with its quotes, or a number in the form in which it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawId<'a>(pub &'a str);

impl<'a> RawId<'a> {
    /// The id as one that the gateway itself has given out.
    pub fn as_mapped(&self) -> Option<u64> {
        // A number as the gateway writes it: `1.0`, `01` and `1e0` are somebody else's.
        self.0.parse().ok().filter(|_| self.0.bytes().all(|b| b.is_ascii_digit()))
    }

    /// What is the same for all forms in which programs write this id: they read `1.0` and write `1`, or write letters
    /// as escapes or as they are. A number that a double cannot hold is only the same as itself.
    pub fn value(self) -> Cow<'a, str> {
        let plain = |c: char| c.is_ascii_digit() || c == '-';
        if self.0.starts_with('"') {
            // As JSON again, so that it is no number.
            let text = self.0.contains('\\').then(|| text_member(self.0)).flatten();
            return text.map_or(Cow::Borrowed(self.0), |text| Cow::Owned(serde_json::Value::from(text).to_string()));
        }
        match self.0.parse::<f64>() {
            Ok(number) if !self.0.chars().all(plain) && number.fract() == 0.0 && number.abs() < 9e15 => {
                Cow::Owned((number as i64).to_string())
            }
            _ => Cow::Borrowed(self.0),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Request,
    Notification,
    Response,
}

/// A message and the raw values of its top level.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// The message without surrounding white space.
    pub raw: &'a str,
    pub kind: Kind,
    /// Of a request or a response.
    pub id: Option<RawId<'a>>,
    /// Of a request or a notification.
    pub method: Cow<'a, str>,
    pub params: Option<&'a str>,
    pub result: Option<&'a str>,
    pub error: Option<&'a str>,
}

impl<'a> Message<'a> {
    /// Reads a message. Later members win over earlier ones of the same name; where that must not be left to
    /// chance, see [`check_unambiguous`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let raw = text(bytes)?;
        let (mut id, mut method, mut params, mut result, mut error) = (None, None, None, None, None);
        let is_object = members(raw, |key, value| match key.as_ref() {
            "id" => id = Some(value),
            "method" => method = Some(value),
            "params" => params = Some(value),
            "result" => result = Some(value),
            "error" => error = Some(value),
            _ => {}
        })?;
        if !is_object {
            return Err(FrameError::Invalid("a message is a JSON object".into()));
        }
        let method = match method.map(text_member) {
            Some(Some(method)) => Some(method),
            Some(None) => return Err(FrameError::Invalid("`method` must be a string".into())),
            None => None,
        };
        let id = match id {
            Some(raw) if raw.starts_with('"') || is_number(raw) => Some(RawId(raw)),
            // An error response to something unreadable has a null id.
            Some(raw @ "null") if method.is_none() => Some(RawId(raw)),
            Some(_) => return Err(FrameError::Invalid("`id` must be a string or a number".into())),
            None => None,
        };
        let kind = match (&method, id) {
            (Some(_), Some(_)) => Kind::Request,
            (Some(_), None) => Kind::Notification,
            (None, Some(_)) if result.is_some() != error.is_some() => Kind::Response,
            _ => return Err(FrameError::Invalid("neither a request nor a notification nor a response".into())),
        };
        if kind != Kind::Response && params.is_some_and(|p| !p.starts_with('{')) {
            return Err(FrameError::Invalid("`params` must be an object".into()));
        }
        Ok(Message { raw, kind, id, method: method.unwrap_or_default(), params, result, error })
    }

    /// The part of the message that `value`, one of its raw members, takes.
    pub fn span(&self, value: &str) -> Range<usize> {
        let start = (value.as_ptr() as usize).saturating_sub(self.raw.as_ptr() as usize);
        start..start + value.len()
    }

    /// The members of `params` that routing needs.
    pub fn params(&self) -> Params<'a> {
        self.params.map(Params::parse).unwrap_or_default()
    }

    /// The `code` of an error response.
    pub fn error_code(&self) -> Option<i64> {
        let mut code = None;
        members(self.error?, |key, value| {
            if key == "code" {
                code = value.parse().ok();
            }
        })
        .ok()?;
        code
    }
}

/// What routing needs of `params`, or of a `result`; raw JSON values.
#[derive(Clone, Debug, Default)]
pub struct Params<'a> {
    pub name: Option<&'a str>,
    pub arguments: Option<&'a str>,
    pub uri: Option<&'a str>,
    /// Of `notifications/cancelled`.
    pub request_id: Option<&'a str>,
    /// Of `notifications/progress`.
    pub progress_token: Option<&'a str>,
    /// Of `initialize`.
    pub protocol_version: Option<&'a str>,
    pub level: Option<&'a str>,
    pub meta: Option<&'a str>,
    pub meta_progress_token: Option<&'a str>,
    pub meta_version: Option<&'a str>,
    pub meta_capabilities: Option<&'a str>,
    pub meta_log_level: Option<&'a str>,
    pub meta_subscription_id: Option<&'a str>,
}

impl<'a> Params<'a> {
    /// Reads an object that is known to be valid JSON; anything else has none of the members.
    pub fn parse(object: &'a str) -> Self {
        let mut p = Params::default();
        let read = members(object, |key, value| match key.as_ref() {
            "name" => p.name = Some(value),
            "arguments" => p.arguments = Some(value),
            "uri" => p.uri = Some(value),
            "requestId" => p.request_id = Some(value),
            "progressToken" => p.progress_token = Some(value),
            "protocolVersion" => p.protocol_version = Some(value),
            "level" => p.level = Some(value),
            "_meta" => p.meta = Some(value),
            _ => {}
        });
        debug_assert!(read.is_ok(), "params of a parsed message are valid JSON");
        if let Some(meta) = p.meta {
            let read = members(meta, |key, value| match key.as_ref() {
                "progressToken" => p.meta_progress_token = Some(value),
                super::meta::PROTOCOL_VERSION => p.meta_version = Some(value),
                super::meta::CLIENT_CAPABILITIES => p.meta_capabilities = Some(value),
                super::meta::LOG_LEVEL => p.meta_log_level = Some(value),
                super::meta::SUBSCRIPTION_ID => p.meta_subscription_id = Some(value),
                _ => {}
            });
            debug_assert!(read.is_ok(), "params of a parsed message are valid JSON");
        }
        p
    }
}

/// Refuses what two readers could understand differently: a key twice at the top level or directly in `params`, or a
/// key there that becomes one of those that decide only when case is ignored. `known` are the message's own `params`.
pub fn check_unambiguous(message: &Message<'_>, known: &Params<'_>) -> Result<(), FrameError> {
    const TOP: &[&str] = &["jsonrpc", "id", "method", "params", "result", "error"];
    const PARAMS: &[&str] = &["name", "arguments", "uri", "method", "id", "params", "_meta", "requestId"];
    unambiguous_keys(message.raw, TOP)?;
    let Some(params) = message.params else { return Ok(()) };
    unambiguous_keys(params, PARAMS)?;
    known.meta.map_or(Ok(()), one_progress_token)
}

/// Refuses a second progress token in `_meta`, where everything else is the client's business: only one is mapped, and a
/// server that goes by the other would report to whoever has that number.
fn one_progress_token(meta: &str) -> Result<(), FrameError> {
    const KEY: &str = "progressToken";
    let (mut count, mut exact) = (0, true);
    members(meta, |key, _| {
        if equal_without_case(KEY, &key) {
            count += 1;
            exact &= key == KEY;
        }
    })?;
    match (count, exact) {
        (0 | 1, true) => Ok(()),
        _ => Err(FrameError::Invalid(format!("`_meta` has more than one `{KEY}`, or one that is written otherwise"))),
    }
}

fn unambiguous_keys(object: &str, deciding: &[&str]) -> Result<(), FrameError> {
    // A few keys are compared one by one; only a message with many needs a set.
    let mut few: Vec<Cow<'_, str>> = Vec::with_capacity(8);
    let mut many: HashSet<Cow<'_, str>> = HashSet::new();
    let mut fault = None;
    members(object, |key, _| {
        if let Some(exact) = deciding.iter().find(|d| **d != key && equal_without_case(d, &key)) {
            fault.get_or_insert_with(|| format!("the key {key:?} differs from `{exact}` only in case"));
        }
        let seen = if few.len() < 8 {
            few.contains(&key) || {
                few.push(key.clone());
                false
            }
        } else {
            few.contains(&key) || !many.insert(key.clone())
        };
        if seen {
            fault.get_or_insert_with(|| format!("the key {key:?} stands twice in one object"));
        }
    })?;
    fault.map_or(Ok(()), |f| Err(FrameError::Invalid(f)))
}

/// Whether a reader that ignores case takes `key` for `ascii`. Two letters beyond ASCII are folded into it by Unicode,
/// and by readers that go by it (Go's `encoding/json`): the long s and the Kelvin sign.
fn equal_without_case(ascii: &str, key: &str) -> bool {
    let fold = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    ascii.len() <= key.len() && ascii.chars().map(fold).eq(key.chars().map(fold))
}

/// The content of a raw JSON string; `None` for any other value.
pub fn text_member(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str(raw).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

/// Replaces a part of a message.
#[derive(Clone, Debug)]
pub struct Edit<'a> {
    pub at: Range<usize>,
    pub with: &'a str,
}

/// Appends a message to `out` with some parts replaced, as one line without its end: a line break outside of a string
/// is white space in JSON, and inside of one it cannot stand. Edits are in order and do not overlap.
pub fn one_line(message: &str, edits: &[Edit<'_>], out: &mut Vec<u8>) {
    let start = out.len();
    let mut at = 0;
    out.reserve(message.len() + 24);
    for edit in edits {
        out.extend_from_slice(message.get(at..edit.at.start).unwrap_or_default().as_bytes());
        out.extend_from_slice(edit.with.as_bytes());
        at = edit.at.end;
    }
    out.extend_from_slice(message.get(at..).unwrap_or_default().as_bytes());
    let written = out.get_mut(start..).unwrap_or_default();
    if memchr::memchr2(b'\n', b'\r', written).is_some() {
        written.iter_mut().filter(|b| matches!(b, b'\n' | b'\r')).for_each(|b| *b = b' ');
    }
}

fn text(bytes: &[u8]) -> Result<&str, FrameError> {
    let text = std::str::from_utf8(bytes).map_err(|e| FrameError::Json(e.to_string()))?;
    Ok(text.trim_matches([' ', '\t', '\r', '\n']))
}

fn is_number(raw: &str) -> bool {
    raw.starts_with(|c: char| c == '-' || c.is_ascii_digit())
}

/// Calls `each` with every member of an object, in order, as raw JSON; `false` if the JSON is something else.
///
/// # Errors
/// When it is no JSON.
pub fn members<'a>(json: &'a str, each: impl FnMut(Cow<'a, str>, &'a str)) -> Result<bool, FrameError> {
    struct Members<F>(F);
    impl<'de, F: FnMut(Cow<'de, str>, &'de str)> Visitor<'de> for Members<F> {
        type Value = ();
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
            while let Some(key) = map.next_key::<Key<'de>>()? {
                let value: &'de RawValue = map.next_value()?;
                (self.0)(key.0, value.get());
            }
            Ok(())
        }
    }
    if !json.starts_with('{') {
        // Still say so when it is no JSON at all.
        return match serde_json::from_str::<serde::de::IgnoredAny>(json) {
            Ok(_) => Ok(false),
            Err(e) => Err(FrameError::Json(e.to_string())),
        };
    }
    let mut reader = serde_json::Deserializer::from_str(json);
    reader.deserialize_map(Members(each)).and_then(|()| reader.end()).map_err(|e| FrameError::Json(e.to_string()))?;
    Ok(true)
}

/// A key, borrowed where it has no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_bytes<E>(self, v: &'de [u8]) -> Result<Key<'de>, E> {
                Ok(Key(String::from_utf8_lossy(v)))
            }
            fn visit_bytes<E>(self, v: &[u8]) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(String::from_utf8_lossy(v).into_owned())))
            }
        }
        // As bytes, since half a surrogate pair (`"\ud800"`) is valid JSON and no valid text: a reader that stumbled
        // over such a key would miss the members that follow it, and another would not.
        d.deserialize_bytes(V)
    }
}

#[cfg(test)]
mod tests;
