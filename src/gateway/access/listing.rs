//! The tools that a principal may see of those that a server lists.

use super::Permit;
use crate::protocol::{members, text_member};
use serde_json::value::RawValue;
use std::ops::Range;

/// The answer to `tools/list` with only the tools of a permit; `None` if nothing is to be taken away.
///
/// Whole elements go, and the rest stays to the byte. What cannot be told to be a tool that is permitted is none: an
/// element without a name, or with several that are not all permitted; and where there should be a list and is none, the
/// client gets an empty one.
pub fn permitted_tools(answer: &str, permit: &Permit) -> Option<String> {
    if !permit.is_restricted() {
        return None;
    }
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    each_member(answer, "result", |result| {
        each_member(result, "tools", |tools| {
            if let Some(permitted) = permitted(tools, permit) {
                edits.push((span(answer, tools), permitted));
            }
        });
    });
    if edits.is_empty() {
        return None;
    }
    let (mut out, mut at) = (String::with_capacity(answer.len()), 0);
    for (range, with) in edits {
        out.push_str(answer.get(at..range.start).unwrap_or_default());
        out.push_str(&with);
        at = range.end;
    }
    out.push_str(answer.get(at..).unwrap_or_default());
    Some(out)
}

/// Every value of that name, also where it stands twice or with other capitals: some reader may take any of them.
fn each_member<'a>(object: &'a str, name: &str, mut each: impl FnMut(&'a str)) {
    // What is no JSON never gets here; if it did, it would have no members.
    let _ = members(object, |key, value| {
        if key.eq_ignore_ascii_case(name) {
            each(value);
        }
    });
}

/// The raw text of a list without what is not permitted; `None` if it stays as it is.
fn permitted(tools: &str, permit: &Permit) -> Option<String> {
    let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(tools) else { return Some("[]".to_owned()) };
    let spans: Vec<(Range<usize>, bool)> =
        elements.iter().map(|tool| (span(tools, tool.get()), is_permitted(tool.get(), permit))).collect();
    if spans.iter().all(|(_, kept)| *kept) {
        return None;
    }
    // What stands before an element goes with it, but for the first one: its bracket does not belong to it.
    let head = 0..spans.first().map_or(0, |(first, _)| first.start);
    let mut out = String::with_capacity(tools.len());
    let mut end = 0;
    for (element, kept) in spans {
        if kept {
            let before = if out.is_empty() { head.clone() } else { end..element.start };
            out.push_str(tools.get(before).unwrap_or_default());
            out.push_str(tools.get(element.clone()).unwrap_or_default());
        }
        end = element.end;
    }
    if out.is_empty() {
        return Some("[]".to_owned());
    }
    out.push_str(tools.get(end..).unwrap_or_default());
    Some(out)
}

fn is_permitted(tool: &str, permit: &Permit) -> bool {
    let (mut named, mut permitted) = (false, true);
    each_member(tool, "name", |name| {
        named = true;
        permitted &= text_member(name).is_some_and(|name| permit.allows_tool(&name));
    });
    named && permitted
}

/// Where a part of a text stands in it.
fn span(text: &str, part: &str) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    start..start + part.len()
}
