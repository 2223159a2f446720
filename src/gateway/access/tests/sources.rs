//! Whose rules count where.

use super::*;
use crate::resource::Verb;

const EVERYTHING: &str =
    "{allow: {app_labels: {\"*\": \"*\"}, mcp: {tools: [\"*\"]}, rules: [{resources: [\"*\"], verbs: [\"*\"]}]}}";

fn static_app(name: &str) -> Arc<App> {
    let parsed = parse_file("x.yaml", app(name, "{env: prod}").as_bytes());
    match parsed.resources.first().map(|located| &located.resource) {
        Some(crate::resource::Resource::App(app)) => app.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_users_of_a_source_rule_its_apps_and_the_first_one_what_the_agent_has() {
    let (all, none) = (role(8, "all", EVERYTHING), role(8, "none", "{}"));
    let first = [&*all, &user("ada", &["all"]), &app("one", "{}")];
    let second = [&*all, &none, &user("bob", &["all"]), &user("ada", &["none"]), &app("two", "{}")];
    let policy = policy_of(&[&first, &second], &[static_app("own")], &BTreeMap::new());
    let sees = |name: &str| {
        let principal = principal(&policy, name);
        let apps: Vec<&str> =
            ["one", "two", "own", "nope"].into_iter().filter(|app| policy.permit(&principal, app).is_some()).collect();
        let read: Vec<&str> =
            ["one", "two", "own", "nope"].into_iter().filter(|app| policy.may_read(&principal, app)).collect();
        assert_eq!(apps, read, "{name}");
        (apps, policy.may_order(&principal, Verb::Suspend, None))
    };
    // The same token has in each source what that source gives.
    assert_eq!(sees("ada"), (vec!["one", "own"], true));
    assert_eq!(sees("bob"), (vec!["two"], false));
    let ada = policy.identify(Credential::Token(token("ada"))).unwrap();
    let known: Vec<_> = ada.memberships().iter().map(|m| (&*m.source, &*m.user)).collect();
    assert_eq!((ada.name(), known), ("ada", vec![("a", "ada"), ("b", "ada")]));
    assert_eq!(policy.users(), 3);
}

#[test]
fn a_source_cannot_take_over_anothers_user() {
    let all = role(8, "all", EVERYTHING);
    // `mallory` claims the token of `ada`, who is somebody else's, and an `ada` is added with another token.
    let first = [&*all, &user("ada", &["all"]), &app("one", "{}")];
    let claim = user("mallory", &["all"]).replace(&token("mallory").to_string(), &token("ada").to_string());
    let posing = user("ada", &["all"]).replace(&token("ada").to_string(), &token("fake").to_string());
    let second = [&*all, &claim, &posing, &app("two", "{}")];
    let policy = policy_of(&[&first, &second], &[], &BTreeMap::new());
    let ada = policy.identify(Credential::Token(token("ada"))).unwrap();
    let fake = policy.identify(Credential::Token(token("fake"))).unwrap();
    assert_eq!(ada.name(), "ada");
    assert_ne!(ada, fake);
    assert!(policy.permit(&Principal::User(fake), "one").is_none());
}

#[test]
fn what_shows_who_somebody_is() {
    let role = role(8, "r", "{allow: {app_labels: {\"*\": \"*\"}}}");
    let user = format!(
        "kind: user\nversion: v2\nmetadata: {{name: ada}}\nspec:\n  roles: [r]\n  gateway:\n    token_sha256: [{}, {}]\n    \
         oidc: [{{issuer: \"https://id.example\", subject: \"42\"}}]\n    host_users: [ada, root-less]\n",
        token("one").to_string().to_uppercase(),
        token("two"),
    );
    let policy = policy_of(&[&[&role, &user]], &[], &BTreeMap::new());
    let oidc = |issuer: &str, subject: &str| Credential::Oidc(issuer.into(), subject.into());
    let mut same: Vec<Principal> = Vec::new();
    for (credential, known) in [
        (Credential::Token(token("one")), true),
        (Credential::Token(token("two")), true),
        (Credential::Token(token("three")), false),
        (oidc("https://id.example", "42"), true),
        (oidc("https://id.example/", "42"), false),
        (oidc("https://id.example", "43"), false),
        (Credential::HostUser("ada".into()), true),
        (Credential::HostUser("Ada".into()), false),
    ] {
        let user = policy.identify(credential.clone());
        assert_eq!(user.is_some(), known, "{credential:?}");
        same.extend(user.map(Principal::User));
    }
    assert!(same.iter().all(|one| *one == same[0]));
}

/// Tools of the app `x` that a user may call after a source has changed.
fn after(before: &[&str], now: &[&str], name: &str) -> Option<bool> {
    let before = snapshot(before, None);
    assert!(before.diagnostics.is_empty(), "{:#?}", before.diagnostics);
    let policy = policy_of_snapshots(vec![snapshot(now, Some(&before))], &[], &BTreeMap::new());
    let user = policy.identify(Credential::Token(token(name)))?;
    Some(policy.permit(&Principal::User(user), "x").is_some_and(|permit| permit.allows_tool("get")))
}

#[test]
fn what_breaks_stays_as_it_was_and_never_opens_anything() {
    let (all, deny) = (role(8, "all", EVERYTHING), role(8, "deny", "{deny: {mcp: {tools: [get]}}}"));
    let (plain, held, x) = (user("ada", &["all"]), user("bob", &["all", "deny"]), app("x", "{}"));
    let good = [&*all, &deny, &plain, &held, &x];
    assert_eq!(after(&good, &good, "ada"), Some(true));
    assert_eq!(after(&good, &good, "bob"), Some(false));
    // Roles and users that cannot be read any more are as they were.
    let broken = ["kind: role\nversion: v8\nmetadata: {name: all}\nspec: {alow: {}}\n", &deny, &plain, &held, &x];
    assert_eq!(after(&good, &broken, "ada"), Some(true));
    let broken = [&*all, "kind: role\nversion: v8\nmetadata: {name: deny}\nspec: {deny: 1}\n", &plain, &held, &x];
    assert_eq!(after(&good, &broken, "bob"), Some(false));
    let broken = [&*all, &deny, &plain.replace("spec:", "spek:"), &held, &x];
    assert_eq!(after(&good, &broken, "ada"), Some(true));
    // A user whose role has gone is not a user without it.
    assert_eq!(after(&good, &[&*all, "", &plain, &held, &x], "bob"), None);
    assert_eq!(after(&good, &[&*all, "", &plain, &held, &x], "ada"), Some(true));
    // What two users claim is nobody's.
    let twin = held.replace(&token("bob").to_string(), &token("ada").to_string());
    assert_eq!(after(&[], &[&*all, &deny, &plain, &twin, &x], "ada"), None);
    // Without any user nobody comes in.
    assert_eq!(after(&good, &[&*all, &deny, "", "", &x], "ada"), None);
    let empty = Policy::default();
    assert!(empty.identify(Credential::Token(token("ada"))).is_none());
}

#[test]
fn a_rulebook_is_made_anew_only_for_other_users_or_roles() {
    let (all, ada) = (role(8, "all", EVERYTHING), user("ada", &["all"]));
    let (name, x) = (Arc::from("a"), app("x", "{}"));
    let first = snapshot(&[&all, &ada], None);
    let one = Rulebook::new(&name, Some(&first), None);
    assert!(Arc::ptr_eq(&one, &Rulebook::new(&name, Some(&first), Some(&one))));
    // The same files, read once more, are the same resources for who reads only what has changed.
    let mut with_app = first.clone();
    with_app.resources.extend(snapshot(&[&x], None).resources);
    assert!(Arc::ptr_eq(&one, &Rulebook::new(&name, Some(&with_app), Some(&one))));
    let other = snapshot(&[&all, &user("ada", &[])], None);
    assert!(!Arc::ptr_eq(&one, &Rulebook::new(&name, Some(&other), Some(&one))));
    assert!(!Arc::ptr_eq(&one, &Rulebook::new(&"b".into(), Some(&first), Some(&one))));
}

#[test]
fn who_is_recognized_again_as_somebody_else_has_nothing_left() {
    let all = role(8, "all", EVERYTHING);
    let before = policy_of(&[&[&*all, &user("ada", &["all"]), &app("x", "{}")]], &[], &BTreeMap::new());
    let ada = principal(&before, "ada");
    assert!(before.permit(&ada, "x").is_some());
    // The token is another's now.
    let passed_on = user("bob", &["all"]).replace(&token("bob").to_string(), &token("ada").to_string());
    let after = policy_of(&[&[&*all, &passed_on, &app("x", "{}")]], &[], &BTreeMap::new());
    assert!(after.permit(&ada, "x").is_none());
    assert!(!after.may_read(&ada, "x"));
    assert!(!after.may_order(&ada, Verb::Suspend, None));
    let bob = principal(&after, "ada");
    assert!(after.permit(&bob, "x").is_some() && bob != ada);
}

#[test]
fn operators_may_everything_and_anonymous_clients_of_an_open_gateway_use_everything() {
    let policy = policy_of(&[&[&app("x", "{}")]], &[], &BTreeMap::new());
    for who in [Principal::Operator, Principal::Anonymous] {
        let permit = policy.permit(&who, "x").unwrap();
        assert!(!permit.is_restricted() && permit.allows_tool("any"));
        assert!(policy.may_read(&who, "x") && policy.may_order(&who, Verb::Read, None));
        assert_eq!(policy.may_order(&who, Verb::Restart, Some("x")), who == Principal::Operator);
        assert_eq!(policy.may_order(&who, Verb::Suspend, None), who == Principal::Operator);
    }
}
