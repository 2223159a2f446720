//! What the journal is told of sources and plans. Pure. Of their news the sources have told the log already.

use crate::{
    instance::journal::Draft,
    manifest::{Revision, Severity, Snapshot},
    reconcile::{Action, Held, Verb},
    source::{Mode, Problem, RefusedChange, SourceView},
    status::model::event::EventKind,
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

/// So many refused changes of one look are told one by one.
const MAX_TOLD: usize = 20;

/// What has been told of the sources.
#[derive(Debug, Default)]
pub struct Observer {
    seen: BTreeMap<String, Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    problem: Option<String>,
    refused: Arc<[RefusedChange]>,
    applied: Option<Revision>,
}

impl Observer {
    /// What is new of a source.
    pub fn look(&mut self, view: &SourceView) -> Vec<Draft> {
        let seen = self.seen.entry(view.name.clone()).or_default();
        let mut news = Vec::new();
        let problem = view.error.as_ref().map(|problem| problem.message.as_str());
        if problem != seen.problem.as_deref() {
            news.push(match &view.error {
                Some(problem) => failed(problem),
                None => Draft::info(EventKind::SourceRecovered, "it can be read again"),
            });
            seen.problem = problem.map(str::to_owned);
        }
        if let Some(git) = &view.git
            && !Arc::ptr_eq(&git.refused, &seen.refused)
        {
            let before: HashSet<_> = seen.refused.iter().map(identity).collect();
            // Listed newest first, and told in the order of the history.
            let new: Vec<_> = git.refused.iter().rev().filter(|change| !before.contains(&identity(change))).collect();
            let (rest, told) = new.split_at(new.len().saturating_sub(MAX_TOLD));
            if !rest.is_empty() {
                let text = format!("{} changes more were refused; `mcpfleet status` lists them", rest.len());
                news.push(Draft::warning(EventKind::ChangeRefused, text));
            }
            news.extend(told.iter().map(|change| refused(change, git.mode)));
            seen.refused = git.refused.clone();
        }
        news.into_iter().map(|draft| draft.with(|details| details.source = Some(view.name.clone()))).collect()
    }

    /// Takes note that what a source says is in force; says so where it is another revision than before.
    pub fn applied(&mut self, name: &str, snapshot: &Snapshot) -> Option<Draft> {
        let seen = self.seen.entry(name.to_owned()).or_default();
        if seen.applied.as_ref() == Some(&snapshot.revision) {
            return None;
        }
        seen.applied = Some(snapshot.revision.clone());
        let revision = snapshot.revision.to_string();
        let short = revision.get(..12).unwrap_or(&revision);
        let errors = snapshot.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
        let mistakes = if errors > 0 { format!(", {errors} errors") } else { String::new() };
        let text = format!("revision {short} is in force: {} resources{mistakes}", snapshot.resources.len());
        let draft = match errors {
            0 => Draft::info(EventKind::RevisionApplied, text),
            _ => Draft::warning(EventKind::RevisionApplied, text),
        };
        Some(draft.with(|details| {
            details.source = Some(name.to_owned());
            details.revision = Some(revision);
        }))
    }
}

/// What a plan has done with an app.
pub fn action(action: &Action) -> Draft {
    let kind = match action.verb {
        Verb::Start => EventKind::AppStart,
        Verb::Replace => EventKind::AppReplace,
        Verb::Update => EventKind::AppUpdate,
        Verb::Stop => EventKind::AppStop,
    };
    let origin = action.desired.as_ref().and_then(|desired| desired.origin.as_ref());
    Draft::info(kind, &*action.reason).of_app(&action.app).with(|details| {
        let Some(origin) = origin else { return };
        details.source = Some(origin.source.to_string());
        details.revision = Some(origin.entry.since.to_string());
        details.path = Some(origin.entry.located.path.to_string());
        details.author = origin.entry.author.as_ref().map(|author| author.name.clone());
        details.signer = origin.entry.author.as_ref().and_then(|author| author.signer.clone());
    })
}

/// What a plan would remove if nobody held it.
pub fn held(held: &Held) -> Draft {
    let text = format!("its removal is held: {}; `mcpfleet reconcile --prune` lets it go", held.reason);
    Draft::warning(EventKind::RemovalHeld, text).of_app(&held.app).with(|d| d.reason = Some(held.reason.clone()))
}

/// An app is suspended, or without a name the agent as a whole.
pub fn suspended(app: Option<&str>) -> Draft {
    match app {
        Some(app) => Draft::info(EventKind::Suspended, "it is not run until somebody resumes it").of_app(app),
        None => Draft::info(EventKind::Suspended, "nothing new is applied until somebody resumes it"),
    }
}

/// The end of that.
pub fn resumed(app: Option<&str>) -> Draft {
    match app {
        Some(app) => Draft::info(EventKind::Resumed, "it is run again").of_app(app),
        None => Draft::info(EventKind::Resumed, "what the sources say is applied again"),
    }
}

fn failed(problem: &Problem) -> Draft {
    let text = format!("{}; what was read before stays in force", problem.message);
    Draft::warning(EventKind::SourceFailed, text).with(|details| {
        details.code = problem.code.clone();
        details.next_attempt = problem.next_attempt;
        details.reason = Some(problem.message.clone());
    })
}

fn refused(change: &RefusedChange, mode: Mode) -> Draft {
    let what = match mode {
        Mode::Audit => "in force although it is not authorized (audit)",
        Mode::Enforce | Mode::Off => "refused",
    };
    let subject = match (change.kind, &change.name) {
        (Some(kind), Some(name)) => format!("{kind}/{name} in {}", change.path),
        _ => change.path.to_string(),
    };
    let verb = change.verb.map(|verb| format!("{verb} of ")).unwrap_or_default();
    let (commit, author) = (change.commit.short(), &change.author);
    let text = format!("{verb}{subject} by commit {commit} of {author} {what}: {}", change.message);
    Draft::warning(EventKind::ChangeRefused, text).with(|details| {
        details.commit = Some(change.commit.to_string());
        details.author = Some(change.author.clone());
        details.signer = change.signer.clone();
        details.path = Some(change.path.to_string());
        details.code = change.code.map(|code| code.to_string());
        details.rule = change.rule.clone();
        details.reason = Some(change.message.clone());
    })
}

/// What makes a refused change another one.
fn identity(change: &RefusedChange) -> impl Eq + std::hash::Hash + use<> {
    let kind = change.kind.map(|kind| kind.to_string());
    (change.commit, change.path.clone(), kind, change.name.clone())
}
