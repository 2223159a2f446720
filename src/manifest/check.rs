//! What can only be seen when all resources of a source are looked at together.

use super::{
    Code, Diagnostic, Located,
    decode::{nearest, normal_key},
    place::Place,
    text::quoted,
};
use crate::resource::{Kind, Resource, User};
use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

/// How many other places one diagnostic names.
const MAX_RELATED: usize = 10;

/// For how many unknown roles the nearest one is looked up, among all that there are.
const MAX_SUGGESTIONS: usize = 50;

/// Checks the resources of a source against each other: names and identities are unique, roles exist.
///
/// Every diagnostic belongs to a file: a clash is an error on each side, which names the others. The result is sorted
/// by file and place.
pub fn cross_check<'a>(resources: impl IntoIterator<Item = &'a Located>) -> Vec<Diagnostic> {
    let all: Vec<&Located> = resources.into_iter().collect();
    let mut diagnostics = duplicate_names(&all);
    diagnostics.extend(duplicate_identities(&all));
    diagnostics.extend(unknown_roles(&all));
    diagnostics.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
    diagnostics
}

fn name(located: &Located) -> &str {
    &located.resource.metadata().name
}

/// Names are compared without case: they become file names and host names, where case may not count.
fn folded(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|b| b.is_ascii_uppercase()) { name.to_ascii_lowercase().into() } else { name.into() }
}

fn duplicate_names(all: &[&Located]) -> Vec<Diagnostic> {
    let key = |located: &'_ Located| (located.resource.kind(), folded(name(located)).into_owned());
    let mut seen: HashSet<(Kind, Cow<str>)> = HashSet::with_capacity(all.len());
    let twice: HashSet<_> = all
        .iter()
        .filter(|located| !seen.insert((located.resource.kind(), folded(name(located)))))
        .map(|located| key(located))
        .collect();
    // Nearly always there is none: only then is it worth while to look again.
    if twice.is_empty() {
        return Vec::new();
    }
    let mut by_name: HashMap<_, Vec<&Located>> = HashMap::new();
    for located in all {
        let key = key(located);
        if twice.contains(&key) {
            by_name.entry(key).or_default().push(located);
        }
    }
    by_name.into_values().flat_map(clash_of_names).collect()
}

fn clash_of_names(group: Vec<&Located>) -> Vec<Diagnostic> {
    let same = |a: &Located, b: &Located| name(a) == name(b);
    let error = |located: &&Located| {
        let others = || group.iter().filter(|other| !std::ptr::eq(**other, *located));
        let kind = located.resource.kind();
        let shown = quoted(name(located));
        let message = match others().find(|other| !same(other, located)) {
            Some(other) if !others().any(|other| same(other, located)) => {
                format!("the name of {kind} {shown} differs from {} only in case", quoted(name(other)))
            }
            _ => format!("{kind} {shown} is defined {} times", group.len()),
        };
        let place = &located.places.name;
        let mut diagnostic = place.error(Code::DuplicateResource, &located.path, message);
        diagnostic.help = Some(format!("a name is unique among the {kind}s of a source, without regard to case"));
        diagnostic.related = others()
            .take(MAX_RELATED)
            .map(|other| {
                other.places.name.related(&other.path, format!("{} is also defined here", quoted(name(other))))
            })
            .collect();
        diagnostic
    };
    group.iter().map(error).collect()
}

/// What identifies a user, with the word for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Claim {
    Email,
    SigningKey,
    Token,
    Oidc,
    HostUser,
}

impl Claim {
    fn describe(self) -> &'static str {
        match self {
            Claim::Email => "email",
            Claim::SigningKey => "signing key",
            Claim::Token => "token digest",
            Claim::Oidc => "OIDC subject",
            Claim::HostUser => "host user",
        }
    }
}

struct Claimant<'a> {
    located: &'a Located,
    place: Place,
    shown: String,
}

