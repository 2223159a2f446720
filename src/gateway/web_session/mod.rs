//! Sessions of the web page: a cookie instead of a token, for those who have shown who they are, or to whom a link was given.

mod cookie;
mod site;
mod store;
mod table;
#[cfg(test)]
mod tests;

pub use cookie::PROOF;
pub use site::check as check_site;
pub use store::{LINK_LIFE, Maker, SESSION_LIFE};

use super::{access::Policy, guard::Denial, trail::session_label};
use crate::{gateway::access::Principal, resource::Digest};
use axum::http::{HeaderMap, HeaderValue, StatusCode, request::Parts};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cookie::Cookie;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use store::{Found, Sessions, Visited};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The links and sessions of an agent. They end with it.
#[derive(Debug)]
pub struct WebSessions {
    url: String,
    cookie: Cookie,
    sessions: Mutex<Sessions<Living>>,
}

/// Dropped with its session, which tells whoever has a [`Life`] of it.
#[derive(Debug)]
struct Living {
    life: Life,
    _end: DropGuard,
}

/// The session by which somebody came in.
#[derive(Clone, Debug)]
pub struct Life {
    /// Tells it from others, for the audit, without letting anybody in.
    pub label: String,
    end: CancellationToken,
}

impl Life {
    pub fn is_over(&self) -> bool {
        self.end.is_cancelled()
    }

    /// Waits until it is.
    pub async fn over(&self) {
        self.end.cancelled().await;
    }
}

impl PartialEq for Life {
    fn eq(&self, other: &Life) -> bool {
        self.label == other.label
    }
}

impl Eq for Life {}

/// Whose session a request is in.
#[derive(Debug)]
pub struct Visitor {
    pub principal: Principal,
    pub until: Instant,
    pub life: Life,
}

/// A session that has just been opened. What is in it is for whoever asked, and nobody else.
pub struct Opened {
    pub cookie: HeaderValue,
    pub proof: String,
    pub until: Instant,
    pub life: Life,
}

impl WebSessions {
    /// `url` is where clients find the gateway.
    pub fn new(url: &str) -> WebSessions {
        WebSessions { url: url.to_owned(), cookie: Cookie::of_agent_at(url), sessions: Mutex::default() }
    }

    /// Whose session a request is in; `None`: in none that there is.
    ///
    /// # Errors
    /// It is of a page of another origin, or does not prove what it has to.
    pub fn visitor(&self, request: &Parts, policy: &Policy, now: Instant) -> Result<Option<Visitor>, Denial> {
        let cookies: Vec<Digest> = self.cookie.shown(&request.headers).into_iter().map(digest).collect();
        if cookies.is_empty() {
            return Ok(None);
        }
        let proof = cookie::proof(&request.headers).map(digest);
        let mut sessions = self.sessions();
        let (visitor, proven, cookie) = match sessions.find(&cookies, proof, now) {
            Found::None => return Ok(None),
            Found::Several => {
                let text =
                    "there are cookies of several sessions, so that it cannot be told whose this is: sign in again";
                return Err(Denial::new(StatusCode::UNAUTHORIZED, "several-sessions", text));
            }
            Found::One(Visited { cookie, principal, until, life, proven }) => {
                let principal = policy.again(principal);
                (principal.map(|principal| Visitor { principal, until, life: life.life.clone() }), proven, cookie)
            }
        };
        if visitor.is_none() {
            // Whoever made it is not that one any more, and does not become so again.
            sessions.close(&cookie, now);
            return Ok(None);
        }
        let path = request.uri.path();
        // What is at the root says nothing; whoever comes from elsewhere is not sent to sign in again.
        if path != "/" {
            site::check(&request.headers, &self.url)?;
        }
        if !proven && site::needs_proof(&request.method, path) {
            let text = "this needs what the page got when it signed in (X-Mcpfleet-Proof): sign in again";
            return Err(Denial::new(StatusCode::FORBIDDEN, "no-proof", text));
        }
        Ok(visitor)
    }

    /// Makes a link. Answers its URL, with what must not be in any log behind the `#`, and until when it is good.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn link(&self, maker: Maker, now: Instant) -> Result<(String, Instant), getrandom::Error> {
        let code = random()?;
        let until = self.sessions().link(digest(&code), maker, now);
        Ok((format!("{}/web/open#{code}", for_browsers(&self.url)), until))
    }

    /// Whose link a code is of; from then on it is of none.
    pub fn redeem(&self, code: &str, policy: &Policy, now: Instant) -> Option<Maker> {
        let maker = self.sessions().redeem(&digest(cookie::secret(code.as_bytes())?), now)?;
        // Whoever logs out ends the links that were made there too.
        if maker.within.as_ref().is_some_and(Life::is_over) {
            return None;
        }
        let principal = policy.again(&maker.principal)?;
        Some(Maker { principal, ..maker })
    }

    /// Opens a session, in the place of the one that the request is in.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn open(&self, headers: &HeaderMap, maker: Maker, now: Instant) -> Result<Opened, getrandom::Error> {
        let (secret, proof) = (random()?, random()?);
        let end = CancellationToken::new();
        let life = Life { label: session_label(&secret), end: end.clone() };
        let living = Living { life: life.clone(), _end: end.drop_guard() };
        let mut sessions = self.sessions();
        self.close_all(&mut sessions, headers, now);
        let until = sessions.open(digest(&secret), digest(&proof), maker, living, now);
        let cookie = self.cookie.set(Some((&secret, until.saturating_duration_since(now))));
        Ok(Opened { cookie, proof, until, life })
    }

    /// Ends the session that a request is in. Answers what removes the cookie.
    pub fn close(&self, headers: &HeaderMap, now: Instant) -> HeaderValue {
        self.close_all(&mut self.sessions(), headers, now);
        self.cookie.set(None)
    }

    fn close_all(&self, sessions: &mut Sessions<Living>, headers: &HeaderMap, now: Instant) {
        for cookie in self.cookie.shown(headers) {
            sessions.close(&digest(cookie), now);
        }
    }

    /// Refuses what a page of another origin asks for.
    ///
    /// # Errors
    /// It is one.
    pub fn check_site(&self, headers: &HeaderMap) -> Result<(), Denial> {
        site::check(headers, &self.url)
    }

    /// Ends what has lasted long enough: to be called every few seconds.
    pub fn sweep(&self) {
        self.sessions().sweep(Instant::now());
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions<Living>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(secret: &str) -> Digest {
    Digest::of_bytes(secret.as_bytes())
}

/// A new secret of 256 bits.
fn random() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// An address at which a browser finds the gateway: one that listens everywhere says so of itself.
fn for_browsers(url: &str) -> String {
    url.replacen("://0.0.0.0", "://127.0.0.1", 1).replacen("://[::]", "://[::1]", 1)
}

/// How long it is until then.
pub fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}
