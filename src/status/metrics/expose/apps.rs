//! Apps: those that this agent runs one by one, all others by their number.

use super::{MAX_APPS, page::Page};
use crate::status::{
    metrics::{families as f, reading::Reading},
    model::{AppState, AppStatus, ConditionKind, InstanceRole},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

const STATES: [(AppState, &str); 9] = [
    (AppState::Pending, "Pending"),
    (AppState::Starting, "Starting"),
    (AppState::Ready, "Ready"),
    (AppState::Degraded, "Degraded"),
    (AppState::Backoff, "Backoff"),
    (AppState::Draining, "Draining"),
    (AppState::Suspended, "Suspended"),
    (AppState::Stopped, "Stopped"),
    (AppState::Failed, "Failed"),
];

pub fn write(page: &mut Page, reading: &Reading) -> fmt::Result {
    let (apps, left_out) = running(&reading.status.apps);
    let mut samples = page.of(&f::APP)?;
    for app in &apps {
        let revision = app.revision.as_deref().unwrap_or_default();
        samples.info([&app.name, &app.source, revision, spec(app), &app.transport])?;
    }
    let mut samples = page.of(&f::APP_STATE)?;
    for app in &apps {
        for (state, word) in STATES {
            samples.gauge([&app.name, word], u64::from(app.state == Some(state)))?;
        }
    }
    each(page, &f::APP_UPDATING, &apps, |app| u64::from(app.updating))?;
    let mut samples = page.of(&f::APP_CONDITION)?;
    for app in &apps {
        let kinds: BTreeSet<ConditionKind> = app.conditions.iter().map(|condition| condition.kind).collect();
        for kind in kinds {
            samples.gauge([&app.name, &kind.to_string()], 1_u64)?;
        }
    }
    each(page, &f::APP_INSTANCES, &apps, |app| app.instances.len() as u64)?;
    each(page, &f::APP_SESSIONS, &apps, |app| app.sessions as u64)?;
    each(page, &f::APP_RESTARTS, &apps, |app| app.restarts.into())?;
    let lives = |app: &AppStatus| reading.apps.get(&app.name).map(|read| read.lives).unwrap_or_default();
    let mut samples = page.of(&f::APP_STARTS)?;
    for app in &apps {
        samples.counter([&app.name], lives(app).started)?;
    }
    let mut samples = page.of(&f::APP_EXITS)?;
    for app in &apps {
        let lives = lives(app);
        samples.counter([&app.name, "true"], lives.ended)?;
        samples.counter([&app.name, "false"], lives.failed)?;
    }
    let mut idle: BTreeMap<String, u64> = BTreeMap::new();
    for app in reading.status.apps.iter().filter(|app| app.state.is_none()) {
        let reason = app.conditions.iter().map(|condition| condition.kind).find(says_why);
        *idle.entry(reason.unwrap_or(ConditionKind::NotSelected).to_string()).or_default() += 1;
    }
    let mut samples = page.of(&f::APPS_IDLE)?;
    for reason in [ConditionKind::NotSelected, ConditionKind::Expired, ConditionKind::Shadowed] {
        let reason = reason.to_string();
        let count = idle.get(&reason).copied().unwrap_or_default();
        samples.gauge([&reason], count)?;
    }
    page.one(&f::APPS_LEFT_OUT, left_out as u64)
}

/// The apps that run, each once, and how many are left out.
fn running(all: &[AppStatus]) -> (Vec<&AppStatus>, usize) {
    let mut names = BTreeSet::new();
    let mut apps: Vec<_> = all.iter().filter(|app| app.state.is_some() && names.insert(&app.name)).collect();
    let left_out = apps.len().saturating_sub(MAX_APPS);
    apps.truncate(MAX_APPS);
    (apps, left_out)
}

/// Whether a condition is a reason for which an app does not run.
fn says_why(kind: &ConditionKind) -> bool {
    matches!(kind, ConditionKind::NotSelected | ConditionKind::Expired | ConditionKind::Shadowed)
}

/// First digits of the digest of the spec that serves.
fn spec(app: &AppStatus) -> &str {
    let serving = app.instances.iter().filter(|instance| !instance.draining);
    let first = serving.min_by_key(|instance| instance.role != InstanceRole::Primary);
    first.map_or("", |instance| &instance.spec)
}

fn each(
    page: &mut Page,
    family: &'static f::Family,
    apps: &[&AppStatus],
    value: impl Fn(&AppStatus) -> u64,
) -> fmt::Result {
    let mut samples = page.of(family)?;
    apps.iter().try_for_each(|app| samples.gauge([&app.name], value(app)))
}
