//! What waits in an agent that runs: what it would do if it were not suspended, and what is held.

use super::{
    super::{Desired, Held, PruneGuard, PruneSettings, Running, Verb, plan},
    HeldBy, HeldStep, Preview, Step, fields,
};

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

/// What there is in an agent.
#[derive(Clone, Copy, Debug)]
pub struct Now<'a> {
    /// What the agent has undertaken to run.
    pub running: &'a BTreeMap<String, Running>,
    /// What it should run, were it not suspended.
    pub desired: &'a Desired,
    pub prune: &'a PruneSettings,
    /// The removals that it holds; `None` if it has not decided, because it is suspended.
    pub held: Option<&'a [Held]>,
    /// What was refused of the sources, newest first.
    pub refused: &'a [Refused],
}

/// A change of an app that was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// The app, or the file if it is about that as a whole.
    pub app: String,
    pub verb: Verb,
    pub path: Arc<str>,
    /// For people.
    pub reason: String,
}

/// What waits.
pub fn waiting(agent: String, now: Now) -> Preview {
    let guard = PruneGuard::new(now.prune.clone());
    // What the agent holds it has decided by what was before; what it does not hold it does.
    let mut planned = plan(now.running, now.desired, &guard, now.held.is_some());
    if let Some(held) = now.held {
        let names: HashSet<&str> = held.iter().map(|held| held.app.as_str()).collect();
        planned.actions.retain(|action| !names.contains(action.app.as_str()));
        planned.held = held.to_vec();
    }
    let mut held: BTreeMap<String, HeldStep> = BTreeMap::new();
    for refused in now.refused {
        let Refused { app, verb, path, reason } = refused.clone();
        let step = HeldStep { app: app.clone(), verb, by: HeldBy::Refused, path: Some(path), reason };
        held.entry(app).or_insert(step);
    }
    for (name, app) in &now.desired.apps {
        let Some(entry) = app.origin.as_ref().map(|origin| &origin.entry).filter(|entry| entry.is_stale()) else {
            continue;
        };
        let reason = format!("{} is not valid; its last good content stays", entry.held_by.join(", "));
        let path = entry.held_by.first().cloned();
        let step = HeldStep { app: name.clone(), verb: Verb::Replace, by: HeldBy::Invalid, path, reason };
        held.entry(name.clone()).or_insert(step);
    }
    for one in planned.held {
        let verb = if now.desired.apps.contains_key(&one.app) { Verb::Start } else { Verb::Stop };
        let step = HeldStep { app: one.app.clone(), verb, by: HeldBy::PruneGuard, path: None, reason: one.reason };
        held.insert(one.app, step);
    }
    let differences = |action: &super::super::Action| {
        let pair = now.running.get(&action.app).zip(action.desired.as_ref());
        pair.map(|(running, desired)| fields(&running.app, &desired.app)).unwrap_or_default()
    };
    let steps = planned.actions.into_iter().map(|action| Step {
        changes: differences(&action),
        app: action.app,
        verb: action.verb,
        reason: action.reason,
    });
    let actions: Vec<Step> = steps.collect();
    let touched: HashSet<&str> = actions.iter().map(|step| step.app.as_str()).collect();
    let unchanged = now.running.keys().filter(|name| !touched.contains(name.as_str())).count();
    Preview { agent, unchanged, actions, held: held.into_values().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        reconcile::{Selection, desired, fixture},
        resource::Selector,
    };
    use jiff::Timestamp;

    fn told(apps: &[(&str, &str)]) -> Desired {
        let apps = apps.iter().map(|(name, value)| fixture::app(name, value, &[]));
        let selection = Selection { enabled: true, selectors: vec![Selector::everything()], static_apps: vec![] };
        desired(&[fixture::source("s", apps)], &selection, Timestamp::UNIX_EPOCH)
    }

    fn look(before: &[(&str, &str)], after: &[(&str, &str)], held: Option<&[Held]>, refused: &[Refused]) -> Preview {
        let running = told(before).apps.iter().map(|(name, app)| (name.clone(), Running::from(app))).collect();
        let prune = PruneSettings::default();
        let now = Now { running: &running, desired: &told(after), prune: &prune, held, refused };
        waiting("a".to_owned(), now)
    }

    #[test]
    fn a_suspended_agent_waits_with_everything() {
        let seen = look(&[("a", "1"), ("b", "1"), ("c", "1")], &[("a", "2"), ("b", "1"), ("d", "1")], None, &[]);
        let steps: Vec<_> = seen.actions.iter().map(|step| (step.app.as_str(), step.verb)).collect();
        assert_eq!(steps, [("a", Verb::Replace), ("c", Verb::Stop), ("d", Verb::Start)]);
        assert_eq!((seen.unchanged, seen.held.len()), (1, 0));
        assert_eq!(seen.actions.first().map(|step| step.changes.len()), Some(1));
    }

    #[test]
    fn what_is_held_is_what_the_agent_holds() {
        let four = [("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")];
        let by_guard = |seen: Preview| {
            let held: Vec<_> = seen.held.iter().map(|held| (held.app.clone(), held.by)).collect();
            assert!(seen.actions.is_empty(), "{:?}", seen.actions);
            held
        };
        let expected: Vec<_> = ["b", "c", "d"].map(|name| (name.to_owned(), HeldBy::PruneGuard)).into();
        // Suspended, it would hold them; else it says what it holds.
        assert_eq!(by_guard(look(&four, &four[..1], None, &[])), expected);
        let held: Vec<Held> = ["b", "c", "d"].map(|app| Held { app: app.to_owned(), reason: "held".to_owned() }).into();
        assert_eq!(by_guard(look(&four, &four[..1], Some(&held), &[])), expected);
        let refused = Refused { app: "x".into(), verb: Verb::Start, path: "x.yaml".into(), reason: "no".into() };
        let older = Refused { reason: "before".into(), ..refused.clone() };
        let seen = look(&four, &four, Some(&[]), &[refused, older]);
        assert_eq!(seen.held.iter().map(|held| held.reason.as_str()).collect::<Vec<_>>(), ["no"], "the newest counts");
    }
}
