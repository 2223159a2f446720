//! Roles and users, as they decide what a commit may change.

use super::{
    ChangeVerb,
    change::Change,
    rules::{Identity, Rules},
    signature::{KeyName, SigningKey},
};
use crate::{
    manifest::{Code as Mistake, Diagnostic, Located, ParsedFile, Position, cross_check},
    resource::{Conditions, Kind, Resource, Role, Rule, RuleResource, Selector, User, Verb, predicate::Predicate},
};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// The valid roles and users of an accepted state.
#[derive(Debug, Default)]
pub struct Policy {
    users: Vec<Member>,
    by_key: HashMap<KeyName, Vec<usize>>,
    by_email: HashMap<String, Vec<usize>>,
    /// What is wrong with roles and users, all files together.
    mistakes: BTreeMap<(Kind, String, Mistake), usize>,
    diagnostics: Vec<Diagnostic>,
}

/// A user, and what their roles say.
#[derive(Debug)]
pub struct Member {
    pub user: Arc<User>,
    pub keys: Vec<SigningKey>,
    roles: Vec<Arc<CompiledRole>>,
    /// What a `where` sees of the user.
    document: Value,
}

#[derive(Debug)]
struct CompiledRole {
    role: Arc<Role>,
    allow: Vec<CompiledRule>,
    deny: Vec<CompiledRule>,
}

#[derive(Debug)]
struct CompiledRule {
    /// As in `role/NAME allow.rules[0]`.
    name: String,
    resources: BTreeSet<RuleResource>,
    verbs: BTreeSet<Verb>,
    paths: Option<GlobSet>,
    labels: Option<Selector>,
    condition: Option<Predicate>,
}

/// A resource, as a rule looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its file, from the source's root; `None` for what no source has.
    pub path: Option<&'a str>,
    pub resource: &'a Resource,
}

/// What a user's roles say of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// By this rule.
    Allowed(String),
    /// By this rule.
    Denied(String),
    /// No rule allows it.
    NotAllowed,
}

/// Who somebody is, by a policy.
#[derive(Clone, Copy, Debug)]
pub enum Found<'p> {
    One(&'p Member),
    /// These two, and perhaps more, claim the same.
    Several(&'p Member, &'p Member),
    Nobody,
}

