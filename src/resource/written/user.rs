//! A user as it is written.

use crate::resource::{GatewayIdentity, GitIdentity, Metadata, OidcSubject, User};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
pub struct Written<'a> {
    metadata: &'a Metadata,
    spec: Spec<'a>,
}

#[derive(Serialize)]
struct Spec<'a> {
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    roles: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    traits: &'a BTreeMap<String, Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    git: Option<Git<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway: Option<Gateway<'a>>,
}

#[derive(Serialize)]
struct Git<'a> {
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    emails: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    signing_keys: &'a [String],
}

#[derive(Serialize)]
struct Gateway<'a> {
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    token_sha256: &'a [String],
    #[serde(skip_serializing_if = "<[OidcSubject]>::is_empty")]
    oidc: &'a [OidcSubject],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    host_users: &'a [String],
}

impl<'a> Written<'a> {
    pub fn of(user: &'a User) -> Written<'a> {
        let GitIdentity { emails, signing_keys } = &user.git;
        let GatewayIdentity { token_sha256, oidc, host_users } = &user.gateway;
        let git = Git { emails, signing_keys };
        let gateway = Gateway { token_sha256, oidc, host_users };
        let spec = Spec {
            roles: &user.roles,
            traits: &user.traits,
            git: (user.git != GitIdentity::default()).then_some(git),
            gateway: (user.gateway != GatewayIdentity::default()).then_some(gateway),
        };
        Written { metadata: &user.metadata, spec }
    }
}
