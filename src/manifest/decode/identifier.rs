//! Names of things outside of the resources: environment variables, secrets, users of the host.

use super::{Context, text};
use crate::manifest::{
    Code,
    text::{Mark, quoted},
    yaml::Node,
};
use http::Uri;
use std::net::IpAddr;

/// The name of an environment variable: letters, digits and `_`, not starting with a digit.
pub fn environment_name(name: &str, mark: Mark, context: &Context) -> Option<String> {
    let letter = |b: &u8| b.is_ascii_alphabetic() || *b == b'_';
    let good = name.as_bytes().first().is_some_and(letter) && name.bytes().all(|b| letter(&b) || b.is_ascii_digit());
    let help = "it has letters, digits and `_`, and does not start with a digit";
    check(good, "an environment variable", name, mark, help, context)
}

/// The name of a secret: a file in the agent's folder of secrets, and never a way out of it.
pub fn secret_name(node: &Node, context: &Context) -> Option<String> {
    let name = text(node, context)?;
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let good = !name.is_empty() && name.len() <= 253 && !name.starts_with('.') && name.bytes().all(inner);
    let help = "it is a file name of letters, digits, `.`, `_` and `-` that does not start with `.`";
    check(good, "a secret", name, node.mark, help, context)
}

/// The name of a user of the host.
pub fn host_user(node: &Node, context: &Context) -> Option<String> {
    let name = text(node, context)?;
    let bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ':' | '/' | ',');
    let numeric = !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit());
    let good = !numeric && !name.is_empty() && name.len() <= 256 && !name.starts_with('-') && !name.contains(bad);
    let help = if numeric { "write the user's name, not its number" } else { "see `getent passwd` for the names" };
    check(good, "a host user", name, node.mark, help, context)
}

fn check(good: bool, what: &str, name: &str, mark: Mark, help: &str, context: &Context) -> Option<String> {
    if good {
        return Some(name.to_owned());
    }
    context.error_with_help(
        Code::InvalidIdentifier,
        mark,
        format!("{} cannot be the name of {what}", quoted(name)),
        help,
    )
}

/// The URL of an issuer of signed tokens, as they have it: nothing is added or left out.
pub fn issuer(node: &Node, context: &Context) -> Option<String> {
    let written = text(node, context)?;
    if is_secure_url(written) && !written.contains(['?', '#']) {
        return Some(written.to_owned());
    }
    let message = format!("{} is not the URL of an issuer", quoted(written));
    let help = "it starts with `https://`; with `http://` only on this machine itself, as in `http://127.0.0.1:8080`";
    context.error_with_help(Code::InvalidUri, node.mark, message, help)
}

/// Whether what comes from a URL comes unchanged from whom it names: https, or http that does not leave this machine.
pub fn is_secure_url(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let no_user = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    match uri.scheme_str() {
        Some("https") => no_user && !host.is_empty(),
        Some("http") => no_user && loopback,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_secure_url;

    #[test]
    fn what_comes_unchanged() {
        for (url, secure) in [
            ("https://id.example.com", true),
            ("https://id.example.com:8443/realm/a", true),
            ("http://127.0.0.1:8080/a", true),
            ("http://[::1]:8080", true),
            ("http://localhost", true),
            ("http://id.example.com", false),
            ("http://127.0.0.1.example.com", false),
            ("http://localhost.example.com", false),
            ("http://user@localhost", false),
            ("https://user@id.example.com", false),
            ("file:///etc/passwd", false),
            ("id.example.com", false),
            ("", false),
        ] {
            assert_eq!(is_secure_url(url), secure, "{url}");
        }
    }
}
