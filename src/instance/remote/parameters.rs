//! Arguments of tools that are repeated in HTTP headers (2026-07-28, "Custom Headers from Tool Parameters"). Pure.

use crate::protocol::headers::encode;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashSet};

/// The key in the schema of an argument that names its header.
const KEY: &str = "x-mcp-header";

/// The most tools of one server, and arguments of one tool, that are kept.
const MAX_TOOLS: usize = 4096;
const MAX_PARAMETERS: usize = 64;

/// The deepest that an argument with a header may lie.
const MAX_DEPTH: usize = 16;

/// Beyond this, JavaScript does not tell integers apart.
const SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// The arguments that have headers, by tool, as far as the server has told its tools.
#[derive(Debug, Default)]
pub struct Parameters {
    tools: BTreeMap<String, Vec<Parameter>>,
}

#[derive(Debug, PartialEq)]
struct Parameter {
    header: HeaderName,
    /// From the arguments of the call to the value.
    path: Vec<String>,
}

/// The longest page of tools that is looked at, in bytes: read into values it takes a hundred times as much.
const MAX_RESULT: usize = 2 << 20;

impl Parameters {
    /// Takes in the result of `tools/list`. Answers whether anything is different now, and the tools whose headers break
    /// the rules, which get none.
    pub fn learn(&mut self, result: &str) -> (bool, Vec<String>) {
        // Hardly any server has such tools.
        if self.tools.is_empty() && memchr::memmem::find(result.as_bytes(), KEY.as_bytes()).is_none() {
            return (false, Vec::new());
        }
        if result.len() > MAX_RESULT {
            return (false, Vec::new());
        }
        let Ok(result) = serde_json::from_str::<Value>(result) else { return (false, Vec::new()) };
        let (mut changed, mut wrong) = (false, Vec::new());
        for tool in result.get("tools").and_then(Value::as_array).into_iter().flatten() {
            let Some(name) = tool.get("name").and_then(Value::as_str) else { continue };
            let found = tool.get("inputSchema").map_or(Some(Vec::new()), annotated);
            let known = self.tools.get(name);
            match found {
                Some(found) if found.is_empty() => changed |= self.tools.remove(name).is_some(),
                Some(found) if known == Some(&found) => {}
                Some(found) if known.is_some() || self.tools.len() < MAX_TOOLS => {
                    self.tools.insert(name.to_owned(), found);
                    changed = true;
                }
                Some(_) => {}
                None => {
                    changed |= self.tools.remove(name).is_some();
                    wrong.push(name.to_owned());
                }
            }
        }
        (changed, wrong)
    }

    /// Adds the headers of a call. `params` is the raw JSON of the request's `params`.
    pub fn add_to(&self, headers: &mut HeaderMap, tool: &str, params: &str) {
        let Some(parameters) = self.tools.get(tool) else { return };
        let Ok(params) = serde_json::from_str::<Value>(params) else { return };
        for Parameter { header, path } in parameters {
            let value = path.iter().try_fold(params.get("arguments").unwrap_or(&Value::Null), |at, key| at.get(key));
            let value = value.and_then(written).and_then(|text| HeaderValue::from_str(&encode(&text)).ok());
            if let Some(value) = value {
                headers.insert(header.clone(), value);
            }
        }
    }
}

/// A value as its header has it; what has no header for want of a value, or of one that is simple, is `None`.
fn written(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= SAFE_INTEGER);
            // 42.0 is 42.
            Some(float.map_or_else(|| number.to_string(), |float| format!("{float:.0}")))
        }
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The annotated arguments of a schema; `None` if any breaks the rules.
fn annotated(schema: &Value) -> Option<Vec<Parameter>> {
    let (mut found, mut names) = (Vec::new(), HashSet::new());
    descend(schema, &mut Vec::new(), &mut found)?;
    let unique = found.iter().all(|parameter: &Parameter| names.insert(parameter.header.clone()));
    unique.then_some(found)
}

/// Only what `properties` alone lead to can be found in every call.
fn descend(schema: &Value, path: &mut Vec<String>, found: &mut Vec<Parameter>) -> Option<()> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return Some(()) };
    if path.len() >= MAX_DEPTH {
        return Some(());
    }
    for (key, property) in properties {
        path.push(key.clone());
        if let Some(property) = property.as_object()
            && let Some(name) = property.get(KEY)
        {
            let header = name.as_str().filter(|name| !name.is_empty() && is_simple(property))?;
            let header = HeaderName::from_bytes(format!("mcp-param-{header}").as_bytes()).ok()?;
            if found.len() >= MAX_PARAMETERS {
                return None;
            }
            found.push(Parameter { header, path: path.clone() });
        }
        descend(property, path, found)?;
        path.pop();
    }
    Some(())
}

