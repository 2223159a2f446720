//! The web page: its files, and how somebody signs in to it.

pub(super) mod assets;
pub mod gzip;
pub(super) mod me;
pub(super) mod sign_in;

use super::Store;
use axum::{
    Router,
    routing::{get, post},
};
use std::sync::Arc;

#[derive(Clone)]
pub(super) struct Web {
    store: Arc<Store>,
}

/// The routes.
pub fn router(store: Arc<Store>) -> Router {
    Router::new()
        .route("/", get(assets::front))
        .route("/web/{name}", get(assets::asset))
        .route("/v1/me", get(me::me))
        .route("/v1/web/links", post(sign_in::link))
        .route("/v1/web/sessions", post(sign_in::sign_in).delete(sign_in::sign_out))
        .with_state(Web { store })
}
