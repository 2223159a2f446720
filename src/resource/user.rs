//! `user`, version v2: who holds which roles, and how they prove who they are.

use super::Metadata;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct User {
    pub metadata: Metadata,
    /// Names of roles.
    pub roles: Vec<String>,
    pub traits: BTreeMap<String, Vec<String>>,
    pub git: GitIdentity,
    pub gateway: GatewayIdentity,
}

/// `spec.git`: how a commit is attributed to the user.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct GitIdentity {
    pub emails: Vec<String>,
    /// OpenSSH public keys, or OpenPGP fingerprints or armoured keys, as written.
    pub signing_keys: Vec<String>,
}

/// `spec.gateway`: how a client of the gateway is attributed to the user.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct GatewayIdentity {
    /// SHA-256 digests of bearer tokens, 64 lower-case hexadecimal digits.
    pub token_sha256: Vec<String>,
    pub oidc: Vec<OidcSubject>,
    pub host_users: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct OidcSubject {
    pub issuer: String,
    pub subject: String,
}
