//! What is told of commits, and of what is held. Pure.

use super::{
    PRUNE_GUARD, git,
    model::{
        changes::{ChangeStatus, CommitStatus, HeldStatus, Standing},
        history::Verdict,
    },
    store::Applied,
};
use crate::{
    authorize::{Answer, ChangeVerdict, CommitAnswer, text::next_step},
    git::Changed,
    manifest::Severity,
    source::{
        Mode, SourceView,
        past::{Commit, Stands},
    },
};
use std::collections::HashSet;

/// How many of what is held are told.
const MAX_HELD: usize = 500;

/// The code of all that waits because the agent is suspended.
const SUSPENDED: &str = "suspended";

const WAITING: &str = "it has been fetched, and has not been judged yet";
const ROOT: &str = "the root of trust: all that it has is trusted, and what comes after it is judged";
const OLD: &str = "it was there before the root of trust, or is too long ago for what was decided about it to be kept";
const OFF: &str = "mode off: commits are not judged";

/// What is told of a commit. `error` is what keeps the source from going on, `verdict` what an answer means here.
pub(super) fn status(
    commit: Commit,
    mode: Mode,
    error: Option<&str>,
    verdict: impl Fn(Answer) -> Verdict,
) -> CommitStatus {
    let Commit { id, told, stands } = commit;
    let enforced = mode == Mode::Enforce;
    let mut status = CommitStatus {
        commit: id.to_string(),
        time: told.time,
        author: told.author,
        signer: None,
        subject: told.subject,
        accepted: true,
        standing: Standing::Unjudged,
        message: None,
        changes: Vec::new(),
        left_out: 0,
    };
    match stands {
        Stands::Judged(judged, left_out) => {
            status.signer = judged.signer;
            status.accepted = judged.verdict != CommitAnswer::Refused || !enforced;
            status.standing = match judged.verdict {
                CommitAnswer::Accepted => Standing::Accepted,
                CommitAnswer::Refused => Standing::Refused,
                CommitAnswer::NothingToDecide => Standing::NothingToDecide,
            };
            status.changes = judged.changes.into_iter().map(|change| of_verdict(change, &verdict)).collect();
            status.left_out = left_out;
        }
        Stands::Waiting(files) => {
            status.accepted = !enforced;
            status.standing = Standing::Waiting;
            status.message = Some(error.unwrap_or(WAITING).to_owned());
            status.changes = files.into_iter().map(of_file).collect();
        }
        Stands::Root => {
            status.standing = Standing::Root;
            status.message = Some(ROOT.to_owned());
        }
        Stands::Unjudged(files) => {
            status.message = Some(if mode == Mode::Off { OFF } else { OLD }.to_owned());
            status.changes = files.into_iter().map(of_file).collect();
        }
    }
    status
}

fn of_verdict(change: ChangeVerdict, verdict: &impl Fn(Answer) -> Verdict) -> ChangeStatus {
    ChangeStatus {
        path: change.path,
        kind: change.kind.map(|kind| kind.to_string()),
        name: change.name,
        verb: change.verb.map(|verb| verb.to_string()),
        verdict: verdict(change.verdict),
        code: change.code.map(|code| code.to_string()),
        rule: change.rule,
        message: Some(change.message).filter(|message| !message.is_empty()),
    }
}

fn of_file(file: Changed) -> ChangeStatus {
    let verb = match (file.before, file.after) {
        (None, _) => "create",
        (_, None) => "delete",
        _ => "update",
    };
    ChangeStatus {
        path: file.path,
        kind: None,
        name: None,
        verb: Some(verb.to_owned()),
        verdict: Verdict::Unjudged,
        code: None,
        rule: None,
        message: None,
    }
}

/// What of a source does not take effect, and what to do about it.
pub(super) fn held(view: &SourceView, applied: &Applied) -> Vec<HeldStatus> {
    let mut held = Vec::new();
    if let Some(problem) = &view.error {
        held.push(HeldStatus {
            path: None,
            app: None,
            commit: None,
            code: problem.code.clone().unwrap_or_else(|| "unreadable".to_owned()),
            message: problem.message.clone(),
            help: "nothing of the source moves until that is mended; what was accepted before stays in force"
                .to_owned(),
        });
    }
    // In audit mode nothing is held.
    let refused = view.git.iter().filter(|git| git.mode == Mode::Enforce).flat_map(|git| git.refused.iter());
    let mut paths = HashSet::new();
    for change in refused.filter(|change| paths.insert(change.path.clone())) {
        let app = change.name.clone().filter(|_| change.kind == Some(crate::resource::Kind::App));
        let (code, message) = git::told(change);
        held.push(HeldStatus {
            path: Some(change.path.to_string()),
            app,
            commit: Some(change.commit.to_string()),
            code,
            message,
            help: change.code.map_or("restore what was accepted, and commit the change again", next_step).to_owned(),
        });
    }
    let errors = view.snapshot.iter().flat_map(|snapshot| &snapshot.diagnostics);
    for error in errors.filter(|error| error.severity == Severity::Error) {
        let place = error.position.map(|position| format!("{position}: ")).unwrap_or_default();
        held.push(HeldStatus {
            path: Some(error.path.clone()),
            app: None,
            commit: None,
            code: error.code.to_string(),
            message: format!("{place}{}", error.message),
            help: error.help.clone().unwrap_or_else(|| {
                "correct the file: `mcpfleet validate` shows what is wrong; until then its last good content is in force"
                    .to_owned()
            }),
        });
    }
    let is_from = |app: &str| {
        let origin = applied.running.get(app).and_then(|told| told.origin.as_ref());
        origin.is_some_and(|origin| *origin.source == *view.name)
    };
    for one in applied.held.iter().filter(|one| is_from(&one.app)) {
        held.push(HeldStatus {
            path: None,
            app: Some(one.app.clone()),
            commit: None,
            code: PRUNE_GUARD.to_owned(),
            message: one.reason.clone(),
            help: "restore the definitions, or let the removals pass with `mcpfleet reconcile --prune`".to_owned(),
        });
    }
    if applied.suspended.since.is_some() && applied.suspended.waiting > 0 {
        let waiting = applied.suspended.waiting;
        held.push(HeldStatus {
            path: None,
            app: None,
            commit: None,
            code: SUSPENDED.to_owned(),
            message: format!(
                "the agent is suspended, and {waiting} action{} of all sources",
                if waiting == 1 { " waits" } else { "s wait" }
            ),
            help: "look at what waits, and let it happen with `mcpfleet resume`".to_owned(),
        });
    }
    held.truncate(MAX_HELD);
    held
}
