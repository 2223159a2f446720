//! Reads what the parts of the agent publish and count, when somebody wants metrics and not before.

use super::{
    process,
    reading::{AppReading, Reading, SourceReading},
};
use crate::{status::Store, telemetry};
use std::collections::BTreeMap;

/// Everything, now. Blocks for a moment: it looks at `/proc`.
pub(super) fn gather(store: &Store) -> Reading {
    let gateway = &store.gateway;
    let journal = gateway.fleet.journal();
    let entries = gateway.fleet.all();
    let mut tally = journal.tally();
    let apps: BTreeMap<String, AppReading> = entries
        .iter()
        .map(|entry| {
            let lives = tally.apps.remove(&*entry.name).unwrap_or_default();
            (entry.name.to_string(), AppReading { lives, traffic: entry.traffic.read() })
        })
        .collect();
    // Of those that are gone for good nothing is exported.
    if !tally.apps.is_empty() {
        journal.forget(|app| !tally.apps.contains_key(app));
    }
    let sources = store.sources.iter().map(|source| {
        let view = source.view.borrow();
        let git = view.git.as_ref();
        let reading = SourceReading {
            looks: view.reads,
            failures: view.failures,
            accepted_time: git.and_then(|git| git.accepted_time),
            behind: git.and_then(|git| git.behind),
        };
        (view.name.clone(), reading)
    });
    let applied = store.applied.borrow().clone();
    Reading {
        sources: sources.collect(),
        status: store.status(),
        ready: gateway.fleet.is_ready(),
        waiting: applied.suspended.waiting,
        held: applied.held.len(),
        apps,
        traffic: gateway.fleet.traffic("").map(|traffic| traffic.read()).unwrap_or_default(),
        rounds: store.rounds.read(),
        events: tally.kinds,
        turned_away: gateway.turned_away.read(),
        calls: store.calls.read(),
        sessions: gateway.sessions.count(),
        queued: gateway.audit.waiting(),
        spans: telemetry::counts().unwrap_or_default(),
        runtime: process::runtime(),
        process: process::process(),
    }
}
