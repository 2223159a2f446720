//! `app_service`.

use super::{path, set};
use crate::{
    config::{AppService, Enforcement, Environment, ResourceMatcher},
    instance::remote::HostPattern,
    manifest::{
        Code,
        decode::{
            Context, boolean, duration_within, environment_name, fields, host_user, integer, list, map, one_of,
            secret_name, selector, static_app, text, unique,
        },
        text::{Finding, quoted},
        yaml::{Entry, Node, Value},
    },
    resource::Selector,
};
use std::{ops::RangeInclusive, sync::Arc, time::Duration};

const ENFORCEMENT: &[(&str, Enforcement)] =
    &[("strict", Enforcement::Strict), ("best_effort", Enforcement::BestEffort)];

const DRAIN: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(30 * 24 * 3600);
const SHUTDOWN: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(24 * 3600);

pub(super) fn app_service(node: &Node, environment: &Environment, context: &Context) -> Option<AppService> {
    let mut f = fields(node, "app_service", context)?;
    let mut service = AppService::of(environment);
    set(&mut service.enabled, f.optional("enabled", boolean));
    set(&mut service.resources, f.optional("resources", list(matcher)));
    let apps = unique(list(static_app), |app| app.metadata.name.to_ascii_lowercase());
    set(&mut service.apps, f.optional("apps", apps).map(|apps| apps.into_iter().map(Arc::new).collect()));
    set(&mut service.secrets_dir, f.nullable("secrets_dir", |n, c| path(n, environment, c)));
    service.secrets = f.nullable("secrets", map(|e, c| grant(secret_name, e, c)));
    service.host_users = f.nullable("host_users", map(|e, c| grant(host_user, e, c)));
    service.default_host_user = f.nullable("default_host_user", host_user);
    service.remote_hosts = f.nullable("remote_hosts", unique(list(host_pattern), HostPattern::to_string));
    let names = unique(list(variable), String::clone);
    set(&mut service.allow_from_agent, f.optional("allow_from_agent", names));
    set(&mut service.allow_root, f.optional("allow_root", boolean));
    set(&mut service.enforcement, f.optional("enforcement", one_of(ENFORCEMENT)));
    set(&mut service.parallel_starts, f.optional("parallel_starts", integer(1..=1024)));
    set(&mut service.drain_timeout, f.optional("drain_timeout", duration_within(DRAIN)));
    set(&mut service.shutdown_timeout, f.optional("shutdown_timeout", duration_within(SHUTDOWN)));
    if service.default_host_user.as_deref() == Some("root") && !service.allow_root {
        let mark = f.entry("default_host_user").map_or(f.mark(), |entry| entry.mark);
        let finding = Finding::error(Code::MisplacedField, mark, "`root` as the default needs `allow_root: true`");
        context.report(finding.help("name a user without privileges, such as `nobody`"));
    }
    f.finish();
    Some(service)
}

fn matcher(node: &Node, context: &Context) -> Option<ResourceMatcher> {
    let mut f = fields(node, "resources[]", context)?;
    let labels = f.required("labels", selector);
    f.finish();
    Some(ResourceMatcher { labels: labels? })
}

/// An entry of `host_users` or `secrets`: a name, and the apps that may use it.
fn grant(name: impl Fn(&Node, &Context) -> Option<String>, entry: &Entry, context: &Context) -> Option<Selector> {
    let name = name(&Node { value: Value::String(entry.key.clone()), mark: entry.mark }, context);
    selector(&entry.value, context).filter(|_| name.is_some())
}

/// An entry of `remote_hosts`.
fn host_pattern(node: &Node, context: &Context) -> Option<HostPattern> {
    let written = text(node, context)?;
    match HostPattern::new(written) {
        Ok(pattern) => Some(pattern),
        Err(why) => {
            let message = format!("{} is no pattern of a host: {why}", quoted(written));
            let help = "write a host or `host:port`, in which `*` is any run of characters";
            context.error_with_help(Code::InvalidUri, node.mark, message, help)
        }
    }
}

fn variable(node: &Node, context: &Context) -> Option<String> {
    environment_name(text(node, context)?, node.mark, context)
}
