//! What an agent would do: the same decisions, shown instead of carried out.
//!
//! ```text
//! before, after, wished ──desired()──▶ three Desired ──plan()──▶ what happens, what is held
//! ```
//!
//! `wished` is what a change asks for, `after` what is accepted of it. What the first has over the second is held.

mod fields;
mod proposal;
mod waiting;

pub use fields::{FieldChange, fields};
pub use proposal::{Follower, Plans, proposal};
pub use waiting::{Now, Refused, waiting};

use super::{Desired, Plan, PruneGuard, PruneSettings, Running, Selection, SourceInput, Verb, Why, desired, plan};
use crate::{
    manifest::{Severity, Snapshot},
    resource::App,
};
use jiff::Timestamp;
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

/// What one agent would do. Its JSON form only grows.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Preview {
    /// What the agent is called here: its configuration, or its selector.
    pub agent: String,
    /// At most one for an app, by name.
    pub actions: Vec<Step>,
    /// What is asked for and does not happen, by name.
    pub held: Vec<HeldStep>,
    /// How many apps run on as they are.
    pub unchanged: usize,
}

impl Preview {
    /// Whether nothing happens, and nothing is held.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty() && self.held.is_empty()
    }

    pub fn count(&self, verb: Verb) -> usize {
        self.actions.iter().filter(|step| step.verb == verb).count()
    }
}

/// What happens to an app.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Step {
    pub app: String,
    pub verb: Verb,
    /// For people.
    pub reason: String,
    /// Of an app that was there before: what differs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<FieldChange>,
}

/// What would happen to an app if it were not held.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct HeldStep {
    pub app: String,
    pub verb: Verb,
    /// What holds it.
    pub by: HeldBy,
    /// The file that asks for it, or had the app; `None` where it does not matter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub path: Option<Arc<str>>,
    /// For people.
    pub reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HeldBy {
    /// It was not accepted: the file stays as it was.
    Refused,
    /// The file is not valid: its last good content stays.
    Invalid,
    /// It removes too much at once.
    PruneGuard,
    /// Its time is over already.
    Expired,
    /// Another app has the name.
    Shadowed,
    /// The agent's configuration does not give it what it asks for.
    NotGranted,
}

/// What there is, of one source.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The source's name.
    pub source: &'a Arc<str>,
    /// What runs.
    pub before: &'a Arc<Snapshot>,
    /// What is accepted.
    pub after: &'a Arc<Snapshot>,
    /// What is asked for, were all of it accepted.
    pub wished: &'a Arc<Snapshot>,
    /// What the sources before it and after it have, where that is known: an app of an earlier one goes before others of
    /// its name.
    pub others: (&'a [SourceInput], &'a [SourceInput]),
}

