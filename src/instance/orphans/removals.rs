//! Containers whose engine could not be asked: asked for again, from time to time, until they are gone.

use super::super::{keeper::wire::Removal, launch::Launcher};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, Semaphore},
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep_until},
};

/// After which time an engine is asked again, at first and at last.
const AGAIN: Duration = Duration::from_secs(5);
const AT_LAST: Duration = Duration::from_secs(300);
/// How many engines are asked at a time, each by a process.
const AT_A_TIME: usize = 4;
/// How many are remembered. An app whose engine is away leaves one with each of its starts; those that are beyond this
/// have their files, by which the next agent finds them.
const MAX: usize = 1000;

/// What there is to remove yet, of all instances of an agent.
#[derive(Debug)]
pub struct Removals {
    waiting: Mutex<Waiting>,
    more: Notify,
    permits: Semaphore,
}

#[derive(Debug, Default)]
struct Waiting {
    removals: Vec<Removal>,
    /// Somebody sees to them.
    is_seen_to: bool,
}

impl Default for Removals {
    fn default() -> Self {
        Removals { waiting: Mutex::default(), more: Notify::new(), permits: Semaphore::new(AT_A_TIME) }
    }
}

impl Waiting {
    fn push(&mut self, removal: Removal) {
        if self.removals.len() < MAX {
            self.removals.push(removal);
        } else {
            tracing::warn!(marker = removal.marker, "too many containers may be left: this one is the next agent's");
        }
    }
}

impl Removals {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one. Answers whether somebody has to be found who sees to them.
    fn add(&self, removal: Removal) -> bool {
        let mut waiting = self.waiting();
        waiting.push(removal);
        self.more.notify_one();
        !std::mem::replace(&mut waiting.is_seen_to, true)
    }

    /// All of them. If there are none, nobody sees to them from now on.
    fn take(&self) -> Vec<Removal> {
        let mut waiting = self.waiting();
        waiting.is_seen_to = !waiting.removals.is_empty();
        std::mem::take(&mut waiting.removals)
    }
}

impl Launcher {
    /// Removes the containers of an instance whose keeper could not, now or later. Gives what comes of the first
    /// attempt, `None` if that failed; goes on also if nobody waits for that.
    pub fn remove_surely(&self, removal: Removal) -> JoinHandle<Option<usize>> {
        let launcher = self.clone();
        tokio::spawn(async move {
            let removed = launcher.remove_in_turn(removal.clone()).await;
            if removed.is_none() {
                launcher.remove_later(removal);
            }
            removed
        })
    }

    /// Removes them when the engine may be there again.
    pub fn remove_later(&self, removal: Removal) {
        if self.removals().add(removal) {
            let launcher = self.clone();
            tokio::spawn(async move { launcher.remove_all(AGAIN).await });
        }
    }

    async fn remove_in_turn(&self, removal: Removal) -> Option<usize> {
        let _permit = self.removals().permits.acquire().await;
        self.remove(removal).await
    }

    /// Until there is nothing more to remove.
    async fn remove_all(&self, again: Duration) {
        let removals: Arc<Removals> = self.removals().clone();
        let mut pause = again;
        loop {
            let mut due = Instant::now() + pause;
            loop {
                tokio::select! {
                    () = sleep_until(due) => break,
                    // What is new is not to wait as long as what has been tried often.
                    () = removals.more.notified() => due = due.min(Instant::now() + again),
                }
            }
            let taken = removals.take();
            if taken.is_empty() {
                return;
            }
            let mut attempts = JoinSet::new();
            for removal in taken {
                let launcher = self.clone();
                attempts.spawn(async move {
                    let removed = launcher.remove_in_turn(removal.clone()).await;
                    (removal, removed)
                });
            }
            pause = (pause * 2).min(AT_LAST);
            while let Some(attempt) = attempts.join_next().await {
                match attempt {
                    Ok((removal, None)) => removals.waiting().push(removal),
                    Ok((removal, Some(count))) => {
                        pause = again;
                        tracing::info!(marker = removal.marker, count, "its engine has answered: no container is left");
                    }
                    Err(error) => tracing::error!(%error, "an attempt to remove a container failed"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
