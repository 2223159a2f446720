//! The JSON Schemas say what the decoders say, as far as a schema can: whatever is read is accepted, and whatever has a
//! wrong shape is refused. `UPDATE_GOLDEN=1` writes the files in docs/schemas anew.

use crate::support::{Home, outside};
use mcpfleet::{
    config::{Config, Environment},
    manifest::{Code, Severity, parse_file},
    schema::{Draft, Subject, schema},
};
use serde::Deserialize as _;
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[tokio::test]
async fn the_files_in_the_documentation_are_up_to_date() {
    let home = Home::new();
    let output = home.mcpfleet(["schema", "--dir", "made"]).output().await.expect("the binary starts");
    assert!(output.status.success(), "{output:?}");
    let folder = root().join("docs/schemas");
    let mut seen = 0;
    for entry in fs::read_dir(home.path().join("made")).expect("a folder") {
        let made = entry.expect("an entry").path();
        let kept = folder.join(made.file_name().expect("a name"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::create_dir_all(&folder).expect("a folder");
            fs::copy(&made, &kept).expect("a file that can be written");
        }
        let same = fs::read_to_string(&made).expect("a schema") == fs::read_to_string(&kept).unwrap_or_default();
        assert!(same, "{}: run UPDATE_GOLDEN=1 cargo nextest run --test it schema::", kept.display());
        seen += 1;
    }
    assert_eq!((seen, fs::read_dir(folder).expect("a folder").count()), (10, 10));
    let one = home.mcpfleet(["schema", "config", "--draft", "7"]).output().await.expect("the binary starts");
    let one: Value = serde_json::from_slice(&one.stdout).expect("JSON");
    assert_eq!(one, schema(Subject::Config, Draft::Draft7));
}

/// A document of the project: where it is from, and what the decoder says of it.
struct Document {
    place: String,
    subject: Subject,
    value: Value,
    codes: BTreeSet<Code>,
}

/// Codes of what is wrong with a document's shape. The others take more than a schema to see.
const SHAPE: &[Code] = &[
    Code::UnknownKind,
    Code::UnknownVersion,
    Code::UnknownField,
    Code::UnsupportedField,
    Code::NotYetSupported,
    Code::EmptyValue,
    Code::WrongType,
    Code::Unquoted,
    Code::InvalidName,
    Code::InvalidLabelKey,
    Code::ReservedLabel,
    Code::InvalidDuration,
    Code::InvalidSize,
    Code::InvalidTimestamp,
    Code::InvalidEmail,
    Code::InvalidDigest,
];

/// Cuts a text into documents, of which each is read by itself. What is no YAML is left out.
fn documents(place: &str, text: &str) -> Vec<Document> {
    let mut found = Vec::new();
    for (index, document) in serde_yaml::Deserializer::from_str(text).enumerate() {
        let Ok(value) = Value::deserialize(document) else { break };
        if value.is_null() {
            continue;
        }
        // As JSON, which is YAML: what depends on how YAML is written is not the schema's business.
        let written = serde_json::to_string(&value).expect("JSON");
        let is_config = value.get("kind").is_none() && value.get("metadata").is_none();
        let (subject, diagnostics) = if is_config {
            let environment = Environment { root: true, base: "/etc/mcpfleet".into(), ..Environment::default() };
            (Subject::Config, Config::read(place, written.as_bytes(), &[], &environment).diagnostics)
        } else {
            (Subject::Resource, parse_file(place, written.as_bytes()).diagnostics)
        };
        let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error);
        let codes = errors.map(|d| d.code).collect();
        found.push(Document { place: format!("{place}#{index}"), subject, value, codes });
    }
    found
}

/// All that the project has: examples, fixtures, and what `explain` shows.
fn all_documents() -> Vec<Document> {
    let mut found = Vec::new();
    for folder in ["example-repo", "tests/fixtures/valid", "tests/fixtures/invalid", "docs"] {
        for entry in walkdir::WalkDir::new(root().join(folder)).sort_by_file_name() {
            let path = entry.expect("a readable folder").into_path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let Ok(text) = fs::read_to_string(&path) else { continue };
                found.extend(documents(&path.display().to_string(), &text));
            }
        }
    }
    for code in Code::ALL {
        let explanation = mcpfleet::manifest::explain::explain(*code);
        if explanation.language == mcpfleet::manifest::explain::Language::Yaml {
            found.extend(documents(&format!("explain {code}: wrong"), explanation.wrong));
            found.extend(documents(&format!("explain {code}: right"), explanation.right));
        }
    }
    found
}

