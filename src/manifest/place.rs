//! Where the parts of a resource are written that checks across files look at: such a check runs when the text of
//! the file is long gone.

use super::{
    Code, Diagnostic, Position, Related, Severity,
    text::{Mark, Text},
};
use std::sync::Arc;

/// A place with the line that it is on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Place {
    pub mark: Mark,
    /// Bounded, as diagnostics show it.
    pub line_text: Option<Arc<str>>,
}

/// The places of one resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Places {
    /// The value of `metadata.name`.
    pub name: Place,
    /// Only of a user, and only if there is anything in the lists.
    pub user: Option<Arc<UserPlaces>>,
}

/// Where the entries of a user's lists are written, each in the order of the list in [`crate::resource::User`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UserPlaces {
    pub roles: Vec<Place>,
    pub emails: Vec<Place>,
    pub signing_keys: Vec<Place>,
    pub token_sha256: Vec<Place>,
    pub oidc: Vec<Place>,
    pub host_users: Vec<Place>,
}

impl Place {
    pub fn new(mark: Mark, text: &Text) -> Self {
        Place { mark, line_text: mark.position().map(|p| text.line(p.line).into()) }
    }

    pub fn position(&self) -> Option<Position> {
        self.mark.position()
    }

    /// An error at this place of the file at `path`.
    pub fn error(&self, code: Code, path: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            code,
            message: message.into(),
            help: None,
            path: path.to_owned(),
            position: self.position(),
            line_text: self.line_text.as_deref().map(str::to_owned),
            length: self.position().map(|_| self.mark.length),
            document: None,
            pointer: None,
            related: Vec::new(),
        }
    }

    /// This place of the file at `path`, as one that another diagnostic names.
    pub fn related(&self, path: &str, message: impl Into<String>) -> Related {
        Related { path: path.to_owned(), position: self.position(), message: message.into() }
    }
}
