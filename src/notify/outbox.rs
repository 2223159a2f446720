//! What waits to be sent to one target: in which order, how often it is tried, and what is let go. Pure: time and chance
//! are told.

use super::request::Answer;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// After so many attempts a message is let go: it may be the message.
pub const MAX_ATTEMPTS: u32 = 12;
/// Between the first two attempts; each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause that the agent makes by itself.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// What waits.
#[derive(Debug)]
pub struct Outbox<T> {
    waiting: VecDeque<Entry<T>>,
    /// What is being sent.
    sending: Option<Entry<T>>,
    /// The newest goes first, and makes an older one of the same key superfluous.
    newest_first: bool,
    room: usize,
    /// Attempts in a row that came to nothing.
    failures: u32,
    not_before: Option<Instant>,
    closing: bool,
    pub counts: Counts,
    problem: Option<String>,
    /// What has been said since a message was last taken.
    told: Told,
    /// How many were offered.
    offered: u64,
}

/// Each is said once, until a message is taken again.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    unreachable: bool,
    refused: bool,
    overflowing: bool,
}

#[derive(Clone, Debug)]
struct Entry<T> {
    key: Option<String>,
    message: T,
    attempts: u32,
    /// As which it was offered.
    number: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub delivered: u64,
    pub dropped: u64,
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<T> {
    /// There is something to be sent, in order of age. One with a key takes the place of what waits under the same.
    Offered(Vec<(Option<String>, T)>),
    /// What came of what is being sent. `chance` is within 0..1.
    Answered { answer: Answer, chance: f64 },
    /// Time has passed.
    Tick,
    /// The agent ends: what waits is tried once more, and at once.
    Closing,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect<T> {
    Send(T),
    /// Nothing can be done before this.
    Wait(Instant),
    /// Has been taken.
    Taken(T),
    /// Will not be sent again.
    LetGo(T),
    /// Somebody is to be told once.
    Failed(String),
    Recovered,
    /// The agent may end.
    Empty,
}

impl<T: Clone> Outbox<T> {
    pub fn new(room: usize, newest_first: bool) -> Outbox<T> {
        Outbox {
            waiting: VecDeque::new(),
            sending: None,
            newest_first,
            room: room.max(1),
            failures: 0,
            not_before: None,
            closing: false,
            counts: Counts::default(),
            problem: None,
            told: Told::default(),
            offered: 0,
        }
    }

    /// How many messages wait, the one that is being sent included.
    pub fn waiting(&self) -> usize {
        self.waiting.len() + usize::from(self.sending.is_some())
    }

    /// What is wrong, until a message is taken again.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// When the message that could not be sent is tried again.
    pub fn not_before(&self) -> Option<Instant> {
        self.not_before.filter(|_| !self.waiting.is_empty())
    }

    pub fn step(&mut self, event: Event<T>, now: Instant) -> Vec<Effect<T>> {
        let mut effects = Vec::new();
        match event {
            Event::Offered(messages) => {
                for (key, message) in messages {
                    self.offered += 1;
                    self.offer(Entry { key, message, attempts: 0, number: self.offered }, &mut effects);
                }
            }
            Event::Answered { answer, chance } => self.answered(answer, chance, now, &mut effects),
            Event::Tick => {}
            Event::Closing => {
                self.closing = true;
                self.not_before = None;
            }
        }
        self.go_on(now, &mut effects);
        effects
    }

    fn offer(&mut self, entry: Entry<T>, effects: &mut Vec<Effect<T>>) {
        if entry.key.is_some() {
            self.waiting.retain(|waiting| waiting.key != entry.key);
        }
        self.put(entry);
        if self.waiting.len() <= self.room {
            return;
        }
        let oldest = if self.newest_first { self.waiting.pop_back() } else { self.waiting.pop_front() };
        self.counts.dropped += 1;
        effects.extend(oldest.map(|entry| Effect::LetGo(entry.message)));
        if !std::mem::replace(&mut self.told.overflowing, true) {
            let room = self.room;
            effects.push(Effect::Failed(format!("{room} messages wait, and the oldest are let go from now on")));
        }
    }

    /// Where it belongs by its number.
    fn put(&mut self, entry: Entry<T>) {
        let later = |waiting: &Entry<T>| match self.newest_first {
            true => waiting.number < entry.number,
            false => waiting.number > entry.number,
        };
        let at = self.waiting.iter().position(later).unwrap_or(self.waiting.len());
        self.waiting.insert(at, entry);
    }

    fn answered(&mut self, answer: Answer, chance: f64, now: Instant, effects: &mut Vec<Effect<T>>) {
        let Some(mut entry) = self.sending.take() else { return };
        entry.attempts += 1;
        match answer {
            Answer::Taken => {
                self.failures = 0;
                self.not_before = None;
                self.counts.delivered += 1;
                self.told =
                    Told { overflowing: self.told.overflowing && self.waiting.len() >= self.room, ..Told::default() };
                effects.push(Effect::Taken(entry.message));
                if self.problem.take().is_some() {
                    effects.push(Effect::Recovered);
                }
            }
            Answer::Refused { problem } => {
                // Whoever answers is there: what else waits need not.
                self.failures = 0;
                self.not_before = None;
                self.let_go(entry, problem, effects);
            }
            Answer::Later { problem, after } => {
                self.failures = self.failures.saturating_add(1);
                let pause = pause(self.failures, chance).max(after.unwrap_or_default());
                self.not_before = now.checked_add(pause).filter(|_| !self.closing);
                if entry.attempts >= MAX_ATTEMPTS || self.closing {
                    let times = entry.attempts;
                    self.let_go(entry, format!("{problem}; given up after attempt {times}"), effects);
                    return;
                }
                if !std::mem::replace(&mut self.told.unreachable, true) {
                    effects.push(Effect::Failed(problem.clone()));
                }
                self.problem = Some(problem);
                // What is newer of the same makes it superfluous.
                if entry.key.is_none() || self.waiting.iter().all(|waiting| waiting.key != entry.key) {
                    self.put(entry);
                }
            }
        }
    }

    fn let_go(&mut self, entry: Entry<T>, problem: String, effects: &mut Vec<Effect<T>>) {
        self.counts.dropped += 1;
        effects.push(Effect::LetGo(entry.message));
        if !std::mem::replace(&mut self.told.refused, true) {
            effects.push(Effect::Failed(format!("a message is let go: {problem}")));
        }
        self.problem = Some(problem);
    }

    fn go_on(&mut self, now: Instant, effects: &mut Vec<Effect<T>>) {
        if self.sending.is_some() {
            return;
        }
        if let Some(due) = self.not_before.filter(|due| *due > now && !self.waiting.is_empty()) {
            effects.push(Effect::Wait(due));
            return;
        }
        match self.waiting.pop_front() {
            Some(entry) => {
                effects.push(Effect::Send(entry.message.clone()));
                self.sending = Some(entry);
            }
            None if self.closing => effects.push(Effect::Empty),
            None => {}
        }
    }
}

/// Half of it is left to chance, so that agents do not come back all at once.
fn pause(failures: u32, chance: f64) -> Duration {
    let whole = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
    whole.mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests;
