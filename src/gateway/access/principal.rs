//! Whom a request is from.

use super::Rulebook;
use crate::resource::Digest;
use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// Whom a request is from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// root, or the agent's own user, on the control socket.
    Operator,
    /// Anybody who reaches an open gateway.
    Anonymous,
    /// A user of the sources.
    User(User),
}

/// What a client has shown of itself, and proven.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Credential {
    /// The digest of its bearer token.
    Token(Digest),
    /// Issuer and subject of a signed token.
    Oidc(Arc<str>, Arc<str>),
    /// The name of its user on this host.
    HostUser(Arc<str>),
}

impl Principal {
    /// As the audit and the API have it.
    pub fn label(&self) -> String {
        match self {
            Principal::Operator => "operator".into(),
            Principal::Anonymous => "anonymous".into(),
            Principal::User(user) => format!("user/{}", user.name()),
        }
    }
}

/// A user of one source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Membership {
    pub source: Arc<str>,
    pub user: Arc<str>,
}

/// A user of at least one source, and what it was recognized by. Whoever shows something else of itself the next time is the
/// same.
#[derive(Clone, Debug)]
pub struct User {
    /// Who it is in each source that knows it, in the order of the sources. Never empty.
    pub(super) memberships: Arc<[Membership]>,
    pub(super) credential: Credential,
}

impl User {
    /// The name in the first source that knows it.
    pub fn name(&self) -> &str {
        self.memberships.first().map_or("", |first| &first.user)
    }

    /// Who it is in each source that knows it.
    pub fn memberships(&self) -> &Arc<[Membership]> {
        &self.memberships
    }

    /// What it was recognized by.
    pub fn shown(&self) -> &Credential {
        &self.credential
    }

    /// Whether it is known somewhere where that one was known, and nowhere there as somebody else.
    pub(super) fn goes_on_as(&self, before: &User) -> bool {
        let of = |source: &Arc<str>| before.memberships.iter().find(|membership| membership.source == *source);
        let mut common = self.memberships.iter().filter_map(|now| Some((now, of(&now.source)?))).peekable();
        common.peek().is_some() && common.all(|(now, then)| now.user == then.user)
    }

    /// One of one source.
    #[cfg(test)]
    pub fn of_one(source: &str, user: &str, credential: Credential) -> User {
        User { memberships: [Membership { source: source.into(), user: user.into() }].into(), credential }
    }

    /// Which user of a rulebook it is, if it is still the one that was recognized.
    pub(super) fn member_of(&self, rulebook: &Rulebook) -> Option<usize> {
        let membership = self.memberships.iter().find(|membership| membership.source == rulebook.source)?;
        rulebook.find(&self.credential).filter(|member| rulebook.name(*member) == Some(&*membership.user))
    }
}

impl PartialEq for User {
    fn eq(&self, other: &Self) -> bool {
        self.memberships == other.memberships
    }
}

impl Eq for User {}

impl PartialOrd for User {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for User {
    fn cmp(&self, other: &Self) -> Ordering {
        self.memberships.cmp(&other.memberships)
    }
}

impl Hash for User {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.memberships.hash(state);
    }
}

/// For people: `operator`, `anonymous`, or the user's name.
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Principal::Operator => "operator",
            Principal::Anonymous => "anonymous",
            Principal::User(user) => user.name(),
        })
    }
}
