//! The agent as a whole, and its process.

use super::page::{Page, seconds};
use crate::{
    status::{
        metrics::{families as f, reading::Reading},
        model::AgentState,
    },
    telemetry::Counts,
};
use std::fmt;

pub fn write(page: &mut Page, reading: &Reading) -> fmt::Result {
    let agent = &reading.status.agent;
    page.of(&f::BUILD)?.info([&agent.version])?;
    let mut states = page.of(&f::AGENT_STATE)?;
    for (state, word) in
        [(AgentState::Ready, "Ready"), (AgentState::Reconciling, "Reconciling"), (AgentState::Stalled, "Stalled")]
    {
        states.gauge([word], u64::from(agent.state == state))?;
    }
    page.one(&f::AGENT_READY, u64::from(reading.ready))?;
    page.one(&f::AGENT_SUSPENDED, u64::from(agent.suspended.is_some()))?;
    page.one(&f::AGENT_WAITING, reading.waiting as u64)?;
    page.one(&f::SUSPENDED_APPS, agent.suspended_apps.len() as u64)?;
    page.one(&f::REMOVALS_HELD, reading.held as u64)?;
    page.of(&f::RECONCILE)?.histogram([], &reading.rounds)?;
    let mut events = page.of(&f::EVENTS)?;
    reading.events.iter().try_for_each(|(kind, count)| events.counter([*kind], *count))
}

/// What others are told, and whether they get it.
pub fn write_told(page: &mut Page, reading: &Reading) -> fmt::Result {
    let notifications = &reading.status.agent.notifications;
    let mut messages = page.of(&f::NOTIFICATIONS)?;
    for told in notifications {
        messages.counter([&told.name, "delivered"], told.delivered)?;
        messages.counter([&told.name, "dropped"], told.dropped)?;
    }
    let mut waiting = page.of(&f::NOTIFICATIONS_WAITING)?;
    notifications.iter().try_for_each(|told| waiting.gauge([&told.name], told.waiting as u64))?;
    let mut up = page.of(&f::NOTIFICATION_UP)?;
    notifications.iter().try_for_each(|told| up.gauge([&told.name], u64::from(told.problem.is_none())))?;
    let mut spans = page.of(&f::SPANS)?;
    let Counts { sent, dropped, failed } = reading.spans;
    [("sent", sent), ("dropped", dropped), ("failed", failed)]
        .iter()
        .try_for_each(|(outcome, count)| spans.counter([*outcome], *count))
}

pub fn write_process(page: &mut Page, reading: &Reading) -> fmt::Result {
    let Reading { runtime, process, status, .. } = reading;
    page.one(&f::TASKS, runtime.tasks as u64)?;
    page.one(&f::QUEUE, runtime.queued as u64)?;
    page.one(&f::WORKERS, runtime.workers as u64)?;
    let mut cpu = page.of(&f::CPU)?;
    if let Some(seconds) = process.cpu_seconds {
        cpu.counter([], seconds)?;
    }
    page.maybe(&f::RSS, process.resident_bytes)?;
    page.maybe(&f::VIRTUAL, process.virtual_bytes)?;
    page.maybe(&f::OPEN_FILES, process.open_files)?;
    page.maybe(&f::MAX_FILES, process.max_files)?;
    page.maybe(&f::THREADS, process.threads)?;
    page.maybe(&f::STARTED, status.agent.started.map(seconds))
}