/// Whether a property has a type that a header can carry. `number` is none by the text of the specification, but is
/// used by its own tests.
fn is_simple(property: &Map<String, Value>) -> bool {
    let simple = |kind: &Value| matches!(kind.as_str(), Some("string" | "integer" | "boolean" | "number"));
    match property.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().all(|kind| simple(kind) || kind.as_str() == Some("null")),
        Some(kind) => simple(kind),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sent(schema: &Value, arguments: &Value) -> Result<Vec<(String, String)>, Vec<String>> {
        let mut parameters = Parameters::default();
        let result = json!({ "tools": [{ "name": "t", "inputSchema": schema }] }).to_string();
        let (_, wrong) = parameters.learn(&result);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let mut headers = HeaderMap::new();
        parameters.add_to(&mut headers, "t", &json!({ "name": "t", "arguments": arguments }).to_string());
        Ok(headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect())
    }

    fn of(kind: &str, value: &Value) -> Option<String> {
        let schema = json!({ "properties": { "a": { "type": kind, KEY: "A" } } });
        sent(&schema, &json!({ "a": value })).unwrap().pop().map(|(_, value)| value)
    }

    #[test]
    fn values() {
        for (kind, value, expected) in [
            ("string", json!("us-west1"), Some("us-west1")),
            ("string", json!("Hello, 世界"), Some("=?base64?SGVsbG8sIOS4lueVjA==?=")),
            ("string", json!(" padded "), Some("=?base64?IHBhZGRlZCA=?=")),
            ("string", json!("line1\nline2"), Some("=?base64?bGluZTEKbGluZTI=?=")),
            ("string", json!("=?base64?literal?="), Some("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=")),
            ("string", json!(""), Some("")),
            ("integer", json!(42), Some("42")),
            ("integer", json!(-7), Some("-7")),
            ("integer", json!(42.0), Some("42")),
            ("number", json!(1.5), Some("1.5")),
            ("boolean", json!(true), Some("true")),
            ("string", json!(null), None),
            ("string", json!({}), None),
        ] {
            assert_eq!(of(kind, &value).as_deref(), expected, "{kind} {value}");
        }
    }

    #[test]
    fn places() {
        let nested = json!({ "properties": {
            "a": { "type": "object", "properties": { "b": { "type": ["string", "null"], KEY: "Deep" } } },
            "x-mcp-header": { "type": "string" },
            "list": { "type": "array", "items": { "type": "string", KEY: "Never" } },
        } });
        let headers = sent(&nested, &json!({ "a": { "b": "v" }, "list": ["w"], "x-mcp-header": "x" }));
        assert_eq!(headers, Ok(vec![("mcp-param-deep".into(), "v".into())]));
        assert_eq!(sent(&nested, &json!({ "a": "b" })), Ok(vec![]));
        assert_eq!(sent(&nested, &json!({})), Ok(vec![]));
    }

    #[test]
    fn rules() {
        let property = |kind: &str, name: Value| json!({ "properties": { "a": { "type": kind, KEY: name } } });
        let wrong = Err(vec!["t".to_owned()]);
        for schema in [
            property("string", json!("")),
            property("string", json!("a b")),
            property("string", json!("a\r\nb")),
            property("string", json!(1)),
            property("object", json!("A")),
            json!({ "properties": { "a": { KEY: "A" } } }),
            json!({ "properties": { "a": { "type": "string", KEY: "A" }, "b": { "type": "string", KEY: "a" } } }),
        ] {
            assert_eq!(sent(&schema, &json!({ "a": "v", "b": "w" })), wrong, "{schema}");
        }
    }

    #[test]
    fn a_tool_that_changes_is_learnt_anew() {
        let mut parameters = Parameters::default();
        let list = |tools: Value| json!({ "tools": tools }).to_string();
        let with = |name: &str| json!([{ "name": "t", "inputSchema": { "properties": { "a": { "type": "string", KEY: name } } } }]);
        assert!(!parameters.learn(&list(json!([{ "name": "t" }]))).0);
        assert!(parameters.learn(&list(with("A"))).0 && parameters.tools.contains_key("t"));
        assert!(!parameters.learn(&list(with("A"))).0);
        assert!(!parameters.learn(&list(json!([{ "name": "other" }]))).0 && parameters.tools.contains_key("t"));
        assert!(parameters.learn(&list(with("B"))).0);
        assert!(parameters.learn(&list(json!([{ "name": "t" }]))).0 && !parameters.tools.contains_key("t"));
        assert!(!parameters.learn("no JSON").0);
    }
}
