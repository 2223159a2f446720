//! What a registry's entry leaves to the user: values with defaults, choices and variables.

use super::super::{
    desk::{Desk, Field, Meaning},
    object::Object,
    template::{Piece, Template},
};
use crate::manifest::{
    Code,
    text::{Mark, quoted},
    yaml::{Node, Value},
};
use std::collections::BTreeMap;

/// How an input is told from the others on the command line, when it is the whole of a value.
const WHOLE: &str = "value";

/// One value that may be fixed, have a default, or be the user's to say.
#[derive(Default)]
pub struct Input {
    /// Of the variable, header or flag; for a positional argument, its hint.
    pub name: String,
    pub mark: Mark,
    pub value: Option<String>,
    pub default: Option<String>,
    pub is_named: bool,
    pub is_required: bool,
    pub is_secret: bool,
    about: Option<String>,
    choices: Vec<String>,
    variables: Inputs,
}

/// Inputs by the names that texts refer to them by.
#[derive(Default)]
pub struct Inputs(BTreeMap<String, Input>);

impl Inputs {
    pub fn read(node: Option<&Node>, app: &str, desk: &mut Desk) -> Inputs {
        let Some(Value::Map(entries)) = node.map(|node| &node.value) else { return Inputs::default() };
        let mut inputs = BTreeMap::new();
        for entry in entries {
            if let Some(input) = Input::read_named(&entry.value, &entry.key, app, desk) {
                inputs.insert(entry.key.to_string(), input);
            }
        }
        Inputs(inputs)
    }

    pub fn template(&self, text: &str) -> Template {
        Template::braces(text, |name| self.0.contains_key(name))
    }

    pub fn meaning(&self, name: &str) -> Meaning {
        self.0.get(name).map_or(Meaning::Asked { about: None }, Input::own_meaning)
    }
}

impl Input {
    pub fn read(node: &Node, app: &str, desk: &mut Desk) -> Option<Input> {
        Input::read_named(node, "", app, desk)
    }

    fn read_named(node: &Node, name: &str, app: &str, desk: &mut Desk) -> Option<Input> {
        let mut object = Object::read(node, app, desk)?;
        let mut text = |field, desk: &mut Desk| object.text(field, desk).map(|(text, _)| text.to_owned());
        let own = text("name", desk);
        let hint = text("valueHint", desk);
        let (value, default) = (text("value", desk), text("default", desk));
        let about = text("description", desk);
        let kind = text("type", desk);
        text("placeholder", desk);
        text("format", desk);
        let choices = object.list("choices", desk).iter().filter_map(|node| node.as_str().map(str::to_owned)).collect();
        let (is_required, is_secret) = (object.flag("isRequired", desk), object.flag("isSecret", desk));
        if object.flag("isRepeated", desk) && value.is_none() {
            desk.note(object.mark, format!("{app}: an argument that may be repeated is given once"));
        }
        let variables = match object.get("variables") {
            // Variables of variables there are none.
            Some(entry) if name.is_empty() => Inputs::read(Some(&entry.value), app, desk),
            _ => Inputs::default(),
        };
        let mark = object.mark;
        object.finish(desk);
        let is_named = kind.as_deref() == Some("named");
        let name = own.or(hint).unwrap_or_else(|| name.to_owned());
        Some(Input { name, mark, value, default, is_named, is_required, is_secret, about, choices, variables })
    }

    /// The value, in which references are to be filled in; `Ok(None)`: it may be left out, and is.
    pub fn template(&self, field: Field, desk: &mut Desk) -> Result<Option<Template>, ()> {
        let name = self.name.trim_start_matches('-');
        if let Some(value) = &self.value {
            return Ok(Some(self.variables.template(value)));
        }
        if let Some(value) = desk.var(name) {
            return Ok(Some(Template::literal(value)));
        }
        if self.is_secret {
            return Ok(Some(Template { pieces: vec![Piece::Reference { name: WHOLE.to_owned(), default: None }] }));
        }
        if let Some(default) = &self.default {
            desk.note(field.mark, format!("{}.{} has its default", field.app, field.path));
            return Ok(Some(Template::literal(default.clone())));
        }
        if !self.is_required {
            let how = format!("`--var '{name}=VALUE'` gives it one");
            desk.note(field.mark, format!("{}.{} has no value and is left out; {how}", field.app, field.path));
            return Ok(None);
        }
        let message = format!("{}.{} needs a value", field.app, field.path);
        let help = match self.choices.as_slice() {
            [] => format!("give it one with `--var '{name}=VALUE'`"),
            choices => {
                let choices: Vec<String> = choices.iter().map(|choice| quoted(choice)).collect();
                format!("give it one with `--var '{name}=VALUE'`: {}", choices.join(", "))
            }
        };
        desk.problem(Code::MissingField, field.mark, message, help);
        Err(())
    }

    /// What a reference in the template stands for.
    pub fn meaning(&self, name: &str) -> Meaning {
        if name == WHOLE && !self.variables.0.contains_key(name) {
            self.own_meaning()
        } else {
            self.variables.meaning(name)
        }
    }

    fn own_meaning(&self) -> Meaning {
        match (&self.value, &self.default) {
            (Some(value), _) => Meaning::Value(value.clone()),
            _ if self.is_secret => Meaning::Secret { about: self.about.clone() },
            (None, Some(default)) => Meaning::Value(default.clone()),
            (None, None) => Meaning::Asked { about: self.about.clone() },
        }
    }
}
