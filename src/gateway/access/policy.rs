//! What everybody may do, as the sources have it now.

use super::{Credential, Membership, Permit, Principal, Rulebook, User};
use crate::{
    authorize::Subject,
    reconcile::DesiredApp,
    resource::{App, Resource, RuleResource, Verb},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, LazyLock, PoisonError, RwLock},
};

/// How many permits are remembered.
const MAX_PERMITS: usize = 65_536;

static EVERYTHING: LazyLock<Arc<Permit>> = LazyLock::new(|| Arc::new(Permit::everything()));

/// By rulebook, user and app.
type Permits = HashMap<(usize, usize, Arc<str>), Option<Arc<Permit>>>;

/// What everybody may do, as the sources have it now. One that is in force is never changed: another takes its place.
#[derive(Debug, Default)]
pub struct Policy {
    /// In the order of the sources.
    rulebooks: Vec<Arc<Rulebook>>,
    apps: HashMap<Arc<str>, Arc<Known>>,
    permits: RwLock<Permits>,
}

/// An app, as rules look at it.
#[derive(Debug, PartialEq)]
pub struct Known {
    app: Arc<App>,
    /// The source and the file that it is from; `None`: the agent's own configuration.
    origin: Option<(Arc<str>, Arc<str>)>,
    /// Those of its definition and those that are found out now and then; `None`: there are none of the latter.
    labels: Option<BTreeMap<String, String>>,
    /// Keys of labels whose commands have not come to anything yet.
    unknown: BTreeSet<String>,
}

impl Known {
    pub fn new(told: &DesiredApp, dynamic: &BTreeMap<String, String>) -> Known {
        let origin = told.origin.as_ref().map(|origin| (origin.source.clone(), origin.entry.located.path.clone()));
        let labels = (!dynamic.is_empty()).then(|| {
            // The same key in both is an error of the definition; what has been reviewed wins.
            dynamic.iter().chain(&told.app.metadata.labels).map(|(key, value)| (key.clone(), value.clone())).collect()
        });
        let found_out = told.app.spec.dynamic_labels.keys();
        let unknown = found_out.filter(|key| !dynamic.contains_key(*key)).cloned().collect();
        Known { app: told.app.clone(), origin, labels, unknown }
    }

    fn labels(&self) -> &BTreeMap<String, String> {
        self.labels.as_ref().unwrap_or(&self.app.metadata.labels)
    }

    /// Whether this is what [`Known::new`] would make of these.
    pub fn is_of(&self, told: &DesiredApp, dynamic: &BTreeMap<String, String>) -> bool {
        let same_origin = match (&self.origin, &told.origin) {
            (Some((source, path)), Some(origin)) => *source == origin.source && *path == origin.entry.located.path,
            (None, None) => true,
            _ => false,
        };
        let same_labels = match &self.labels {
            None => dynamic.is_empty(),
            Some(labels) => {
                let own = &told.app.metadata.labels;
                let added = dynamic.keys().filter(|key| !own.contains_key(*key)).count();
                !dynamic.is_empty()
                    && labels.len() == own.len() + added
                    && dynamic.iter().all(|(key, value)| own.contains_key(key) || labels.get(key) == Some(value))
            }
        };
        same_origin && same_labels && Arc::ptr_eq(&self.app, &told.app)
    }
}

impl Policy {
    /// `rulebooks` are in the order of the sources.
    pub fn new(rulebooks: Vec<Arc<Rulebook>>, apps: HashMap<Arc<str>, Arc<Known>>) -> Policy {
        Policy { rulebooks, apps, permits: RwLock::default() }
    }

    /// Whether one of these would decide everything like this one.
    pub fn is_of(&self, rulebooks: &[Arc<Rulebook>], apps: &HashMap<Arc<str>, Arc<Known>>) -> bool {
        let same_app = |(name, app): (&Arc<str>, &Arc<Known>)| self.apps.get(name).is_some_and(|k| Arc::ptr_eq(k, app));
        self.rulebooks.len() == rulebooks.len()
            && self.rulebooks.iter().zip(rulebooks).all(|(one, other)| Arc::ptr_eq(one, other))
            && self.apps.len() == apps.len()
            && apps.iter().all(same_app)
    }

    /// The rulebook of a source.
    pub fn rulebook(&self, source: &str) -> Option<&Arc<Rulebook>> {
        self.rulebooks.iter().find(|rulebook| *rulebook.source == *source)
    }

