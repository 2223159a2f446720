//! Requests on their way: many at a time, each answered once.

use super::{Failure, Outlet, Patience, session::Session};
use crate::{
    client::{
        answer::Messages,
        api::{AgentClient, ApiError},
        http::{HttpError, Response},
    },
    protocol::{Message, codes, headers},
};
use bytes::Bytes;
use hyper::{Method, StatusCode, header::HeaderMap};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::{self, JoinSet};
use tokio_util::sync::CancellationToken;

/// More open requests than this are refused.
const MAX_OPEN: usize = 1024;
/// A request whose session is lost is sent again this many times.
const MAX_SESSIONS: usize = 3;
/// How long a request that the client has cancelled is kept in the legacy era, where its server may still answer.
const CANCELLED: Duration = Duration::from_secs(5);

/// The requests that are open.
pub struct Requests {
    forward: Arc<Forward>,
    tasks: JoinSet<()>,
    open: HashMap<task::Id, Open>,
}

struct Open {
    /// Raw JSON.
    id: String,
    era: Era,
    /// Ends only when the client wants it to.
    endless: bool,
    cancelled: CancellationToken,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Era {
    Legacy,
    Modern,
}

impl Requests {
    pub fn new(forward: Forward) -> Requests {
        Requests { forward: Arc::new(forward), tasks: JoinSet::new(), open: HashMap::new() }
    }

    /// Sends a request; its answer is written when it comes.
    pub async fn forward(&mut self, message: &Message<'_>, line: Bytes) {
        let id = message.id.map_or("null", |id| id.0).to_owned();
        let modern = message.params().meta_version.is_some();
        let (era, headers) =
            if modern { (Era::Modern, headers::modern(message)) } else { (Era::Legacy, headers::post()) };
        self.spawn(id, era, message.method == "subscriptions/listen", headers, line).await;
    }

    pub async fn forward_batch(&mut self, line: Bytes) {
        self.spawn("null".into(), Era::Legacy, false, headers::post(), line).await;
    }

    async fn spawn(&mut self, id: String, era: Era, endless: bool, headers: HeaderMap, line: Bytes) {
        if self.open.len() >= MAX_OPEN {
            let failure = Failure::new(codes::OVERLOADED, format!("more than {MAX_OPEN} requests are open"));
            return self.forward.outlet.failure(&id, &failure).await;
        }
        let cancelled = CancellationToken::new();
        let (forward, token, request_id) = (self.forward.clone(), cancelled.clone(), id.clone());
        let handle = self.tasks.spawn(async move {
            tokio::select! {
                answered = forward.answer(&request_id, era, headers, line) => match answered {
                    // A cancelled request needs no answer, and its server gives none.
                    Err(failure) if !token.is_cancelled() => forward.outlet.failure(&request_id, &failure).await,
                    _ => {}
                },
                // Dropping the answer closes its connection, which is how a modern request is cancelled.
                () = async {
                    token.cancelled().await;
                    if era == Era::Legacy {
                        tokio::time::sleep(CANCELLED).await;
                    }
                } => {}
            }
        });
        self.open.insert(handle.id(), Open { id, era, endless, cancelled });
    }

    /// Cancels the request that the notification is about. Says whether the agent must be told of it.
    pub fn cancel(&self, notification: &Message<'_>) -> bool {
        let Some(id) = notification.params().request_id else { return false };
        let mut tell = false;
        for open in self.open.values().filter(|open| open.id == id) {
            open.cancelled.cancel();
            tell |= open.era == Era::Legacy;
        }
        tell
    }

    /// Waits for the next request to be over. Never ends while there is none.
    pub async fn reap(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => drop(self.open.remove(&id)),
            Some(Err(error)) => drop(self.open.remove(&error.id())),
            None => std::future::pending().await,
        }
    }

    /// Waits for the open requests that end by themselves, but not longer than `patience`.
    pub async fn finish(mut self, patience: Duration) {
        let all = async {
            while self.open.values().any(|open| !open.endless) {
                self.reap().await;
            }
        };
        if tokio::time::timeout(patience, all).await.is_err() {
            tracing::info!("gave up waiting for {} answers", self.open.len());
        }
    }
}

/// What it takes to send a request.
pub struct Forward {
    pub agent: AgentClient,
    pub path: String,
    pub session: Arc<Session>,
    pub outlet: Outlet,
    /// How long an agent that does not answer, or an app that is not ready, is waited for.
    pub patience: Duration,
}

impl Forward {
    async fn answer(&self, id: &str, era: Era, headers: HeaderMap, line: Bytes) -> Result<(), Failure> {
        let mut patience = Patience::until(Instant::now() + self.patience);
        let (mut lost, mut sessions) = (None, 0);
        loop {
            let lease = match era {
                Era::Legacy => self.session.lease(lost).await?,
                Era::Modern => None,
            };
            let mut headers = headers.clone();
            if let Some(lease) = &lease {
                lease.add_to(&mut headers);
            }
            let sent = self.agent.http.send(Method::POST, &self.path, headers, line.clone()).await;
            // Only what certainly did not reach the server is sent again.
            let (failure, asked) = match (sent, lease.filter(|lease| lease.has_session())) {
                (Ok(response), Some(lease)) if response.status == StatusCode::NOT_FOUND => {
                    sessions += 1;
                    if sessions > MAX_SESSIONS {
                        return Err(Failure::new(codes::SESSION_NOT_FOUND, "the session is lost again and again"));
                    }
                    lost = Some(lease.generation);
                    continue;
                }
                (Ok(response), _) if response.status == StatusCode::SERVICE_UNAVAILABLE => {
                    let asked = response.retry_after();
                    (Failure::from(ApiError::from_response(response).await), asked)
                }
                (Ok(response), _) => return self.pass(response, id).await,
                (Err(error @ HttpError::Unreachable(_)), _) => (Failure::from(error), None),
                (Err(error), _) => return Err(error.into()),
            };
            match patience.pause(Instant::now(), asked) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(failure),
            }
        }
    }

    /// Passes on all messages of an answer.
    async fn pass(&self, response: Response, id: &str) -> Result<(), Failure> {
        let status = response.status;
        let mut messages = Messages::of(response);
        let mut answered = false;
        loop {
            match messages.next().await {
                Ok(Some(body)) if !status.is_success() && Message::parse(&body).is_err() => {
                    return Err(ApiError::refused(status, &body).into());
                }
                Ok(Some(body)) => answered |= self.outlet.message(&body, id).await,
                // What ends after the answer may end as it likes.
                _ if answered => return Ok(()),
                Ok(None) if !status.is_success() => return Err(ApiError::refused(status, b"").into()),
                // A batch of notifications has no answer.
                Ok(None) if id == "null" => return Ok(()),
                Ok(None) => {
                    return Err(Failure::new(codes::SERVER_GONE, "the connection ended before the server answered"));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
