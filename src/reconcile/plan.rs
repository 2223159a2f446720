//! What to do so that what runs becomes what is desired.

use super::{
    desired::{Desired, DesiredApp, Idle, Why},
    prune::{Count, PruneGuard},
};
use crate::resource::App;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

/// An app that the agent has undertaken to run, whatever state its processes are in.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    pub app: Arc<App>,
    /// `None`: the agent's own configuration.
    pub source: Option<Arc<str>>,
}

impl From<&DesiredApp> for Running {
    fn from(desired: &DesiredApp) -> Self {
        Running { app: desired.app.clone(), source: desired.source().cloned() }
    }
}

/// What is done with an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = PlanVerb)]
pub enum Verb {
    Start,
    /// The spec changed: start the new version, switch, drain the old one.
    Replace,
    /// Only what is shown and selected by changed: no process is touched.
    Update,
    /// Drain and stop.
    Stop,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verb::Start => "start",
            Verb::Replace => "replace",
            Verb::Update => "update",
            Verb::Stop => "stop",
        })
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    pub app: String,
    pub verb: Verb,
    /// For people.
    pub reason: String,
    /// `None` for `Stop`.
    pub desired: Option<DesiredApp>,
}

/// An action that waits for somebody to confirm it.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    pub app: String,
    pub reason: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// At most one for an app, sorted by name.
    pub actions: Vec<Action>,
    /// Sorted by name.
    pub held: Vec<Held>,
    /// For [`PruneGuard::holds`] of the next plan.
    pub holds: BTreeMap<Arc<str>, usize>,
}

impl Plan {
    /// Whether there is nothing to do. Something may be held.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }
}

/// Compares what runs with what is desired. `release` lets removals pass that the guard would hold.
pub fn plan(running: &BTreeMap<String, Running>, desired: &Desired, guard: &PruneGuard, release: bool) -> Plan {
    let mut plan = Plan::default();
    let mut removals: Vec<Removal> = Vec::new();
    let mut counts: BTreeMap<Arc<str>, Count> = BTreeMap::new();

    for (name, now, wanted) in joined(running, &desired.apps) {
        let removal = match (now, wanted) {
            (Some(now), None) => Some(Removal::new(name, now, desired)),
            _ => None,
        };
        if let Some(source) = now.and_then(|now| now.source.as_ref()) {
            let counted = removal.as_ref().is_some_and(|removal| removal.counts);
            match counts.get_mut(source) {
                Some(count) => count.add(counted),
                None => counts.entry(source.clone()).or_default().add(counted),
            }
        }
        removals.extend(removal);
        if let Some(wanted) = wanted
            && let Some((verb, reason)) = difference(now, wanted)
        {
            plan.actions.push(Action { app: name.clone(), verb, reason, desired: Some(wanted.clone()) });
        }
    }

    plan.holds = guard.judge(&counts, release);
    for removal in removals {
        match removal.counts.then(|| removal.source.and_then(|source| plan.holds.get_key_value(source))).flatten() {
            Some((source, base)) => {
                let removed = counts.get(source).map_or(0, |count| count.removed);
                let reason = format!("{}; held because source `{source}` removes {removed} of {base}", removal.reason);
                plan.held.push(Held { app: removal.name.clone(), reason });
            }
            None => plan.actions.push(Action {
                app: removal.name.clone(),
                verb: Verb::Stop,
                reason: removal.reason,
                desired: None,
            }),
        }
    }
    plan.hold_twins();
    plan.actions.sort_unstable_by(|a, b| a.app.cmp(&b.app));
    plan.held.sort_unstable_by(|a, b| a.app.cmp(&b.app));
    plan
}

impl Plan {
    /// An app whose name differs only in case from one that is held, and so goes on running, must wait for it.
    fn hold_twins(&mut self) {
        let names: BTreeSet<String> = self.held.iter().map(|held| held.app.to_ascii_lowercase()).collect();
        if names.is_empty() {
            return;
        }
        let waits = |action: &mut Action| names.contains(&action.app.to_ascii_lowercase());
        self.held.extend(self.actions.extract_if(.., waits).map(|action| Held {
            reason: "waits for an app of the same name in other case, whose removal is held".to_owned(),
            app: action.app,
        }));
    }
}

