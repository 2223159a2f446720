//! `/metrics`: what other programs watch the agent by, in the text formats of OpenMetrics and Prometheus.
//!
//! Nothing is kept for it that is not kept anyway, but for counts of what happens: a reading is taken when somebody asks, from
//! what the parts of the agent publish, and written out by a function from values to text.

mod expose;
pub mod families;
mod format;
mod gather;
mod process;
mod reading;

use super::{Store, web::gzip};
use crate::{
    gateway::{Caller, health, limits::ConnectionLimits, problem},
    resource::Verb,
};
use axum::{
    Extension, Router,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
    routing::get,
};
use flate2::Compression;
use format::Format;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Connections to `admin_listen`. Who watches an agent keeps one open; there are few.
pub const ADMIN_CONNECTIONS: ConnectionLimits = ConnectionLimits { all: 128, per_address: 32 };

/// So many readings at a time; who comes then waits.
const AT_A_TIME: usize = 2;

/// What is no longer is not worth compressing, in bytes.
const SHORT: usize = 1_024;

#[derive(Clone)]
struct Metrics {
    store: Arc<Store>,
    turns: Arc<Semaphore>,
}

impl Metrics {
    fn new(store: Arc<Store>) -> Self {
        Metrics { store, turns: Arc::new(Semaphore::new(AT_A_TIME)) }
    }

    async fn answer(self, headers: &HeaderMap) -> Response {
        let Ok(turn) = self.turns.acquire_owned().await else { return unreadable() };
        let (format, compress) = (Format::of(headers), gzip::accepts(headers));
        let store = self.store;
        let written = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let text = expose::text(gather::gather(&store));
            let text = if format == Format::Prometheus { format::classic(&text) } else { text };
            match compress && text.len() > SHORT {
                true => gzip::compressed(text.as_bytes(), Compression::fast()).map(|bytes| (bytes, true)),
                false => Some((text.into_bytes(), false)),
            }
        });
        let Ok(Some((bytes, compressed))) = written.await else { return unreadable() };
        let mut response = Response::new(Body::from(bytes));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
        headers.insert(header::VARY, HeaderValue::from_static("accept, accept-encoding"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if compressed {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

/// The route of the gateway, for those who may know all about the agent.
pub fn router(store: Arc<Store>) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(Metrics::new(store))
}

/// The routes of `admin_listen`, for whoever can reach it. Nothing can be changed there, and no page of another origin may
/// read it.
pub fn admin_router(store: Arc<Store>) -> Router {
    let gateway = store.gateway.clone();
    Router::new()
        .route(
            "/metrics",
            get(async |State(metrics): State<Metrics>, headers: HeaderMap| metrics.answer(&headers).await),
        )
        .with_state(Metrics::new(store))
        .merge(health(gateway))
        .fallback(async || {
            let text = "here are /metrics, /healthz and /readyz; all else is at the gateway";
            problem(StatusCode::NOT_FOUND, "not-found", text)
        })
}

async fn metrics(State(metrics): State<Metrics>, Extension(caller): Extension<Caller>, headers: HeaderMap) -> Response {
    if !metrics.store.gateway.policy.borrow().may_order(&caller.principal, Verb::Read, None) {
        let text = "metrics are for operators, on the control socket, and for users of whom a role has a rule with the \
                    resource `agent` and the verb `read`; `admin_listen` serves them without asking";
        return problem(StatusCode::FORBIDDEN, "not-allowed", text);
    }
    metrics.answer(&headers).await
}

fn unreadable() -> Response {
    problem(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the metrics could not be read")
}
