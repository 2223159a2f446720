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

#[test]
fn what_is_not_fit_is_ended_and_started_again() {
    let (mut m, t) = (machine(RestartPolicy::OnFailure), Instant::now());
    step(&mut m, Event::Start, t);
    step(&mut m, Event::Answered { run: 1 }, t);
    assert_eq!(step(&mut m, Event::Unfit { run: 2 }, t), None, "another run");
    assert_eq!(step(&mut m, Event::Unfit { run: 1 }, t), Some(Effect::Terminate { run: 1 }));
    assert!(!m.is_ready());
    assert_eq!(step(&mut m, Event::Unfit { run: 1 }, t), None, "once is enough");
    let effect = step(&mut m, Event::Gone { run: 1, clean: true, jitter: 0.0 }, t);
    assert_eq!(effect, Some(Effect::WakeAt(t + Duration::from_secs(1))), "a clean end does not make it a success");
}

#[test]
fn what_cannot_be_started_is_tried_again_whatever_the_policy() {
    let (mut m, t) = (machine(RestartPolicy::Never), Instant::now());
    step(&mut m, Event::Start, t);
    let until = t + Duration::from_secs(1);
    assert_eq!(step(&mut m, Event::Refused { run: 1, jitter: 0.0 }, t), Some(Effect::WakeAt(until)));
    assert_eq!((m.phase.clone(), m.restarts, m.next_start()), (Phase::Refused { until }, 0, Some(until)));
    assert_eq!(step(&mut m, Event::Wake, until), Some(Effect::Launch { run: 2 }));
    assert_eq!(
        step(&mut m, Event::Refused { run: 2, jitter: 0.0 }, until),
        Some(Effect::WakeAt(until + Duration::from_secs(2)))
    );
    step(&mut m, Event::Stop, until);
    assert!(m.is_finished());
}

#[derive(Clone, Debug)]
enum Input {
    Start,
    Answered(u64),
    Gone(u64, bool),
    Again(u64),
    Unfit(u64),
    Refused(u64),
    Later(u32),
    Stop,
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        Just(Input::Start),
        (1u64..6).prop_map(Input::Answered),
        (1u64..6, any::<bool>()).prop_map(|(r, c)| Input::Gone(r, c)),
        (1u64..6).prop_map(Input::Again),
        (1u64..6).prop_map(Input::Unfit),
        (1u64..6).prop_map(Input::Refused),
        (0u32..400).prop_map(Input::Later),
        Just(Input::Stop),
    ]
}

proptest! {
    /// Whatever happens in whatever order: no process is launched while another may live, none after a stop, and a
    /// stop always comes to its end once the process is gone.
    #[test]
    fn total_and_safe(
        policy in prop_oneof![Just(RestartPolicy::Always), Just(RestartPolicy::OnFailure), Just(RestartPolicy::Never)],
        inputs in proptest::collection::vec(input(), 0..60),
    ) {
        let mut m = machine(policy);
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
                Input::Unfit(run) => Event::Unfit { run },
                Input::Refused(run) => {
                    if live == Some(run) { live = None; }
                    Event::Refused { run, jitter: 0.5 }
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
