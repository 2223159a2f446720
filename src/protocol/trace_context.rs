//! W3C Trace Context, in `_meta` of a message (MCP 2026-07-28, "`_meta`": the keys `traceparent`, `tracestate` and
//! `baggage` go without a prefix). Pure.

use super::{Message, Params, members, text_member};
use serde_json::Value;
use std::{borrow::Cow, fmt, ops::Range};

const PARENT: &str = "traceparent";
const STATE: &str = "tracestate";

/// The longest `tracestate` that is taken, in bytes: the standard asks for 512.
pub const MAX_STATE: usize = 512;

/// A `traceparent`: which span, in which trace, and whether that is collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    pub trace_id: u128,
    pub span_id: u64,
    pub sampled: bool,
}

impl TraceParent {
    /// Reads one as strictly as section 3.2.2 of the standard has it: fields of fixed length, in lower case, no id of
    /// zeros; of a version to come what this one has.
    pub fn parse(text: &str) -> Option<TraceParent> {
        let mut parts = text.split('-');
        let version = hexadecimal(parts.next()?, 2)?;
        let trace_id = hexadecimal(parts.next()?, 32).filter(|id| *id != 0)?;
        let span_id = hexadecimal(parts.next()?, 16).filter(|id| *id != 0)?;
        let flags = hexadecimal(parts.next()?, 2)?;
        let more = parts.next().is_some();
        if version == 0xff || version == 0 && more {
            return None;
        }
        Some(TraceParent { trace_id, span_id: u64::try_from(span_id).ok()?, sampled: flags & 1 == 1 })
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TraceParent { trace_id, span_id, sampled } = self;
        write!(f, "00-{trace_id:032x}-{span_id:016x}-{:02x}", u8::from(*sampled))
    }
}

fn hexadecimal(text: &str, length: usize) -> Option<u128> {
    let good = text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    good.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

/// What `_meta` says of the trace that a message belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried<'a> {
    pub traceparent: Option<Cow<'a, str>>,
    pub tracestate: Option<Cow<'a, str>>,
}

impl<'a> Carried<'a> {
    /// From raw JSON. Of several with the same key the last counts, as for most readers.
    pub fn read(meta: Option<&'a str>) -> Carried<'a> {
        let mut carried = Carried::default();
        // Not to be read to the end is to have nothing; that cannot be of a parsed message.
        let _ = members(meta.unwrap_or("{}"), |key, value| match key.as_ref() {
            PARENT => carried.traceparent = text_member(value),
            STATE => carried.tracestate = text_member(value).filter(|state| state.len() <= MAX_STATE),
            _ => {}
        });
        carried
    }
}

/// The changes of a message that put a trace context into its `_meta`, and leave everything else as it is to the byte:
/// parts of [`Message::raw`] with what stands there instead, in order. None where `_meta` or `params` is no object, which is
/// the server's to refuse. An empty `state` goes without, and takes the place of one that is there already.
pub fn carry(message: &Message<'_>, params: &Params<'_>, parent: &str, state: &str) -> Vec<(Range<usize>, String)> {
    let parent = Value::from(parent).to_string();
    let state_text = Value::from(state).to_string();
    let Some(meta) = params.meta else {
        let meta = format!(r#""_meta":{{{}}}"#, both(&parent, &state_text, state.is_empty()));
        return match message.params {
            Some(object) => first(message, object, &meta).into_iter().collect(),
            None => {
                let end = message.raw.len().saturating_sub(1);
                vec![(end..end, format!(r#","params":{{{meta}}}"#))]
            }
        };
    };
    let (mut edits, mut has_parent, mut has_state) = (Vec::new(), false, false);
    let is_object = members(meta, |key, value| match key.as_ref() {
        PARENT => {
            has_parent = true;
            edits.push((message.span(value), parent.clone()));
        }
        STATE => {
            has_state = true;
            edits.push((message.span(value), state_text.clone()));
        }
        _ => {}
    });
    if !matches!(is_object, Ok(true)) {
        return Vec::new();
    }
    let missing = match (has_parent, has_state || state.is_empty()) {
        (true, true) => None,
        (true, false) => Some(format!(r#""{STATE}":{state_text}"#)),
        (false, without_state) => Some(both(&parent, &state_text, without_state)),
    };
    if let Some(edit) = missing.and_then(|text| first(message, meta, &text)) {
        edits.insert(0, edit);
    }
    edits
}

fn both(parent: &str, state: &str, without_state: bool) -> String {
    match without_state {
        true => format!(r#""{PARENT}":{parent}"#),
        false => format!(r#""{PARENT}":{parent},"{STATE}":{state}"#),
    }
}

/// Members at the beginning of an object of the message; `None`: it is none.
fn first(message: &Message<'_>, object: &str, text: &str) -> Option<(Range<usize>, String)> {
    let rest = object.strip_prefix('{')?.trim_start_matches([' ', '\t', '\r', '\n']);
    let at = message.span(object).start + 1;
    let separator = if rest.starts_with('}') { "" } else { "," };
    Some((at..at, format!("{text}{separator}")))
}

#[cfg(test)]
mod tests;
