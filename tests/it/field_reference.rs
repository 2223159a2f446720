//! The reference of all fields is made from the schemas, in which what a field is for is said once. `UPDATE_GOLDEN=1`
//! writes the pages anew.

use mcpfleet::schema::{Draft, Subject, schema};
use serde_json::{Map, Value};
use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};

/// Forms that are explained once, at the end of a page, instead of wherever they stand.
const FORMS: &[&str] = &[
    "absolute_path",
    "cpu",
    "duration",
    "host_user",
    "name",
    "secret_name",
    "selector",
    "selectors",
    "size",
    "variable",
];

struct Page {
    text: String,
    defs: Map<String, Value>,
    /// Those of [`FORMS`] that a table has named.
    named: BTreeSet<&'static str>,
}

impl Page {
    fn new(title: &str) -> Page {
        let text = format!(
            "# {title}\n\nThis page is made from the JSON Schemas, which `mcpfleet schema` prints. A field with ✱ must be there. \
             `[]` is an entry of a list, and `KEY` a key that one chooses.\n"
        );
        Page { text, defs: Map::new(), named: BTreeSet::new() }
    }

    /// The form that a schema refers to, if one alone.
    fn target<'v>(&self, value: &'v Value) -> Option<&'v str> {
        value["allOf"][0]["$ref"].as_str()?.strip_prefix("#/$defs/")
    }

    /// A schema with what it refers to; what it says itself goes first.
    fn resolved(&self, value: &Value) -> Value {
        let Some(target) = self.target(value) else { return value.clone() };
        let mut all = self.resolved(&self.defs[target]);
        for (key, own) in value.as_object().into_iter().flatten().filter(|(key, _)| *key != "allOf") {
            all[key] = own.clone();
        }
        all
    }

    /// In a few words, what values there are.
    fn kind(&mut self, value: &Value) -> String {
        if let Some(form) = self.target(value).and_then(|name| FORMS.iter().find(|form| **form == name)) {
            self.named.insert(form);
            return format!("[{0}](#{0})", form.replace('_', "-"));
        }
        let value = self.resolved(value);
        if let Some(all) = value["anyOf"].as_array() {
            let mut kinds: Vec<String> = Vec::new();
            for one in all.iter().filter(|one| one["type"] != "null") {
                let kind = self.kind(one);
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            }
            return kinds.join(" or ");
        }
        if let Some(words) = value["enum"].as_array() {
            return words.iter().map(|word| format!("`{}`", plain(word))).collect::<Vec<_>>().join(", ");
        }
        match value["type"].as_str() {
            Some("string") => "text".to_owned(),
            Some("boolean") => "`true`, `false`".to_owned(),
            Some("integer" | "number") => match (value["minimum"].as_f64(), value["maximum"].as_f64()) {
                (Some(_), Some(most)) if most < 1e9 => format!("{} to {}", value["minimum"], value["maximum"]),
                (Some(_), _) => format!("number, at least {}", value["minimum"]),
                _ => "number".to_owned(),
            },
            Some("array") => format!("list of {}", self.kind(&value["items"])),
            Some("object") if value["additionalProperties"].is_object() => {
                format!("map of {}", self.kind(&value["additionalProperties"]))
            }
            Some("object") => "fields".to_owned(),
            Some("null") | None => "nothing yet".to_owned(),
            Some(other) => panic!("{other}"),
        }
    }

    fn table(&mut self, heading: &str, prefix: &str, value: &Value) {
        let mut rows = Vec::new();
        self.rows(prefix, value, &mut rows);
        let _ = write!(self.text, "\n## {heading}\n\n| field | values | default | |\n| --- | --- | --- | --- |\n");
        rows.iter().for_each(|row| self.text.push_str(row));
    }

    /// The rows of all fields below a place.
    fn rows(&mut self, place: &str, value: &Value, rows: &mut Vec<String>) {
        if self.target(value).is_some_and(|name| FORMS.contains(&name)) {
            return;
        }
        let value = self.resolved(value);
        let required: Vec<&str> =
            value["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, property) in value["properties"].as_object().into_iter().flatten() {
            let below = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
            let kind = self.kind(property);
            let whole = self.resolved(property);
            let default = whole.get("default").filter(|default| !default.is_null());
            let default = default.map(|default| format!("`{}`", plain(default))).unwrap_or_default();
            let star = if required.contains(&name.as_str()) { " ✱" } else { "" };
            let mut about = property["description"].as_str().or(whole["description"].as_str()).unwrap_or("").to_owned();
            if let Some(example) = property["examples"].get(0) {
                let _ = write!(about, " For example `{}`.", plain(example));
            }
            let cells = [format!("`{below}`{star}"), kind, default, about].map(|cell| cell.replace('|', "\\|"));
            // What several forms of one thing have in common is said once.
            let row = format!("| {} |\n", cells.join(" | "));
            if !rows.contains(&row) {
                rows.push(row);
            }
            self.rows(&below, property, rows);
        }
        self.rows_of(&format!("{place}[]"), &value["items"], rows);
        self.rows_of(&format!("{place}.KEY"), &value["additionalProperties"], rows);
        for one in value["anyOf"].as_array().into_iter().flatten() {
            self.rows(place, one, rows);
        }
    }

    fn rows_of(&mut self, place: &str, value: &Value, rows: &mut Vec<String>) {
        if value.is_object() {
            self.rows(place, value, rows);
        }
    }

    fn forms(&mut self) {
        self.text.push_str("\n## Forms of values\n");
        for name in self.named.clone() {
            let value = &self.defs[name];
            let about = value["description"].as_str().unwrap_or_default();
            let _ = write!(self.text, "\n### {}\n\n{about} ", name.replace('_', "-"));
            if let Some(example) = value["examples"].get(0) {
                let _ = write!(self.text, "For example `{}`.", plain(example));
            }
            self.text.truncate(self.text.trim_end().len());
            self.text.push('\n');
        }
    }

    fn check(self, path: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(&path, &self.text).expect("a file that can be written");
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == self.text,
            "{}: run UPDATE_GOLDEN=1 cargo nextest run --test it field_reference::",
            path.display()
        );
    }
}

/// A value as one would write it: words without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn definitions(value: &Value) -> Map<String, Value> {
    value["$defs"].as_object().expect("definitions").clone()
}

#[test]
fn of_resources_is_up_to_date() {
    let mut page = Page::new("Fields of resources");
    page.defs = definitions(&schema(Subject::Resource, Draft::Draft2020));
    let (app, role, user) = (page.defs["app"].clone(), page.defs["role"].clone(), page.defs["user"].clone());
    page.table("Every resource", "metadata", &app["properties"]["metadata"]);
    let (stdio, remote) = (page.defs["stdio_spec"].clone(), page.defs["remote_spec"].clone());
    page.table("app, of a process", "spec", &stdio);
    page.table("app, of a remote server", "spec", &remote);
    page.table("role", "spec", &role["properties"]["spec"]);
    page.table("user", "spec", &user["properties"]["spec"]);
    page.forms();
    assert!(page.text.contains("| `spec.mcp.command` ✱ | text |"), "{}", page.text);
    page.check("docs/reference/resources.md");
}

#[test]
fn of_the_configuration_is_up_to_date() {
    let mut page = Page::new("Fields of the configuration");
    let value = schema(Subject::Config, Draft::Draft2020);
    page.defs = definitions(&value);
    page.table("The agent's configuration", "", &value);
    page.forms();
    assert!(page.text.contains("| `sources[].git.url` ✱ | text |"), "{}", page.text);
    page.check("docs/reference/configuration.md");
}