/// What differs between what runs, if anything does, and what is desired.
fn difference(now: Option<&Running>, wanted: &DesiredApp) -> Option<(Verb, String)> {
    let Some(now) = now else {
        let reason = match (&wanted.origin, &wanted.selected_by) {
            (Some(origin), Some(selector)) => format!("new in source `{}`, selected by {selector}", origin.source),
            (Some(origin), None) => format!("new in source `{}`", origin.source),
            (None, _) => "in the agent's configuration".to_owned(),
        };
        return Some((Verb::Start, reason));
    };
    let moved = now.source.as_ref() != wanted.source();
    let same_app = Arc::ptr_eq(&now.app, &wanted.app);
    let (verb, what) = if !same_app && now.app.spec.server != wanted.app.spec.server {
        (Verb::Replace, "spec changed")
    } else if !same_app && now.app.spec != wanted.app.spec {
        (Verb::Update, "dynamic labels changed")
    } else if !same_app && now.app.metadata != wanted.app.metadata {
        (Verb::Update, "metadata changed")
    } else if moved {
        (Verb::Update, "same definition")
    } else {
        return None;
    };
    let reason = match wanted.source() {
        Some(source) if moved => format!("{what}, now from source `{source}`"),
        None if moved => format!("{what}, now from the agent's configuration"),
        _ => what.to_owned(),
    };
    Some((verb, reason))
}

/// An app that runs and is not desired.
struct Removal<'a> {
    name: &'a String,
    source: Option<&'a Arc<str>>,
    reason: String,
    /// Whether the snapshot removed it, in the sense of the prune guard.
    counts: bool,
}

impl<'a> Removal<'a> {
    fn new(name: &'a String, now: &'a Running, desired: &Desired) -> Self {
        let source = now.source.as_ref();
        let idle = desired.others.get(name).into_iter().flatten().find(|idle| idle.source() == source);
        let (reason, counts) = match (idle, source) {
            (Some(Idle { why: Why::NotSelected, app, .. }), Some(_)) => {
                // With the labels it had, it was the selectors that changed.
                (Why::NotSelected.to_string(), app.metadata.labels != now.app.metadata.labels)
            }
            (Some(idle), _) => (idle.why.to_string(), false),
            (None, Some(source)) => (format!("gone from source `{source}`"), true),
            (None, None) => ("gone from the agent's configuration".to_owned(), false),
        };
        Removal { name, source, reason, counts }
    }
}

impl Count {
    fn add(&mut self, removed: bool) {
        self.running += 1;
        self.removed += usize::from(removed);
    }
}

impl DesiredApp {
    /// `None`: the agent's own configuration.
    pub fn source(&self) -> Option<&Arc<str>> {
        self.origin.as_ref().map(|origin| &origin.source)
    }
}

impl Idle {
    /// `None`: the agent's own configuration.
    pub fn source(&self) -> Option<&Arc<str>> {
        self.origin.as_ref().map(|origin| &origin.source)
    }
}

/// All names of two maps in order, with what each map has for them.
fn joined<'m, A, B>(
    left: &'m BTreeMap<String, A>,
    right: &'m BTreeMap<String, B>,
) -> impl Iterator<Item = (&'m String, Option<&'m A>, Option<&'m B>)> {
    use std::cmp::Ordering;
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    std::iter::from_fn(move || {
        let order = match (left.peek(), right.peek()) {
            (Some((l, _)), Some((r, _))) => l.cmp(r),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        let l = if order.is_le() { left.next() } else { None };
        let r = if order.is_ge() { right.next() } else { None };
        let name = l.map(|(name, _)| name).or(r.map(|(name, _)| name))?;
        Some((name, l.map(|(_, value)| value), r.map(|(_, value)| value)))
    })
}

#[cfg(test)]
mod tests;
