//! Calls that wait until their clients come back with what the server has asked.

use super::call::{Pending, Subject};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

/// People are asked, and take their time.
const LIFETIME: Duration = Duration::from_secs(600);

/// By this a state is known as the gateway's own: any other is the server's to understand.
const PREFIX: &str = "mcpfleet-";

/// Each keeps a process.
const MAX_HELD: usize = 4096;

/// What a server wants to know.
#[derive(Debug)]
pub struct Asked {
    /// By which the client names it in its answer.
    pub key: String,
    /// The server's raw id of it.
    pub id: Box<str>,
    /// Raw `{method, params}`.
    pub request: String,
}

#[derive(Debug)]
pub struct HeldCall {
    pub subject: Subject,
    pub server_info: Option<Arc<str>>,
    pub pending: Pending,
    pub asked: Vec<Asked>,
}

/// All of them. The state that a client is given is a number that nobody can guess: it says nothing, can be used once,
/// and by the principal to whose call it belongs.
#[derive(Debug, Default)]
pub struct Held {
    by_state: Mutex<HashMap<String, (Instant, HeldCall)>>,
    next_key: AtomicU64,
}

impl Held {
    /// Whether a state is one that has been given out here.
    pub fn is_own(state: &str) -> bool {
        state.starts_with(PREFIX)
    }

    pub fn key(&self) -> String {
        format!("ask-{}", self.next_key.fetch_add(1, Relaxed))
    }

    /// Keeps a call; returns the state that its client is to come back with. `None`: there is no room, or no randomness.
    pub fn keep(&self, call: HeldCall) -> Option<String> {
        let mut random = [0; 24];
        getrandom::fill(&mut random).ok()?;
        let number: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let state = format!("{PREFIX}{number}");
        let mut by_state = self.lock();
        if by_state.len() >= MAX_HELD {
            return None;
        }
        by_state.insert(state.clone(), (Instant::now(), call));
        Some(state)
    }

    /// The call of a state, if it is this one.
    pub fn take(&self, state: &str, subject: &Subject) -> Option<HeldCall> {
        let mut by_state = self.lock();
        by_state.get(state).filter(|(_, call)| call.subject == *subject)?;
        by_state.remove(state).map(|(_, call)| call)
    }

    /// Gives up the calls whose clients have not come back, or whose servers have gone.
    pub fn sweep(&self) {
        let now = Instant::now();
        let over: Vec<_> = self
            .lock()
            .extract_if(|_, (since, call)| {
                now.saturating_duration_since(*since) > LIFETIME || call.pending.cancel.link.is_closed()
            })
            .collect();
        // The call is cancelled when it is dropped, which takes locks of its own.
        for (_, (_, call)) in over {
            if let Some(process) = &call.pending.process {
                process.spoil_alone();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Instant, HeldCall)>> {
        self.by_state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
