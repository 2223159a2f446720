//! In which fields two versions of an app differ.

use super::written;
use crate::resource::App;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// A field that is not the same in both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// `spec.mcp.args[3]`.
    pub field: String,
    /// As JSON; `None`: it is not there, or it is not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// How much of a value is shown.
const SHOWN: usize = 200;

/// The fields in which they differ, in the order of their names. Of values that may be secrets, although they should not
/// be, only that they differ is said: those of environment variables and headers.
pub fn fields(before: &App, after: &App) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    compare(String::new(), Some(&written(before)), Some(&written(after)), &mut changes);
    changes
}

fn compare(field: String, before: Option<&Value>, after: Option<&Value>, changes: &mut Vec<FieldChange>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Some(Value::Object(a)), Some(Value::Object(b))) if !is_reference(a) && !is_reference(b) => {
            let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for name in names {
                let inner = if field.is_empty() { name.clone() } else { format!("{field}.{name}") };
                compare(inner, a.get(name), b.get(name), changes);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for index in 0..a.len().max(b.len()) {
                compare(format!("{field}[{index}]"), a.get(index), b.get(index), changes);
            }
        }
        _ => {
            let hidden = field.starts_with("spec.mcp.env") || field.starts_with("spec.rewrite.headers");
            let show = |value: Option<&Value>| value.filter(|_| !hidden).map(shown);
            changes.push(FieldChange { before: show(before), after: show(after), field });
        }
    }
}

/// Whether it says where a value comes from.
fn is_reference(map: &serde_json::Map<String, Value>) -> bool {
    map.contains_key("secret") || map.contains_key("from_agent")
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
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
                vec![change("spec.mcp.limits", None, Some("{\"memory\":\"1Mi\"}"))],
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