/// What the published checker says of some documents: the places of those that it refuses, with the reason.
fn refused(checker: &Path, subject: Subject, draft: Draft, documents: &[&Document]) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let schema_file = folder.path().join("schema.json");
    fs::write(&schema_file, schema(subject, draft).to_string()).expect("a file");
    let file = |index: usize| folder.path().join(format!("{index}.json"));
    for (index, document) in documents.iter().enumerate() {
        fs::write(file(index), document.value.to_string()).expect("a file");
    }
    let mut command = Command::new(checker);
    command.args(["-o", "json", "--schemafile"]).arg(&schema_file).args((0..documents.len()).map(file));
    let output = command.output().expect("the checker starts");
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let errors = report["errors"].as_array().into_iter().flatten();
    let place = |error: &Value| {
        let name = PathBuf::from(error["filename"].as_str().expect("a file"));
        let index: usize =
            name.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok()).expect("ours");
        documents[index].place.clone()
    };
    errors.map(|error| (place(error), format!("{}: {}", error["path"], error["message"]))).collect()
}

#[test]
fn the_schemas_agree_with_the_decoders() {
    let test = "schema::the_schemas_agree_with_the_decoders";
    let Some(checker) = outside(test, "MCPFLEET_TEST_CHECK_JSONSCHEMA") else { return };
    let all = all_documents();
    for subject in [Subject::Resource, Subject::Config] {
        let documents: Vec<&Document> = all.iter().filter(|document| document.subject == subject).collect();
        for draft in [Draft::Draft2020, Draft::Draft7] {
            let refused = refused(&checker, subject, draft, &documents);
            let mut wrong = Vec::new();
            let (mut good, mut bad) = (0, 0);
            for Document { place, codes, .. } in &documents {
                let by_schema = refused.get(place);
                let by_shape: Vec<&Code> = codes.iter().filter(|code| SHAPE.contains(code)).collect();
                match (codes.is_empty(), by_schema) {
                    (true, Some(why)) => wrong.push(format!("{place} is right, but refused: {why}")),
                    (false, None) if !by_shape.is_empty() => wrong.push(format!("{place} is accepted: {by_shape:?}")),
                    (true, None) => good += 1,
                    (false, _) => bad += 1,
                }
            }
            assert!(wrong.is_empty(), "{subject:?} {draft:?}\n{}", wrong.join("\n"));
            assert!(good >= 3 && bad >= 3, "{subject:?}: only {good} right and {bad} wrong ones");
        }
    }
}

