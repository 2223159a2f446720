//! What the control socket can ask an agent to do: look at its sources, restart, suspend, resume.

use super::{
    Store,
    command::{Command, CommandError, Done},
};
use crate::{
    gateway::{Caller, Peer, problem, reply_json},
    instance::fleet::NotRestarted,
    status::model::audit::{Kind, Outcome, Record},
};
use axum::{
    Extension, Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
    routing::post,
};
use serde::Deserialize;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

#[derive(Clone)]
struct Actions {
    store: Arc<Store>,
    commands: mpsc::Sender<Command>,
}

/// The routes. Whoever is not on the control socket is refused by each.
pub fn router(store: Arc<Store>, commands: mpsc::Sender<Command>) -> Router {
    Router::new()
        .route("/v1/reconcile", post(reconcile))
        .route("/v1/suspend", post(suspend))
        .route("/v1/resume", post(resume))
        .route("/v1/apps/{name}/restart", post(restart))
        .layer(axum::middleware::from_fn(local_only))
        .with_state(Actions { store, commands })
}

async fn local_only(
    Extension(peer): Extension<Peer>,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> Response {
    match peer {
        Peer::Local { .. } => next.run(request).await,
        Peer::Tcp => problem(StatusCode::FORBIDDEN, "not-allowed", "actions are taken on the control socket only"),
    }
}

#[derive(Deserialize)]
struct Reconcile {
    /// Removals that the prune guard holds may pass, this once.
    #[serde(default)]
    prune: bool,
}

async fn reconcile(
    State(actions): State<Actions>,
    Extension(caller): Extension<Caller>,
    Json(Reconcile { prune }): Json<Reconcile>,
) -> Response {
    let (heard, hearing) = oneshot::channel();
    // A controller that is gone drops the end that would tell.
    let _ = actions.commands.send(Command::Reconcile { prune, heard }).await;
    let response = match hearing.await {
        Ok(()) => reply_json(StatusCode::ACCEPTED, "{}"),
        Err(_) => stopping(),
    };
    actions.recorded(&caller, if prune { "reconcile --prune" } else { "reconcile" }, None, response)
}

/// What a suspension is about: one app, or without a name the agent as a whole.
#[derive(Deserialize)]
struct Which {
    #[serde(default)]
    app: Option<String>,
}

async fn suspend(
    State(actions): State<Actions>,
    Extension(caller): Extension<Caller>,
    Json(Which { app }): Json<Which>,
) -> Response {
    let response = actions.command(|done| Command::Suspend { app: app.clone(), done }).await;
    actions.recorded(&caller, "suspend", app, response)
}

async fn resume(
    State(actions): State<Actions>,
    Extension(caller): Extension<Caller>,
    Json(Which { app }): Json<Which>,
) -> Response {
    let response = actions.command(|done| Command::Resume { app: app.clone(), done }).await;
    actions.recorded(&caller, "resume", app, response)
}

#[derive(Deserialize)]
struct Restart {
    /// The tools that the server has then are what it is compared with from then on.
    #[serde(default)]
    accept_tools: bool,
}

async fn restart(
    State(actions): State<Actions>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Json(Restart { accept_tools }): Json<Restart>,
) -> Response {
    let response = match actions.store.gateway.fleet.restart(&name, accept_tools) {
        Ok(()) => reply_json(StatusCode::ACCEPTED, "{}"),
        Err(error) => {
            let (status, code) = match error {
                NotRestarted::Unknown => (StatusCode::NOT_FOUND, "unknown-app"),
                NotRestarted::Suspended => (StatusCode::CONFLICT, "suspended"),
            };
            problem(status, code, &format!("{name:?} is not restarted: {error}"))
        }
    };
    let method = if accept_tools { "restart --accept-tools" } else { "restart" };
    actions.recorded(&caller, method, Some(name), response)
}

impl Actions {
    /// Has it recorded who asked for what, and what came of it.
    fn recorded(&self, caller: &Caller, method: &str, app: Option<String>, response: Response) -> Response {
        let status = response.status();
        let outcome = if status.is_success() { Outcome::Ok } else { Outcome::Error };
        self.store.gateway.audit.record(Record {
            principal: Some(caller.name()),
            peer: Some(caller.origin()),
            app,
            method: Some(method.to_owned()),
            code: (!status.is_success()).then(|| status.as_u16().into()),
            ..Record::new(Kind::Operation, outcome)
        });
        response
    }

    async fn command(&self, command: impl FnOnce(Done) -> Command) -> Response {
        let (done, doing) = oneshot::channel();
        let _ = self.commands.send(command(done)).await;
        match doing.await {
            Ok(Ok(())) => reply_json(StatusCode::OK, "{}"),
            Ok(Err(error)) => {
                let (status, code) = match error {
                    CommandError::UnknownApp(_) => (StatusCode::NOT_FOUND, "unknown-app"),
                    CommandError::NotSuspended(_) => (StatusCode::CONFLICT, "not-suspended"),
                    CommandError::State(_) => (StatusCode::INTERNAL_SERVER_ERROR, "state"),
                };
                problem(status, code, &error.to_string())
            }
            Err(_) => stopping(),
        }
    }
}

fn stopping() -> Response {
    problem(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the agent is stopping")
}
