//! `webhook_listen` and `webhooks`.

use super::{gateway::address, path};
use crate::{
    config::{Config, Environment},
    manifest::{
        Code,
        decode::{Context, Fields, fields, list, name, one_of, text, unique},
        text::quoted,
        yaml::Node,
    },
    webhook::{Scheme, Webhook},
};
use http::HeaderName;

const SCHEMES: &[(&str, Scheme)] = &[("hmac-sha256", Scheme::HmacSha256), ("token", Scheme::Token)];

/// Reads both settings; `config` has its sources already.
pub(super) fn webhooks(config: &mut Config, f: &mut Fields, environment: &Environment, context: &Context) {
    config.webhook_listen = f.nullable("webhook_listen", address);
    let sources: Vec<&str> = config.sources.iter().map(|source| source.name.as_str()).collect();
    let each = |node: &Node, context: &Context| webhook(node, &sources, environment, context);
    let given = f.optional("webhooks", unique(list(each), |hook: &Webhook| hook.name.to_ascii_lowercase()));
    let given = given.unwrap_or_default();
    if let Some(mark) = f.given("webhooks").filter(|_| !given.is_empty() && config.webhook_listen.is_none()) {
        let message = "webhooks are served only where `webhook_listen` says";
        context.error_with_help::<()>(Code::MissingField, mark, message, "add `webhook_listen: 127.0.0.1:7421`, say");
    }
    config.webhooks = given;
}

fn webhook(node: &Node, sources: &[&str], environment: &Environment, context: &Context) -> Option<Webhook> {
    let mut f = fields(node, "webhooks[]", context)?;
    let name = f.required("name", name);
    let source = f.required("source", |n, c| source_name(n, sources, c));
    let scheme = f.required("scheme", one_of(SCHEMES));
    let header = f.nullable("header", header);
    let secret_file = f.required("secret_file", |n, c| path(n, environment, c));
    f.finish();
    Some(Webhook { name: name?, source: source?, scheme: scheme?, header, secret_file: secret_file? })
}

/// The name of one of the sources.
pub(super) fn source_name(node: &Node, sources: &[&str], context: &Context) -> Option<String> {
    let written = text(node, context)?;
    if sources.contains(&written) {
        return Some(written.to_owned());
    }
    let message = format!("there is no source {}", quoted(written));
    context.error_with_help(Code::UnknownValue, node.mark, message, "write the `name` of one of `sources`")
}

fn header(node: &Node, context: &Context) -> Option<HeaderName> {
    let written = text(node, context)?;
    match HeaderName::from_bytes(written.as_bytes()) {
        Ok(name) => Some(name),
        Err(_) => {
            context.error(Code::InvalidHeader, node.mark, format!("{} is not the name of a header", quoted(written)))
        }
    }
}
