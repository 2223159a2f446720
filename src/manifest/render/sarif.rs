//! SARIF 2.1.0, which code scanning reads.

use super::fingerprint::fingerprints;
use crate::manifest::{
    Code, Diagnostic, Position, Severity,
    explain::{Explanation, Language, explain},
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// How many results GitHub takes of a run.
const MAX_RESULTS: usize = 25_000;

/// How many bytes of results there may be, so that the report stays below the 10 MB that GitHub takes even where
/// nobody compresses it.
const MAX_BYTES: usize = 9_000_000;

/// The report. When there are more diagnostics than the readers of such reports take, errors come before warnings, and
/// the report says how many are left out.
pub fn sarif(diagnostics: &[Diagnostic]) -> Value {
    let mut found: Vec<(&Diagnostic, String)> = diagnostics.iter().zip(fingerprints(diagnostics)).collect();
    if found.len() > MAX_RESULTS {
        found.sort_by_key(|(diagnostic, _)| diagnostic.severity);
    }
    let mut rules: BTreeMap<Code, Severity> = BTreeMap::new();
    for (diagnostic, _) in &found {
        let level = rules.entry(diagnostic.code).or_insert(diagnostic.severity);
        *level = diagnostic.severity.min(*level);
    }
    let index: BTreeMap<Code, usize> = rules.keys().enumerate().map(|(index, code)| (*code, index)).collect();
    let mut room = MAX_BYTES;
    let mut results = Vec::new();
    for (diagnostic, fingerprint) in found.iter().take(MAX_RESULTS) {
        let result = result(diagnostic, fingerprint, index.get(&diagnostic.code));
        let Some(left) = room.checked_sub(result.to_string().len()) else { break };
        room = left;
        results.push(result);
    }
    let mut invocation = json!({ "executionSuccessful": true });
    let left_out = found.len() - results.len();
    if left_out > 0
        && let Some(invocation) = invocation.as_object_mut()
    {
        let text = format!("{left_out} more findings are left out: they are more than fit into a report");
        let notification = json!({ "level": "warning", "message": { "text": text } });
        invocation.insert("toolExecutionNotifications".into(), json!([notification]));
    }
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "mcpfleet",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|(code, severity)| rule(*code, *severity)).collect::<Value>(),
            } },
            "invocations": [invocation],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn rule(code: Code, severity: Severity) -> Value {
    let Explanation { summary, why, language, wrong, right } = explain(code);
    let fence = match language {
        Language::Yaml => "yaml",
        Language::Sh => "sh",
    };
    json!({
        "id": code,
        "shortDescription": { "text": summary },
        "fullDescription": { "text": format!("{summary}. {why}") },
        "defaultConfiguration": { "level": level(severity) },
        "help": {
            "text": format!("{why}\n\nWrong:\n\n{wrong}\nRight:\n\n{right}"),
            "markdown": format!("{why}\n\nWrong:\n\n```{fence}\n{wrong}```\n\nRight:\n\n```{fence}\n{right}```\n"),
        },
    })
}

fn result(diagnostic: &Diagnostic, fingerprint: &str, rule: Option<&usize>) -> Value {
    let Diagnostic { severity, code, message, help, path, position, related, .. } = diagnostic;
    let mut text = message.clone();
    if let Some(help) = help {
        text += &format!("\n{help}");
    }
    let mut result = json!({
        "ruleId": code,
        "level": level(*severity),
        "message": { "text": unlinked(&text) },
        "locations": [{ "physicalLocation": place(path, region(diagnostic)) }],
        "partialFingerprints": { "mcpfleet/v1": fingerprint },
    });
    let Some(fields) = result.as_object_mut() else { return result };
    if let Some(rule) = rule {
        fields.insert("ruleIndex".into(), json!(rule));
    }
    if !related.is_empty() {
        let at = |at: Position| json!({ "startLine": at.line, "startColumn": at.column });
        let one = |(id, related): (usize, &crate::manifest::Related)| {
            json!({
                "id": id + 1,
                "message": { "text": unlinked(&related.message) },
                "physicalLocation": place(&related.path, related.position.map(at)),
            })
        };
        fields.insert("relatedLocations".into(), related.iter().enumerate().map(one).collect());
    }
    let mut properties = Map::new();
    if let Some(pointer) = &diagnostic.pointer {
        properties.insert("pointer".into(), json!(pointer));
    }
    if let (Some(document), Some(_)) = (diagnostic.document, position) {
        properties.insert("document".into(), json!(document));
    }
    if !properties.is_empty() {
        fields.insert("properties".into(), properties.into());
    }
    result
}

/// A text in which nothing is a link, as `[text](target)` would be.
fn unlinked(text: &str) -> String {
    text.replace("](", "] (")
}

fn place(path: &str, region: Option<Value>) -> Value {
    let mut place = json!({ "artifactLocation": artifact(path) });
    if let (Some(region), Some(fields)) = (region, place.as_object_mut()) {
        fields.insert("region".into(), region);
    }
    place
}

/// A path as a URI: relative ones start where the report is made, which is meant to be the root of the repository.
fn artifact(path: &str) -> Value {
    let mut uri = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri += &format!("%{byte:02X}");
        }
    }
    match path.starts_with('/') {
        true => json!({ "uri": format!("file://{uri}") }),
        false => json!({ "uri": uri, "uriBaseId": "%SRCROOT%" }),
    }
}

/// What is meant, which ends on its line.
fn region(diagnostic: &Diagnostic) -> Option<Value> {
    let Position { line, column } = diagnostic.position?;
    let mut region = json!({ "startLine": line, "startColumn": column });
    if let (Some(text), Some(length), Some(fields)) = (&diagnostic.line_text, diagnostic.length, region.as_object_mut())
    {
        let last = u32::try_from(text.chars().count()).unwrap_or(u32::MAX).saturating_add(1);
        let end = column.saturating_add(length).min(last.max(column));
        fields.insert("endColumn".into(), json!(end));
    }
    Some(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_left_out_and_said() {
        let warning = Diagnostic { severity: Severity::Warning, ..Diagnostic::about_file(Code::Tag, "a.yaml", "w") };
        let error = Diagnostic::about_file(Code::Syntax, "z.yaml", "e");
        let many: Vec<_> = std::iter::repeat_n(warning, MAX_RESULTS).chain([error]).collect();
        let report = sarif(&many);
        let run = &report["runs"][0];
        let results = run["results"].as_array().unwrap();
        assert_eq!(results[0]["ruleId"], "syntax", "errors come first");
        assert_eq!(results.len(), MAX_RESULTS);
        let said = &run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"];
        assert!(said.as_str().unwrap().starts_with("1 more"), "{said}");

        let long = Diagnostic::about_file(Code::Tag, "a.yaml", "x".repeat(2_000));
        let report = sarif(&vec![long; 10_000]);
        assert!(report.to_string().len() < 10_000_000);
        let kept = report["runs"][0]["results"].as_array().map_or(0, Vec::len);
        assert!((3_000..5_000).contains(&kept), "{kept}");
    }

    #[test]
    fn places_are_uris() {
        assert_eq!(artifact("a b/ü#?%.yaml"), json!({ "uri": "a%20b/%C3%BC%23%3F%25.yaml", "uriBaseId": "%SRCROOT%" }));
        assert_eq!(artifact("/etc/a.yaml"), json!({ "uri": "file:///etc/a.yaml" }));
    }
}
