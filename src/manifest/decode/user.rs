//! `user`, version v2.

use super::{
    Context,
    document::{name, unique},
    fields,
    identifier::host_user,
    items, list, map, string, text,
};
use crate::{
    manifest::{
        Code, Place, UserPlaces,
        text::{Text, quoted},
        yaml::Node,
    },
    resource::{GatewayIdentity, GitIdentity, Metadata, OidcSubject, User},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Uri;
use std::collections::BTreeMap;

/// The kinds of OpenSSH public keys that can sign a commit.
const KEY_KINDS: &[&str] = &[
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

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
    let emails = f.optional("emails", unique(list(email), |e| e.to_lowercase())).unwrap_or_default();
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
    match wrong_with_key(key) {
        None => Some(key.to_owned()),
        Some(why) => {
            let message = format!("{} {why}", quoted(key));
            let help =
                "write an OpenSSH public key (`ssh-ed25519 AAAA…`), a full OpenPGP fingerprint or an armoured key";
            context.error_with_help(Code::InvalidKey, node.mark, message, help)
        }
    }
}

/// What is wrong with a signing key, as the end of a sentence.
fn wrong_with_key(key: &str) -> Option<&'static str> {
    const ARMOUR: (&str, &str) = ("-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----");
    if key.starts_with("-----BEGIN") {
        let whole = key.starts_with(ARMOUR.0) && key.ends_with(ARMOUR.1);
        return (!whole).then_some("is not a whole armoured OpenPGP public key");
    }
    let mut words = key.split_whitespace();
    let (kind, material) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if KEY_KINDS.contains(&kind) {
        return (!names_kind(kind, material)).then_some("is damaged: it does not contain a key of its kind");
    }
    let hex: String = key.strip_prefix("0x").unwrap_or(key).split_whitespace().collect();
    match hex.len() {
        40 | 64 if is_hex(&hex) => None,
        8 | 16 if is_hex(&hex) => Some("is a short key id, which others can imitate"),
        _ => Some("is not a signing key"),
    }
}

/// What identifies a key: an OpenSSH key without its comment, a fingerprint without spaces and case.
pub fn normal_key(key: &str) -> String {
    let mut words = key.split_whitespace();
    match (words.next(), words.next()) {
        (Some(kind), Some(material)) if KEY_KINDS.contains(&kind) => format!("{kind} {material}"),
        _ if key.starts_with("-----BEGIN") => key.to_owned(),
        _ => key.strip_prefix("0x").unwrap_or(key).split_whitespace().collect::<String>().to_ascii_uppercase(),
    }
}

/// Whether an OpenSSH key's base64 part starts with the name of its kind, as it must.
fn names_kind(kind: &str, material: &str) -> bool {
    let Ok(blob) = STANDARD.decode(material) else { return false };
    let Some((length, rest)) = blob.split_first_chunk::<4>() else { return false };
    let length = u32::from_be_bytes(*length) as usize;
    rest.len() > length && rest.get(..length) == Some(kind.as_bytes())
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

fn issuer(node: &Node, context: &Context) -> Option<String> {
    let issuer = text(node, context)?;
    let host = issuer.parse::<Uri>().ok().filter(|uri| uri.scheme_str() == Some("https"));
    if host.and_then(|uri| uri.host().map(str::is_empty)) != Some(false) {
        let message = format!("{} is not the URL of an issuer", quoted(issuer));
        return context.error_with_help(Code::InvalidUri, node.mark, message, "it starts with `https://`");
    }
    Some(issuer.to_owned())
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
