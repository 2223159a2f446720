//! `/v1`: the status and the logs for everybody who may use the gateway, actions for the control socket only.

use super::Store;
use crate::{
    gateway::{Peer, problem, reply_json},
    instance::logs::LogRing,
    status::model::LogLine,
};
use axum::{
    Extension, Json, Router,
    body::Body,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::Response,
    routing::{get, post},
};
use bytes::Bytes;
use serde::Deserialize;
use std::{convert::Infallible, sync::Arc};
use tokio::sync::{broadcast::error::RecvError, mpsc, oneshot};

/// What the control socket can ask of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Reconcile {
    /// Removals that the prune guard holds may pass, this once.
    #[serde(default)]
    pub prune: bool,
}

/// The same on its way to the controller.
#[derive(Debug)]
pub struct Command {
    pub reconcile: Reconcile,
    /// Told once the sources have been asked to look, so that the status says so from then on.
    pub heard: oneshot::Sender<()>,
}

#[derive(Clone)]
struct Api {
    store: Arc<Store>,
    commands: mpsc::Sender<Command>,
}

pub fn router(store: Arc<Store>, commands: mpsc::Sender<Command>) -> Router {
    Router::new()
        .route("/v1/status", get(async |State(api): State<Api>| Json(api.store.status())))
        .route("/v1/apps/{name}/logs", get(logs))
        .route("/v1/reconcile", post(reconcile))
        .with_state(Api { store, commands })
}

async fn reconcile(
    State(api): State<Api>,
    Extension(peer): Extension<Peer>,
    Json(reconcile): Json<Reconcile>,
) -> Response {
    if !matches!(peer, Peer::Local { .. }) {
        let text = "actions are taken on the control socket only";
        return problem(StatusCode::FORBIDDEN, "not-allowed", text);
    }
    let (heard, hearing) = oneshot::channel();
    // A controller that is gone drops the end that would tell.
    let _ = api.commands.send(Command { reconcile, heard }).await;
    match hearing.await {
        Ok(()) => reply_json(StatusCode::ACCEPTED, "{}"),
        Err(_) => problem(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the agent is stopping"),
    }
}

#[derive(Deserialize)]
struct LogQuery {
    #[serde(default = "hundred")]
    tail: usize,
    #[serde(default)]
    follow: bool,
}

fn hundred() -> usize {
    100
}

async fn logs(State(api): State<Api>, Path(name): Path<String>, Query(query): Query<LogQuery>) -> Response {
    let entry = api.store.gateway.fleet.all().into_iter().find(|entry| *entry.name == *name);
    let Some(entry) = entry else {
        return problem(StatusCode::NOT_FOUND, "unknown-app", &format!("there is no app {name:?} here"));
    };
    let body = if query.follow {
        follow(&entry.logs, query.tail)
    } else {
        Body::from(entry.logs.tail(query.tail).iter().flat_map(|entry| line(entry)).collect::<Vec<u8>>())
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/x-ndjson"));
    response
}

/// Lines as they are written, until the client goes or the app does.
fn follow(ring: &LogRing, tail: usize) -> Body {
    let (past, lines) = ring.follow(tail);
    let opening: Bytes = past.iter().flat_map(|entry| line(entry)).collect::<Vec<u8>>().into();
    let state = (Some(opening), lines);
    Body::from_stream(futures_util::stream::unfold(state, |(opening, mut lines)| async move {
        if let Some(opening) = opening {
            return Some((Ok::<_, Infallible>(opening), (None, lines)));
        }
        loop {
            match lines.recv().await {
                Ok(entry) => return Some((Ok(line(&entry).into()), (None, lines))),
                // A reader that is slower than the server writes misses lines, and holds up nobody.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }))
}

fn line(entry: &LogLine) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(entry).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
