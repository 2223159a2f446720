//! What a keeper knows and does about the limits of its server.

use super::tree;
use crate::instance::{
    confine::{
        cgroup::Held,
        plan::{Bounds, Plan},
        tally,
    },
    launch::{End, Excess, Exit},
};
use nix::unistd::Pid;
use std::time::{Duration, Instant};

pub struct Limits {
    groups: Held,
    /// For what is said of an end.
    memory: Option<u64>,
    watched: Bounds,
    next_look: Instant,
    /// What it was killed for.
    excess: Option<Excess>,
}

impl Limits {
    pub fn new(groups: Held, plan: &Plan) -> Self {
        let next_look = Instant::now() + tally::EVERY;
        Limits { groups, memory: plan.grouped.memory, watched: plan.watched, next_look, excess: None }
    }

    /// How long until there is something to look at, if there ever is.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        (self.watched != Bounds::default()).then(|| self.next_look.saturating_duration_since(now))
    }

    /// Whether the server, with all that it has started, is over a limit, if it is time to look.
    pub fn exceeded(&mut self, now: Instant) -> bool {
        if self.wait(now).is_none_or(|wait| wait > Duration::ZERO) {
            return false;
        }
        self.next_look = now + tally::EVERY;
        let mut processes = Vec::new();
        tree::visit(Pid::this(), |pid| processes.push(pid));
        self.excess = tally::excess(&processes, &self.watched);
        self.excess.is_some()
    }

    /// The end of a server in the light of its limits. `unasked`: nobody here has killed it or asked it to end.
    pub fn explain(&self, end: End, unasked: bool) -> Exit {
        let oom = || (self.groups.out_of_memory() > 0).then_some(Excess::OutOfMemory { limit: self.memory });
        match (end, self.excess.or_else(|| oom().filter(|_| unasked))) {
            (end, Some(excess)) if end != End::Code(0) => Exit::OverLimit { end, excess },
            (End::Code(code), _) => Exit::Code(code),
            (End::Signal(signal), _) => Exit::Signal(signal),
        }
    }

    /// Kills what is in the server's groups.
    pub fn kill(&self) {
        self.groups.kill();
    }

    /// Nothing of the server is left.
    pub fn remove(&self) {
        self.groups.remove();
    }
}
