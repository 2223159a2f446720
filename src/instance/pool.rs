//! The processes of a version that belong to one session each, and those kept ready for the next.
//!
//! A warm process has been started and nothing has been said to it: it gets the client's own first message.

use super::{
    backoff,
    running::{Running, Wanted},
};
use crate::{jitter, resource::Restart};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Instant,
};
use tokio::sync::oneshot;

/// Why a client gets no process now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    #[error("{0}")]
    NotReady(String),
    #[error("all {0} instances are in use")]
    Full(u32),
    #[error("no process could be started: {0}")]
    LaunchFailed(String),
}

/// A process that belongs to a session; when the session lets go of it, it ends.
#[derive(Debug)]
pub struct Lease(Arc<Running>);

impl Lease {
    pub fn running(&self) -> &Arc<Running> {
        &self.0
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.order(Wanted::Stop);
    }
}

pub type Reply = oneshot::Sender<Result<Lease, Unavailable>>;

#[derive(Debug)]
pub struct Pool {
    /// How many to keep ready.
    pub target: u32,
    pub max: u32,
    restart: Restart,
    warm: VecDeque<Arc<Running>>,
    sessions: BTreeMap<Arc<str>, Arc<Running>>,
    launching: usize,
    waiting: VecDeque<Reply>,
    failures: u32,
    /// Until then nothing is started ahead of a client.
    not_before: Option<Instant>,
}

impl Pool {
    pub fn new(target: u32, max: u32, restart: Restart) -> Self {
        Pool {
            target,
            max,
            restart,
            warm: VecDeque::new(),
            sessions: BTreeMap::new(),
            launching: 0,
            waiting: VecDeque::new(),
            failures: 0,
            not_before: None,
        }
    }

    fn total(&self) -> usize {
        self.warm.len() + self.sessions.len() + self.launching
    }

    /// Takes a client: a warm process at once, or a place in the queue for one that is started for it.
    pub fn checkout(&mut self, reply: Reply) {
        self.waiting.retain(|waiting| !waiting.is_closed());
        // One that has ended, of which the word has not come yet, is of no use.
        let live = self.warm.iter().position(|running| !running.link.is_closed());
        if let Some(running) = live.and_then(|index| self.warm.remove(index)) {
            self.hand_over(running, reply);
        } else if self.sessions.len() + self.launching.max(self.waiting.len() + 1) > self.max as usize {
            let _ = reply.send(Err(Unavailable::Full(self.max)));
        } else {
            self.waiting.push_back(reply);
        }
    }

    /// How many processes to start now; they count as being started from then on.
    pub fn launches(&mut self, now: Instant) -> usize {
        // Over is over: a rest that stayed in the past would be a reason to wake up, again and again.
        self.not_before = self.not_before.filter(|until| now < *until);
        let ahead = if self.not_before.is_some() { 0 } else { self.target as usize };
        let wanted = (ahead + self.waiting.len()).saturating_sub(self.warm.len() + self.launching);
        let launches = wanted.min((self.max as usize).saturating_sub(self.total()));
        self.launching += launches;
        launches
    }

    /// When to look again whether something is to be started.
    pub fn wake_at(&self) -> Option<Instant> {
        self.not_before.filter(|_| (self.warm.len() + self.launching) < self.target as usize)
    }

    /// A process has been started.
    pub fn add(&mut self, running: Arc<Running>) {
        self.launching = self.launching.saturating_sub(1);
        while let Some(reply) = self.waiting.pop_front() {
            if !reply.is_closed() {
                return self.hand_over(running, reply);
            }
        }
        self.warm.push_back(running);
    }

    /// A process could not be started.
    pub fn launch_failed(&mut self, reason: &str, now: Instant) {
        self.launching = self.launching.saturating_sub(1);
        self.rest(now);
        for reply in self.waiting.drain(..) {
            let _ = reply.send(Err(Unavailable::LaunchFailed(reason.to_owned())));
        }
    }

    /// A process has ended.
    pub fn ended(&mut self, instance: &str, now: Instant) {
        if self.sessions.remove(instance).is_some() {
            return;
        }
        let before = self.warm.len();
        self.warm.retain(|running| &*running.instance != instance);
        if self.warm.len() < before {
            // One that ends before it was ever used would do so again at once.
            self.rest(now);
        }
    }

    /// Nothing is started any more. Sessions get their order, and what is not in use its own. Returns the clients that
    /// were waiting for a process.
    pub fn retire(&mut self, sessions: Wanted, unused: Wanted) -> VecDeque<Reply> {
        self.target = 0;
        self.max = 0;
        self.warm.iter().for_each(|running| running.order(unused));
        self.sessions.values().for_each(|running| running.order(sessions));
        std::mem::take(&mut self.waiting)
    }

    pub fn warm(&self) -> impl Iterator<Item = &Arc<Running>> {
        self.warm.iter()
    }

    pub fn sessions(&self) -> impl Iterator<Item = &Arc<Running>> {
        self.sessions.values()
    }

    pub fn is_empty(&self) -> bool {
        self.total() == 0
    }

    fn hand_over(&mut self, running: Arc<Running>, reply: Reply) {
        self.failures = 0;
        self.not_before = None;
        self.sessions.insert(running.instance.clone(), running.clone());
        // If the client has gone in this moment, the lease is dropped, which ends the process.
        let _ = reply.send(Ok(Lease(running)));
    }

    fn rest(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now + backoff::delay(self.failures, &self.restart, jitter::draw()));
    }
}

#[cfg(test)]
mod tests;
