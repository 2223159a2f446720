//! How often webhooks may make the agent look.

use crate::source::Trigger;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

/// Asks a source to look, at most once in a while. What is asked for meanwhile is done once, at the end of it: a push
/// right after another one is not missed.
#[derive(Clone, Debug)]
pub struct Paced(Arc<Notify>);

impl Paced {
    /// Works until `shutdown`. `pace` is the time between two looks.
    pub fn new(trigger: Trigger, pace: Duration, shutdown: CancellationToken) -> Paced {
        let asked = Arc::new(Notify::new());
        let paced = Paced(asked.clone());
        tokio::spawn(shutdown.run_until_cancelled_owned(async move {
            loop {
                asked.notified().await;
                trigger.fire();
                sleep(pace).await;
            }
        }));
        paced
    }

    /// Never blocks.
    pub fn ask(&self) {
        self.0.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn a_hundred_calls_are_two_looks() {
        let (trigger, mut looks) = Trigger::new();
        let stop = CancellationToken::new();
        let paced = Paced::new(trigger, PACE, stop.clone());
        for _ in 0..100 {
            paced.ask();
        }
        let started = tokio::time::Instant::now();
        assert!(looks.recv().await.is_some());
        for _ in 0..100 {
            paced.ask();
        }
        assert!(looks.recv().await.is_some());
        assert!(started.elapsed() >= PACE);
        // And then there is nothing left to do.
        assert!(tokio::time::timeout(3 * PACE, looks.recv()).await.is_err());
        stop.cancel();
        assert_eq!(looks.recv().await, None);
    }
}
