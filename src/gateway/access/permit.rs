//! What a principal may do with one app.

use crate::resource::selector::Pattern;
use std::sync::Arc;

/// Which tools of an app a principal may see and call; its prompts and resources it may use whenever there is a permit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permit {
    /// Any of these allows a tool, a list for each role.
    allowed: Vec<Arc<[Pattern]>>,
    /// Any of these denies it, whatever allows it.
    denied: Vec<Arc<[Pattern]>>,
    everything: bool,
}

impl Permit {
    /// Every tool, whatever it is called.
    pub fn everything() -> Self {
        Permit { everything: true, ..Permit::default() }
    }

    /// The tools that one of the first and none of the second patterns match.
    pub(super) fn new(allowed: Vec<Arc<[Pattern]>>, denied: Vec<Arc<[Pattern]>>) -> Self {
        let denied: Vec<_> = denied.into_iter().filter(|patterns| !patterns.is_empty()).collect();
        let any = |pattern: &Pattern| pattern.as_str() == "*";
        let everything = denied.is_empty() && allowed.iter().any(|patterns| patterns.iter().any(any));
        Permit { allowed, denied, everything }
    }

    /// Whether there may be a tool that it does not have.
    pub fn is_restricted(&self) -> bool {
        !self.everything
    }

    pub fn allows_tool(&self, name: &str) -> bool {
        let matches = |lists: &[Arc<[Pattern]>]| lists.iter().any(|list| list.iter().any(|p| p.matches(name)));
        self.everything || matches(&self.allowed) && !matches(&self.denied)
    }

    /// The patterns that allow, as written, each once.
    pub fn allowed(&self) -> Vec<&str> {
        if self.everything { vec!["*"] } else { written(&self.allowed) }
    }

    /// The patterns that deny, as written, each once.
    pub fn denied(&self) -> Vec<&str> {
        written(&self.denied)
    }
}

fn written(lists: &[Arc<[Pattern]>]) -> Vec<&str> {
    let mut patterns: Vec<&str> = Vec::new();
    for pattern in lists.iter().flat_map(|list| list.iter()).map(Pattern::as_str) {
        if !patterns.contains(&pattern) {
            patterns.push(pattern);
        }
    }
    patterns
}
