//! The prune guard: a mistake that empties a source must not empty the fleet.

use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

/// `prune` of the agent's configuration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PruneSettings {
    /// Below this many running apps of a source the guard does not look.
    pub min_apps: usize,
    /// The largest part of a source's running apps that one snapshot may remove, 0 to 1.
    pub max_fraction: f64,
    /// Lets every removal pass, as `mcpfleet reconcile --prune` does once.
    pub allow_empty: bool,
}

impl Default for PruneSettings {
    fn default() -> Self {
        PruneSettings { min_apps: 4, max_fraction: 0.5, allow_empty: false }
    }
}

/// Decides which removals wait for somebody to confirm them.
///
/// A removal is a running app of a source that the source no longer has, or whose labels it changed so that no
/// selector matches. Not counted: what expired, what another definition shadows, what changed selectors drop, and
/// static apps. When more than `max_fraction` of a source's running apps are removed, these removals are held, and
/// nothing else is.
#[derive(Clone, Debug, Default)]
pub struct PruneGuard {
    pub settings: PruneSettings,
    /// [`Plan::holds`](super::Plan::holds) of the plan before: how many apps of a source ran when its removals began
    /// to be held. What starts or ends later does not change what they are measured against.
    pub holds: BTreeMap<Arc<str>, usize>,
}

/// Of one source.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub(super) running: usize,
    pub(super) removed: usize,
}

impl PruneGuard {
    pub fn new(settings: PruneSettings) -> Self {
        PruneGuard { settings, holds: BTreeMap::new() }
    }

    /// The sources whose removals are held, with the number of apps they are measured against.
    pub(super) fn judge(&self, counts: &BTreeMap<Arc<str>, Count>, release: bool) -> BTreeMap<Arc<str>, usize> {
        if release || self.settings.allow_empty {
            return BTreeMap::new();
        }
        counts
            .iter()
            .filter_map(|(source, count)| {
                let base = self.holds.get(source).copied().unwrap_or(count.running);
                // Fewer than 2^52 apps: the conversions are exact.
                let allowed = base as f64 * self.settings.max_fraction;
                let held = base >= self.settings.min_apps && count.removed as f64 > allowed;
                held.then(|| (source.clone(), base))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(guard: &PruneGuard, running: usize, removed: usize, release: bool) -> Option<usize> {
        let counts = BTreeMap::from([(Arc::from("s"), Count { running, removed })]);
        guard.judge(&counts, release).get("s").copied()
    }

    #[test]
    fn the_rule() {
        let guard = PruneGuard::default();
        for (running, removed, expected) in [
            (4, 3, true),
            (4, 2, false),
            (3, 3, false),
            (1, 1, false),
            (10, 5, false),
            (10, 6, true),
            (10, 0, false),
            (0, 0, false),
        ] {
            assert_eq!(held(&guard, running, removed, false).is_some(), expected, "{removed} of {running}");
            assert_eq!(held(&guard, running, removed, true), None, "a release lets {removed} of {running} pass");
        }
        let open = PruneGuard::new(PruneSettings { allow_empty: true, ..PruneSettings::default() });
        assert_eq!(held(&open, 10, 10, false), None);
        let strict = PruneGuard::new(PruneSettings { max_fraction: 0.0, ..PruneSettings::default() });
        assert_eq!(held(&strict, 10, 1, false), Some(10));
        let lax = PruneGuard::new(PruneSettings { max_fraction: 1.0, ..PruneSettings::default() });
        assert_eq!(held(&lax, 10, 10, false), None);
    }

    #[test]
    fn a_hold_is_measured_against_the_fleet_it_began_with() {
        let guard = PruneGuard { holds: BTreeMap::from([(Arc::from("s"), 10)]), ..PruneGuard::default() };
        // Twenty new apps run by now: still six of ten.
        assert_eq!(held(&guard, 30, 6, false), Some(10));
        // Some came back: within the bound again.
        assert_eq!(held(&guard, 10, 3, false), None);
        // All but the removed ones went for other reasons.
        assert_eq!(held(&guard, 6, 6, false), Some(10));
    }
}
