//! What the service manager is told: systemd's `sd_notify`. Where there is none, nothing here does anything.
//!
//! `NOTIFY_SOCKET` stays in the environment of the agent, and reaches nobody else: keepers start with an empty one, and
//! servers get theirs made up.

use crate::{
    escape::escape,
    source::Source,
    status::{Store, model::AgentState},
};
use sd_notify::NotifyState;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// A question to the controller's loop whether it still goes round. It answers by sending.
pub type Beat = oneshot::Sender<()>;

/// How often the line that `systemctl status` shows is put together anew.
const STATUS_EVERY: Duration = Duration::from_secs(30);

/// The same while something is on its way.
const STATUS_MOVING: Duration = Duration::from_secs(1);

/// The longest that such a line is, in bytes.
const LONGEST_STATUS: usize = 400;

/// How long a reload waits for sources that do not answer.
const RELOAD_WITHIN: Duration = Duration::from_secs(30);

/// The service manager, if one has started this process.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    there: bool,
    /// The process is killed if it is silent for so long.
    watchdog: Option<Duration>,
}

impl Service {
    /// The one that the environment names.
    pub fn from_environment() -> Service {
        let there = std::env::var_os("NOTIFY_SOCKET").is_some_and(|socket| !socket.is_empty());
        Service { there, watchdog: sd_notify::watchdog_enabled().filter(|within| there && !within.is_zero()) }
    }

    /// From now on: it is told how things stand, and that the agent lives for as long as the other end of `beats` answers.
    /// The tasks are among `parts`, each with what it is called.
    pub fn attend(
        self,
        store: Arc<Store>,
        beats: mpsc::Sender<Beat>,
        stop: CancellationToken,
        parts: &mut JoinSet<&'static str>,
    ) {
        if let Some(within) = self.watchdog {
            let alive = watch(within, beats, move || self.tell(&[NotifyState::Watchdog]));
            let alive = stop.clone().run_until_cancelled_owned(alive);
            parts.spawn(async {
                alive.await;
                "what feeds the watchdog"
            });
        }
        if self.there {
            let telling = stop.run_until_cancelled_owned(async move {
                let mut applied = store.applied.clone();
                let mut told = String::new();
                loop {
                    let agent = store.status().agent;
                    let line = line(&format!("{:?}: {}", agent.state, agent.message));
                    if line != told {
                        self.tell(&[NotifyState::Status(&line)]);
                        told = line;
                    }
                    // Not more often than each second, however fast things change; what moves comes to rest soon.
                    sleep(STATUS_MOVING).await;
                    if agent.state != AgentState::Reconciling {
                        let _ = timeout(STATUS_EVERY, applied.changed()).await;
                    }
                }
            });
            parts.spawn(async {
                telling.await;
                "what tells the service manager how things stand"
            });
        }
    }

    /// The agent has started: it listens, and the first servers run, or have had some time.
    pub fn ready(self) {
        self.tell(&[NotifyState::Ready]);
    }

    /// The agent has been told to look at its sources: it is reloading until they have been looked at.
    pub fn reload(self, sources: &[Source]) {
        if !self.there {
            return;
        }
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            Err(_) => self.tell(&[NotifyState::Reloading]),
        }
        let looks: Vec<_> = sources.iter().cloned().map(Source::looked).collect();
        tokio::spawn(async move {
            let _ = timeout(RELOAD_WITHIN, futures_util::future::join_all(looks)).await;
            self.ready();
        });
    }

    /// The agent stops.
    pub fn stopping(self) {
        self.tell(&[NotifyState::Stopping, NotifyState::Status("stopping: open calls may end")]);
    }

    fn tell(self, states: &[NotifyState]) {
        if self.there
            && let Err(error) = sd_notify::notify(states)
        {
            tracing::warn!(%error, "cannot tell the service manager");
        }
    }
}

/// Calls `tell` three times within `within`, but only while the loop at the other end of `beats` answers. If that hangs,
/// so does this: whoever waits to hear of it is to be disappointed.
async fn watch(within: Duration, beats: mpsc::Sender<Beat>, tell: impl Fn()) {
    let mut ticks = interval(within / 3);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let (beat, answer) = oneshot::channel();
        if beats.send(beat).await.is_err() || answer.await.is_err() {
            return;
        }
        tell();
    }
}

/// A text as one line that can do nothing else: a line break would begin another message.
fn line(text: &str) -> String {
    let mut line = escape(text).to_string();
    if let Some((end, _)) = line.char_indices().find(|(at, _)| *at >= LONGEST_STATUS) {
        line.truncate(end);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_status_is_one_short_line() {
        assert_eq!(line("Ready: all\nREADY=1"), "Ready: all\\nREADY=1");
        let long = line(&"ü".repeat(1000));
        assert!(long.len() < LONGEST_STATUS + 8 && long.ends_with('…'), "{long}");
    }

    #[tokio::test]
    async fn a_loop_that_hangs_is_not_alive() {
        let (sender, mut beats) = mpsc::channel::<Beat>(1);
        let told = AtomicUsize::new(0);
        let watching = watch(Duration::from_millis(3), sender, || {
            told.fetch_add(1, Ordering::SeqCst);
        });
        tokio::pin!(watching);
        let hung = async {
            for _ in 0..5 {
                let _ = beats.recv().await.expect("a question").send(());
            }
            // It has the next question, and never comes to answer it.
            beats.recv().await
        };
        let question = tokio::select! {
            () = &mut watching => panic!("it watches on"),
            question = hung => question,
        };
        assert!(timeout(Duration::from_millis(20), watching).await.is_err(), "it does not wait");
        drop(question);
        assert_eq!(told.load(Ordering::SeqCst), 5);
    }

    #[tokio::test]
    async fn a_loop_that_has_ended_is_not_alive() {
        let (sender, beats) = mpsc::channel::<Beat>(1);
        drop(beats);
        watch(Duration::from_millis(3), sender, || panic!("it lives")).await;
    }
}
