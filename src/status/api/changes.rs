//! `/v1/changes`: the commits of a source, and what is held.

use super::{
    Api,
    history::verdict,
    questions::{CUT, asker, commit, heads, reads_agent, source, unanswered},
};
use crate::{
    gateway::Caller,
    source::past::{self, Page, PastError},
    status::{
        asked::Wanted,
        changes::{self, held},
        model::changes::Changes,
    },
};
use axum::{
    Extension, Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;

/// The most commits in an answer.
const MAX_COMMITS: usize = 200;

const NO_COMMITS: &str = "a directory has no commits: who changed what, and when, is not known; have the agent follow a git \
     repository to see that";

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ChangesQuery {
    /// Without a name, the first git source, or else the first of all.
    source: Option<String>,
    /// How many commits, at most 200.
    #[serde(default = "fifty")]
    #[param(default = 50, required = false)]
    limit: usize,
    /// Only commits older than this one, by its full id.
    before: Option<String>,
}

fn fifty() -> usize {
    50
}

/// The commits of a source, newest first, with what was decided about each of their changes, and what of the source is held.
///
/// Those that have not been judged come first, then those that were, in the order in which that was done, then what was there before
/// the root of trust. Needs the resource `agent` with `read`.
#[utoipa::path(get, path = "/v1/changes", tag = "git", params(ChangesQuery), responses((status = 200, body = Changes)))]
pub(super) async fn changes(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Wanted(query): Wanted<ChangesQuery>,
) -> Response {
    answer(&api, &caller, &query).await.unwrap_or_else(|refusal| refusal)
}

async fn answer(api: &Api, caller: &Caller, query: &ChangesQuery) -> Result<Response, Response> {
    reads_agent(api, caller)?;
    let (_, source) = source(api, query.source.as_deref())?;
    let before = commit(query.before.as_deref())?;
    let view = source.view.borrow().clone();
    let held = held(&view, &api.store.applied.borrow());
    let (Some(past), Some(git)) = (&source.past, &view.git) else {
        let note = Some(NO_COMMITS.to_owned());
        let mode = "directory".to_owned();
        let changes = Changes { source: view.name, mode, commits: Vec::new(), more: false, note, held };
        return Ok(Json(changes).into_response());
    };
    let wanted = past::Wanted { before, limit: query.limit.clamp(1, MAX_COMMITS) };
    let page = match past.commits(asker(caller), heads(git), wanted).await {
        // What is held is known all the same.
        Err(PastError::NotYet) => Page { items: Vec::new(), more: false, cut: false },
        page => page.map_err(|error| unanswered(&error))?,
    };
    let error = view.error.as_ref().map(|problem| problem.message.as_str());
    let commits = page
        .items
        .into_iter()
        .map(|commit| changes::status(commit, git.mode, error, |answer| verdict(answer, git.mode)));
    Ok(Json(Changes {
        mode: git.mode.to_string(),
        commits: commits.collect(),
        more: page.more,
        note: page.cut.then(|| CUT.to_owned()),
        held,
        source: view.name,
    })
    .into_response())
}
