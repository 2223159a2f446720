//! What becomes of a value: a text, or a reference to a secret or to a variable of the agent.

use super::{
    desk::{Desk, Field, Meaning, Setting},
    detect::{has_secret, is_placeholder, is_secret, is_secret_name},
    secrets::Content,
    template::{Piece, Template},
};
use crate::manifest::{Code, text::quoted};

impl Desk<'_> {
    fn meaning(&self, name: &str, lookup: &dyn Fn(&str) -> Meaning) -> Meaning {
        self.var(name).map_or_else(|| lookup(name), Meaning::Value)
    }

    /// The value of an environment variable or header, which may be a reference to a secret. `None`: a problem has been
    /// reported.
    pub fn setting(&mut self, field: Field, template: &Template, lookup: &dyn Fn(&str) -> Meaning) -> Option<Setting> {
        let mut literal = String::new();
        let mut shown = String::new();
        let mut asked = None;
        let mut open: Vec<(String, Meaning)> = Vec::new();
        for piece in &template.pieces {
            match piece {
                Piece::Text(text) => {
                    literal += text;
                    shown += text;
                }
                Piece::Reference { name, default } => match (self.meaning(name, lookup), default) {
                    (Meaning::Value(value), _) => {
                        literal += &value;
                        shown += &value;
                    }
                    (Meaning::Environment(variable), Some(default)) if !is_secret_name(&variable) => {
                        let message = format!("{}: `${{{}}}` has become its default", field.id(), name);
                        self.note(field.mark, message);
                        literal += default;
                        shown += default;
                    }
                    (meaning, _) => {
                        if let Meaning::Secret { about } | Meaning::Asked { about } = &meaning {
                            asked = asked.or(about.clone());
                        }
                        shown += &format!("${{{name}}}");
                        open.push((name.clone(), meaning));
                    }
                },
            }
        }
        if let Some((name, _)) = open.iter().find(|(_, meaning)| matches!(meaning, Meaning::Foreign)) {
            self.foreign(field, name);
            return None;
        }
        let whole = template.pieces.len() == 1;
        match open.as_slice() {
            [] if self.keeps(&field) => Some(Setting::Literal(literal)),
            [] if is_placeholder(&literal) && is_secret_name(field.name) => {
                let content = Content::Described("the value that the file has a placeholder for".to_owned());
                Some(Setting::Secret(self.secrets.of_field(field, content)))
            }
            [] if is_secret(field.name, &literal) => {
                Some(Setting::Secret(self.secrets.of_field(field, Content::Found(literal.into()))))
            }
            [] => Some(Setting::Literal(literal)),
            [(_, Meaning::Environment(variable))]
                if whole && field.from_agent && !is_secret_name(variable) && !is_secret_name(field.name) =>
            {
                Some(Setting::FromAgent(variable.clone()))
            }
            [(name, meaning)] if whole => {
                let content = match asked {
                    Some(about) => Content::Described(format!("what clients ask for as {}", quoted(&about))),
                    None => Content::Described(format!("the value of `{shown}`")),
                };
                // A variable and an input are the same one wherever they are referred to.
                let shared = matches!(meaning, Meaning::Environment(_)) || name.starts_with("input:");
                Some(Setting::Secret(match shared {
                    true => self.secrets.of_reference(field, name, content),
                    false => self.secrets.of_field(field, content),
                }))
            }
            _ => {
                // A text around the references may be the better part of a secret.
                let content = match is_secret(field.name, &literal) && !is_scheme(&literal) {
                    true => "the whole value, with its references filled in".to_owned(),
                    false => format!("{}, with its references filled in", quoted(&shown)),
                };
                Some(Setting::Secret(self.secrets.of_field(field, Content::Described(content))))
            }
        }
    }

    /// A value that cannot be a reference: a command, an argument, a URL. `None`: a problem has been reported.
    pub fn plain(&mut self, field: Field, template: &Template, lookup: &dyn Fn(&str) -> Meaning) -> Option<String> {
        let mut literal = String::new();
        for piece in &template.pieces {
            match piece {
                Piece::Text(text) => literal += text,
                Piece::Reference { name, default } => match (self.meaning(name, lookup), default) {
                    (Meaning::Value(value), _) => literal += &value,
                    (Meaning::Environment(_), Some(default)) => {
                        self.note(field.mark, format!("{}: `${{{name}}}` has become its default", field.id()));
                        literal += default;
                    }
                    (Meaning::Foreign, _) => {
                        self.foreign(field, name);
                        return None;
                    }
                    (Meaning::Secret { .. }, _) => {
                        self.hidden(field);
                        return None;
                    }
                    _ => {
                        let message =
                            format!("{}: {} has no value: nothing is filled in here", field.id(), quoted(name));
                        let help = format!(
                            "say what it is with `--var '{name}=VALUE'`, or leave the server out with `--except {}`",
                            field.app
                        );
                        self.problem(Code::MissingField, field.mark, message, help);
                        return None;
                    }
                },
            }
        }
        if (is_secret(field.name, &literal) || has_secret(&literal)) && !self.keeps(&field) {
            self.hidden(field);
            return None;
        }
        Some(literal)
    }

    fn foreign(&mut self, field: Field, name: &str) {
        let message =
            format!("{}: {} is something that only the editor has", field.id(), quoted(&format!("${{{name}}}")));
        let help = format!(
            "say what it is on the agent's machine with `--var '{name}=VALUE'`, or leave the server out with `--except {}`",
            field.app
        );
        self.problem(Code::MissingField, field.mark, message, help);
    }

    fn hidden(&mut self, field: Field) {
        let id = field.id();
        let message = format!("{id} looks like a secret, and only `env` and headers can refer to one");
        let help = format!(
            "let the server have it from a variable or header, if it can; `--not-secret '{id}'` takes it as it is, `--except {}` leaves the server out",
            field.app
        );
        self.problem(Code::MisplacedField, field.mark, message, help);
    }
}

/// What stands before the token in a header.
fn is_scheme(text: &str) -> bool {
    text.len() <= 16 && text.bytes().all(|b| b.is_ascii_alphabetic() || b == b' ' || b == b'-')
}
