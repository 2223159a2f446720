//! Publishes who may do what, as the sources have it now.

use crate::{
    gateway::access::{Known, Policy, Rulebook},
    instance::fleet::Fleet,
    manifest::Snapshot,
    reconcile::DesiredApp,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use tokio::sync::watch;

/// Where the policy in force is seen, and replaced.
#[derive(Debug)]
pub struct Policing(pub watch::Sender<Arc<Policy>>);

impl Policing {
    /// Puts in force what all sources say, each with its name and in their order, of these apps. Of an app with two
    /// definitions the first counts. Whoever has read a source that cannot be read any more goes on by what it said.
    pub fn publish<'a>(
        &self,
        sources: impl Iterator<Item = (Arc<str>, Option<&'a Snapshot>)>,
        apps: impl Iterator<Item = (&'a String, &'a DesiredApp)>,
        fleet: &Fleet,
    ) {
        let before = self.0.borrow().clone();
        let rulebooks: Vec<Arc<Rulebook>> =
            sources.map(|(name, snapshot)| Rulebook::new(&name, snapshot, before.rulebook(&name))).collect();
        let mut known: HashMap<Arc<str>, Arc<Known>> = HashMap::new();
        for (name, told) in apps {
            if known.contains_key(name.as_str()) {
                continue;
            }
            let dynamic = match told.app.spec.dynamic_labels.is_empty() {
                true => BTreeMap::new(),
                false => fleet.get(name).map(|entry| entry.dynamic_labels.borrow().values.clone()).unwrap_or_default(),
            };
            let app = match before.app(name).filter(|known| known.is_of(told, &dynamic)) {
                Some(known) => known.clone(),
                None => Arc::new(Known::new(told, &dynamic)),
            };
            known.insert(name.as_str().into(), app);
        }
        if !before.is_of(&rulebooks, &known) {
            self.0.send_replace(Arc::new(Policy::new(rulebooks, known)));
        }
    }
}
