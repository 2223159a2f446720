//! `/v1`: the status, the logs and the events, of which everybody gets what they may see, and actions.

mod app;
mod audit;
mod changes;
mod history;
mod plan;
mod preview;
mod questions;
mod sight;
mod streams;

use super::{Store, actions, command::Command, model::Status};
use crate::gateway::Caller;
use axum::{Extension, Json, Router, extract::State, routing::get};
use std::sync::Arc;
use tokio::sync::mpsc;

#[derive(Clone)]
struct Api {
    store: Arc<Store>,
}

async fn status(State(api): State<Api>, Extension(caller): Extension<Caller>) -> Json<Status> {
    Json(api.store.status_for(&caller.principal))
}

pub fn router(store: Arc<Store>, commands: mpsc::Sender<Command>) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/apps/{name}/logs", get(streams::logs))
        .route("/v1/apps/{name}", get(app::app))
        .route("/v1/apps/{name}/history", get(history::history))
        .route("/v1/changes", get(changes::changes))
        .route("/v1/preview", get(preview::preview))
        .route("/v1/events", get(streams::events))
        .route("/v1/audit", get(audit::audit))
        .route("/v1/plan", get(plan::plan))
        .with_state(Api { store: store.clone() })
        .merge(actions::router(store, commands))
}