/// Decides what an agent does. `refuses` says why it would not start an app, if it would not.
pub fn preview(
    agent: String,
    change: Change,
    selection: &Selection,
    prune: &PruneSettings,
    refuses: &dyn Fn(&App) -> Vec<String>,
    now: Timestamp,
) -> Preview {
    let of = |snapshot: &Arc<Snapshot>| {
        let input = SourceInput { name: change.source.clone(), snapshot: snapshot.clone() };
        let (earlier, later) = change.others;
        match (earlier, later) {
            ([], []) => desired(std::slice::from_ref(&input), selection, now),
            _ => desired(&[earlier, &[input], later].concat(), selection, now),
        }
    };
    let (before, after, wished) = (of(change.before), of(change.after), of(change.wished));
    let guard = PruneGuard::new(prune.clone());
    let mut planned = plan(&running(&before), &after, &guard, false);
    let refused = ungranted(&mut planned, refuses);

    let mut held: BTreeMap<String, HeldStep> = BTreeMap::new();
    // Nothing is asked of the guard here: what it would do is seen when the rest is accepted.
    let lost = plan(&running(&after), &wished, &guard, true);
    for action in lost.actions {
        let wanted = action.desired.as_ref().and_then(|desired| desired.origin.as_ref());
        let had = || after.apps.get(&action.app).and_then(|app| app.origin.as_ref());
        let path = wanted.or_else(had).map(|origin| origin.entry.located.path.clone());
        let reason = "not accepted; what was accepted before stays".to_owned();
        held.insert(
            action.app.clone(),
            HeldStep { app: action.app, verb: action.verb, by: HeldBy::Refused, path, reason },
        );
    }
    for (name, app) in &wished.apps {
        let Some(entry) = app.origin.as_ref().map(|origin| &origin.entry).filter(|entry| entry.is_stale()) else {
            continue;
        };
        // What was held before is not this change's doing.
        let was = before.apps.get(name).and_then(|app| app.origin.as_ref());
        if was.is_some_and(|origin| origin.entry.held_by == entry.held_by) {
            continue;
        }
        let path = entry.held_by.first().cloned();
        let mut errors = change.wished.diagnostics.iter().filter(|d| d.severity == Severity::Error);
        let error = errors.find(|error| path.as_deref() == Some(&*error.path));
        let what = error.map(|error| format!(" [{}]: {}", error.code, error.message)).unwrap_or_default();
        let reason = format!("{} is not valid{what}; its last good content stays", entry.held_by.join(", "));
        held.insert(
            name.clone(),
            HeldStep { app: name.clone(), verb: Verb::Replace, by: HeldBy::Invalid, path, reason },
        );
    }
    // Files that never were valid, of which no app is known.
    let old: HashSet<_> = change.before.diagnostics.iter().map(|d| (&d.path, &d.message)).collect();
    let errors = change.wished.diagnostics.iter().filter(|d| d.severity == Severity::Error);
    let known: HashSet<&str> =
        change.wished.resources.values().flat_map(|entry| &entry.held_by).map(|path| &**path).collect();
    for error in errors.filter(|error| !old.contains(&(&error.path, &error.message))) {
        if !known.contains(error.path.as_str()) {
            let reason = format!("the file is not valid [{}]: {}", error.code, error.message);
            let path = Some(Arc::from(error.path.as_str()));
            let step = HeldStep { app: error.path.clone(), verb: Verb::Start, by: HeldBy::Invalid, path, reason };
            held.entry(error.path.clone()).or_insert(step);
        }
    }
    for (name, idle) in wished.others.iter().flat_map(|(name, all)| all.iter().map(move |idle| (name, idle))) {
        let by = match idle.why {
            Why::Expired(_) => HeldBy::Expired,
            Why::Shadowed { .. } => HeldBy::Shadowed,
            Why::NotSelected | Why::Disabled => continue,
        };
        let known = before.others.get(name).is_some_and(|all| all.iter().any(|other| other.why == idle.why));
        if !known && !before.apps.contains_key(name) {
            let path = idle.origin.as_ref().map(|origin| origin.entry.located.path.clone());
            let step = HeldStep { app: name.clone(), verb: Verb::Start, by, path, reason: idle.why.to_string() };
            held.entry(name.clone()).or_insert(step);
        }
    }
    for one in planned.held {
        let step =
            HeldStep { app: one.app.clone(), verb: Verb::Stop, by: HeldBy::PruneGuard, path: None, reason: one.reason };
        held.insert(one.app, step);
    }

    for step in refused {
        held.entry(step.app.clone()).or_insert(step);
    }

    let differences = |name: &str| -> Vec<FieldChange> {
        let pair = before.apps.get(name).zip(after.apps.get(name));
        pair.map(|(before, after)| fields(&before.app, &after.app)).unwrap_or_default()
    };
    let steps = planned.actions.into_iter().map(|action| Step {
        changes: differences(&action.app),
        app: action.app,
        verb: action.verb,
        reason: action.reason,
    });
    let actions: Vec<Step> = steps.collect();
    let touched: HashSet<&str> = actions.iter().map(|step| step.app.as_str()).collect();
    let unchanged = after.apps.keys().filter(|name| !touched.contains(name.as_str())).count();
    Preview { agent, unchanged, actions, held: held.into_values().collect() }
}

/// Takes out of a plan what the agent would not start. Of an app that runs, the version before runs on.
fn ungranted(planned: &mut Plan, refuses: &dyn Fn(&App) -> Vec<String>) -> Vec<HeldStep> {
    let mut held = Vec::new();
    planned.actions.retain(|action| {
        let starts = matches!(action.verb, Verb::Start | Verb::Replace);
        let Some(desired) = action.desired.as_ref().filter(|_| starts) else { return true };
        let reasons = refuses(&desired.app);
        if reasons.is_empty() {
            return true;
        }
        let path = desired.origin.as_ref().map(|origin| origin.entry.located.path.clone());
        let reason = format!("this agent would not start it: {}", reasons.join("; "));
        held.push(HeldStep { app: action.app.clone(), verb: action.verb, by: HeldBy::NotGranted, path, reason });
        false
    });
    held
}

fn running(desired: &Desired) -> BTreeMap<String, Running> {
    desired.apps.iter().map(|(name, app)| (name.clone(), Running::from(app))).collect()
}

/// How an app is written, for comparing.
fn written(app: &App) -> serde_json::Value {
    // An app always has a JSON form.
    serde_json::to_value(crate::resource::Written::of(app)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
