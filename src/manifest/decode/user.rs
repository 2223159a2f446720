//! `user`, version v2.

use super::{
    Context,
    document::{name, unique},
    fields,
    identifier::{host_user, issuer},
    items, list, map, string, text,
};
use crate::{
    manifest::{
        Code, Place, UserPlaces,
        text::{Text, quoted},
        yaml::Node,
    },
    resource::{GatewayIdentity, GitIdentity, Metadata, OidcSubject, User, signing_key::SigningKey},
};
use std::collections::BTreeMap;

/// The `spec` of a user.
pub struct Spec {
    roles: Vec<String>,
    traits: BTreeMap<String, Vec<String>>,
    git: GitIdentity,
    gateway: GatewayIdentity,
}

pub fn user(metadata: Metadata, spec: Spec) -> User {
    let Spec { roles, traits, git, gateway } = spec;
    User { metadata, roles, traits, git, gateway }
}

pub fn spec(node: &Node, context: &Context) -> Option<Spec> {
    let mut f = fields(node, "spec", context)?;
    let roles = f.optional("roles", unique(list(name), String::clone)).unwrap_or_default();
    let traits = f.optional("traits", map(|entry, c| list(string)(&entry.value, c))).unwrap_or_default();
    let git = f.optional("git", git).unwrap_or_default();
    let gateway = f.optional("gateway", gateway).unwrap_or_default();
    f.finish();
    Some(Spec { roles, traits, git, gateway })
}

fn git(node: &Node, context: &Context) -> Option<GitIdentity> {
    let mut f = fields(node, "spec.git", context)?;
    let emails = f.optional("emails", unique(list(email), |e| e.to_ascii_lowercase())).unwrap_or_default();
    let signing_keys = f.optional("signing_keys", unique(list(signing_key), |key| normal_key(key))).unwrap_or_default();
    f.finish();
    Some(GitIdentity { emails, signing_keys })
}

fn gateway(node: &Node, context: &Context) -> Option<GatewayIdentity> {
    let mut f = fields(node, "spec.gateway", context)?;
    let token_sha256 = f.optional("token_sha256", unique(list(token_digest), String::clone)).unwrap_or_default();
    let oidc = f.optional("oidc", unique(list(oidc), OidcSubject::clone)).unwrap_or_default();
    let host_users = f.optional("host_users", unique(list(host_user), String::clone)).unwrap_or_default();
    f.finish();
    Some(GatewayIdentity { token_sha256, oidc, host_users })
}

fn email(node: &Node, context: &Context) -> Option<String> {
    let email = text(node, context)?;
    let bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',');
    let parts = email.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
    if !parts || email.contains(bad) || email.len() > 254 {
        let message = format!("{} is not an email address", quoted(email));
        return context.error_with_help(
            Code::InvalidEmail,
            node.mark,
            message,
            "write the bare address: `me@example.com`",
        );
    }
    Some(email.to_owned())
}

fn signing_key(node: &Node, context: &Context) -> Option<String> {
    let key = text(node, context)?.trim();
    if key.contains("PRIVATE KEY") {
        let message = "this is a private key: whoever can read this file can sign with it from now on";
        let help = "throw the key pair away and write the public half of a new one";
        return context.error_with_help(Code::InvalidKey, node.mark, message, help);
    }
    let why = match SigningKey::parse(key) {
        Ok(_) if key.starts_with("SHA256:") => "is a fingerprint, and not the key".to_owned(),
        Ok(parsed) => {
            if parsed.is_openpgp_fingerprint() {
                let message = "an OpenPGP fingerprint names a key, and does not do to verify what that key signed";
                let help = "write the whole key, as `gpg --armor --export-options export-minimal --export` shows it";
                context.warning(Code::UnverifiableKey, node.mark, message, help);
            }
            return Some(key.to_owned());
        }
        Err(error) => error.to_string(),
    };
    let help = "write an OpenSSH public key (`ssh-ed25519 AAAA…`) or an armoured OpenPGP public key";
    let shown = if key.starts_with("-----") { "this key".to_owned() } else { quoted(key) };
    context.error_with_help(Code::InvalidKey, node.mark, format!("{shown} {why}"), help)
}

/// What identifies a key, however it is written: an OpenSSH key without its comment, an armoured key by its fingerprint.
pub fn normal_key(key: &str) -> String {
    SigningKey::parse(key).map_or_else(|_| key.to_owned(), |key| key.name().to_string())
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn token_digest(node: &Node, context: &Context) -> Option<String> {
    let digest = text(node, context)?;
    if digest.len() != 64 || !is_hex(digest) {
        // Not quoted: it may be the token itself.
        let message = "this is not a SHA-256 digest of 64 hexadecimal digits";
        let help = "write the digest that `mcpfleet token create` prints, never the token";
        return context.error_with_help(Code::InvalidDigest, node.mark, message, help);
    }
    Some(digest.to_ascii_lowercase())
}

fn oidc(node: &Node, context: &Context) -> Option<OidcSubject> {
    let mut f = fields(node, "spec.gateway.oidc", context)?;
    let issuer = f.required("issuer", issuer);
    let subject = f.required("subject", |n, c| {
        let subject = string(n, c)?;
        if subject.is_empty() { c.error(Code::EmptyValue, n.mark, "the subject is empty") } else { Some(subject) }
    });
    f.finish();
    Some(OidcSubject { issuer: issuer?, subject: subject? })
}

/// Where a user's lists are written, for checks across files.
pub fn places(document: &Node, text: &Text) -> UserPlaces {
    let list = |path: &[&str]| -> Vec<Place> {
        let node = path.iter().try_fold(document, |node, key| node.get(key));
        node.map(items).unwrap_or_default().iter().map(|n| Place::new(n.mark, text)).collect()
    };
    UserPlaces {
        roles: list(&["spec", "roles"]),
        emails: list(&["spec", "git", "emails"]),
        signing_keys: list(&["spec", "git", "signing_keys"]),
        token_sha256: list(&["spec", "gateway", "token_sha256"]),
        oidc: list(&["spec", "gateway", "oidc"]),
        host_users: list(&["spec", "gateway", "host_users"]),
    }
}
