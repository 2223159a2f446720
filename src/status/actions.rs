//! What an agent can be asked to do: look at its sources, restart, suspend, resume. By operators, on the control socket, and
//! by users whose roles say so.

use super::{
    Store,
    asked::{Asked, Named},
    command::{Command, CommandError, Done},
};
use crate::{
    gateway::{Caller, access::Principal, problem, reply_json},
    instance::fleet::NotRestarted,
    resource::Verb,
    status::model::{
        audit::{Kind, Outcome, Record},
        problem::{Accepted, Problem},
    },
};
use axum::{Extension, Router, extract::State, http::StatusCode, response::Response, routing::post};
use serde::Deserialize;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

#[derive(Clone)]
pub(super) struct Actions {
    store: Arc<Store>,
    commands: mpsc::Sender<Command>,
}

/// The routes. Each refuses whoever may not.
pub fn router(store: Arc<Store>, commands: mpsc::Sender<Command>) -> Router {
    Router::new()
        .route("/v1/reconcile", post(reconcile))
        .route("/v1/suspend", post(suspend))
        .route("/v1/resume", post(resume))
        .route("/v1/apps/{name}/restart", post(restart))
        .with_state(Actions { store, commands })
}

#[derive(Deserialize, utoipa::ToSchema)]
pub(super) struct Reconcile {
    /// Removals that the prune guard holds may pass, this once.
    #[serde(default)]
    prune: bool,
}

/// Has the agent look at its sources now.
#[utoipa::path(post, path = "/v1/reconcile", tag = "actions", request_body = Reconcile,
    responses((status = 202, body = Accepted, description = "It has been told to.")))]
pub(super) async fn reconcile(
    State(actions): State<Actions>,
    Extension(caller): Extension<Caller>,
    Asked(Reconcile { prune }): Asked<Reconcile>,
) -> Response {
    if let Err(refusal) = actions.check(&caller, Verb::Reconcile, None) {
        return actions.recorded(&caller, "reconcile", None, refusal);
    }
    let asked = actions.clone();
    let work = async move {
        let (heard, hearing) = oneshot::channel();
        // A controller that is gone drops the end that would tell.
        let _ = asked.commands.send(Command::Reconcile { prune, heard }).await;
        match hearing.await {
            Ok(()) => reply_json(StatusCode::ACCEPTED, "{}"),
            Err(_) => stopping(),
        }
    };
    actions.done(caller, if prune { "reconcile --prune" } else { "reconcile" }, None, work).await
}

/// What a suspension is about: one app, or without a name the agent as a whole.
#[derive(Deserialize, utoipa::ToSchema)]
pub(super) struct Which {
    #[serde(default)]
    app: Option<String>,
}

/// Stops an app until it is resumed; without one, has the agent apply nothing new until then. Outlasts a restart of the agent.
#[utoipa::path(post, path = "/v1/suspend", tag = "actions", request_body = Which,
    responses((status = 200, body = Accepted)))]
pub(super) async fn suspend(
    State(actions): State<Actions>,
    Extension(caller): Extension<Caller>,
    Asked(Which { app }): Asked<Which>,
) -> Response {
    if let Err(refusal) = actions.check(&caller, Verb::Suspend, app.as_deref()) {
        return actions.recorded(&caller, "suspend", app, refusal);
    }
    let (asked, which) = (actions.clone(), app.clone());
    let work = async move { asked.command(|done| Command::Suspend { app: which, done }).await };
    actions.done(caller, "suspend", app, work).await
}

/// Takes back a suspension.
#[utoipa::path(post, path = "/v1/resume", tag = "actions", request_body = Which,
    responses((status = 200, body = Accepted), (status = 409, body = Problem, description = "`not-suspended`.")))]
pub(super) async fn resume(
    State(actions): State<Actions>,
    Extension(caller): Extension<Caller>,
    Asked(Which { app }): Asked<Which>,
) -> Response {
    if let Err(refusal) = actions.check(&caller, Verb::Suspend, app.as_deref()) {
        return actions.recorded(&caller, "resume", app, refusal);
    }
    let (asked, which) = (actions.clone(), app.clone());
    let work = async move { asked.command(|done| Command::Resume { app: which, done }).await };
    actions.done(caller, "resume", app, work).await
}

