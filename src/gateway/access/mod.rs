//! Who may use what. Pure.
//!
//! A request is made by a [`Principal`]; the [`Policy`] in force says which apps exist for it, and with what [`Permit`].

use crate::resource::selector::Pattern;
use std::sync::Arc;

/// Whom a request is from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// root, or the agent's own user, on the control socket.
    Operator,
    /// Anybody who reaches an open gateway.
    Anonymous,
    /// A user of the sources, by name.
    User(Arc<str>),
}

/// What everybody may do, as the sources have it now.
#[derive(Clone, Debug, Default)]
pub struct Policy {}

impl Policy {
    /// Whether a principal is still what it was taken for.
    pub fn knows(&self, principal: &Principal) -> bool {
        !matches!(principal, Principal::User(_))
    }

    /// What a principal may do with an app; `None`: for it there is no such app.
    pub fn permit(&self, principal: &Principal, _app: &str) -> Option<Arc<Permit>> {
        match principal {
            Principal::Operator | Principal::Anonymous => Some(Arc::new(Permit::everything())),
            Principal::User(_) => None,
        }
    }
}

/// What a principal may do with one app.
#[derive(Clone, Debug)]
pub struct Permit {
    /// `None`: every tool.
    tools: Option<Vec<Pattern>>,
}

impl Permit {
    pub fn everything() -> Self {
        Permit { tools: None }
    }

    /// Whether there is a tool that it does not have.
    pub fn is_restricted(&self) -> bool {
        self.tools.is_some()
    }

    pub fn allows_tool(&self, name: &str) -> bool {
        self.tools.as_ref().is_none_or(|tools| tools.iter().any(|pattern| pattern.matches(name)))
    }
}
