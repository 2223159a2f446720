//! Sees what becomes of commits. Looks at everything whenever anything happens, and so misses nothing for long.

use super::{
    memory::Memory,
    outcome::{self, AppLook, Look, Outcomes, SourceLook},
};
use crate::{
    manifest::Severity,
    source::{GitView, Mode, RefusedChange, SourceView},
    status::{
        Applied, Store,
        model::{event::Event, notification::CommitState},
    },
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{
    broadcast::{
        Receiver,
        error::{RecvError, TryRecvError},
    },
    watch,
};

/// What happens at once is one look.
const BETWEEN_LOOKS: Duration = Duration::from_millis(300);
/// While a commit is on its way, it is looked at as often as this even if nothing is heard.
const WHILE_PENDING: Duration = Duration::from_secs(5);

pub(super) struct Observer {
    pub store: Arc<Store>,
    pub memory: Memory,
    pub outcomes: watch::Sender<Arc<Outcomes>>,
    /// Anything that happens.
    pub events: Receiver<Arc<Event>>,
}

impl Observer {
    /// Works until it is dropped.
    pub async fn run(mut self) {
        // Elsewhere there are no commits.
        if !self.store.sources.iter().any(|source| source.view.borrow().git.is_some()) {
            return std::future::pending().await;
        }
        let mut applied = self.store.applied.clone();
        let mut views: Vec<_> = self.store.sources.iter().map(|source| source.view.clone()).collect();
        let mut known = Outcomes::clone(&self.outcomes.borrow());
        loop {
            applied.mark_unchanged();
            views.iter_mut().for_each(watch::Receiver::mark_unchanged);
            if outcome::look(&mut known, &look(&self.store)) {
                let (memory, written) = (self.memory.clone(), known.clone());
                let _ = tokio::task::spawn_blocking(move || memory.write_outcomes(&written)).await;
                self.outcomes.send_replace(Arc::new(known.clone()));
            }
            let is_pending =
                |known: &outcome::Known| known.outcomes.iter().any(|outcome| outcome.state == CommitState::Pending);
            let pending = known.values().any(is_pending);
            let changes = views.iter_mut().map(|view| Box::pin(view.changed()));
            tokio::select! {
                changed = applied.changed() => if changed.is_err() { return },
                (changed, ..) = futures_util::future::select_all(changes) => if changed.is_err() { return },
                () = heard(&mut self.events) => {}
                () = tokio::time::sleep(WHILE_PENDING), if pending => {}
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
            // What has happened until here is seen by the next look.
            while !matches!(self.events.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed)) {}
        }
    }
}

/// Waits until anything happens. One that was too slow has something to look at, too.
async fn heard(events: &mut Receiver<Arc<Event>>) {
    if let Err(RecvError::Closed) = events.recv().await {
        std::future::pending().await
    }
}

/// What the agent sees now. What is said is asked for before what is done.
fn look(store: &Store) -> Look {
    let views: Vec<SourceView> = store.sources.iter().map(|source| source.view.borrow().clone()).collect();
    let applied = store.applied.borrow().clone();
    let apps = store.status().apps.into_iter().filter_map(|app| {
        let (name, source, commit, reason) = (app.name, app.source, app.revision, app.reason);
        Some(AppLook { name, source, commit, state: app.state?, reason, updating: app.updating })
    });
    let sources = views.iter().enumerate();
    let sources = sources.filter_map(|(index, view)| Some(source(view, view.git.as_ref()?, index, &applied))).collect();
    Look { sources, apps: apps.collect() }
}

fn source(view: &SourceView, git: &GitView, index: usize, applied: &Applied) -> SourceLook {
    let snapshot = view.snapshot.as_ref();
    let in_force = applied.snapshots.get(index).and_then(Option::as_ref);
    let is_here = |app: &str| {
        let origin = applied.running.get(app).and_then(|told| told.origin.as_ref());
        origin.is_some_and(|origin| *origin.source == *view.name)
    };
    let errors = snapshot.map(|snapshot| snapshot.diagnostics.as_slice()).unwrap_or_default();
    let errors = errors.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    SourceLook {
        name: view.name.clone(),
        seen: git.seen.map(|commit| commit.to_string()),
        accepted: snapshot.map(|snapshot| snapshot.revision.to_string()),
        in_force: in_force.map(|snapshot| snapshot.revision.to_string()),
        suspended: applied.suspended.since.is_some(),
        problem: view.error.as_ref().map(|problem| problem.message.clone()),
        refused: by_commit(&git.refused),
        judged: git
            .judged
            .iter()
            .map(|judged| {
                let reason = judged.refused.as_ref().map(|first| reason(first, judged.refusals));
                (judged.commit.to_string(), reason)
            })
            .collect(),
        audit: git.mode != Mode::Enforce,
        held: applied.held.iter().filter(|held| is_here(&held.app)).count(),
        mistakes: errors.map(|error| format!("{}: {}", error.path, error.message)).collect::<BTreeSet<_>>(),
    }
}

/// The first change of each commit that is to blame, newest commit first.
fn by_commit(refused: &[RefusedChange]) -> Vec<(String, String)> {
    let mut commits: Vec<(&RefusedChange, usize)> = Vec::new();
    let mut places = HashMap::new();
    for change in refused {
        let place = *places.entry(change.commit).or_insert(commits.len());
        match commits.get_mut(place) {
            None => commits.push((change, 1)),
            Some((first, count)) => {
                *count += 1;
                if !first.is_to_blame() {
                    *first = change;
                }
            }
        }
    }
    commits.into_iter().map(|(first, count)| (first.commit.to_string(), reason(first, count))).collect()
}

fn reason(first: &RefusedChange, count: usize) -> String {
    let code = first.code.map(|code| format!("{code}, ")).unwrap_or_default();
    let more = match count.saturating_sub(1) {
        0 => String::new(),
        1 => " (and 1 change more)".to_owned(),
        more => format!(" (and {more} changes more)"),
    };
    format!("{code}{}{more}: {}", first.path, first.message)
}
