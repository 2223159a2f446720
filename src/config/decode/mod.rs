//! From the nodes of the file to the configuration.

mod app_service;
mod audit;
mod authorization;
mod gateway;
mod git;
mod notification;
mod source;
mod telemetry;
mod webhook;

pub(super) use authorization::for_judging;
pub use notification::event_words;

use super::{Config, Environment};
use crate::{
    manifest::{
        Code,
        decode::{Context, boolean, fields, integer, number, text},
        text::{Finding, quoted},
        yaml::{Entry, Node, Value},
    },
    reconcile::PruneSettings,
};
use std::path::PathBuf;

/// Reads the whole file.
pub(super) fn config(node: &Node, environment: &Environment, context: &Context) -> Option<Config> {
    let mut f = fields(node, "", context)?;
    let path = |node: &Node, context: &Context| path(node, environment, context);
    f.optional("version", version);
    let state_dir = f.nullable("state_dir", path);
    let state_dir = match state_dir.map_or_else(|| environment.state_dir(), Ok) {
        Ok(state_dir) => state_dir,
        Err(error) => {
            // The rest of the file is still worth reading.
            context.error::<()>(Code::MissingField, f.mark(), error.to_string());
            PathBuf::new()
        }
    };
    let mut config = Config::with_paths(state_dir, environment);
    config.agent_name = f.nullable("agent_name", notification::agent_name);
    set(&mut config.control_socket, f.nullable("control_socket", path));
    set(&mut config.sources, f.optional("sources", |n, c| source::sources(n, environment, c)));
    set(&mut config.app_service, f.optional("app_service", |n, c| app_service::app_service(n, environment, c)));
    config.restrict();
    config.policy_source.decode("", "policy_source", &mut f, context);
    set(&mut config.prune, f.optional("prune", prune));
    set(&mut config.gateway, f.optional("gateway", |n, c| gateway::gateway(n, environment, c)));
    config.admin_listen = f.nullable("admin_listen", gateway::address);
    webhook::webhooks(&mut config, &mut f, environment, context);
    notification::notifications(&mut config, &mut f, environment);
    set(&mut config.audit, f.optional("audit", |n, c| audit::audit(n, environment, c)));
    set(&mut config.telemetry, f.optional("telemetry", |n, c| telemetry::telemetry(n, environment, c)));
    secrets_apart(&config, node, context);
    f.finish();
    Some(config)
}

/// Puts a value that was given in the place of the default.
fn set<T>(setting: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *setting = given;
    }
}

/// Reports a `secrets_dir` from which apps could be given the agent's own credentials.
fn secrets_apart(config: &Config, node: &Node, context: &Context) {
    let Some(credential) = config.credential_among_secrets() else { return };
    let service = within(node, "app_service");
    let setting = service.and_then(|entry| within(&entry.value, "secrets_dir")).or(service);
    let mark = setting.map_or(node.mark, |entry| entry.mark);
    let finding = Finding::error(Code::InvalidPath, mark, credential.among(&config.app_service.secrets_dir));
    context.report(finding.help("give the secrets of apps a folder of their own, and set `secrets_dir` to it"));
}

fn within<'n, 'a>(node: &'n Node<'a>, name: &str) -> Option<&'n Entry<'a>> {
    match &node.value {
        Value::Map(entries) => entries.iter().find(|entry| entry.key == name),
        _ => None,
    }
}

fn version(node: &Node, context: &Context) -> Option<()> {
    match text(node, context)? {
        "v1" => Some(()),
        other => {
            let message = format!("there is no version {} of the configuration", quoted(other));
            context.error_with_help(Code::UnknownVersion, node.mark, message, "write `v1`")
        }
    }
}

/// A path, which starts from the folder of the file unless it is absolute.
fn path(node: &Node, environment: &Environment, context: &Context) -> Option<PathBuf> {
    match text(node, context)? {
        "" => context.error(Code::InvalidPath, node.mark, "the path is empty"),
        path => Some(environment.base.join(path)),
    }
}

fn prune(node: &Node, context: &Context) -> Option<PruneSettings> {
    let mut f = fields(node, "prune", context)?;
    let mut prune = PruneSettings::default();
    set(&mut prune.min_apps, f.optional("min_apps", integer(0..=1_000_000)));
    set(&mut prune.max_fraction, f.optional("max_fraction", number(0.0..=1.0)));
    set(&mut prune.allow_empty, f.optional("allow_empty", boolean));
    f.finish();
    Some(prune)
}