impl Policy {
    /// The policy that some files have, each of which is valid by itself.
    ///
    /// A role or user whose name is taken, or who names a role that does not exist, does not count. A key or e-mail that two
    /// users claim is nobody's.
    pub fn new<'f>(files: impl IntoIterator<Item = &'f Arc<ParsedFile>>) -> Policy {
        Policy::of(files.into_iter().flat_map(|file| &file.resources))
    }

    /// The policy of some resources, of which apps do not matter.
    pub fn of<'l>(resources: impl IntoIterator<Item = &'l Located>) -> Policy {
        let located: Vec<&Located> =
            resources.into_iter().filter(|located| located.resource.kind() != Kind::App).collect();
        let diagnostics = cross_check(located.iter().copied());
        let places: HashMap<_, _> = located.iter().flat_map(|l| mistake_places(l)).collect();
        let mut policy = Policy { diagnostics, ..Policy::default() };
        let mut invalid = HashSet::new();
        for diagnostic in &policy.diagnostics {
            let place = (diagnostic.path.as_str(), diagnostic.position);
            let Some((kind, name)) = places.get(&place) else { continue };
            *policy.mistakes.entry((*kind, (*name).to_owned(), diagnostic.code)).or_default() += 1;
            if diagnostic.code != Mistake::DuplicateIdentity {
                invalid.insert((*kind, *name));
            }
        }
        let valid = |l: &&&Located| !invalid.contains(&(l.resource.kind(), l.resource.metadata().name.as_str()));
        let roles: HashMap<&str, Arc<CompiledRole>> = located
            .iter()
            .filter(valid)
            .filter_map(|located| match &located.resource {
                Resource::Role(role) => Some((role.metadata.name.as_str(), Arc::new(CompiledRole::new(role)))),
                _ => None,
            })
            .collect();
        for located in located.iter().filter(valid) {
            if let Resource::User(user) = &located.resource {
                policy.add(user, &roles);
            }
        }
        policy
    }

    fn add(&mut self, user: &Arc<User>, roles: &HashMap<&str, Arc<CompiledRole>>) {
        let index = self.users.len();
        let keys: Vec<_> = user.git.signing_keys.iter().filter_map(|key| SigningKey::parse(key).ok()).collect();
        let names: BTreeSet<KeyName> = keys.iter().flat_map(SigningKey::names).collect();
        for name in names {
            self.by_key.entry(name).or_default().push(index);
        }
        let emails: BTreeSet<String> = user.git.emails.iter().map(|email| email.to_ascii_lowercase()).collect();
        for email in emails {
            self.by_email.entry(email).or_default().push(index);
        }
        self.users.push(Member {
            keys,
            roles: user.roles.iter().filter_map(|role| roles.get(role.as_str()).cloned()).collect(),
            document: json!({"metadata": {"name": user.metadata.name}, "spec": {"traits": user.traits}}),
            user: user.clone(),
        });
    }

    /// The users of whom a key of that name is.
    pub fn holders(&self, name: &KeyName) -> impl Iterator<Item = &Member> {
        self.by_key.get(name).into_iter().flatten().filter_map(|index| self.users.get(*index))
    }

    pub fn users(&self) -> &[Member] {
        &self.users
    }

    /// Whose an e-mail address is, given in lower case.
    pub fn by_email(&self, email: &str) -> Found<'_> {
        match self.by_email.get(email).map(Vec::as_slice) {
            None | Some([]) => Found::Nobody,
            Some([one]) => self.users.get(*one).map_or(Found::Nobody, Found::One),
            Some([a, b, ..]) => match (self.users.get(*a), self.users.get(*b)) {
                (Some(a), Some(b)) => Found::Several(a, b),
                _ => Found::Nobody,
            },
        }
    }

    /// What is wrong here that was not wrong in `before`.
    pub fn new_mistake(&self, before: &Policy) -> Option<&Diagnostic> {
        let worse =
            |(key, count): &(&(Kind, String, Mistake), &usize)| before.mistakes.get(*key).is_none_or(|b| b < *count);
        let ((_, name, code), _) = self.mistakes.iter().find(worse)?;
        let quoted = crate::manifest::text::quoted(name);
        let named = self.diagnostics.iter().find(|d| d.code == *code && d.message.contains(&quoted));
        named.or(self.diagnostics.iter().find(|d| d.code == *code))
    }

    /// Whether there is somebody who could change roles: a user with create and update on `role`, and with what shows that
    /// a commit is theirs.
    pub fn has_administrator(&self, rules: &Rules) -> bool {
        let has_mail = |member: &Member| {
            let emails = &member.user.git.emails;
            emails.iter().any(|email| matches!(self.by_email(&email.to_ascii_lowercase()), Found::One(_)))
        };
        self.users.iter().any(|member| {
            let proves = match rules.identity {
                Identity::Author => has_mail(member),
                Identity::Signature => {
                    let denied: BTreeSet<KeyName> = rules.denied_keys.iter().flat_map(SigningKey::names).collect();
                    let own = |key: &&SigningKey| {
                        !key.is_openpgp_fingerprint() && !key.names().iter().any(|name| denied.contains(name))
                    };
                    member
                        .keys
                        .iter()
                        .filter(own)
                        .flat_map(SigningKey::names)
                        .any(|name| self.by_key.get(&name).is_some_and(|holders| holders.len() == 1))
                        || (!rules.forge_keys.is_empty() && has_mail(member))
                }
            };
            proves && [Verb::Create, Verb::Update].into_iter().all(|verb| member.may_ever(RuleResource::Role, verb))
        })
    }
}

/// A file, and a place in it.
type At<'f> = (&'f str, Option<Position>);

/// Where the mistakes of a resource are written, and whose they are.
fn mistake_places(located: &Located) -> Vec<(At<'_>, (Kind, &str))> {
    let whose = (located.resource.kind(), located.resource.metadata().name.as_str());
    let name = std::iter::once(&located.places.name);
    let user = located.places.user.as_deref().into_iter().flat_map(|places| {
        [&places.roles, &places.emails, &places.signing_keys, &places.token_sha256, &places.oidc, &places.host_users]
            .into_iter()
            .flatten()
    });
    name.chain(user).map(|place| ((&*located.path, place.mark.position()), whose)).collect()
}

impl Member {
    pub fn name(&self) -> &str {
        &self.user.metadata.name
    }

    /// What the user's roles say of a change of the file at `path`. All deny rules of all roles come first.
    pub fn decide(&self, path: &str, change: &Change) -> Decision {
        let sides = || change.before.iter().chain(&change.after);
        let covers = |rule: &CompiledRule, one| rule.covers(path, change.kind, change.verb, one, &self.document);
        let bites = |rule: &&CompiledRule| sides().any(|one| covers(rule, one));
        if let Some(rule) = self.roles.iter().flat_map(|role| &role.deny).find(bites) {
            return Decision::Denied(rule.name.clone());
        }
        let covers_all = |rule: &&CompiledRule| sides().all(|one| covers(rule, one));
        match self.roles.iter().flat_map(|role| &role.allow).find(covers_all) {
            Some(rule) => Decision::Allowed(rule.name.clone()),
            None => Decision::NotAllowed,
        }
    }

