//! How history is to be judged: what the agent's configuration says, and nothing that a repository could say.

use super::{Policy, signature::SigningKey};
use globset::GlobSet;
use std::sync::Arc;

/// What tells who made a commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Identity {
    /// The key that signed it.
    #[default]
    Signature,
    /// The e-mail that the commit says its author has. Proves nothing: only for servers that guarantee it.
    Author,
}

/// The settings of a judgement.
#[derive(Clone, Debug)]
pub struct Rules {
    pub identity: Identity,
    /// Which paths are judged; hidden ones never are.
    pub managed: GlobSet,
    /// Roles and users of the agent's host. With it, roles and users in the repository are refused.
    pub fixed_policy: Option<Arc<Policy>>,
    /// Commits signed with one of these are attributed to the user who claims the author's e-mail.
    pub forge_keys: Vec<SigningKey>,
    /// If there are any, changes of policy must be signed with one of them, and need no user or role besides.
    pub root_keys: Vec<SigningKey>,
    /// What these sign counts as not signed by anybody.
    pub denied_keys: Vec<SigningKey>,
    /// A merge by a user who is allowed to needs no `Vouch-For`.
    pub merge_approves: bool,
    /// How many commits are judged at a time.
    pub max_commits: usize,
}
