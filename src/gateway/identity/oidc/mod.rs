//! Who an issuer of the agent's configuration says that a client is.

mod fetch;
mod jwk;
mod jwt;
mod keys;
#[cfg(test)]
mod tests;

pub use jwt::{Fault, is_jwt};

use crate::resource::Digest;
use jwt::{Unverified, Verified};
use keys::Keys;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// How many tokens are remembered that have been verified.
const MAX_REMEMBERED: usize = 16_384;

/// Whose tokens are accepted, and for whom they must have been made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Exactly as tokens have it in `iss`.
    pub url: String,
    /// One of those in `aud`.
    pub audience: String,
}

/// How long a signature that has been checked is taken for good: its key may have been withdrawn since.
const CHECKED_FOR: Duration = Duration::from_secs(300);

/// Why it is not known who a client is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unproven {
    /// The token proves nothing.
    Fault(Fault),
    /// The issuer's keys cannot be had at the moment.
    Unavailable,
}

/// Checks tokens of some issuers.
#[derive(Debug, Default)]
pub struct Oidc {
    issuers: Vec<(Issuer, Arc<Keys>)>,
    /// By the digest of the token: until when its signature, which has been checked, need not be checked again.
    remembered: Mutex<HashMap<Digest, (Duration, Arc<Verified>)>>,
}

impl Oidc {
    pub fn new(issuers: Vec<Issuer>) -> Oidc {
        let with_keys = |issuer: Issuer| {
            let keys = Keys::new(issuer.url.as_str().into());
            (issuer, keys)
        };
        Oidc { issuers: issuers.into_iter().map(with_keys).collect(), remembered: Mutex::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.issuers.is_empty()
    }

    /// Where clients can get tokens.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        self.issuers.iter().map(|(issuer, _)| issuer.url.as_str())
    }

    /// What a token has proven before, and still does.
    pub fn remembered(&self, digest: &Digest) -> Option<Arc<Verified>> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, verified) = remembered.get(digest)?;
        (now() < *until).then(|| verified.clone())
    }

    /// Checks a token: where it is from, for whom, when, and its signature.
    pub async fn verify(&self, token: &str, digest: Digest) -> Result<Arc<Verified>, Unproven> {
        let unverified = Unverified::parse(token).map_err(Unproven::Fault)?;
        let issuer = self.issuers.iter().find(|(issuer, _)| issuer.url == unverified.issuer());
        let (issuer, keys) = issuer.ok_or(Unproven::Fault(Fault::Issuer))?;
        unverified.check(&issuer.url, &issuer.audience, now()).map_err(Unproven::Fault)?;
        let known = keys.get().await.map_err(|_| Unproven::Unavailable)?;
        let verified = match unverified.clone().verify(&known) {
            Err(Fault::UnknownKey) => {
                let newer = keys.get_newer().await.map_err(|_| Unproven::Unavailable)?;
                unverified.verify(&newer)
            }
            other => other,
        };
        let verified = Arc::new(verified.map_err(Unproven::Fault)?);
        self.remember(digest, &verified);
        Ok(verified)
    }

    fn remember(&self, digest: Digest, verified: &Arc<Verified>) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MAX_REMEMBERED {
            let now = now();
            remembered.retain(|_, (until, _)| now < *until);
            if remembered.len() >= MAX_REMEMBERED {
                remembered.clear();
            }
        }
        let until = verified.until.min(now() + CHECKED_FOR);
        remembered.insert(digest, (until, verified.clone()));
    }
}

/// When a token ends; `None`: not as long as this process lives.
pub fn ends(verified: &Verified) -> Option<Instant> {
    Instant::now().checked_add(verified.until.saturating_sub(now()))
}

/// Since the epoch. A clock that is before it is wrong, and then nothing is valid yet.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
