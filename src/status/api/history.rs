//! `/v1/apps/NAME/history`: the commits that changed an app.

use super::{
    Api,
    app::{shown, unknown},
    questions::{CUT, asker, commit, heads, unanswered},
    sight::Sight,
};
use crate::{
    authorize::Answer,
    gateway::{Caller, problem},
    source::{
        Mode,
        past::{self, Version},
    },
    status::{
        asked::{Named, Wanted},
        model::{
            AppStatus,
            history::{History, Verdict, VersionStatus},
        },
    },
};
use axum::{
    Extension, Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;

/// The most versions in an answer: each may have a difference of 64 KiB.
const MAX_VERSIONS: usize = 50;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// How many versions, at most 50.
    #[serde(default = "twenty")]
    #[param(default = 20, required = false)]
    limit: usize,
    /// Only versions older than this one, by the full id of its commit.
    before: Option<String>,
}

fn twenty() -> usize {
    20
}

/// The commits that changed an app, or were to change it, newest first, with what they changed and what was decided about it.
///
/// What was judged comes first, in the order in which it was. 404 (`no-history`): the app is of a directory, or of the agent's own
/// configuration.
#[utoipa::path(get, path = "/v1/apps/{name}/history", tag = "git",
    params(("name" = String, Path, description = "The app"), HistoryQuery), responses((status = 200, body = History)))]
pub(super) async fn history(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Named(name): Named,
    Wanted(query): Wanted<HistoryQuery>,
) -> Response {
    let asker = asker(&caller);
    let Some(app) = shown(&api, &caller, &name) else { return unknown(&name) };
    // Whoever is shown one that does not run may know all.
    if app.state.is_some() && !Sight::of(&api, caller).reads(Some(&name)) {
        let text = format!("no role of yours has a rule with the resource `app` and the verb `read` for {name:?}");
        return problem(StatusCode::FORBIDDEN, "not-allowed", &text);
    }
    let before = match commit(query.before.as_deref()) {
        Ok(before) => before,
        Err(refusal) => return refusal,
    };
    let source = api.store.sources.iter().find(|source| source.view.borrow().name == app.source);
    let found = source.and_then(|source| {
        let git = source.view.borrow().git.as_ref().map(|git| (heads(git), git.mode))?;
        Some((source.past.clone()?, git))
    });
    let Some((past, (heads, mode))) = found else { return none(&app, source.is_some()) };
    let wanted = past::Wanted { before, limit: query.limit.clamp(1, MAX_VERSIONS) };
    match past.versions(asker, heads, name, Some(app.path.clone()).filter(|path| !path.is_empty()), wanted).await {
        Ok(page) => {
            let versions = page.items.into_iter().map(|version| status(version, mode, &app)).collect();
            let note = page.cut.then(|| CUT.to_owned());
            Json(History { versions, more: page.more, note }).into_response()
        }
        Err(error) => unanswered(&error),
    }
}

/// The answer for what has no history.
fn none(app: &AppStatus, has_source: bool) -> Response {
    let text = match has_source {
        true => format!(
            "{} is from the directory of source `{}`, which has no history: a directory is only what it is now; have the agent \
             follow a git repository to see who changed what",
            app.name, app.source
        ),
        false => format!("{} is in the agent's own configuration, of which no history is known", app.name),
    };
    problem(StatusCode::NOT_FOUND, "no-history", &text)
}

fn status(version: Version, mode: Mode, app: &AppStatus) -> VersionStatus {
    let Version { commit, told, verb, path, from, judged, difference } = version;
    let commit = commit.to_string();
    let in_force = app.revision.as_ref() == Some(&commit);
    let (signer, verdict, code, rule, message) = match judged {
        Some(judged) => {
            let code = judged.code.map(|code| code.to_string());
            (judged.signer, verdict(judged.answer, mode), code, judged.rule, Some(judged.message))
        }
        None => (None, Verdict::Unjudged, None, None, None),
    };
    VersionStatus {
        in_force,
        commit,
        time: told.time,
        author: told.author,
        signer,
        subject: told.subject,
        verb: verb.to_string(),
        verdict,
        code,
        rule,
        message: message.filter(|message| !message.is_empty()),
        path,
        from,
        diff: difference.text,
        truncated: difference.truncated,
        diff_note: difference.note.map(str::to_owned),
    }
}

/// What an answer means, by whether it is enforced.
pub(super) fn verdict(answer: Answer, mode: Mode) -> Verdict {
    match (answer, mode) {
        (Answer::Accepted, _) => Verdict::Accepted,
        (Answer::Refused, Mode::Enforce) => Verdict::Refused,
        (Answer::Refused, Mode::Audit | Mode::Off) => Verdict::ShownOnly,
    }
}
