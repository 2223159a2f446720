//! Holds a value against its schema, in which nothing may be that is not described.

use jsonschema::Validator;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

pub fn description() -> Value {
    serde_json::to_value(mcpfleet::status::api::description()).unwrap()
}

/// The schemas of a description, closed: what they do not name is wrong.
pub struct Schemas {
    description: Value,
}

impl Schemas {
    pub fn new() -> Schemas {
        let mut description = description();
        let mut parts = BTreeSet::new();
        find_parts(&description, &mut parts);
        let schemas = description["components"]["schemas"].as_object_mut().unwrap();
        for (name, schema) in schemas {
            if !parts.contains(name) {
                close(schema);
                // One without fields.
                if schema["type"] == "object" && schema.get("properties").is_none() {
                    schema["additionalProperties"] = json!(false);
                }
            }
        }
        Schemas { description }
    }

    /// What an answer has to be.
    pub fn of_answer(&self, method: &str, path: &str, status: u16, kind: &str) -> Option<Validator> {
        let responses = &self.description["paths"][path][method]["responses"];
        let range = format!("{}XX", status / 100);
        let response = responses.get(status.to_string()).or_else(|| responses.get(range))?;
        let content = response.get("content")?.get(kind)?;
        Some(self.validator(content.get("schema")?))
    }

    pub fn named(&self, name: &str) -> Validator {
        self.validator(&json!({"$ref": format!("#/components/schemas/{name}")}))
    }

    fn validator(&self, schema: &Value) -> Validator {
        let mut root = schema.as_object().cloned().unwrap_or_default();
        root.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
        root.insert("components".into(), self.description["components"].clone());
        jsonschema::options().should_validate_formats(true).build(&Value::Object(root)).expect("a schema")
    }
}

/// What is wrong with a value.
pub fn faults(validator: &Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// The schemas that are parts of others, which cannot be closed by themselves.
fn find_parts(value: &Value, parts: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| find_parts(item, parts)),
        Value::Object(map) => {
            for part in map.get("allOf").and_then(Value::as_array).into_iter().flatten() {
                let name = part["$ref"].as_str().and_then(|target| target.strip_prefix("#/components/schemas/"));
                parts.extend(name.map(str::to_owned));
            }
            map.values().for_each(|value| find_parts(value, parts));
        }
        _ => {}
    }
}

fn close(schema: &mut Value) {
    let Value::Object(map) = schema else { return };
    if map.contains_key("allOf") {
        map.insert("unevaluatedProperties".into(), json!(false));
        return;
    }
    if map.contains_key("properties") && !map.contains_key("additionalProperties") {
        map.insert("additionalProperties".into(), json!(false));
    }
    let inner = |map: &mut Map<String, Value>, key: &str| {
        if let Some(Value::Object(inner)) = map.get_mut(key) {
            inner.values_mut().for_each(close);
        }
    };
    inner(map, "properties");
    for key in ["items", "additionalProperties"] {
        map.get_mut(key).map(close);
    }
    for key in ["oneOf", "anyOf"] {
        map.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten().for_each(close);
    }
}

/// That the tests here can fail.
#[test]
fn what_is_not_described_is_found() {
    let schemas = Schemas::new();
    let event = json!({"sequence": 1, "time": "2026-01-02T03:04:05Z", "level": "info", "kind": "started", "message": "m", "pid": 7});
    let with = |key: &str, value: Value| {
        let mut event = event.clone();
        event[key] = value;
        faults(&schemas.named("Event"), &event).len()
    };
    assert_eq!(faults(&schemas.named("Event"), &event), [""; 0]);
    assert_eq!(with("more", json!(1)), 1);
    assert!(with("time", json!("yesterday")) > 0);
    assert!(with("pid", json!("7")) > 0);
    let me = json!({"principal": "operator", "by": "socket", "may": {"read": true}});
    assert!(!faults(&schemas.named("Me"), &me).is_empty(), "rights are missing");
    assert_eq!(faults(&schemas.named("Accepted"), &json!({})), [""; 0]);
    assert_eq!(faults(&schemas.named("Accepted"), &json!({"x": 1})).len(), 1);
    let nested = json!({"what": "limits.memory", "by": null, "gap": "g", "new": 1});
    assert_eq!(faults(&schemas.named("Confinement"), &nested).len(), 1);
}