#[derive(Deserialize, utoipa::ToSchema)]
pub(super) struct Restart {
    /// The tools that the server has then are what it is compared with from then on.
    #[serde(default)]
    accept_tools: bool,
}

/// Has all processes of an app replaced by new ones, as after an update.
#[utoipa::path(post, path = "/v1/apps/{name}/restart", tag = "actions", params(("name" = String, Path, description = "The app.")), request_body = Restart,
    responses((status = 202, body = Accepted, description = "It has been told to."),
        (status = 409, body = Problem, description = "`suspended`: it is, or is being stopped.")))]
pub(super) async fn restart(
    State(actions): State<Actions>,
    Extension(caller): Extension<Caller>,
    Named(name): Named,
    Asked(Restart { accept_tools }): Asked<Restart>,
) -> Response {
    let method = if accept_tools { "restart --accept-tools" } else { "restart" };
    if let Err(refusal) = actions.check(&caller, Verb::Restart, Some(&name)) {
        return actions.recorded(&caller, method, Some(name), refusal);
    }
    let response = match actions.store.gateway.fleet.restart(&name, accept_tools) {
        Ok(()) => reply_json(StatusCode::ACCEPTED, "{}"),
        Err(NotRestarted::Unknown) => unknown_app(&name),
        Err(error @ NotRestarted::Suspended) => {
            problem(StatusCode::CONFLICT, "suspended", &format!("{name:?} is not restarted: {error}"))
        }
    };
    actions.recorded(&caller, method, Some(name), response)
}

/// The answer is the same for an app that is not there and for one that whoever asks may not know of.
fn unknown_app(name: &str) -> Response {
    problem(StatusCode::NOT_FOUND, "unknown-app", &CommandError::UnknownApp(name.to_owned()).to_string())
}

impl Actions {
    /// Waits for what is done, and has it recorded also where whoever asked has gone meanwhile.
    async fn done(
        self,
        caller: Caller,
        method: &'static str,
        app: Option<String>,
        work: impl Future<Output = Response> + Send + 'static,
    ) -> Response {
        let doing = tokio::spawn(async move {
            let response = work.await;
            self.recorded(&caller, method, app, response)
        });
        doing.await.unwrap_or_else(|_| stopping())
    }

    /// Has it recorded who asked for what, and what came of it.
    fn recorded(&self, caller: &Caller, method: &str, app: Option<String>, response: Response) -> Response {
        let status = response.status();
        let outcome = if status.is_success() { Outcome::Ok } else { Outcome::Error };
        self.store.gateway.audit.record(Record {
            principal: Some(caller.name()),
            peer: Some(caller.origin()),
            app,
            session: caller.session.as_ref().map(|life| life.label.clone()),
            method: Some(method.to_owned()),
            code: (!status.is_success()).then(|| status.as_u16().into()),
            ..Record::new(Kind::Operation, outcome)
        });
        response
    }

    /// Refuses who may not order that.
    #[expect(clippy::result_large_err, reason = "it is the answer")]
    fn check(&self, caller: &Caller, verb: Verb, app: Option<&str>) -> Result<(), Response> {
        let Caller { principal, .. } = caller;
        let policy = self.store.gateway.policy.borrow().clone();
        if policy.may_order(principal, verb, app) {
            return Ok(());
        }
        if *principal == Principal::Anonymous {
            let text = "actions are for operators, on the control socket or by `mcpfleet web`; who comes in over an open gateway \
                        is nobody";
            return Err(problem(StatusCode::FORBIDDEN, "not-allowed", text));
        }
        let known = |app: &str| policy.permit(principal, app).is_some() || policy.may_read(principal, app);
        Err(match app.filter(|app| !known(app)) {
            Some(app) => unknown_app(app),
            None => {
                let verb = serde_json::to_value(verb).unwrap_or_default();
                let verb = verb.as_str().unwrap_or_default();
                let text = format!("no role of {principal} has a rule with the resource `agent` and the verb `{verb}`");
                problem(StatusCode::FORBIDDEN, "not-allowed", &text)
            }
        })
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
