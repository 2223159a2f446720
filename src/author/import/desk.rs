//! What a conversion has at hand: what the user has said, and what has been found so far.

use super::{Options, secrets::Secrets};
use crate::manifest::{
    Code, Diagnostic, Position,
    text::{Finding, Mark, Text},
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
    pub fn id(&self) -> String {
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
}

/// A diagnostic that shows nothing of the file.
pub fn without_line(diagnostic: Diagnostic) -> Diagnostic {
    Diagnostic { line_text: None, length: None, ..diagnostic }
}
