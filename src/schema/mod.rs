//! JSON Schemas of resources and of the agent's configuration, for editors and for checks without mcpfleet.
//!
//! A schema says what can be said of a document's shape: fields, types, words, patterns. What a file means together with
//! others, or what takes more than a pattern to see, is checked by [`crate::manifest`] alone. Tests hold the two together:
//! whatever is read without an error the schema accepts, and whatever is wrong in its shape it refuses.

mod app;
mod config;
mod form;
mod role;
mod user;
mod values;

use form::{Form, of_object, word};
use serde_json::{Map, Value, json};

/// What a schema is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Any resource, by its `kind`.
    Resource,
    App,
    Role,
    User,
    /// The agent's configuration.
    Config,
}

impl Subject {
    pub const ALL: [Subject; 5] = [Subject::Resource, Subject::App, Subject::Role, Subject::User, Subject::Config];

    /// As files and commands call it.
    pub fn name(self) -> &'static str {
        match self {
            Subject::Resource => "resource",
            Subject::App => "app",
            Subject::Role => "role",
            Subject::User => "user",
            Subject::Config => "config",
        }
    }
}

/// In which words a schema is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draft {
    /// What editors understand.
    Draft7,
    Draft2020,
}

/// The schema of a subject.
pub fn schema(subject: Subject, draft: Draft) -> Value {
    let (root, title) = match subject {
        Subject::Resource => (resource(), "A resource of mcpfleet"),
        Subject::App => (app(), "An app of mcpfleet: the definition of one MCP server"),
        Subject::Role => (role(), "A role of mcpfleet"),
        Subject::User => (user(), "A user of mcpfleet"),
        Subject::Config => (config::config(), "The configuration of an agent of mcpfleet"),
    };
    let mut definitions = values::definitions();
    let parts = [app::definitions(), role::definitions(), config::definitions()];
    definitions.extend(parts.into_iter().flatten());
    if subject == Subject::Resource {
        definitions.extend([("app", app()), ("role", role()), ("user", user())]);
    }
    let all: Map<String, Value> =
        definitions.into_iter().map(|(name, form)| (name.to_owned(), form.into_value())).collect();
    let mut value = root.into_value();
    let used = used(&value, &all);
    let kept: Map<String, Value> = all.into_iter().filter(|(name, _)| used.contains(name)).collect();
    if let Value::Object(map) = &mut value {
        map.insert("title".to_owned(), json!(title));
        map.insert("$defs".to_owned(), Value::Object(kept));
        map.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    }
    match draft {
        Draft::Draft2020 => value,
        Draft::Draft7 => as_draft_7(value),
    }
}

fn resource() -> Form {
    let forms = ["app", "role", "user"].map(|kind| (kind, form::defined(kind)));
    let cases: Vec<(&str, &Form)> = forms.iter().map(|(kind, form)| (*kind, form)).collect();
    of_object("A resource: an app, a role or a user.")
        .requires("kind", word(&["app", "role", "user"]))
        .by_word("kind", &cases)
}

fn app() -> Form {
    document("app", &["v3"], app::metadata(true), app::spec())
}

fn role() -> Form {
    document("role", role::VERSIONS, app::metadata(false), role::spec())
}

fn user() -> Form {
    document("user", &["v2"], app::metadata(false), user::spec())
}

fn document(kind: &str, versions: &[&str], metadata: Form, spec: Form) -> Form {
    form::object(vec![
        ("kind!", word(&[kind]).about("The kind of the resource.")),
        ("version!", word(versions).about("The version of the kind.")),
        ("metadata!", metadata),
        ("spec!", spec),
    ])
}

/// The definitions that a schema refers to, by itself or through others.
fn used(root: &Value, all: &Map<String, Value>) -> std::collections::BTreeSet<String> {
    let mut used = std::collections::BTreeSet::new();
    let mut open = vec![root];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(map) => {
                let name = map.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix("#/$defs/"));
                if let Some((name, definition)) = name.and_then(|name| all.get_key_value(name))
                    && used.insert(name.clone())
                {
                    open.push(definition);
                }
                open.extend(map.values());
            }
            _ => {}
        }
    }
    used
}

/// The same in the words of draft 7: definitions have another name there.
fn as_draft_7(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(as_draft_7).collect(),
        Value::Object(map) => {
            let renamed = map.into_iter().map(|(key, value)| match (key.as_str(), &value) {
                ("$schema", _) => (key, json!("http://json-schema.org/draft-07/schema#")),
                ("$ref", Value::String(target)) => (key, json!(target.replace("#/$defs/", "#/definitions/"))),
                ("$defs", _) => ("definitions".to_owned(), as_draft_7(value)),
                _ => (key, as_draft_7(value)),
            });
            Value::Object(renamed.collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_referred_to_is_there_and_nothing_else() {
        for subject in Subject::ALL {
            for (draft, place) in [(Draft::Draft2020, "$defs"), (Draft::Draft7, "definitions")] {
                let value = schema(subject, draft);
                let defined = value[place].as_object().expect("definitions");
                let text = value.to_string();
                for name in defined.keys() {
                    assert!(text.contains(&format!("#/{place}/{name}\"")), "{subject:?}: nobody uses {name}");
                }
                let begin = format!("#/{place}/");
                let names = text.split(&begin).skip(1).map(|rest| rest.split('"').next().unwrap());
                for name in names {
                    assert!(defined.contains_key(name), "{subject:?}: {name} is not defined");
                }
            }
        }
    }

    /// Every field says what it is for.
    #[test]
    fn every_field_is_described() {
        fn look(value: &Value, place: &str) {
            if let Some(properties) = value["properties"].as_object().filter(|_| value["additionalProperties"] == false)
            {
                for (name, property) in properties {
                    let referred = property["allOf"][0]["$ref"].is_string();
                    assert!(property["description"].is_string() || referred, "{place}.{name} has no description");
                }
            }
            match value {
                Value::Array(items) => items.iter().for_each(|item| look(item, place)),
                Value::Object(map) => map.iter().for_each(|(key, value)| look(value, &format!("{place}.{key}"))),
                _ => {}
            }
        }
        for subject in Subject::ALL {
            look(&schema(subject, Draft::Draft2020), subject.name());
        }
    }
}
