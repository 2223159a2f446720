use super::*;
use proptest::prelude::*;

fn offered(key: Option<&str>, message: u32) -> Event<u32> {
    Event::Offered(vec![(key.map(str::to_owned), message)])
}

fn answered(answer: Answer) -> Event<u32> {
    Event::Answered { answer, chance: 1.0 }
}

fn later(after: Option<u64>) -> Event<u32> {
    answered(Answer::Later { problem: "no".into(), after: after.map(Duration::from_secs) })
}

fn sent(effects: &[Effect<u32>]) -> Vec<u32> {
    effects.iter().filter_map(|effect| if let Effect::Send(message) = effect { Some(*message) } else { None }).collect()
}

#[test]
fn one_after_the_other() {
    let now = Instant::now();
    let mut outbox = Outbox::new(10, false);
    assert_eq!(sent(&outbox.step(offered(None, 1), now)), [1]);
    assert!(sent(&outbox.step(offered(None, 2), now)).is_empty());
    assert!(sent(&outbox.step(offered(None, 3), now)).is_empty());
    assert_eq!(outbox.step(answered(Answer::Taken), now), [Effect::Taken(1), Effect::Send(2)]);
    assert_eq!(sent(&outbox.step(answered(Answer::Taken), now)), [3]);
    assert_eq!(outbox.step(answered(Answer::Taken), now), [Effect::Taken(3)]);
    assert_eq!((outbox.counts.delivered, outbox.waiting() == 0), (3, true));
}

#[test]
fn the_newest_goes_first_and_replaces_its_like() {
    let now = Instant::now();
    let mut outbox = Outbox::new(10, true);
    outbox.step(offered(Some("a"), 1), now);
    for (key, message) in [("b", 2), ("c", 3), ("b", 4)] {
        outbox.step(offered(Some(key), message), now);
    }
    let mut order = Vec::new();
    for _ in 0..3 {
        order.extend(sent(&outbox.step(answered(Answer::Taken), now)));
    }
    assert_eq!(order, [4, 3]);
    // What is newer of the same makes one that failed superfluous.
    outbox.step(offered(Some("a"), 5), now);
    outbox.step(offered(Some("a"), 6), now);
    assert!(sent(&outbox.step(later(None), now + Duration::ZERO)).is_empty());
    assert_eq!(sent(&outbox.step(Event::Tick, now + Duration::from_secs(2))), [6]);
    assert_eq!(outbox.waiting(), 1);
}

#[test]
fn of_what_comes_at_once_the_newest_goes_first_too() {
    let mut outbox = Outbox::new(10, true);
    let all = Event::Offered([1, 2, 3].map(|message| (None, message)).into());
    assert_eq!(sent(&outbox.step(all, Instant::now())), [3]);
}

#[test]
fn pauses_grow_and_what_the_server_asks_for_counts() {
    let mut now = Instant::now();
    let mut outbox = Outbox::new(10, false);
    outbox.step(offered(None, 1), now);
    for expected in [1, 2, 4, 8, 16] {
        let due = now + Duration::from_secs(expected);
        let effects = outbox.step(later(None), now);
        assert_eq!(effects.last(), Some(&Effect::Wait(due)), "{expected}");
        assert!(sent(&outbox.step(Event::Tick, due - Duration::from_millis(1))).is_empty());
        now = due;
        assert_eq!(sent(&outbox.step(Event::Tick, now)), [1]);
    }
    assert_eq!(outbox.step(later(Some(120)), now), [Effect::Wait(now + Duration::from_secs(120))]);
    assert_eq!(outbox.not_before(), Some(now + Duration::from_secs(120)));
    // One attempt that is taken, and all is forgotten.
    now += Duration::from_secs(120);
    outbox.step(Event::Tick, now);
    assert_eq!(outbox.step(answered(Answer::Taken), now), [Effect::Taken(1), Effect::Recovered]);
    outbox.step(offered(None, 2), now);
    assert_eq!(outbox.step(later(None), now).last(), Some(&Effect::Wait(now + Duration::from_secs(1))));
}

