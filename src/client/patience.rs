//! How long, and how often, something is tried again. Pure.

use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);
/// What has no deadline has time.
const LONGEST_ENDLESS: Duration = Duration::from_secs(10);

/// Growing pauses, up to a deadline if there is one.
#[derive(Clone, Debug)]
pub struct Patience {
    deadline: Option<Instant>,
    next: Duration,
}

impl Patience {
    pub fn until(deadline: Instant) -> Patience {
        Patience { deadline: Some(deadline), next: FIRST }
    }

    pub fn endless() -> Patience {
        Patience { deadline: None, next: FIRST }
    }

    /// The pause before the next attempt, at least as long as the other side asked for; `None` once it would take
    /// too long.
    pub fn pause(&mut self, now: Instant, asked: Option<Duration>) -> Option<Duration> {
        let pause = self.next.max(asked.unwrap_or_default());
        let longest = if self.deadline.is_some() { LONGEST } else { LONGEST_ENDLESS };
        self.next = (self.next * 2).min(longest);
        match self.deadline {
            Some(deadline) if now + pause > deadline => None,
            _ => Some(pause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let start = Instant::now();
        let mut patience = Patience::until(start + Duration::from_secs(3));
        let (mut now, mut pauses) = (start, Vec::new());
        while let Some(pause) = patience.pause(now, None) {
            now += pause;
            pauses.push(pause.as_millis());
        }
        assert_eq!(pauses, [100, 200, 400, 800]);

        let mut patience = Patience::until(start + Duration::from_secs(3));
        assert_eq!(patience.pause(start, Some(Duration::from_secs(2))), Some(Duration::from_secs(2)));
        assert_eq!(patience.pause(start, Some(Duration::from_secs(60))), None);

        let mut endless = Patience::endless();
        assert_eq!((0..100).filter_map(|_| endless.pause(start, None)).max(), Some(LONGEST_ENDLESS));
    }
}
