//! `/v1/apps/NAME`: all about one app.

use super::Api;
use crate::{
    gateway::{
        Caller,
        clients::{Client, Way},
        problem,
    },
    manifest::{hidden, write},
    resource::{App, Resource, Verb},
    status::{
        asked::Named,
        model::{
            AppStatus,
            app::{AppDetail, AppRights, ClientText},
        },
    },
};
use axum::{
    Extension, Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use std::{path::Path as FilePath, sync::Arc};

/// An app, its definition in force, what whoever asks may do with it, and how clients are configured to reach it.
///
/// Whoever may use it and not read it gets no definition.
#[utoipa::path(get, path = "/v1/apps/{name}", tag = "status", params(("name" = String, Path, description = "The app")),
    responses((status = 200, body = AppDetail)))]
pub(super) async fn app(State(api): State<Api>, Extension(caller): Extension<Caller>, Named(name): Named) -> Response {
    let Some(app) = shown(&api, &caller, &name) else { return unknown(&name) };
    let policy = api.store.gateway.policy.borrow().clone();
    let orders = |verb| policy.may_order(&caller.principal, verb, Some(&name));
    let may = AppRights {
        // A definition that does not run is told to those who may know all.
        read: policy.may_read(&caller.principal, &name) || app.state.is_none(),
        use_: policy.permit(&caller.principal, &name).is_some(),
        restart: orders(Verb::Restart),
        suspend: orders(Verb::Suspend),
    };
    let definition = may.read.then(|| definition(&api, &app)).flatten();
    let clients = Client::ALL.iter().map(|client| client_text(*client, &app, &api.store.url)).collect();
    Json(AppDetail { app, definition, may, clients }).into_response()
}

/// The app of this name, as far as whoever asks may know of it. Of several definitions it is the one that runs.
pub(super) fn shown(api: &Api, caller: &Caller, name: &str) -> Option<AppStatus> {
    api.store.app_for(&caller.principal, name)
}

/// The answer is the same for an app that is not there and for one that whoever asks may not know of.
pub(super) fn unknown(name: &str) -> Response {
    problem(StatusCode::NOT_FOUND, "unknown-app", &format!("there is no app {name:?} here"))
}

/// What it is defined as.
fn definition(api: &Api, status: &AppStatus) -> Option<String> {
    let applied = api.store.applied.borrow().clone();
    let app: Arc<App> =
        match applied.running.get(&status.name) {
            Some(told) => told.app.clone(),
            None => {
                let idle =
                    applied.desired.others.get(&status.name)?.iter().find(|idle| {
                        idle.origin.as_ref().map_or("", |origin| &origin.entry.located.path) == status.path
                    })?;
                idle.app.clone()
            }
        };
    hidden::shown(&write(&Resource::App(app)).ok()?)
}

/// The same that `mcpfleet mcp config` prints.
fn client_text(client: Client, app: &AppStatus, gateway: &str) -> ClientText {
    let way = match client.knows_http() {
        true => Way::Http { url: app.url.clone() },
        false => {
            let program = std::env::current_exe().ok().and_then(|path| path.into_os_string().into_string().ok());
            let words = ["mcp", "connect", &app.name, "--agent", gateway];
            Way::Stdio {
                command: program.unwrap_or_else(|| "mcpfleet".to_owned()),
                args: words.map(str::to_owned).to_vec(),
            }
        }
    };
    ClientText {
        client: client.word().to_owned(),
        place: client.file(FilePath::new("~"), None).display().to_string(),
        text: client.text(vec![(app.name.clone(), client.entry(&way))]),
    }
}
