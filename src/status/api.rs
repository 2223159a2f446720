//! `/v1`: the status and the logs for everybody who may use the gateway, actions for the control socket only.

use super::{Store, actions, command::Command};
use crate::{gateway::problem, instance::logs::LogRing, status::model::LogLine};
use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::Response,
    routing::get,
};
use bytes::Bytes;
use serde::Deserialize;
use std::{convert::Infallible, sync::Arc};
use tokio::sync::{broadcast::error::RecvError, mpsc};

#[derive(Clone)]
struct Api {
    store: Arc<Store>,
}

pub fn router(store: Arc<Store>, commands: mpsc::Sender<Command>) -> Router {
    Router::new()
        .route("/v1/status", get(async |State(api): State<Api>| Json(api.store.status())))
        .route("/v1/apps/{name}/logs", get(logs))
        .with_state(Api { store: store.clone() })
        .merge(actions::router(store, commands))
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
