//! `/v1`: the status, the logs and the events, of which everybody gets what they may see, and actions.

mod app;
mod audit;
mod changes;
mod description;
mod history;
mod plan;
mod preview;
mod questions;
mod sight;
mod streams;
mod watch;

pub use description::{description, openapi_json};

use super::{Store, actions, asked::MAX_BODY, command::Command, metrics, model::Status, watching::Watching, web};
use crate::gateway::{Caller, problem};
use axum::{
    Extension, Json, Router,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    middleware,
    routing::get,
};
use std::sync::Arc;
use tokio::sync::mpsc;

#[derive(Clone)]
struct Api {
    store: Arc<Store>,
    watching: Arc<Watching>,
}

/// The agent, its sources and its apps, as far as whoever asks may know of them.
#[utoipa::path(get, path = "/v1/status", tag = "status", responses((status = 200, body = Status)))]
async fn status(State(api): State<Api>, Extension(caller): Extension<Caller>) -> Json<Status> {
    Json(api.store.status_for(&caller.principal))
}

/// All routes, of the API and of the web page.
pub fn router(store: Arc<Store>, commands: mpsc::Sender<Command>) -> Router {
    let api = Api { store: store.clone(), watching: Arc::default() };
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
        .route("/v1/openapi.json", get(description::openapi))
        .route("/v1/watch", get(watch::watch))
        .with_state(api)
        .merge(actions::router(store.clone(), commands))
        .layer(middleware::from_fn(web::gzip::json))
        .merge(metrics::router(store.clone()))
        .merge(web::router(store))
        .method_not_allowed_fallback(async || {
            problem(
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "what is at this path is not asked for like this",
            )
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
}
