//! Signed tokens (RFC 7519): what they say, and whether that holds. Pure: the time is told.

use super::jwk::{Algorithm, Key};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use std::time::Duration;

/// How far the issuer's clock and this one may be apart.
const LEEWAY: f64 = 30.0;

/// A token that has been read, and of which nothing is known to be true.
#[derive(Clone, Debug, PartialEq)]
pub struct Unverified<'t> {
    pub key_id: Option<String>,
    algorithm: Algorithm,
    claims: Claims,
    signed: &'t str,
    signature: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: f64,
    nbf: f64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// What has been proven.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    pub issuer: String,
    pub subject: String,
    /// Since the epoch.
    pub until: Duration,
}

/// Why a token proves nothing. Its sender is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("it is not a signed token: {0}")]
    Unreadable(&'static str),
    #[error("its `{0}` is missing or makes no sense")]
    Claim(&'static str),
    #[error("it is signed with {0:?}, which is not accepted")]
    Algorithm(String),
    #[error("it is of another issuer")]
    Issuer,
    #[error("it is for another audience")]
    Audience,
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet")]
    Early,
    /// The issuer may have a new one.
    #[error("it is signed with a key that its issuer does not have")]
    UnknownKey,
    #[error("it does not say with which of its issuer's keys it is signed")]
    SeveralKeys,
    #[error("its signature is not right")]
    Signature,
}

/// Whether a token looks like a signed one.
pub fn is_jwt(token: &str) -> bool {
    token.starts_with("ey") && token.bytes().filter(|byte| *byte == b'.').count() == 2
}

impl<'t> Unverified<'t> {
    pub fn parse(token: &'t str) -> Result<Unverified<'t>, Fault> {
        #[derive(Deserialize)]
        struct Header {
            alg: String,
            kid: Option<String>,
            /// What must be understood, and is not.
            crit: Option<serde::de::IgnoredAny>,
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Fault::Unreadable("it has too few parts"))?;
        let (header, claims) = signed.split_once('.').ok_or(Fault::Unreadable("it has too few parts"))?;
        let header: Header = serde_json::from_slice(&bytes(header)?).map_err(|_| Fault::Unreadable("its header"))?;
        if header.crit.is_some() {
            return Err(Fault::Unreadable("its header has `crit`"));
        }
        let algorithm = Algorithm::named(&header.alg).ok_or(Fault::Algorithm(header.alg))?;
        let claims: Claims = serde_json::from_slice(&bytes(claims)?).map_err(|error| {
            let missing = ["iss", "sub", "aud", "exp", "nbf"];
            let text = error.to_string();
            let named = missing.into_iter().find(|name| text.contains(&format!("`{name}`")));
            named.map_or(Fault::Unreadable("its claims"), Fault::Claim)
        })?;
        if claims.sub.is_empty() {
            return Err(Fault::Claim("sub"));
        }
        Ok(Unverified { key_id: header.kid, algorithm, claims, signed, signature: bytes(signature)? })
    }

    /// Who says to have made it.
    pub fn issuer(&self) -> &str {
        &self.claims.iss
    }

    /// Checks everything but the signature, which costs more.
    pub fn check(&self, issuer: &str, audience: &str, now: Duration) -> Result<(), Fault> {
        let Claims { iss, aud, exp, nbf, .. } = &self.claims;
        if iss != issuer {
            return Err(Fault::Issuer);
        }
        let meant = match aud {
            Audience::One(one) => one == audience,
            Audience::Several(several) => several.iter().any(|one| one == audience),
        };
        if !meant {
            return Err(Fault::Audience);
        }
        let now = now.as_secs_f64();
        for (claim, time) in [("exp", exp), ("nbf", nbf)] {
            if !(0.0..1e12).contains(time) {
                return Err(Fault::Claim(claim));
            }
        }
        if *exp + LEEWAY <= now {
            return Err(Fault::Expired);
        }
        if *nbf - LEEWAY > now {
            return Err(Fault::Early);
        }
        Ok(())
    }

    /// Checks the signature, with the key that the token names, or the only one that it could be.
    pub fn verify(self, keys: &[Key]) -> Result<Verified, Fault> {
        let named = |key: &&Key| self.key_id.is_none() || key.id == self.key_id;
        let mut fitting = keys.iter().filter(named).filter(|key| key.fits(self.algorithm));
        let key = fitting.next().ok_or(Fault::UnknownKey)?;
        if fitting.next().is_some() {
            return Err(Fault::SeveralKeys);
        }
        if !key.verifies(self.algorithm, self.signed.as_bytes(), &self.signature) {
            return Err(Fault::Signature);
        }
        let until = Duration::from_secs_f64(self.claims.exp + LEEWAY);
        Ok(Verified { issuer: self.claims.iss, subject: self.claims.sub, until })
    }
}

fn bytes(part: &str) -> Result<Vec<u8>, Fault> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Fault::Unreadable("a part of it is not base64url"))
}