    /// The roles of the user, of those that count.
    pub fn roles(&self) -> impl Iterator<Item = &Role> {
        self.roles.iter().map(|compiled| &*compiled.role)
    }

    /// Whether the user's roles give a right that is no change of a file: on one resource, or with `None` on the agent as a
    /// whole, where what a rule says of paths, labels and fields of a resource does not hold. All deny rules come first.
    pub fn may(&self, right: RuleResource, verb: Verb, of: Option<Subject<'_>>) -> bool {
        let holds = |rule: &CompiledRule| rule.names(right, verb) && rule.holds(of, &self.document);
        let rules = |deny: bool| self.roles.iter().flat_map(move |role| if deny { &role.deny } else { &role.allow });
        rules(false).any(holds) && !rules(true).any(holds)
    }

    /// Whether there may be a resource on which the user has that right.
    fn may_ever(&self, resource: RuleResource, verb: Verb) -> bool {
        let rules = |deny: bool| self.roles.iter().flat_map(move |role| if deny { &role.deny } else { &role.allow });
        let named = |rule: &&CompiledRule| rule.names(resource, verb);
        let always = |rule: &CompiledRule| rule.paths.is_none() && rule.labels.is_none() && rule.condition.is_none();
        rules(false).any(|rule| named(&rule)) && !rules(true).filter(named).any(always)
    }
}

impl CompiledRole {
    fn new(role: &Arc<Role>) -> CompiledRole {
        let compile = |side: &str, conditions: &Conditions| {
            let name = |index| format!("role/{} {side}.rules[{index}]", role.metadata.name);
            conditions.rules.iter().enumerate().map(|(i, rule)| CompiledRule::new(name(i), rule, side)).collect()
        };
        let (allow, deny) = (compile("allow", &role.allow), compile("deny", &role.deny));
        CompiledRole { role: role.clone(), allow, deny }
    }
}

impl CompiledRule {
    fn new(name: String, rule: &Rule, side: &str) -> CompiledRule {
        // The file has been checked, so all of these can be read. Were it not so, the rule must not give rights away:
        // one that allows then covers nothing, and one that denies everything that it names.
        let paths = rule.paths.as_ref().map(|globs| path_set(globs));
        let condition = rule.condition.as_ref().map(|text| Predicate::parse(text));
        let broken = matches!(paths, Some(None)) || matches!(condition, Some(Err(_)));
        let (resources, verbs) = match (broken, side) {
            (true, "allow") => Default::default(),
            _ => (rule.resources.clone(), rule.verbs.clone()),
        };
        CompiledRule {
            name,
            resources,
            verbs,
            paths: paths.flatten(),
            labels: rule.labels.clone(),
            condition: condition.and_then(Result::ok),
        }
    }

    fn names(&self, resource: RuleResource, verb: Verb) -> bool {
        (self.resources.contains(&resource) || self.resources.contains(&RuleResource::Any))
            && (self.verbs.contains(&verb) || self.verbs.contains(&Verb::Any))
    }

    fn covers(&self, path: &str, kind: Kind, verb: ChangeVerb, one: &Resource, user: &Value) -> bool {
        self.names(resource_of(kind), verb_of(verb))
            && self.holds(Some(Subject { path: Some(path), resource: one }), user)
    }

    fn holds(&self, of: Option<Subject<'_>>, user: &Value) -> bool {
        let (path, resource) = (of.and_then(|subject| subject.path), of.map(|subject| subject.resource));
        self.paths.as_ref().is_none_or(|paths| path.is_some_and(|path| paths.is_match(path)))
            && self.labels.as_ref().is_none_or(|l| resource.is_some_and(|one| l.matches(&one.metadata().labels)))
            && self.condition.as_ref().is_none_or(|c| c.eval(resource.map(super::change::document).as_ref(), user))
    }
}

fn path_set(globs: &[String]) -> Option<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(GlobBuilder::new(glob).literal_separator(true).build().ok()?);
    }
    set.build().ok()
}

fn resource_of(kind: Kind) -> RuleResource {
    match kind {
        Kind::App => RuleResource::App,
        Kind::Role => RuleResource::Role,
        Kind::User => RuleResource::User,
    }
}

fn verb_of(verb: ChangeVerb) -> Verb {
    match verb {
        ChangeVerb::Create => Verb::Create,
        ChangeVerb::Update => Verb::Update,
        ChangeVerb::Delete => Verb::Delete,
    }
}
