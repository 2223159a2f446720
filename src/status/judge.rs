//! The state of a whole agent in one word, and why. Pure.

use super::{
    model::{AgentState, AppState, AppStatus, SourceStatus},
    store::{PRUNE_GUARD, Suspended},
};
use crate::manifest::Severity;

/// One word for the whole agent: what is still moving first, then what somebody has to look at. `current`: what the
/// sources say has been carried out, and nobody waits for them to look again.
pub(super) fn judge(
    sources: &[SourceStatus],
    apps: &[AppStatus],
    suspended: &Suspended,
    current: bool,
) -> (AgentState, String) {
    let named = |is_so: &dyn Fn(&AppStatus) -> bool| -> Vec<&str> {
        apps.iter().filter(|app| is_so(app)).map(|app| app.name.as_str()).collect()
    };
    let states =
        |wanted: &'static [AppState]| move |app: &AppStatus| app.state.is_some_and(|state| wanted.contains(&state));
    let moves = states(&[AppState::Pending, AppState::Starting, AppState::Draining, AppState::Backoff]);
    let moving = named(&|app| app.updating || moves(app));
    if !current && moving.is_empty() {
        return (AgentState::Reconciling, "the sources are being read".into());
    }
    if !moving.is_empty() {
        return (AgentState::Reconciling, format!("on their way: {}", moving.join(", ")));
    }
    if suspended.since.is_some() {
        let waiting = match suspended.waiting {
            0 => "nothing waits".to_owned(),
            1 => "1 change waits".to_owned(),
            waiting => format!("{waiting} changes wait"),
        };
        return (AgentState::Stalled, format!("suspended, {waiting}; `mcpfleet resume` goes on"));
    }
    let failed = named(&states(&[AppState::Failed, AppState::Degraded]));
    let held = named(&|app| app.conditions.iter().any(|condition| condition.code.as_deref() == Some(PRUNE_GUARD)));
    let errors = sources.iter().flat_map(|s| &s.diagnostics).filter(|d| d.severity == Severity::Error).count();
    let unread: Vec<&str> = sources.iter().filter(|s| s.error.is_some()).map(|s| s.name.as_str()).collect();
    let mut faults = Vec::new();
    for (what, names) in [("failed", failed), ("removal held", held), ("source cannot be read", unread)] {
        if !names.is_empty() {
            faults.push(format!("{what}: {}", names.join(", ")));
        }
    }
    if errors > 0 {
        faults.push(format!("{errors} errors in resource files"));
    }
    if !faults.is_empty() {
        return (AgentState::Stalled, faults.join("; "));
    }
    // What was refused is not wanted: that somebody pushed it keeps nobody else waiting.
    let mut message = match sources.iter().filter_map(|source| source.git.as_ref()).map(|git| git.refused_total).sum() {
        0usize => "what is wanted runs".to_owned(),
        1 => "what is accepted runs; 1 change was refused".to_owned(),
        count => format!("what is accepted runs; {count} changes were refused"),
    };
    if !suspended.apps.is_empty() {
        let names: Vec<&str> = suspended.apps.iter().map(String::as_str).collect();
        message.push_str(&format!("; suspended: {}", names.join(", ")));
    }
    (AgentState::Ready, message)
}
