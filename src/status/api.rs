//! `/v1`: the status, the logs and the events for everybody who may use the gateway, actions for the control socket only.

mod audit;
mod streams;

use super::{Store, actions, command::Command};
use axum::{Json, Router, extract::State, routing::get};
use std::sync::Arc;
use tokio::sync::mpsc;

#[derive(Clone)]
struct Api {
    store: Arc<Store>,
}

pub fn router(store: Arc<Store>, commands: mpsc::Sender<Command>) -> Router {
    Router::new()
        .route("/v1/status", get(async |State(api): State<Api>| Json(api.store.status())))
        .route("/v1/apps/{name}/logs", get(streams::logs))
        .route("/v1/events", get(streams::events))
        .route("/v1/audit", get(audit::audit))
        .with_state(Api { store: store.clone() })
        .merge(actions::router(store, commands))
}