#[test]
fn the_schemas_are_schemas() {
    let Some(checker) = outside("schema::the_schemas_are_schemas", "MCPFLEET_TEST_CHECK_JSONSCHEMA") else { return };
    let files =
        fs::read_dir(root().join("docs/schemas")).expect("a folder").map(|entry| entry.expect("an entry").path());
    let output = Command::new(checker).arg("--check-metaschema").args(files).output().expect("the checker starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// A field of the schema: how one gets there from the document, and what has to be there besides.
struct Place {
    path: Vec<String>,
    remote: bool,
}

/// All fields of a schema that are not under a free key twice.
fn places(value: &Value, defs: &Map<String, Value>, path: &[String], remote: bool, found: &mut Vec<Place>) {
    if let Some(target) = value["$ref"].as_str() {
        let name = target.rsplit('/').next().expect("a name");
        return places(&defs[name], defs, path, remote, found);
    }
    for list in ["allOf", "anyOf"] {
        value[list].as_array().into_iter().flatten().for_each(|one| places(one, defs, path, remote, found));
    }
    if value["then"].is_object() && value["else"].is_object() {
        places(&value["then"], defs, path, true, found);
        places(&value["else"], defs, path, false, found);
    }
    let step = |name: &str| [path, &[name.to_owned()]].concat();
    for (name, property) in value["properties"].as_object().into_iter().flatten() {
        found.push(Place { path: step(name), remote });
        places(property, defs, &step(name), remote, found);
    }
    if value["items"].is_object() {
        places(&value["items"], defs, &step("[]"), remote, found);
    }
    if value["additionalProperties"].is_object() {
        places(&value["additionalProperties"], defs, &step("x"), remote, found);
    }
}

/// Puts a value at a path, in what is there.
fn put(target: &mut Value, path: &[String], value: Value) {
    match path {
        [] => *target = value,
        [first, rest @ ..] if first == "[]" => {
            let mut item = Value::Null;
            put(&mut item, rest, value);
            *target = json!([item]);
        }
        [first, rest @ ..] => {
            if !target.is_object() {
                *target = json!({});
            }
            put(&mut target[first.as_str()], rest, value);
        }
    }
}

/// No field of a schema is one that the decoder does not know.
#[test]
fn the_decoders_know_every_field() {
    let mut seen = 0;
    for (subject, version) in
        [(Subject::App, "v3"), (Subject::Role, "v8"), (Subject::User, "v2"), (Subject::Config, "")]
    {
        let value = schema(subject, Draft::Draft2020);
        let defs = value["$defs"].as_object().expect("definitions");
        let mut found = Vec::new();
        places(&value, defs, &[], false, &mut found);
        for Place { path, remote } in found {
            let mut document = match subject {
                Subject::Config => json!({}),
                _ => json!({"kind": subject.name(), "version": version, "metadata": {"name": "x"}, "spec": {}}),
            };
            if remote {
                let at = path.iter().position(|part| part == "spec").expect("a spec") + 1;
                put(&mut document, &[&path[..at], &["uri".to_owned()]].concat(), json!("mcp+http://example.com"));
            }
            if path.iter().any(|part| part == "authorization") {
                put(&mut document, &["sources".to_owned(), "[]".to_owned(), "git".to_owned()], json!({"url": "/r"}));
            }
            let (name, above) = path.split_last().expect("a field");
            put(&mut document, &[above, std::slice::from_ref(name)].concat(), json!("x"));
            let text = document.to_string();
            let diagnostics = match subject {
                Subject::Config => {
                    let environment = Environment { root: true, base: "/".into(), ..Environment::default() };
                    Config::read("x", text.as_bytes(), &[], &environment).diagnostics
                }
                _ => parse_file("x", text.as_bytes()).diagnostics,
            };
            let unknown = diagnostics.iter().find(|d| {
                matches!(d.code, Code::UnknownField | Code::UnsupportedField)
                    && d.message.contains(&format!("`{name}`"))
            });
            assert!(unknown.is_none(), "{subject:?} {}: {unknown:?}", path.join("."));
            seen += 1;
        }
    }
    assert!(seen > 150, "only {seen} fields were found");
}

/// No field that a decoder asks for is missing in the schemas.
#[test]
fn the_schemas_know_every_field() {
    let mut known = BTreeSet::new();
    fn names(value: &Value, known: &mut BTreeSet<String>) {
        known.extend(value["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone()));
        match value {
            Value::Array(items) => items.iter().for_each(|item| names(item, known)),
            Value::Object(map) => map.values().for_each(|value| names(value, known)),
            _ => {}
        }
    }
    for subject in [Subject::Resource, Subject::Config] {
        names(&schema(subject, Draft::Draft2020), &mut known);
    }
    let asks = regex::Regex::new(r#"\.(?:required|optional|nullable|decode)\((?:"[a-z.]*", )?"([a-z0-9_]+)""#)
        .expect("a pattern");
    let mut asked = BTreeSet::new();
    for folder in ["src/manifest/decode", "src/config/decode"] {
        for entry in walkdir::WalkDir::new(root().join(folder)) {
            let path = entry.expect("a readable folder").into_path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(path).expect("a source");
                asked.extend(asks.captures_iter(&text).map(|found| found[1].to_owned()));
            }
        }
    }
    assert!(asked.len() > 100, "only {} fields were found", asked.len());
    // The example in the documentation of the decoders.
    asked.remove("retries");
    let missing: Vec<_> = asked.difference(&known).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
