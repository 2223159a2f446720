//! What the user has to know and do after an import.

use super::{Content, Format, Import};
use crate::{
    escape::escape,
    resource::{EnvValue, Server},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// Secrets that apps of the repository refer to already, each with such an app.
pub type Existing = BTreeMap<String, String>;

/// The report. `written`: where values of secrets have been put, if they have been.
pub fn report(import: &Import, path: &str, existing: &Existing, written: Option<&str>) -> String {
    let mut out = String::new();
    for note in &import.notes {
        let place = note.position.map(|position| format!(":{position}")).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(out, "note: {} ({}{place})", escape(&note.message), escape(path));
    }
    if !import.secrets.is_empty() {
        let _ = writeln!(out, "\nPut these into files of the agent's `secrets_dir`, readable for the agent alone:");
        for secret in &import.secrets {
            let content = match (&secret.content, written) {
                (Content::Found(_), Some(folder)) => format!("written to {folder}/{}", secret.name),
                (Content::Found(_), None) => format!("the value in {path}, line {}", secret.line),
                (Content::Described(content), _) => content.clone(),
            };
            let uses: Vec<String> = secret.uses.iter().map(|(app, field)| format!("{app}.{field}")).collect();
            let _ = writeln!(out, "  {}  {} (for {})", secret.name, escape(&content), escape(&uses.join(", ")));
            if let Some(app) = existing.get(&secret.name) {
                let _ = writeln!(out, "    app/{app} has a secret of this name already: it is the same file");
            }
        }
    }
    let grants = grants(import);
    if !grants.is_empty() {
        let _ = write!(out, "\nAdd what is missing to the agent's configuration:\n\n{grants}");
    }
    if import.format != Format::Tctl && matches!(import.apps.as_slice(), [_, ..]) {
        let _ = writeln!(out, "\n`mcpfleet validate` says what else to look at, such as packages without a version.");
    }
    out
}

/// The part of an agent's configuration that lets these apps run. Empty if they need none.
pub fn grants(import: &Import) -> String {
    let (mut secrets, mut users, mut hosts, mut variables) =
        (BTreeMap::new(), BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    for imported in &import.apps {
        let app = imported.app();
        let labels = &app.metadata.labels;
        for name in super::secrets_of(app) {
            narrow(secrets.entry(name.to_owned()).or_insert_with(|| labels.clone()), labels);
        }
        match &app.spec.server {
            Server::Stdio(stdio) => {
                if let Some(user) = &stdio.run_as_host_user {
                    narrow(users.entry(user.clone()).or_insert_with(|| labels.clone()), labels);
                }
                variables.extend(stdio.env.values().filter_map(|value| match value {
                    EnvValue::FromAgent(name) => Some(name.clone()),
                    EnvValue::Literal(_) | EnvValue::Secret(_) => None,
                }));
            }
            Server::Remote(remote) => {
                let uri = remote.url.parse::<http::Uri>().ok();
                hosts.extend(uri.as_ref().and_then(|uri| uri.authority()).map(|authority| authority.to_string()));
            }
        }
    }
    let mut out = String::new();
    for (field, entries) in [("secrets", &secrets), ("host_users", &users)] {
        if !entries.is_empty() {
            let _ = writeln!(out, "  {field}:");
            for (name, labels) in entries {
                let _ = writeln!(out, "    {}: {}", super::yaml::scalar(name, false), selector(labels));
            }
        }
    }
    for (field, names) in [("remote_hosts", &hosts), ("allow_from_agent", &variables)] {
        if !names.is_empty() {
            let names: Vec<String> = names.iter().map(|name| super::yaml::scalar(name, true)).collect();
            let _ = writeln!(out, "  {field}: [{}]", names.join(", "));
        }
    }
    if out.is_empty() { out } else { format!("app_service:\n{out}") }
}

/// Keeps the labels that another app has too.
fn narrow(common: &mut BTreeMap<String, String>, labels: &BTreeMap<String, String>) {
    common.retain(|key, value| labels.get(key) == Some(value));
}

/// A selector of the apps that have these labels; without any, of all apps, as there is nothing to tell them by.
fn selector(labels: &BTreeMap<String, String>) -> String {
    use super::yaml::scalar;
    if labels.is_empty() {
        return "{\"*\": \"*\"}".to_owned();
    }
    let labels = labels.iter().map(|(key, value)| format!("{}: {}", scalar(key, true), scalar(value, true)));
    format!("{{{}}}", labels.collect::<Vec<_>>().join(", "))
}
