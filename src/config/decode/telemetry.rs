//! `telemetry`.

use super::{path, set};
use crate::{
    config::{Environment, LogFormat, Telemetry},
    manifest::{
        Code,
        decode::{Context, duration_within, fields, integer, is_secure_url, map, number, one_of, text},
        text::quoted,
        yaml::{Entry, Node},
    },
    telemetry::Otlp,
};
use http::{HeaderName, Uri};
use std::{ops::RangeInclusive, path::PathBuf, time::Duration};

/// Of a request to the collector.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);
/// Of spans that wait: a few hundred bytes each.
const QUEUE: RangeInclusive<usize> = 64..=1_000_000;
/// Of attributes of the agent, and of their texts in bytes.
const MAX_ATTRIBUTES: usize = 64;
const MAX_TEXT: usize = 1024;

pub(super) fn telemetry(node: &Node, environment: &Environment, context: &Context) -> Option<Telemetry> {
    let mut f = fields(node, "telemetry", context)?;
    let mut telemetry = Telemetry::default();
    set(&mut telemetry.log, f.optional("log", one_of(&[("text", LogFormat::Text), ("json", LogFormat::Json)])));
    telemetry.otlp = f.nullable("otlp", |node, context| otlp(node, environment, context)).map(Box::new);
    f.finish();
    Some(telemetry)
}

fn otlp(node: &Node, environment: &Environment, context: &Context) -> Option<Otlp> {
    let file = |node: &Node, context: &Context| path(node, environment, context);
    let header = |entry: &Entry, context: &Context| header(entry, environment, context);
    let mut f = fields(node, "telemetry.otlp", context)?;
    let endpoint = f.required("endpoint", endpoint);
    // Of a collector that is not named, the rest is checked all the same.
    let mut otlp = Otlp::new(endpoint.clone().unwrap_or_default());
    set(&mut otlp.headers, f.optional("headers", map(header)));
    otlp.ca_file = f.nullable("ca_file", file);
    set(&mut otlp.sample, f.optional("sample", number(0.0..=1.0)));
    set(&mut otlp.timeout, f.optional("timeout", duration_within(TIMEOUT)));
    set(&mut otlp.queue, f.optional("queue", integer(QUEUE)));
    otlp.service_name = f.nullable("service_name", short);
    set(&mut otlp.attributes, f.optional("attributes", map(attribute)));
    if let (Some(endpoint), Some(mark)) = (&endpoint, f.given("headers"))
        && !otlp.headers.is_empty()
        && !is_secure_url(endpoint)
    {
        let message = "headers with secrets would go over the network in clear";
        let help = "use an `https` endpoint, or one on this machine";
        context.error_with_help::<()>(Code::InvalidUri, mark, message, help);
    }
    if let Some(mark) = f.given("attributes").filter(|_| otlp.attributes.len() > MAX_ATTRIBUTES) {
        context.error::<()>(Code::OutOfRange, mark, format!("an agent has at most {MAX_ATTRIBUTES} attributes"));
    }
    f.finish();
    endpoint.map(|_| otlp)
}

/// The URL of a collector, without the `/` at its end.
fn endpoint(node: &Node, context: &Context) -> Option<String> {
    let written = text(node, context)?;
    let good = written.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(|a| !a.host().is_empty() && !a.as_str().contains('@'))
            && uri.query().is_none()
    });
    let base = written.trim_end_matches('/');
    if good && !written.contains('#') {
        return Some(base.strip_suffix("/v1/traces").unwrap_or(base).to_owned());
    }
    let message = format!("{} is not the URL of a collector", quoted(written));
    let help = "write it like `https://collector.example.com:4318`, without user, `?` and `#`";
    context.error_with_help(Code::InvalidUri, node.mark, message, help)
}

/// The file with the value of a header.
fn header(entry: &Entry, environment: &Environment, context: &Context) -> Option<PathBuf> {
    match entry.key.parse::<HeaderName>() {
        Ok(name) if matches!(name.as_str(), "content-type" | "content-length" | "host" | "transfer-encoding") => {
            context.error(Code::InvalidHeader, entry.mark, format!("the header `{name}` is the agent's own"))
        }
        Ok(_) => path(&entry.value, environment, context),
        Err(_) => {
            let message = format!("{} is not the name of a header", quoted(&entry.key));
            context.error(Code::InvalidHeader, entry.mark, message)
        }
    }
}

fn attribute(entry: &Entry, context: &Context) -> Option<String> {
    if entry.key.is_empty() || entry.key.len() > MAX_TEXT {
        return context.error(Code::OutOfRange, entry.mark, format!("an attribute's name has 1 to {MAX_TEXT} bytes"));
    }
    short(&entry.value, context)
}

fn short(node: &Node, context: &Context) -> Option<String> {
    let written = text(node, context)?;
    if (1..=MAX_TEXT).contains(&written.len()) {
        return Some(written.to_owned());
    }
    context.error(Code::OutOfRange, node.mark, format!("the text has 1 to {MAX_TEXT} bytes"))
}
