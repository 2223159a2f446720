//! One-time links, and the sessions that are made of them. Pure: the time is told, secrets come as their digests.

use super::{
    Life,
    table::{Bounds, Held, Table, earlier},
};
use crate::{gateway::access::Principal, resource::Digest};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq as _;

/// How long a link is good.
pub const LINK_LIFE: Duration = Duration::from_secs(10 * 60);

/// The longest that a session lasts, whatever is done in it.
pub const SESSION_LIFE: Duration = Duration::from_secs(12 * 3600);

const LINKS: Bounds = Bounds { all: 1024, of_one: 16 };
const SESSIONS: Bounds = Bounds { all: 4096, of_one: 64 };

/// Whoever makes a link or a session, and until when they are who they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Maker {
    pub principal: Principal,
    /// `None`: for as long as they are known.
    pub until: Option<Instant>,
    /// The session in which they do so, if they do it in one.
    pub within: Option<Life>,
}

/// Links and sessions. `L` is what a session holds as long as it lasts; it is dropped with it.
#[derive(Debug)]
pub struct Sessions<L> {
    /// With the end of whoever made it, and the session in which that was.
    links: Table<(Option<Instant>, Option<Life>)>,
    open: Table<Open<L>>,
}

#[derive(Debug)]
struct Open<L> {
    proof: Digest,
    life: L,
}

/// The session that some cookies are of.
#[derive(Debug)]
pub enum Found<'s, L> {
    None,
    /// They are of more than one: somebody has put one there that is not the browser's own.
    Several,
    One(Visited<'s, L>),
}

/// A session that is being used.
#[derive(Debug)]
pub struct Visited<'s, L> {
    pub cookie: Digest,
    pub principal: &'s Principal,
    pub until: Instant,
    pub life: &'s L,
    /// The proof that belongs to it has been shown too.
    pub proven: bool,
}

impl<L> Default for Sessions<L> {
    fn default() -> Self {
        Sessions { links: Table::new(LINKS), open: Table::new(SESSIONS) }
    }
}

impl<L> Sessions<L> {
    /// Takes note of a link. Answers until when it is good.
    pub fn link(&mut self, code: Digest, maker: Maker, now: Instant) -> Instant {
        let until = earlier(LINK_LIFE, maker.until, now);
        self.links.add(code, maker.principal, until, (maker.until, maker.within), now);
        until
    }

    /// Whose link it is, if it is one: it is none any more from then on.
    pub fn redeem(&mut self, code: &Digest, now: Instant) -> Option<Maker> {
        let Held { principal, what: (until, within), .. } = self.links.take(code, now)?;
        Some(Maker { principal, until, within })
    }

    /// Opens a session. Answers until when it lasts.
    pub fn open(&mut self, cookie: Digest, proof: Digest, maker: Maker, life: L, now: Instant) -> Instant {
        let until = earlier(SESSION_LIFE, maker.until, now);
        self.open.add(cookie, maker.principal, until, Open { proof, life }, now);
        until
    }

    pub fn find(&self, cookies: &[Digest], proof: Option<Digest>, now: Instant) -> Found<'_, L> {
        let mut known = cookies.iter().filter_map(|cookie| Some((*cookie, self.open.get(cookie, now)?)));
        let Some((cookie, held)) = known.next() else { return Found::None };
        if known.any(|(other, _)| other != cookie) {
            return Found::Several;
        }
        let Held { principal, until, what: Open { proof: own, life }, .. } = held;
        let proven = proof.is_some_and(|proof| own.as_bytes().ct_eq(proof.as_bytes()).into());
        Found::One(Visited { cookie, principal, until: *until, life, proven })
    }

    /// Ends a session. Answers whose it was, if it was one.
    pub fn close(&mut self, cookie: &Digest, now: Instant) -> Option<Principal> {
        self.open.take(cookie, now).map(|held| held.principal)
    }

    /// Drops what has ended.
    pub fn sweep(&mut self, now: Instant) {
        self.links.sweep(now);
        self.open.sweep(now);
    }
}
