//! Who a client is: by its token, by what an issuer says of it, by its user on this host.

mod bearer;
mod failures;
mod host_users;
mod metadata;
pub mod oidc;
pub mod token;

pub use bearer::{Shown, fits, shown};
pub use metadata::{METADATA, challenge, metadata};

use super::{
    access::{Credential, Policy, Principal},
    guard::Denial,
};
use crate::resource::Digest;
use axum::http::StatusCode;
use failures::Failures;
use host_users::HostUsers;
use oidc::{Issuer, Oidc, Unproven, is_jwt};
use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// What is needed to tell who a client is, besides the policy.
#[derive(Debug, Default)]
pub struct Identity {
    /// Where clients find the gateway, without a slash at its end.
    url: String,
    oidc: Oidc,
    host_users: HostUsers,
    failures: Mutex<Failures>,
}

/// The policy in force, whichever that is by the time.
type InForce = watch::Receiver<std::sync::Arc<Policy>>;

/// Whose a token is, and when it ends, if it does.
type Proven = (Principal, Option<Instant>);

impl Identity {
    pub fn new(url: String, issuers: Vec<Issuer>) -> Identity {
        Identity { url, oidc: Oidc::new(issuers), ..Identity::default() }
    }

    /// Where clients find the gateway, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whose a token is, and when it ends, if it does.
    ///
    /// # Errors
    /// It is nobody's, or it cannot be told.
    pub async fn by_token(&self, token: &str, address: Option<IpAddr>, policy: &InForce) -> Result<Proven, Denial> {
        let digest = Digest::of_bytes(token.as_bytes());
        let found = |credential| policy.borrow().identify(credential).map(Principal::User);
        if let Some(principal) = found(Credential::Token(digest)) {
            return Ok((principal, None));
        }
        if self.oidc.is_empty() || !is_jwt(token) {
            return Err(self.failed(address, invalid_token("the token is not known, or not any more")));
        }
        let verified = match self.oidc.remembered(&digest) {
            Some(verified) => verified,
            None => {
                // However many at this address have failed: whoever has a good token has it.
                match self.oidc.verify(token, digest).await {
                    Ok(verified) => verified,
                    Err(Unproven::Fault(fault)) => {
                        return Err(self.failed(address, invalid_token(&format!("the token is not accepted: {fault}"))));
                    }
                    Err(Unproven::Unavailable) => return Err(unavailable()),
                }
            }
        };
        let subject = Credential::Oidc(verified.issuer.as_str().into(), verified.subject.as_str().into());
        let proven = found(subject).map(|principal| (principal, oidc::ends(&verified)));
        proven.ok_or_else(|| {
            let text = format!("{:?} of {} is no user of this agent (gateway.oidc)", verified.subject, verified.issuer);
            self.failed(address, not_allowed(text))
        })
    }

    /// Who a user of this host is.
    ///
    /// # Errors
    /// No user of the sources.
    pub async fn by_uid(&self, uid: u32, policy: &InForce) -> Result<Principal, Denial> {
        let refused =
            |who: String| not_allowed(format!("{who} may not use this agent's control socket (gateway.host_users)"));
        let Some(name) = self.host_users.name(uid).await else { return Err(refused(format!("user {uid}"))) };
        let user = policy.borrow().identify(Credential::HostUser(name.clone()));
        user.map(Principal::User).ok_or_else(|| refused(format!("user {name}")))
    }

    /// Takes note that somebody has shown what is nobody's.
    pub fn failed(&self, address: Option<IpAddr>, denial: Denial) -> Denial {
        let now = Instant::now();
        let mut failures = self.failures();
        if let Some(wait) = failures.wait(address, now) {
            failures.note(address, now);
            return too_often(wait);
        }
        if failures.note(address, now) {
            let address = address.map_or_else(|| "the control socket".to_owned(), |address| address.to_string());
            tracing::warn!(address, "many requests with tokens that are nobody's; from now on they are slowed down");
        }
        denial
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn invalid_token(message: &str) -> Denial {
    Denial { invalid_token: true, ..Denial::new(StatusCode::UNAUTHORIZED, "invalid-token", message) }
}

fn not_allowed(message: String) -> Denial {
    Denial::new(StatusCode::FORBIDDEN, "not-allowed", message)
}

fn too_often(wait: Duration) -> Denial {
    let text = "too many requests from this address had tokens that are nobody's";
    let retry_after = Some(wait.as_secs().max(1));
    Denial { retry_after, ..Denial::new(StatusCode::TOO_MANY_REQUESTS, "too-many-failures", text) }
}

fn unavailable() -> Denial {
    let text = "the keys of the token's issuer cannot be had at the moment";
    Denial { retry_after: Some(10), ..Denial::new(StatusCode::SERVICE_UNAVAILABLE, "issuer-unavailable", text) }
}
