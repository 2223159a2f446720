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
    Backoff {
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
            Phase::Starting { run } | Phase::Ready { run, .. } | Phase::Stopping { run } => Some(run),
            Phase::Idle | Phase::Backoff { .. } | Phase::Finished { .. } => None,
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
        self.failures = self.failures.saturating_add(1);
        self.restarts = self.restarts.saturating_add(1);
        let until = now + backoff::delay(self.failures, &self.restart, jitter);
        self.phase = Phase::Backoff { until };
        Some(Effect::WakeAt(until))
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
        (Phase::Ready { run, .. } | Phase::Stopping { run }, Event::Again { run: of }) if run == of => {
            step(machine, Event::Gone { run, clean: false, jitter: 0.0 }, now)
        }
        (Phase::Starting { run }, Event::Gone { run: of, jitter, .. }) if run == of => {
            // A server that ends before it has answered has failed, whatever its status.
            machine.after_end(false, jitter, now)
        }
        (Phase::Ready { run, since }, Event::Gone { run: of, clean, jitter }) if run == of => {
            if now.saturating_duration_since(since) >= machine.restart.reset_after {
                machine.failures = 0;
            }
            machine.after_end(clean, jitter, now)
        }
        (Phase::Backoff { until }, Event::Wake) if now >= until => machine.launch(),
        (Phase::Backoff { until }, Event::Wake) => Some(Effect::WakeAt(until)),
        (Phase::Starting { run } | Phase::Ready { run, .. }, Event::Stop) => {
            machine.phase = Phase::Stopping { run };
            Some(Effect::Terminate { run })
        }
        (Phase::Idle | Phase::Backoff { .. }, Event::Stop) => {
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
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn machine(policy: RestartPolicy) -> Machine {
        Machine::new(Restart { policy, ..Restart::default() })
    }

    #[test]
    fn restarts_with_growing_delays_and_forgets_after_a_long_run() {
        let (mut m, t) = (machine(RestartPolicy::Always), Instant::now());
        assert_eq!(step(&mut m, Event::Start, t), Some(Effect::Launch { run: 1 }));
        let gone = |run| Event::Gone { run, clean: true, jitter: 0.0 };
        let first = t + Duration::from_secs(1);
        assert_eq!(step(&mut m, gone(1), t), Some(Effect::WakeAt(first)));
        assert_eq!(step(&mut m, Event::Wake, t), Some(Effect::WakeAt(first)), "too early");
        assert_eq!(step(&mut m, Event::Wake, first), Some(Effect::Launch { run: 2 }));
        assert_eq!(step(&mut m, gone(1), first), None, "a late word of the first run");
        assert_eq!(step(&mut m, Event::Answered { run: 2 }, first), None);
        assert!(m.is_ready());
        let long = first + Duration::from_secs(601);
        assert_eq!(step(&mut m, gone(2), long), Some(Effect::WakeAt(long + Duration::from_secs(1))));
        assert_eq!((m.failures, m.restarts), (1, 2));
    }

    #[test]
    fn policies() {
        for (policy, clean, expected) in [
            (RestartPolicy::Never, true, Some(false)),
            (RestartPolicy::Never, false, Some(true)),
            (RestartPolicy::OnFailure, true, Some(false)),
            (RestartPolicy::OnFailure, false, None),
            (RestartPolicy::Always, true, None),
        ] {
            let (mut m, t) = (machine(policy), Instant::now());
            step(&mut m, Event::Start, t);
            step(&mut m, Event::Answered { run: 1 }, t);
            step(&mut m, Event::Gone { run: 1, clean, jitter: 0.0 }, t);
            let finished = if let Phase::Finished { failed } = m.phase { Some(failed) } else { None };
            assert_eq!(finished, expected, "{policy:?} {clean}");
        }
    }

    #[derive(Clone, Debug)]
    enum Input {
        Start,
        Answered(u64),
        Gone(u64, bool),
        Again(u64),
        Later(u32),
        Stop,
    }

    fn input() -> impl Strategy<Value = Input> {
        prop_oneof![
            Just(Input::Start),
            (1u64..6).prop_map(Input::Answered),
            (1u64..6, any::<bool>()).prop_map(|(r, c)| Input::Gone(r, c)),
            (1u64..6).prop_map(Input::Again),
            (0u32..400).prop_map(Input::Later),
            Just(Input::Stop),
        ]
    }

    proptest! {
        /// Whatever happens in whatever order: no process is launched while another may live, none after a stop, and a
        /// stop always comes to its end once the process is gone.
        #[test]
        fn total_and_safe(inputs in proptest::collection::vec(input(), 0..60)) {
            let mut m = machine(RestartPolicy::Always);
            let mut now = Instant::now();
            let mut live: Option<u64> = None;
            let mut stopped = false;
            for input in inputs {
                let event = match input {
                    Input::Start => Event::Start,
                    Input::Answered(run) => Event::Answered { run },
                    Input::Gone(run, clean) => {
                        if live == Some(run) { live = None; }
                        Event::Gone { run, clean, jitter: 0.5 }
                    }
                    Input::Again(run) => {
                        // Only said of a process that has ended.
                        if live == Some(run) { live = None; }
                        Event::Again { run }
                    }
                    Input::Later(seconds) => { now += Duration::from_secs(u64::from(seconds)); Event::Wake }
                    Input::Stop => { stopped = true; Event::Stop }
                };
                match step(&mut m, event, now) {
                    Some(Effect::Launch { run }) => {
                        prop_assert!(live.is_none() && !stopped);
                        live = Some(run);
                    }
                    Some(Effect::Terminate { run }) => prop_assert_eq!(live, Some(run)),
                    Some(Effect::WakeAt(at)) => prop_assert!(at >= now),
                    None => {}
                }
                // What was said of a process that the machine had already given up is no matter.
                if let Some(run) = m.live_run() { prop_assert!(live.is_none() || live == Some(run)); }
            }
            if let Some(run) = m.live_run() {
                step(&mut m, Event::Stop, now);
                step(&mut m, Event::Gone { run, clean: true, jitter: 0.0 }, now);
            } else {
                step(&mut m, Event::Stop, now);
            }
            prop_assert!(m.is_finished());
        }
    }
}
