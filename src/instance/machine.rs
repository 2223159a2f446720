//! The life of the instance that stands for a version of an app: pure, total, driven by [`step`].
//!
//! Every event about a process carries the run that it belongs to, so that the late end of an earlier process is never
//! taken for the end of the present one.

use super::backoff;
use crate::resource::{Restart, RestartPolicy};
use std::time::Instant;

/// Numbers the processes of one machine.
pub type Run = u64;

#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    Idle,
    Starting {
        run: Run,
    },
    Ready {
        run: Run,
        since: Instant,
    },
    /// Being ended, because it is not fit to serve; what comes then is as after a crash.
    Ending {
        run: Run,
    },
    Backoff {
        until: Instant,
    },
    /// Could not even be started: something on the host or in the definition has to change. It is tried again all the
    /// same, because nobody tells when the host has changed.
    Refused {
        until: Instant,
    },
    Stopping {
        run: Run,
    },
    /// Ended, and will not be started again.
    Finished {
        failed: bool,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    pub phase: Phase,
    pub restart: Restart,
    /// Failures since the last long run.
    pub failures: u32,
    /// Starts after the first.
    pub restarts: u32,
    next_run: Run,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Start,
    /// The server has answered the protocol.
    Answered {
        run: Run,
    },
    /// There is no process of this run, or no longer. `clean`: it ended by itself with status 0.
    Gone {
        run: Run,
        clean: bool,
        jitter: f64,
    },
    /// The process lives, and is of no use: it does not answer as it should.
    Unfit {
        run: Run,
    },
    /// There is no process of this run, and there cannot be one until somebody mends something.
    Refused {
        run: Run,
        jitter: f64,
    },
    /// The process has ended while it was starting, and is to be started once more in another way, without this
    /// counting as a failure.
    Again {
        run: Run,
    },
    /// Time has passed.
    Wake,
    Stop,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    Launch { run: Run },
    Terminate { run: Run },
    WakeAt(Instant),
}

impl Machine {
    pub fn new(restart: Restart) -> Self {
        Machine { phase: Phase::Idle, restart, failures: 0, restarts: 0, next_run: 1 }
    }

    /// The run whose process exists, or is about to.
    pub fn live_run(&self) -> Option<Run> {
        match self.phase {
            Phase::Starting { run } | Phase::Ready { run, .. } | Phase::Ending { run } | Phase::Stopping { run } => {
                Some(run)
            }
            Phase::Idle | Phase::Backoff { .. } | Phase::Refused { .. } | Phase::Finished { .. } => None,
        }
    }

    /// When the next start is due, if one is.
    pub fn next_start(&self) -> Option<Instant> {
        match self.phase {
            Phase::Backoff { until } | Phase::Refused { until } => Some(until),
            _ => None,
        }
    }

    pub fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready { .. })
    }

    pub fn is_finished(&self) -> bool {
        matches!(self.phase, Phase::Finished { .. })
    }

    fn launch(&mut self) -> Option<Effect> {
        let run = self.next_run;
        self.next_run += 1;
        self.phase = Phase::Starting { run };
        Some(Effect::Launch { run })
    }

    fn after_end(&mut self, clean: bool, jitter: f64, now: Instant) -> Option<Effect> {
        let again = match self.restart.policy {
            RestartPolicy::Always => true,
            RestartPolicy::OnFailure => !clean,
            RestartPolicy::Never => false,
        };
        if !again {
            self.phase = Phase::Finished { failed: !clean };
            return None;
        }
        self.restarts = self.restarts.saturating_add(1);
        let until = self.rest(jitter, now);
        self.phase = Phase::Backoff { until };
        Some(Effect::WakeAt(until))
    }

    /// Counts a failure, and says until when to wait.
    fn rest(&mut self, jitter: f64, now: Instant) -> Instant {
        self.failures = self.failures.saturating_add(1);
        now + backoff::delay(self.failures, &self.restart, jitter)
    }

    /// Forgets the failures before a run that was long enough.
    fn judge_run(&mut self, since: Instant, now: Instant) {
        if now.saturating_duration_since(since) >= self.restart.reset_after {
            self.failures = 0;
        }
    }
}

/// Takes one step: changes the machine and says what is to be done, at most one thing. Events that do not fit the
/// phase, or that are about another run, change nothing.
pub fn step(machine: &mut Machine, event: Event, now: Instant) -> Option<Effect> {
    match (machine.phase.clone(), event) {
        (Phase::Idle, Event::Start) => machine.launch(),
        (Phase::Starting { run }, Event::Answered { run: of }) if run == of => {
            machine.phase = Phase::Ready { run, since: now };
            None
        }
        (Phase::Starting { run }, Event::Again { run: of }) if run == of => machine.launch(),
        (
            Phase::Ready { run, .. } | Phase::Ending { run } | Phase::Stopping { run },
            Event::Again { run: of } | Event::Refused { run: of, .. },
        ) if run == of => step(machine, Event::Gone { run, clean: false, jitter: 0.0 }, now),
        (Phase::Starting { run }, Event::Refused { run: of, jitter }) if run == of => {
            let until = machine.rest(jitter, now);
            machine.phase = Phase::Refused { until };
            Some(Effect::WakeAt(until))
        }
        (Phase::Starting { run }, Event::Unfit { run: of }) if run == of => {
            machine.phase = Phase::Ending { run };
            Some(Effect::Terminate { run })
        }
        (Phase::Ready { run, since }, Event::Unfit { run: of }) if run == of => {
            machine.judge_run(since, now);
            machine.phase = Phase::Ending { run };
            Some(Effect::Terminate { run })
        }
        (Phase::Starting { run } | Phase::Ending { run }, Event::Gone { run: of, jitter, .. }) if run == of => {
            // A server that ends before it has answered, or because it does not answer, has failed, whatever its status.
            machine.after_end(false, jitter, now)
        }
        (Phase::Ready { run, since }, Event::Gone { run: of, clean, jitter }) if run == of => {
            machine.judge_run(since, now);
            machine.after_end(clean, jitter, now)
        }
        (Phase::Backoff { until } | Phase::Refused { until }, Event::Wake) if now >= until => machine.launch(),
        (Phase::Backoff { until } | Phase::Refused { until }, Event::Wake) => Some(Effect::WakeAt(until)),
        (Phase::Starting { run } | Phase::Ready { run, .. } | Phase::Ending { run }, Event::Stop) => {
            machine.phase = Phase::Stopping { run };
            Some(Effect::Terminate { run })
        }
        (Phase::Idle | Phase::Backoff { .. } | Phase::Refused { .. }, Event::Stop) => {
            machine.phase = Phase::Finished { failed: false };
            None
        }
        (Phase::Stopping { run }, Event::Gone { run: of, .. }) if run == of => {
            machine.phase = Phase::Finished { failed: false };
            None
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
