//! What a conversion has at hand: what the user has said, what has been found so far, and what becomes of a value.

use super::{
    Options,
    detect::{is_placeholder, is_secret, is_secret_name},
    secrets::{Content, Secrets},
    template::{Piece, Template},
};
use crate::manifest::{
    Code, Diagnostic, Position,
    text::{Finding, Mark, Text, quoted},
};
use std::{cell::RefCell, collections::BTreeSet};

/// How many notes are kept; what is beyond is counted.
const MAX_NOTES: usize = 500;
const MAX_PROBLEMS: usize = 100;

/// Something of the file that did not become what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub position: Option<Position>,
    pub message: String,
}

/// What a reference in a text stands for.
pub enum Meaning {
    Value(String),
    /// A variable of the environment that the client was started in.
    Environment(String),
    /// The client asks for it and hides it.
    Secret {
        about: Option<String>,
    },
    /// The client asks for it.
    Asked {
        about: Option<String>,
    },
    /// Something that only the client has.
    Foreign,
}

/// The value of a variable or header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    Literal(String),
    Secret(String),
    FromAgent(String),
}

/// Where a value is.
#[derive(Clone, Copy)]
pub struct Field<'f> {
    /// The name of the app.
    pub app: &'f str,
    /// As in `env.TOKEN`.
    pub path: &'f str,
    /// What tells whether its value is a secret: the name of the variable.
    pub name: &'f str,
    pub mark: Mark,
    /// Whether the agent's own variables can be given.
    pub from_agent: bool,
}

impl Field<'_> {
    fn id(&self) -> String {
        format!("{}.{}", self.app, self.path)
    }
}

pub struct Desk<'t> {
    pub options: &'t Options,
    text: &'t Text<'t>,
    problems: Vec<Diagnostic>,
    notes: Vec<Note>,
    more_notes: usize,
    pub secrets: Secrets,
    /// The `--not-secret` and `--var` that were good for something.
    used: RefCell<BTreeSet<String>>,
}

impl<'t> Desk<'t> {
    pub fn new(options: &'t Options, text: &'t Text<'t>) -> Desk<'t> {
        Desk {
            options,
            text,
            problems: Vec::new(),
            notes: Vec::new(),
            more_notes: 0,
            secrets: Secrets::default(),
            used: RefCell::default(),
        }
    }

    /// Reports what keeps the file from being imported. The line itself is not shown: a secret may be on it.
    pub fn problem(&mut self, code: Code, mark: Mark, message: impl Into<String>, help: impl Into<String>) {
        self.report(Finding::error(code, mark, message).help(help));
    }

    pub fn report(&mut self, finding: Finding) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(without_line(self.text.diagnostic(finding)));
        }
    }

    pub fn note(&mut self, mark: Mark, message: impl Into<String>) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(Note { position: mark.position(), message: message.into() });
        } else {
            self.more_notes += 1;
        }
    }

    pub fn has_problems(&self) -> bool {
        !self.problems.is_empty()
    }

    pub fn finish(mut self) -> (Vec<Diagnostic>, Vec<Note>, Secrets) {
        if self.more_notes > 0 {
            let message = format!("{} more notes are not shown", self.more_notes);
            self.notes.push(Note { position: None, message });
        }
        (self.problems, self.notes, self.secrets)
    }

    /// What was said on the command line and came to nothing: most likely a slip of the pen.
    pub fn unused(&self) -> Option<String> {
        let used = self.used.borrow();
        let vars = self.options.vars.keys().map(|name| ("--var", name));
        let mut all = vars.chain(self.options.not_secret.iter().map(|id| ("--not-secret", id)));
        all.find(|(_, name)| !used.contains(*name))
            .map(|(flag, name)| format!("{flag} {name}: there is nothing of that name in the file"))
    }

    /// What `--var` says for a name.
    pub fn var(&self, name: &str) -> Option<String> {
        let short = name.split_once(':').map(|(_, short)| short);
        let found = [Some(name), short].into_iter().flatten().find_map(|name| self.options.vars.get_key_value(name));
        found.map(|(name, value)| {
            self.used.borrow_mut().insert(name.clone());
            value.clone()
        })
    }

    /// Whether the user says that it is no secret.
    pub fn keeps(&self, field: &Field) -> bool {
        let id = field.id();
        let keeps = self.options.not_secret.contains(&id);
        if keeps {
            self.used.borrow_mut().insert(id);
        }
        keeps
    }

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
        if is_secret(field.name, &literal) && !self.keeps(&field) {
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

/// A diagnostic that shows nothing of the file.
pub fn without_line(diagnostic: Diagnostic) -> Diagnostic {
    Diagnostic { line_text: None, length: None, ..diagnostic }
}
