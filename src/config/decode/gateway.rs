//! `gateway`.

use super::{path, set};
use crate::{
    config::{Auth, Environment, Gateway, GatewayLimits, OidcIssuer, Tls},
    manifest::{
        Code,
        decode::{Context, fields, integer, issuer, list, one_of, size, text, unique},
        text::{Finding, quoted},
        yaml::Node,
    },
};
use http::Uri;
use std::net::SocketAddr;

const AUTH: &[(&str, Auth)] = &[("required", Auth::Required), ("open", Auth::Open)];

/// Bounds of the largest request.
const BODY: std::ops::RangeInclusive<u64> = 1024..=1 << 30;

pub(super) fn gateway(node: &Node, environment: &Environment, context: &Context) -> Option<Gateway> {
    let mut f = fields(node, "gateway", context)?;
    let mut gateway = Gateway::default();
    set(&mut gateway.auth, f.optional("auth", one_of(AUTH)));
    set(&mut gateway.listen, f.optional("listen", address));
    gateway.public_url = f.nullable("public_url", url);
    gateway.tls = f.nullable("tls", |node, context| tls(node, environment, context));
    set(&mut gateway.allowed_hosts, f.optional("allowed_hosts", list(host)));
    set(&mut gateway.oidc, f.optional("oidc", unique(list(oidc), |oidc: &OidcIssuer| oidc.issuer.clone())));
    set(&mut gateway.limits, f.optional("limits", limits));
    if gateway.auth == Auth::Open && !gateway.listen.ip().is_loopback() {
        let mark = f.entry("listen").map_or(f.mark(), |entry| entry.value.mark);
        let message = format!("an open gateway must not listen on {}, where others can reach it", gateway.listen);
        let finding = Finding::error(Code::OpenGateway, mark, message);
        context.report(finding.help("listen on a loopback address, or use `auth: required`"));
    }
    f.finish();
    Some(gateway)
}

fn tls(node: &Node, environment: &Environment, context: &Context) -> Option<Tls> {
    let mut f = fields(node, "gateway.tls", context)?;
    let cert_file = f.required("cert_file", |node, context| path(node, environment, context));
    let key_file = f.required("key_file", |node, context| path(node, environment, context));
    f.finish();
    Some(Tls { cert_file: cert_file?, key_file: key_file? })
}

fn oidc(node: &Node, context: &Context) -> Option<OidcIssuer> {
    let mut f = fields(node, "gateway.oidc", context)?;
    let issuer = f.required("issuer", issuer);
    let audience = f.required("audience", |node, context| match text(node, context)? {
        "" => context.error(Code::EmptyValue, node.mark, "the audience is empty"),
        audience => Some(audience.to_owned()),
    });
    f.finish();
    Some(OidcIssuer { issuer: issuer?, audience: audience? })
}

fn limits(node: &Node, context: &Context) -> Option<GatewayLimits> {
    let mut f = fields(node, "gateway.limits", context)?;
    let mut limits = GatewayLimits::default();
    set(&mut limits.body, f.optional("body", body));
    set(&mut limits.sessions, f.optional("sessions", integer(1..=1_000_000)));
    set(&mut limits.sessions_per_principal, f.optional("sessions_per_principal", integer(1..=1_000_000)));
    set(&mut limits.concurrent_requests, f.optional("concurrent_requests", integer(1..=1_000_000)));
    limits.requests_per_second = f.nullable("requests_per_second", integer(1..=1_000_000));
    set(&mut limits.connections, f.optional("connections", integer(1..=1_000_000)));
    set(&mut limits.connections_per_address, f.optional("connections_per_address", integer(1..=1_000_000)));
    f.finish();
    Some(limits)
}

fn body(node: &Node, context: &Context) -> Option<u64> {
    let bytes = size(node, context)?;
    if BODY.contains(&bytes) {
        return Some(bytes);
    }
    context.error(Code::OutOfRange, node.mark, "the largest request is within 1Ki to 1Gi")
}

pub(super) fn address(node: &Node, context: &Context) -> Option<SocketAddr> {
    let written = text(node, context)?;
    written.parse().ok().or_else(|| {
        let message = format!("{} is not an address to listen on", quoted(written));
        let help = "write an IP address and a port, as in `127.0.0.1:7420` or `[::1]:7420`";
        context.error_with_help(Code::InvalidAddress, node.mark, message, help)
    })
}

/// The URL under which clients find the gateway; without the `/` at its end.
fn url(node: &Node, context: &Context) -> Option<String> {
    let written = text(node, context)?;
    let good = written.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(|a| !a.host().is_empty() && !a.as_str().contains('@'))
            && uri.query().is_none()
    });
    if good && !written.contains('#') {
        return Some(written.trim_end_matches('/').to_owned());
    }
    let message = format!("{} is not a URL where clients could find the gateway", quoted(written));
    context.error_with_help(Code::InvalidUri, node.mark, message, "write it like `https://mcp.example.com`")
}

/// A host name or address without a port.
fn host(node: &Node, context: &Context) -> Option<String> {
    let written = text(node, context)?;
    let good = written.parse::<http::uri::Authority>().is_ok_and(|authority| authority.host() == written);
    if good {
        return Some(written.to_ascii_lowercase());
    }
    let message = format!("{} is not the name of a host", quoted(written));
    context.error_with_help(Code::InvalidAddress, node.mark, message, "write it without scheme and port")
}
