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

impl HeldCall {
    /// Nobody comes back for it: it is cancelled at the server, and its process serves no other call.
    pub fn abandon(self) {
        if let Some(process) = &self.pending.process {
            process.spoil_alone();
        }
    }
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

    /// Keeps a call; returns the state that its client is to come back with.
    ///
    /// # Errors
    /// The call, which has to be given up.
    #[expect(clippy::result_large_err, reason = "it goes back to where it came from")]
    pub fn keep(&self, call: HeldCall) -> Result<String, HeldCall> {
        let mut random = [0; 24];
        if getrandom::fill(&mut random).is_err() {
            return Err(call);
        }
        let number: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let state = format!("{PREFIX}{number}");
        let mut by_state = self.lock();
        if by_state.len() >= MAX_HELD {
            return Err(call);
        }
        by_state.insert(state.clone(), (Instant::now(), call));
        Ok(state)
    }

    /// The call of a state, if it is this one.
    pub fn take(&self, state: &str, subject: &Subject) -> Option<HeldCall> {
        let mut by_state = self.lock();
        by_state.get(state).filter(|(_, call)| call.subject == *subject)?;
        by_state.remove(state).map(|(_, call)| call)
    }

    /// Gives up the call of an app that has waited for its client for longest, if that is long. Whether there is one.
    pub fn give_up(&self, app: &str, long: Duration) -> bool {
        let now = Instant::now();
        let mut by_state = self.lock();
        let waiting = by_state
            .iter()
            .filter(|(_, (since, call))| call.subject.app == app && now.saturating_duration_since(*since) > long);
        let longest = waiting.min_by_key(|(_, (since, _))| *since).map(|(state, _)| state.clone());
        let given_up = longest.and_then(|state| by_state.remove(&state));
        drop(by_state);
        given_up.is_some_and(|(_, call)| {
            call.abandon();
            true
        })
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
        over.into_iter().for_each(|(_, (_, call))| call.abandon());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Instant, HeldCall)>> {
        self.by_state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
