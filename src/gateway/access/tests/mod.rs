mod listing;
mod oracle;
mod roles;
mod sources;

use super::{Credential, Known, Permit, Policy, Principal, Rulebook};
use crate::{
    manifest::{FileState, Revision, Snapshot, Tree, parse_file},
    reconcile::{DesiredApp, Selection, SourceInput, desired},
    resource::{App, Digest, Selector},
};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// What a source says that has these documents, each in a file of its own: `0.yaml`, `1.yaml` and so on.
fn snapshot(documents: &[&str], previous: Option<&Snapshot>) -> Snapshot {
    let parsed = documents.iter().enumerate().map(|(index, text)| {
        let path = format!("{index}.yaml");
        (Arc::from(path.as_str()), FileState::Parsed(Arc::new(parse_file(&path, text.as_bytes()))))
    });
    Snapshot::build(&parsed.collect::<Tree>(), Revision::from("0".to_owned()), previous)
}

/// The policy of valid sources, `a`, `b` and so on, and of apps of the agent's own.
fn policy_of(sources: &[&[&str]], static_apps: &[Arc<App>], dynamic: &BTreeMap<String, String>) -> Policy {
    let snapshots = sources.iter().map(|documents| {
        let snapshot = snapshot(documents, None);
        assert!(snapshot.diagnostics.is_empty(), "{:#?}", snapshot.diagnostics);
        snapshot
    });
    policy_of_snapshots(snapshots.collect(), static_apps, dynamic)
}

fn policy_of_snapshots(
    snapshots: Vec<Snapshot>,
    static_apps: &[Arc<App>],
    dynamic: &BTreeMap<String, String>,
) -> Policy {
    let names = ["a", "b", "c"].into_iter().map(Arc::from);
    let inputs: Vec<SourceInput> =
        names.zip(snapshots).map(|(name, snapshot)| SourceInput { name, snapshot: Arc::new(snapshot) }).collect();
    let selection =
        Selection { enabled: true, selectors: vec![Selector::everything()], static_apps: static_apps.to_vec() };
    let apps = desired(&inputs, &selection, Timestamp::UNIX_EPOCH).apps;
    let known = |(name, told): (&String, &DesiredApp)| (name.as_str().into(), Arc::new(Known::new(told, dynamic)));
    let rulebooks = inputs.iter().map(|input| Rulebook::new(&input.name, Some(&input.snapshot), None)).collect();
    Policy::new(rulebooks, apps.iter().map(known).collect::<HashMap<_, _>>())
}

/// The token of a user is their name.
fn token(name: &str) -> Digest {
    Digest::of_bytes(name.as_bytes())
}

fn user(name: &str, roles: &[&str]) -> String {
    let roles = roles.join(", ");
    let digest = token(name);
    format!(
        "kind: user\nversion: v2\nmetadata: {{name: {name}}}\nspec: {{roles: [{roles}], traits: {{teams: [docs]}}, \
         gateway: {{token_sha256: [{digest}]}}}}\n"
    )
}

fn app(name: &str, labels: &str) -> String {
    format!("kind: app\nversion: v3\nmetadata: {{name: {name}, labels: {labels}}}\nspec: {{mcp: {{command: x}}}}\n")
}

fn role(version: u8, name: &str, spec: &str) -> String {
    format!("kind: role\nversion: v{version}\nmetadata: {{name: {name}}}\nspec: {spec}\n")
}

/// Who has shown the token of that user.
fn principal(policy: &Policy, name: &str) -> Principal {
    let user = policy.identify(Credential::Token(token(name)));
    Principal::User(user.unwrap_or_else(|| panic!("{name} is nobody")))
}

fn permit(policy: &Policy, name: &str, app: &str) -> Option<Arc<Permit>> {
    policy.permit(&principal(policy, name), app)
}
