//! `/v1/preview`: what waits in this agent, and what it would do if a branch or commit were accepted.

use super::{
    Api,
    questions::{heads, is_known, reads_agent, source, unanswered},
};
use crate::{
    authorize::{ChangeVerb, ObjectId},
    gateway::{Caller, problem},
    instance::grant::{Grant, refusals},
    reconcile::{
        Running, SourceInput, Verb, desired,
        preview::{Follower, Now, Plans, Refused, proposal, waiting},
    },
    source::{
        Mode, Source, SourceView,
        past::{Past, Proposal},
    },
    status::{asked::Wanted, git::told},
};
use axum::{
    Extension, Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use jiff::Timestamp;
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PreviewQuery {
    /// Without a name, the first git source. It is of no importance for what waits, which is of all sources.
    source: Option<String>,
    /// The name of a branch, or the full id of a commit. Without it, what waits is told.
    #[serde(rename = "ref")]
    reference: Option<String>,
}

/// What waits in the agent, or, with `ref`, what it would do if a branch or commit were accepted.
///
/// The same value that `mcpfleet plan -o json` prints. A branch or commit that is not here is fetched, judged as the agent judges,
/// and forgotten; nothing of it takes effect. Needs the resource `agent` with `read`; with `ref` also somebody who is known.
/// 409 (`not-fetched`): nothing of the repository is here yet; 502: the repository does not give what is asked for;
/// 503 (`busy`): too many questions are being answered.
#[utoipa::path(get, path = "/v1/preview", tag = "git", params(PreviewQuery), responses((status = 200, body = Plans)))]
pub(super) async fn preview(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Wanted(query): Wanted<PreviewQuery>,
) -> Response {
    answer(&api, &caller, query).await.unwrap_or_else(|refusal| refusal)
}

async fn answer(api: &Api, caller: &Caller, query: PreviewQuery) -> Result<Response, Response> {
    reads_agent(api, caller)?;
    let Some(reference) = query.reference else {
        let of = match &query.source {
            Some(name) => Some(source(api, Some(name))?.1),
            None => source(api, None).ok().map(|(_, source)| source),
        };
        return Ok(Json(now(api, of)).into_response());
    };
    is_known(caller)?;
    let (index, source) = source(api, query.source.as_deref())?;
    let git = source.view.borrow().git.as_ref().map(heads);
    let (Some(past), Some(heads)) = (source.past.clone(), git) else {
        let text = format!(
            "source `{}` is a directory, which has no branches and commits: copy it, change the copy, and run `mcpfleet validate` \
             on that",
            source.view.borrow().name
        );
        return Err(problem(StatusCode::NOT_FOUND, "no-history", &text));
    };
    let weighing = Weighing::new(api, index, past.clone());
    let answer = past.propose(heads, reference, move |proposal| weighing.weigh(proposal)).await;
    answer.map(|plans| Json(plans).into_response()).map_err(|error| unanswered(&error))
}

/// What the agent has, for saying what it would do.
struct Weighing {
    agent: String,
    selection: crate::reconcile::Selection,
    prune: crate::reconcile::PruneSettings,
    source: Arc<str>,
    past: Past,
    grant: Arc<Grant>,
    earlier: Vec<SourceInput>,
    later: Vec<SourceInput>,
}

impl Weighing {
    fn new(api: &Api, index: usize, past: Past) -> Weighing {
        let store = &api.store;
        let (earlier, rest) = store.sources.split_at(index.min(store.sources.len()));
        let name = rest.first().map(|source| source.view.borrow().name.clone()).unwrap_or_default();
        Weighing {
            agent: store.url.clone(),
            selection: store.selection.clone(),
            prune: store.prune.clone(),
            source: name.into(),
            past,
            grant: store.grant.clone(),
            earlier: inputs(earlier),
            later: inputs(rest.get(1..).unwrap_or_default()),
        }
    }

    fn weigh(&self, judged: Proposal) -> Plans {
        let Proposal { fork, head, enforced, judged } = judged;
        let follower = Follower {
            name: &self.agent,
            selection: &self.selection,
            prune: &self.prune,
            source: &self.source,
            subpath: self.past.subpath(),
            refuses: &|app| refusals(app, &self.grant),
            ignores: &|path| self.past.ignores(path),
            others: (&self.earlier, &self.later),
        };
        let (previews, error) = match judged {
            Ok(judged) => {
                let (report, states) = &*judged;
                (vec![proposal(&follower, states, report, enforced, Timestamp::now())], None)
            }
            Err(refusal) => (Vec::new(), Some(refusal)),
        };
        Plans { error, ..Plans::new(Some(fork), Some(head), previews) }
    }
}

/// What sources say now, of those that say something.
fn inputs(sources: &[Source]) -> Vec<SourceInput> {
    let input = |source: &Source| {
        let view = source.view.borrow();
        Some(SourceInput { name: view.name.as_str().into(), snapshot: view.snapshot.clone()? })
    };
    sources.iter().filter_map(input).collect()
}

/// What waits. The commits are those of one source.
fn now(api: &Api, of: Option<&Source>) -> Plans {
    let store = &api.store;
    let applied = store.applied.borrow().clone();
    let views: Vec<SourceView> = store.sources.iter().map(|source| source.view.borrow().clone()).collect();
    let wanted = desired(&inputs(&store.sources), &store.selection, Timestamp::now());
    let running: BTreeMap<String, Running> =
        applied.running.iter().map(|(name, app)| (name.clone(), Running::from(app))).collect();
    let refused: Vec<Refused> = views.iter().flat_map(refused).collect();
    let now = Now {
        running: &running,
        desired: &wanted,
        prune: &store.prune,
        held: applied.suspended.since.is_none().then_some(&*applied.held),
        refused: &refused,
    };
    let previews = vec![waiting(store.url.clone(), now)];
    let git = of.and_then(|source| source.view.borrow().git.clone());
    let commit = |of: fn(&crate::source::GitView) -> Option<ObjectId>| git.as_ref().and_then(of);
    Plans::new(commit(|git| git.accepted), commit(|git| git.seen), previews)
}

/// What was refused of a source, as what would have happened.
fn refused(view: &SourceView) -> Vec<Refused> {
    // In audit mode it has taken effect.
    let changes = view.git.iter().filter(|git| git.mode == Mode::Enforce).flat_map(|git| git.refused.iter());
    let about_apps = changes.filter(|change| change.kind.is_none_or(|kind| kind == crate::resource::Kind::App));
    let one = |change: &crate::source::RefusedChange| Refused {
        app: change.name.clone().unwrap_or_else(|| change.path.to_string()),
        verb: match change.verb {
            Some(ChangeVerb::Create) => Verb::Start,
            Some(ChangeVerb::Delete) => Verb::Stop,
            Some(ChangeVerb::Update) | None => Verb::Replace,
        },
        path: change.path.clone(),
        reason: {
            let (code, message) = told(change);
            if code.is_empty() { message } else { format!("{message} [{code}]") }
        },
    };
    about_apps.map(one).collect()
}