fn duplicate_identities(all: &[&Located]) -> Vec<Diagnostic> {
    let mut claims: HashMap<(Claim, String), Vec<Claimant>> = HashMap::new();
    for located in all {
        let Resource::User(user) = &located.resource else { continue };
        let own = identities(user, located);
        for (claim, normal, shown, place) in own {
            claims.entry((claim, normal)).or_default().push(Claimant { located, place, shown });
        }
    }
    let mut diagnostics = Vec::new();
    for ((claim, _), claimants) in claims {
        for claimant in &claimants {
            // The same user twice is an error of its own.
            let own_name = folded(name(claimant.located));
            let others: Vec<&Claimant> =
                claimants.iter().filter(|other| folded(name(other.located)) != own_name).collect();
            let Some(first) = others.first() else { continue };
            let what = claim.describe();
            let other = quoted(name(first.located));
            let message = format!("{what} {} is also claimed by user {other}", quoted(&claimant.shown));
            let mut diagnostic = claimant.place.error(Code::DuplicateIdentity, &claimant.located.path, message);
            diagnostic.help = Some("what identifies a user belongs to that user alone".to_owned());
            let related = |c: &&Claimant| {
                c.place.related(&c.located.path, format!("claimed by user {} here", quoted(name(c.located))))
            };
            diagnostic.related = others.iter().take(MAX_RELATED).map(related).collect();
            diagnostics.push(diagnostic);
        }
    }
    diagnostics
}

/// All that identifies a user: what it is, its normal form, how it is shown, and where it is written.
fn identities(user: &User, located: &Located) -> Vec<(Claim, String, String, Place)> {
    let places = located.places.user.as_deref();
    let mut all = Vec::new();
    let mut add = |claim, values: &mut dyn Iterator<Item = (String, String)>, places: Option<&[Place]>| {
        for (i, (normal, shown)) in values.enumerate() {
            let place = places.and_then(|p| p.get(i)).unwrap_or(&located.places.name).clone();
            all.push((claim, normal, shown, place));
        }
    };
    let same = |value: &String| (value.clone(), value.clone());
    let User { git, gateway, .. } = user;
    add(Claim::Email, &mut git.emails.iter().map(|e| (e.to_ascii_lowercase(), e.clone())), places.map(|p| &*p.emails));
    add(
        Claim::SigningKey,
        &mut git.signing_keys.iter().map(|k| (normal_key(k), k.clone())),
        places.map(|p| &*p.signing_keys),
    );
    add(Claim::Token, &mut gateway.token_sha256.iter().map(same), places.map(|p| &*p.token_sha256));
    add(
        Claim::Oidc,
        // The separator is no character of a URL.
        &mut gateway.oidc.iter().map(|o| (format!("{} {}", o.issuer, o.subject), o.subject.clone())),
        places.map(|p| &*p.oidc),
    );
    add(Claim::HostUser, &mut gateway.host_users.iter().map(same), places.map(|p| &*p.host_users));
    all
}

fn unknown_roles(all: &[&Located]) -> Vec<Diagnostic> {
    let roles: HashSet<&str> =
        all.iter().filter(|l| l.resource.kind() == Kind::Role).map(|located| name(located)).collect();
    let mut candidates: Vec<&str> = roles.iter().copied().collect();
    candidates.sort_unstable();
    let mut diagnostics = Vec::new();
    for located in all {
        let Resource::User(user) = &located.resource else { continue };
        for (i, role) in user.roles.iter().enumerate().filter(|(_, role)| !roles.contains(role.as_str())) {
            let places = located.places.user.as_deref();
            let place = places.and_then(|p| p.roles.get(i)).unwrap_or(&located.places.name);
            let message = format!("role {} does not exist", quoted(role));
            let mut diagnostic = place.error(Code::UnknownRole, &located.path, message);
            if diagnostics.len() < MAX_SUGGESTIONS {
                diagnostic.help = nearest(role, &candidates).map(|role| format!("did you mean `{role}`?"));
            }
            diagnostics.push(diagnostic);
        }
    }
    diagnostics
}
