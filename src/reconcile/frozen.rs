//! What runs while nothing new is to take effect.

use super::{Desired, DesiredApp, Idle, Why};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What was told to run last, and nothing of what has changed since, except that what has expired ends: that was decided
/// before. Where `wanted` has the same definition, it says where that comes from now.
pub fn frozen(told: &BTreeMap<String, DesiredApp>, wanted: Desired, now: Timestamp) -> Desired {
    let mut frozen = Desired { apps: BTreeMap::new(), ..wanted };
    for (name, old) in told {
        match old.app.metadata.expires {
            Some(at) if at <= now => {
                let idles = frozen.others.entry(name.clone()).or_default();
                if !idles.iter().any(|idle| idle.source() == old.source()) {
                    idles.push(Idle { app: old.app.clone(), origin: old.origin.clone(), why: Why::Expired(at) });
                }
                continue;
            }
            Some(at) => frozen.next_expiry = Some(frozen.next_expiry.map_or(at, |next| next.min(at))),
            None => {}
        }
        let same = wanted.apps.get(name).filter(|new| new.app == old.app);
        frozen.apps.insert(name.clone(), same.unwrap_or(old).clone());
    }
    frozen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::{
        PruneGuard, PruneSettings, Running, Selection, Verb, desired,
        fixture::{app, at, selector, source},
        plan,
    };
    use std::sync::Arc;

    #[test]
    fn nothing_new_takes_effect_but_what_expires_ends() {
        let labels = &[("env", "prod")];
        let all = Selection { enabled: true, selectors: vec![selector("env", "*")], ..Selection::default() };
        let mut mortal = (*app("mortal", "1", labels)).clone();
        mortal.metadata.expires = Some(at(100));
        let mortal = Arc::new(mortal);
        let before = source("git", [app("changed", "1", labels), app("gone", "1", labels), mortal.clone()]);
        let after = source("git", [app("changed", "2", labels), app("new", "1", labels), mortal]);
        let told = desired(&[before], &all, at(50)).apps;
        let plan_at = |now| {
            let frozen = frozen(&told, desired(std::slice::from_ref(&after), &all, now), now);
            let running = told.iter().map(|(name, app)| (name.clone(), Running::from(app))).collect();
            let actions = plan(&running, &frozen, &PruneGuard::new(PruneSettings::default()), false).actions;
            (actions.into_iter().map(|action| (action.app, action.verb)).collect::<Vec<_>>(), frozen.next_expiry)
        };
        assert_eq!(plan_at(at(60)), (vec![], Some(at(100))));
        assert_eq!(plan_at(at(100)), (vec![("mortal".into(), Verb::Stop)], None));
    }
}
