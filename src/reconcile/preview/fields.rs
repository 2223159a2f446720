//! In which fields two versions of an app differ.

use super::written;
use crate::{manifest::risk::secret, resource::App};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// A field that is not the same in both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldChange {
    /// `spec.mcp.args[3]`.
    pub field: String,
    /// As JSON; `None`: it is not there, or it is not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Fields of which no value is shown.
const HIDDEN: [&str; 2] = ["spec.mcp.env", "spec.rewrite"];

/// How much of a value is shown.
const SHOWN: usize = 200;

/// The fields in which they differ, in the order of their names. Of values that may be secrets, although they should not
/// be, only that they differ is said: those of environment variables and headers, and what looks like one elsewhere.
pub fn fields(before: &App, after: &App) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    compare(String::new(), Some(&written(before)), Some(&written(after)), &mut changes);
    changes
}

fn compare(field: String, before: Option<&Value>, after: Option<&Value>, changes: &mut Vec<FieldChange>) {
    if before == after {
        return;
    }
    let none = Value::Null;
    match (before.unwrap_or(&none), after.unwrap_or(&none)) {
        // What is not there is compared like what is empty, so that what is shown is always a single value.
        (a @ (Value::Object(_) | Value::Null), b @ (Value::Object(_) | Value::Null))
            if a.is_object() || b.is_object() =>
        {
            let (a, b) = (a.as_object(), b.as_object());
            if [a, b].into_iter().flatten().any(is_reference) {
                return changes.push(FieldChange { field, before: None, after: None });
            }
            let names: BTreeSet<&String> = [a, b].into_iter().flatten().flat_map(|map| map.keys()).collect();
            for name in names {
                let inner = if field.is_empty() { name.clone() } else { format!("{field}.{name}") };
                compare(inner, a.and_then(|a| a.get(name)), b.and_then(|b| b.get(name)), changes);
            }
        }
        (a @ (Value::Array(_) | Value::Null), b @ (Value::Array(_) | Value::Null)) if a.is_array() || b.is_array() => {
            let (a, b) = (a.as_array(), b.as_array());
            for index in 0..a.map_or(0, Vec::len).max(b.map_or(0, Vec::len)) {
                let field = format!("{field}[{index}]");
                let (one, other) = (a.and_then(|a| a.get(index)), b.and_then(|b| b.get(index)));
                match [a, b].into_iter().flatten().any(|list| is_secret_by_name(list, index)) && one != other {
                    true => changes.push(FieldChange { field, before: None, after: None }),
                    false => compare(field, one, other, changes),
                }
            }
        }
        _ => {
            let hidden = HIDDEN.iter().any(|hidden| field.starts_with(hidden));
            let show = |value: Option<&Value>| value.filter(|_| !hidden).and_then(shown);
            changes.push(FieldChange { before: show(before), after: show(after), field });
        }
    }
}

/// Whether it says where a value comes from.
fn is_reference(map: &serde_json::Map<String, Value>) -> bool {
    map.contains_key("secret") || map.contains_key("from_agent")
}

/// Whether an argument is a secret because the one before it says so: `--password`.
fn is_secret_by_name(list: &[Value], index: usize) -> bool {
    let text = |index: usize| list.get(index).and_then(Value::as_str);
    let name = index.checked_sub(1).and_then(text).filter(|name| name.starts_with('-'));
    name.zip(text(index)).is_some_and(|(name, value)| secret::literal(name, value).is_some())
}

/// A value for people; `None` if it looks like a secret.
fn shown(value: &Value) -> Option<String> {
    if value.as_str().is_some_and(|text| secret::within(text).is_some()) {
        return None;
    }
    let text = value.to_string();
    Some(match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::parse_file;
    use crate::resource::Resource;
    use std::sync::Arc;

    fn app(spec: &str) -> Arc<App> {
        let text = format!("kind: app\nversion: v3\nmetadata: {{name: a}}\nspec: {spec}\n");
        match parse_file("a.yaml", text.as_bytes()).resources.into_iter().next().map(|located| located.resource) {
            Some(Resource::App(app)) => app,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn what_differs_is_named() {
        let change = |field: &str, before: Option<&str>, after: Option<&str>| FieldChange {
            field: field.to_owned(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        };
        for (before, after, expected) in [
            ("{mcp: {command: a}}", "{mcp: {command: a}}", vec![]),
            // A default that is written out is no difference.
            ("{mcp: {command: a}}", "{mcp: {command: a, warm: 1}}", vec![]),
            (
                "{mcp: {command: a}}",
                "{mcp: {command: b}}",
                vec![change("spec.mcp.command", Some("\"a\""), Some("\"b\""))],
            ),
            (
                "{mcp: {command: a, args: [x, y]}}",
                "{mcp: {command: a, args: [x, z, w]}}",
                vec![
                    change("spec.mcp.args[1]", Some("\"y\""), Some("\"z\"")),
                    change("spec.mcp.args[2]", None, Some("\"w\"")),
                ],
            ),
            (
                "{mcp: {command: a, env: {T: one}}}",
                "{mcp: {command: a, env: {T: {secret: two}}}}",
                vec![change("spec.mcp.env.T", None, None)],
            ),
            (
                "{mcp: {command: a}}",
                "{mcp: {command: a, limits: {memory: 1Mi}}}",
                vec![change("spec.mcp.limits.memory", None, Some("\"1Mi\""))],
            ),
            (
                "{mcp: {command: a}}",
                "{mcp: {command: a, env: {T: hunter22}, args: [--token=abcdef123456]}}",
                vec![change("spec.mcp.args[0]", None, None), change("spec.mcp.env.T", None, None)],
            ),
            (
                "{mcp: {command: a, args: [--password, hunter21]}}",
                "{mcp: {command: a, args: [--password, hunter22]}}",
                vec![change("spec.mcp.args[1]", None, None)],
            ),
            (
                "{uri: 'mcp+https://h.example/?api_key=hunter21'}",
                "{uri: 'mcp+https://h.example/?api_key=hunter22'}",
                vec![change("spec.uri", None, None)],
            ),
            (
                "{uri: 'mcp+https://h.example'}",
                "{uri: 'mcp+https://h.example', rewrite: {headers: ['X-A: hunter22']}}",
                vec![
                    change("spec.rewrite.headers[0].name", None, None),
                    change("spec.rewrite.headers[0].value", None, None),
                ],
            ),
        ] {
            assert_eq!(fields(&app(before), &app(after)), expected, "{before} {after}");
        }
    }

    #[test]
    fn long_values_are_cut() {
        let long = format!("{{mcp: {{command: a, args: [{}]}}}}", "ä".repeat(1000));
        let changes = fields(&app("{mcp: {command: a, args: [b]}}"), &app(&long));
        assert_eq!(changes[0].after.as_ref().map(|after| after.chars().count()), Some(SHOWN + 1));
    }
}
