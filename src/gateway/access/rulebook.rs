//! The users and roles of one source, compiled.

use super::{Credential, Permit};
use crate::{
    authorize::{Policy as Rules, Subject},
    manifest::{Located, Snapshot},
    resource::{Digest, Kind, Resource, Role, RuleResource, Selector, Verb, selector::Pattern},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// The users and roles of one source, compiled.
#[derive(Debug)]
pub struct Rulebook {
    pub(super) source: Arc<str>,
    /// What it was made of.
    made_of: Vec<Resource>,
    /// The users, and what their roles say of files and the agent.
    rules: Rules,
    /// In the order of `rules.users()`: what their roles say of apps and tools.
    roles: Vec<Vec<Arc<Compiled>>>,
    /// Who has what; `None`: two users claim it, so that it is nobody's.
    by_credential: HashMap<Credential, Option<usize>>,
}

/// What a role says of the use of apps.
#[derive(Debug)]
struct Compiled {
    allow: Side,
    deny: Side,
}

#[derive(Debug)]
struct Side {
    app_labels: Vec<Selector>,
    tools: Arc<[Pattern]>,
}

impl Rulebook {
    /// The rulebook of what a source says; of one that has not been read yet, `None`, an empty one. If users and roles are
    /// those of `before`, that one.
    pub fn new(source: &Arc<str>, snapshot: Option<&Snapshot>, before: Option<&Arc<Rulebook>>) -> Arc<Rulebook> {
        let entries = snapshot.into_iter().flat_map(|snapshot| snapshot.resources.values()).map(|entry| &entry.located);
        let located: Vec<&Located> = entries.filter(|located| located.resource.kind() != Kind::App).collect();
        if let Some(before) = before.filter(|before| before.is_of(source, &located)) {
            return before.clone();
        }
        let rules = Rules::of(located.iter().copied());
        let mut compiled: HashMap<&str, Arc<Compiled>> = HashMap::new();
        let roles = rules.users().iter().map(|member| {
            let one = |role| compiled.entry(role_name(role)).or_insert_with(|| Arc::new(Compiled::new(role))).clone();
            member.roles().map(one).collect()
        });
        let roles = roles.collect();
        let mut by_credential: HashMap<Credential, Option<usize>> = HashMap::new();
        for (index, member) in rules.users().iter().enumerate() {
            for credential in credentials(&member.user.gateway) {
                let owner = by_credential.entry(credential).or_insert(Some(index));
                if *owner != Some(index) {
                    *owner = None;
                }
            }
        }
        let made_of = located.iter().map(|located| located.resource.clone()).collect();
        Arc::new(Rulebook { source: source.clone(), made_of, rules, roles, by_credential })
    }

    /// Whether it was made of exactly these. They are shared where they are the same, so that this costs nothing.
    fn is_of(&self, source: &Arc<str>, located: &[&Located]) -> bool {
        let same = |(one, other): (&Resource, &&Located)| match (one, &other.resource) {
            (Resource::Role(one), Resource::Role(other)) => Arc::ptr_eq(one, other),
            (Resource::User(one), Resource::User(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        self.source == *source && self.made_of.len() == located.len() && self.made_of.iter().zip(located).all(same)
    }

    /// How many users can come in with something that this source says of them.
    pub fn users(&self) -> usize {
        let owners: HashSet<usize> = self.by_credential.values().flatten().copied().collect();
        owners.len()
    }

    /// Whose a credential is.
    pub(super) fn find(&self, credential: &Credential) -> Option<usize> {
        self.by_credential.get(credential).copied().flatten()
    }

    /// A user's name.
    pub(super) fn name(&self, user: usize) -> Option<&str> {
        self.rules.users().get(user).map(|member| member.name())
    }

    /// Whether a user has a right to something that is no change of a file.
    pub(super) fn may(&self, user: usize, right: RuleResource, verb: Verb, of: Option<Subject<'_>>) -> bool {
        self.rules.users().get(user).is_some_and(|member| member.may(right, verb, of))
    }

    /// What a user may do with an app that has these labels; `None`: not even know of it.
    ///
    /// A label of which only the key is known yet keeps out whoever is kept out by any value of it.
    pub(super) fn permit(
        &self,
        user: usize,
        labels: &BTreeMap<String, String>,
        unknown: &BTreeSet<String>,
    ) -> Option<Permit> {
        let roles = self.roles.get(user)?;
        let hides = |role: &Compiled| role.deny.app_labels.iter().any(|selector| selector.could_match(labels, unknown));
        if roles.iter().any(|role| hides(role)) {
            return None;
        }
        let grants = |role: &Compiled| role.allow.app_labels.iter().any(|selector| selector.matches(labels));
        let granting: Vec<_> = roles.iter().filter(|role| grants(role)).collect();
        if granting.is_empty() {
            return None;
        }
        let allowed = granting.iter().map(|role| role.allow.tools.clone()).collect();
        let denied = roles.iter().map(|role| role.deny.tools.clone()).collect();
        Some(Permit::new(allowed, denied))
    }
}

fn role_name(role: &Role) -> &str {
    &role.metadata.name
}

impl Compiled {
    fn new(role: &Role) -> Compiled {
        // The file has been checked, so every pattern can be read. Were it not so, none may be given away by it.
        let read = |patterns: &[String]| patterns.iter().map(|p| Pattern::new(p).ok()).collect::<Vec<_>>();
        let allowed = read(&role.allow.mcp_tools).into_iter().flatten().collect();
        let denied =
            read(&role.deny.mcp_tools).into_iter().map(|pattern| pattern.unwrap_or_else(Pattern::any)).collect();
        Compiled {
            allow: Side { app_labels: role.allow.app_labels.clone(), tools: allowed },
            deny: Side { app_labels: role.deny.app_labels.clone(), tools: denied },
        }
    }
}

fn credentials(identity: &crate::resource::GatewayIdentity) -> impl Iterator<Item = Credential> {
    let tokens = identity.token_sha256.iter().filter_map(|digits| Digest::parse(digits)).map(Credential::Token);
    let subjects =
        identity.oidc.iter().map(|oidc| Credential::Oidc(oidc.issuer.as_str().into(), oidc.subject.as_str().into()));
    let host_users = identity.host_users.iter().map(|name| Credential::HostUser(name.as_str().into()));
    tokens.chain(subjects).chain(host_users)
}