#[test]
fn a_message_that_nobody_takes_is_let_go() {
    let mut now = Instant::now();
    let mut outbox = Outbox::new(10, false);
    outbox.step(offered(None, 1), now);
    outbox.step(offered(None, 2), now);
    let mut failed = 0;
    for attempt in 1..=MAX_ATTEMPTS {
        let effects = outbox.step(later(None), now);
        assert_eq!(effects.contains(&Effect::LetGo(1)), attempt == MAX_ATTEMPTS, "{attempt}");
        failed += effects.iter().filter(|effect| matches!(effect, Effect::Failed(_))).count();
        now += LONGEST_PAUSE;
        let expected = if attempt == MAX_ATTEMPTS { 2 } else { 1 };
        assert_eq!(sent(&outbox.step(Event::Tick, now)), [expected], "{attempt}");
    }
    // Once that it cannot be reached, and once that something is lost.
    assert_eq!((failed, outbox.counts.dropped), (2, 1));
    assert!(outbox.problem().is_some_and(|problem| problem.contains("given up after attempt 12")));
}

#[test]
fn what_is_refused_is_said_once() {
    let now = Instant::now();
    let mut outbox = Outbox::new(10, false);
    let refused = || answered(Answer::Refused { problem: "it answers 401".into() });
    let failed = |effects: &[Effect<u32>]| effects.iter().filter(|effect| matches!(effect, Effect::Failed(_))).count();
    let mut said = 0;
    for message in 0..5 {
        outbox.step(offered(None, message), now);
        said += failed(&outbox.step(refused(), now));
    }
    assert_eq!((said, outbox.counts.dropped, outbox.problem()), (1, 5, Some("it answers 401")));
    outbox.step(offered(None, 6), now);
    assert_eq!(outbox.step(answered(Answer::Taken), now), [Effect::Taken(6), Effect::Recovered]);
    outbox.step(offered(None, 7), now);
    assert_eq!(failed(&outbox.step(refused(), now)), 1);
}

#[test]
fn an_end_waits_for_nobody() {
    let now = Instant::now();
    let mut outbox = Outbox::new(10, false);
    outbox.step(offered(None, 1), now);
    outbox.step(offered(None, 2), now);
    outbox.step(later(None), now);
    assert_eq!(sent(&outbox.step(Event::Closing, now)), [1]);
    assert_eq!(sent(&outbox.step(later(Some(100)), now)), [2]);
    assert_eq!(outbox.step(answered(Answer::Taken), now).last(), Some(&Effect::Empty));
    assert_eq!(outbox.counts, Counts { delivered: 1, dropped: 1 });
    assert_eq!(Outbox::<u32>::new(1, false).step(Event::Closing, now), [Effect::Empty]);
}

proptest! {
    /// Whatever happens: nothing is sent while something is being sent, the room is kept, and every message is waiting,
    /// delivered, dropped or made superfluous by one of the same key.
    #[test]
    fn nothing_is_lost_without_a_count(
        events in proptest::collection::vec((0u8..6, 0u8..4, 0u64..700), 1..200),
        newest_first: bool,
        room in 1usize..6,
    ) {
        let mut now = Instant::now();
        let mut outbox = Outbox::new(room, newest_first);
        let (mut offers, mut in_flight) = (0u32, None);
        for (kind, key, seconds) in events {
            now += Duration::from_secs(seconds);
            let event = match kind {
                0 | 1 => {
                    offers += 1;
                    // Without keys, so that each message counts.
                    Event::Offered(vec![(None, offers)])
                }
                2 => Event::Answered { answer: Answer::Taken, chance: 0.0 },
                3 => Event::Answered { answer: Answer::Refused { problem: "no".into() }, chance: 0.5 },
                4 => Event::Answered {
                    answer: Answer::Later { problem: "no".into(), after: (key > 2).then_some(Duration::from_secs(3)) },
                    chance: 1.0,
                },
                _ => Event::Tick,
            };
            if matches!(event, Event::Answered { .. }) {
                in_flight = None;
            }
            for effect in outbox.step(event, now) {
                if let Effect::Send(message) = effect {
                    prop_assert!(in_flight.is_none());
                    in_flight = Some(message);
                }
            }
            prop_assert!(outbox.waiting() <= room + 1);
            let known = outbox.counts.delivered + outbox.counts.dropped + outbox.waiting() as u64;
            prop_assert_eq!(known, u64::from(offers));
        }
    }
}
