//! How the schemas are written down: each form is a JSON Schema, and a method adds a keyword to it.

use serde_json::{Map, Value, json};

/// A JSON Schema, of keywords that all drafts since 7 have.
#[derive(Clone, Debug)]
pub struct Form(Map<String, Value>);

fn keywords(value: Value) -> Form {
    match value {
        Value::Object(map) => Form(map),
        _ => Form(Map::new()),
    }
}

/// A string.
pub fn text() -> Form {
    keywords(json!({ "type": "string" }))
}

/// A string that has at least one character that is not a space.
pub fn filled_text() -> Form {
    text().pattern(r"\S")
}

pub fn boolean() -> Form {
    keywords(json!({ "type": "boolean" }))
}

/// A whole number within bounds.
pub fn integer(minimum: u64, maximum: u64) -> Form {
    keywords(json!({ "type": "integer", "minimum": minimum, "maximum": maximum }))
}

/// One of a few words.
pub fn word(words: &[&str]) -> Form {
    keywords(json!({ "type": "string", "enum": words }))
}

pub fn list(item: &Form) -> Form {
    keywords(json!({ "type": "array", "items": item.0 }))
}

/// A mapping with free keys that match a pattern.
pub fn map(key: &str, value: &Form) -> Form {
    keywords(json!({ "type": "object", "propertyNames": { "pattern": key }, "additionalProperties": value.0 }))
}

/// Whatever any of these is.
pub fn any_of(forms: &[Form]) -> Form {
    keywords(json!({ "anyOf": forms.iter().map(|form| &form.0).collect::<Vec<_>>() }))
}

/// What is defined under this name.
pub fn defined(name: &str) -> Form {
    keywords(json!({ "allOf": [{ "$ref": format!("#/$defs/{name}") }] }))
}

/// A mapping with these fields and no others. The name of one that must be there ends with `!`.
pub fn object(fields: Vec<(&str, Form)>) -> Form {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, form) in fields {
        let plain = name.trim_end_matches('!');
        if plain != name {
            required.push(plain.to_owned());
        }
        properties.insert(plain.to_owned(), Value::Object(form.0));
    }
    let mut form = keywords(json!({ "type": "object", "additionalProperties": false, "properties": properties }));
    if !required.is_empty() {
        form.0.insert("required".to_owned(), json!(required));
    }
    form
}

impl Form {
    fn with(mut self, keyword: &str, value: Value) -> Form {
        self.0.insert(keyword.to_owned(), value);
        self
    }

    /// What it is for, for people.
    pub fn about(self, description: &str) -> Form {
        self.with("description", json!(description))
    }

    pub fn default(self, value: impl Into<Value>) -> Form {
        self.with("default", value.into())
    }

    pub fn example(self, value: impl Into<Value>) -> Form {
        self.with("examples", json!([value.into()]))
    }

    pub fn pattern(self, pattern: &str) -> Form {
        self.with("pattern", json!(pattern))
    }

    pub fn at_most(self, characters: u64) -> Form {
        self.with("maxLength", json!(characters))
    }

    /// A list with at least one entry.
    pub fn filled(self) -> Form {
        self.with("minItems", json!(1))
    }

    /// A mapping of which at least one of these fields must be there.
    pub fn with_one_of(self, names: &[&str]) -> Form {
        let one = |name: &&str| json!({ "required": [name] });
        self.with("oneOf", json!(names.iter().map(one).collect::<Vec<_>>()))
    }

    /// A mapping that has this field, whatever else it has.
    pub fn requires(self, name: &str, form: Form) -> Form {
        self.with("properties", json!({ name: form.0 })).with("required", json!([name]))
    }

    /// The first form where a field matches a pattern, the second elsewhere.
    pub fn when(self, field: &str, pattern: &str, then: &Form, otherwise: &Form) -> Form {
        let condition =
            json!({ "properties": { field: { "type": "string", "pattern": pattern } }, "required": [field] });
        self.with("if", condition).with("then", json!(then.0)).with("else", json!(otherwise.0))
    }

    /// For each word of a field another form.
    pub fn by_word(self, field: &str, forms: &[(&str, &Form)]) -> Form {
        let case = |(word, form): &(&str, &Form)| json!({ "if": { "properties": { field: { "const": word } }, "required": [field] }, "then": form.0 });
        self.with("allOf", json!(forms.iter().map(case).collect::<Vec<_>>()))
    }

    /// The same, or nothing.
    pub fn or_null(mut self) -> Form {
        let Some(description) = self.0.remove("description") else {
            return any_of(&[self, null()]).default(Value::Null);
        };
        let default = self.0.remove("default").unwrap_or(Value::Null);
        any_of(&[self, null()]).with("description", description).default(default)
    }

    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

/// Any number from one on.
pub fn number_from(minimum: f64) -> Form {
    keywords(json!({ "type": "number", "minimum": minimum }))
}

/// Any number within bounds.
pub fn number(minimum: f64, maximum: f64) -> Form {
    keywords(json!({ "type": "number", "minimum": minimum, "maximum": maximum }))
}

/// A mapping whose fields are said elsewhere.
pub fn of_object(description: &str) -> Form {
    keywords(json!({ "type": "object" })).about(description)
}

pub fn null() -> Form {
    keywords(json!({ "type": "null" }))
}
