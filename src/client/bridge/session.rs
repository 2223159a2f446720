//! The legacy session behind the bridge, which is opened again when the agent no longer knows it.

mod handshake;
mod stream;

use super::{Failure, Outlet, Patience};
use crate::{
    client::{api::AgentClient, http::HttpError},
    protocol::{headers, notification},
};
use bytes::Bytes;
use handshake::list_changes;
use hyper::{
    Method, StatusCode,
    header::{HeaderMap, HeaderValue},
};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::sync::{Mutex, watch};

/// What has no answer is not worth waiting for longer than this.
const NOTICE_TIMEOUT: Duration = Duration::from_secs(10);

/// A session as requests use it.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Counts the sessions of this bridge, so that the loss of one is acted upon once.
    pub generation: u64,
    session: Option<HeaderValue>,
    version: HeaderValue,
}

impl Lease {
    /// Whether the agent can lose it: a server may do without sessions.
    pub fn has_session(&self) -> bool {
        self.session.is_some()
    }

    pub fn add_to(&self, headers: &mut HeaderMap) {
        headers.insert(headers::PROTOCOL_VERSION, self.version.clone());
        headers.extend(self.session.clone().map(|session| (headers::SESSION_ID, session)));
    }
}

#[derive(Debug, Default)]
struct State {
    /// What the client said to open its session; said again when the session is lost.
    initialize: Option<Bytes>,
    initialized: Option<Bytes>,
    current: Option<Lease>,
    generation: u64,
    /// The notifications that tell the client of changed lists, if it was promised any.
    list_changes: Vec<&'static str>,
    last_failure: Option<Failure>,
}

/// The session of one bridge.
#[derive(Debug)]
pub struct Session {
    agent: AgentClient,
    path: String,
    outlet: Outlet,
    /// How long an agent that does not answer, or an app that is not ready, is waited for.
    patience: Duration,
    state: Mutex<State>,
    attempts: AtomicU64,
    /// The session on whose stream the server's own messages come, once the client is ready for them.
    listening: watch::Sender<Option<Lease>>,
}

impl Session {
    pub fn new(agent: AgentClient, path: String, outlet: Outlet, patience: Duration) -> Session {
        Session {
            agent,
            path,
            outlet,
            patience,
            state: Mutex::default(),
            attempts: AtomicU64::new(0),
            listening: watch::Sender::new(None),
        }
    }

    /// Opens the session with the client's own words and hands it the answer.
    pub async fn initialize(&self, line: Bytes, id: &str) {
        let mut state = self.state.lock().await;
        *state = State { initialize: Some(line.clone()), generation: state.generation, ..State::default() };
        match self.handshake(&line).await {
            Ok(opened) => {
                state.list_changes = list_changes(&opened.answer);
                if let Some((session, version)) = opened.terms {
                    self.adopt(&mut state, session, version);
                }
                drop(state);
                self.outlet.message(&opened.answer, id).await;
            }
            Err(failure) => {
                state.initialize = None;
                drop(state);
                self.outlet.failure(id, &failure).await;
            }
        }
    }

    /// The session to use, which is not the one of generation `lost`: that one is opened again. `None` if the client
    /// never opened one.
    pub async fn lease(&self, lost: Option<u64>) -> Result<Option<Lease>, Failure> {
        let attempt = self.attempts.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        let Some(initialize) = state.initialize.clone() else { return Ok(None) };
        if let Some(lease) = state.current.as_ref().filter(|lease| Some(lease.generation) != lost) {
            return Ok(Some(lease.clone()));
        }
        // Somebody else tried while this one waited: the next attempt is for those that come after.
        if attempt != self.attempts.load(Ordering::Acquire)
            && let Some(failure) = state.last_failure.clone()
        {
            return Err(failure);
        }
        tracing::info!("the agent no longer knows the session; opening it again");
        state.current = None;
        let reopened = self.reopen(&mut state, &initialize).await;
        self.attempts.fetch_add(1, Ordering::Release);
        state.last_failure = reopened.as_ref().err().cloned();
        reopened.map(Some)
    }

    async fn reopen(&self, state: &mut State, initialize: &Bytes) -> Result<Lease, Failure> {
        let opened = self.handshake(initialize).await?;
        let Some((session, version)) = opened.terms else {
            return Err(Failure::from_answer(&opened.answer));
        };
        let lease = self.adopt(state, session, version);
        if let Some(initialized) = state.initialized.clone() {
            self.notice(initialized, Some(&lease)).await;
            self.listening.send_replace(Some(lease.clone()));
        }
        // It may be another version of the server.
        for method in &state.list_changes {
            self.outlet.line(notification(method, &serde_json::json!({}))).await;
        }
        Ok(lease)
    }

    fn adopt(&self, state: &mut State, session: Option<HeaderValue>, version: HeaderValue) -> Lease {
        state.generation += 1;
        let lease = Lease { generation: state.generation, session, version };
        state.current = Some(lease.clone());
        lease
    }

    /// Sends what has no answer: a notification, or the client's answer to a server's request. It is tried once, since
    /// what it is about ends with the session.
    pub async fn notify(&self, line: Bytes, method: &str) {
        let lease = self.state.lock().await.current.clone();
        self.notice(line.clone(), lease.as_ref()).await;
        if method == "notifications/initialized" && lease.is_some() {
            self.state.lock().await.initialized = Some(line);
            self.listening.send_replace(lease);
        }
    }

    async fn notice(&self, line: Bytes, lease: Option<&Lease>) {
        let mut headers = headers::post();
        if let Some(lease) = lease {
            lease.add_to(&mut headers);
        }
        let sending = async {
            let response = self.agent.http.send(Method::POST, &self.path, headers, line).await?;
            let status = response.status;
            // Read to its end, so that the connection can be used again.
            response.body.read(64 << 10).await?;
            Ok::<StatusCode, HttpError>(status)
        };
        match tokio::time::timeout(NOTICE_TIMEOUT, sending).await {
            Ok(Ok(status)) if status.is_success() => {}
            Ok(Ok(status)) => tracing::warn!(%status, "the agent refused a notification"),
            Ok(Err(error)) => tracing::warn!(%error, "a notification was lost"),
            Err(_) => tracing::warn!("a notification was not taken in time"),
        }
    }

    /// Ends the session at the agent, so that its process need not wait for nothing.
    pub async fn close(&self) {
        // A session that is being opened just now is not waited for: the agent ends what nobody uses.
        let Ok(state) = self.state.try_lock() else { return };
        if let Some(lease) = state.current.as_ref().filter(|lease| lease.has_session()) {
            let mut headers = HeaderMap::new();
            lease.add_to(&mut headers);
            if let Err(error) = self.agent.http.send(Method::DELETE, &self.path, headers, Bytes::new()).await {
                tracing::debug!(%error, "the session could not be ended");
            }
        }
    }
}