    /// An app, as it was when this was made.
    pub fn app(&self, name: &str) -> Option<&Arc<Known>> {
        self.apps.get(name)
    }

    /// How many users can come in.
    pub fn users(&self) -> usize {
        self.rulebooks.iter().map(|rulebook| rulebook.users()).sum()
    }

    /// Whose a credential is; `None`: nobody's.
    pub fn identify(&self, credential: Credential) -> Option<User> {
        let member = |rulebook: &Arc<Rulebook>| {
            let user = rulebook.name(rulebook.find(&credential)?)?.into();
            Some(Membership { source: rulebook.source.clone(), user })
        };
        let memberships: Arc<[Membership]> = self.rulebooks.iter().filter_map(member).collect();
        (!memberships.is_empty()).then_some(User { memberships, credential })
    }

    /// Whether a principal is still known as the one that it was.
    pub fn knows(&self, principal: &Principal) -> bool {
        match principal {
            Principal::Operator | Principal::Anonymous => true,
            Principal::User(user) => self.identify(user.credential.clone()).as_ref() == Some(user),
        }
    }

    /// Who a principal is now that was known before, by the same as it has shown then; `None`: nobody any more, or somebody
    /// else. One that other sources have come to know, or know no more, is still the same.
    pub fn again(&self, principal: &Principal) -> Option<Principal> {
        let Principal::User(user) = principal else { return Some(principal.clone()) };
        let now = self.identify(user.credential.clone())?;
        now.goes_on_as(user).then_some(Principal::User(now))
    }

    /// What a principal may do with an app; `None`: for it there is no such app.
    pub fn permit(&self, principal: &Principal, app: &str) -> Option<Arc<Permit>> {
        let Principal::User(user) = principal else { return Some(EVERYTHING.clone()) };
        let (name, known) = self.apps.get_key_value(app)?;
        let (index, rulebook) = self.rulebook_of(known)?;
        let member = user.member_of(rulebook)?;
        let key = (index, member, name.clone());
        if let Some(permit) = self.permits.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return permit.clone();
        }
        let permit = rulebook.permit(member, known.labels(), &known.unknown).map(Arc::new);
        let mut permits = self.permits.write().unwrap_or_else(PoisonError::into_inner);
        if permits.len() >= MAX_PERMITS {
            permits.clear();
        }
        permits.insert(key, permit.clone());
        permit
    }

    /// Whether a principal may see how an app does: its status, logs and events.
    pub fn may_read(&self, principal: &Principal, app: &str) -> bool {
        self.may_of_app(principal, RuleResource::App, Verb::Read, app)
    }

    /// Whether a principal may order that of the agent, for one app or for all of it.
    pub fn may_order(&self, principal: &Principal, verb: Verb, app: Option<&str>) -> bool {
        match (principal, app) {
            (_, Some(app)) => self.may_of_app(principal, RuleResource::Agent, verb, app),
            (Principal::Operator, None) => true,
            (Principal::Anonymous, None) => verb == Verb::Read,
            // The agent is the first source's, like what its own configuration has.
            (Principal::User(user), None) => self.rulebooks.first().is_some_and(|rulebook| {
                user.member_of(rulebook).is_some_and(|member| rulebook.may(member, RuleResource::Agent, verb, None))
            }),
        }
    }

    fn may_of_app(&self, principal: &Principal, right: RuleResource, verb: Verb, app: &str) -> bool {
        let user = match principal {
            Principal::Operator => return true,
            Principal::Anonymous => return verb == Verb::Read,
            Principal::User(user) => user,
        };
        let Some(known) = self.apps.get(app) else { return false };
        let Some((_, rulebook)) = self.rulebook_of(known) else { return false };
        let resource = Resource::App(known.app.clone());
        let subject = Subject { path: known.origin.as_ref().map(|(_, path)| &**path), resource: &resource };
        user.member_of(rulebook).is_some_and(|member| rulebook.may(member, right, verb, Some(subject)))
    }

    /// The rulebook that an app is subject to. What no source has is the first one's.
    fn rulebook_of(&self, app: &Known) -> Option<(usize, &Arc<Rulebook>)> {
        match &app.origin {
            Some((source, _)) => self.rulebooks.iter().enumerate().find(|(_, rulebook)| rulebook.source == *source),
            None => self.rulebooks.first().map(|rulebook| (0, rulebook)),
        }
    }
}
