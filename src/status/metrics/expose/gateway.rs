//! What clients ask of the gateway, what is called from outside, and the audit.

use super::{
    MAX_APPS,
    page::{Page, seconds},
};
use crate::{
    instance::traffic::EraTraffic,
    status::metrics::{families as f, reading::Reading},
};
use std::fmt;

/// In the place of an app's name, which has no parentheses.
const ALL: &str = "(all)";
const NONE: &str = "(none)";

pub fn write(page: &mut Page, reading: &Reading) -> fmt::Result {
    let each = || {
        let apps = reading.apps.iter().take(MAX_APPS).map(|(name, app)| (name.as_str(), &app.traffic));
        let traffic = apps.chain([(ALL, &reading.traffic)]);
        traffic.flat_map(|(name, eras)| eras.iter().map(move |era| (name, era)))
    };
    let mut samples = page.of(&f::REQUESTS)?;
    for (app, EraTraffic { era, outcomes, .. }) in each() {
        for (outcome, count) in outcomes {
            samples.counter([app, &era.to_string(), outcome.word()], *count)?;
        }
    }
    let mut samples = page.of(&f::REQUEST_DURATION)?;
    for (app, EraTraffic { era, durations, .. }) in each() {
        samples.histogram([app, &era.to_string()], durations)?;
    }
    let mut samples = page.of(&f::TURNED_AWAY)?;
    for (code, count) in &reading.turned_away {
        samples.counter([*code], *count)?;
    }
    page.one(&f::SESSIONS, reading.sessions as u64)?;
    let agent = &reading.status.agent;
    page.maybe(&f::CERTIFICATE, agent.tls.as_ref().and_then(|tls| tls.expires).map(seconds))?;
    let mut samples = page.of(&f::WEBHOOKS)?;
    for (webhook, outcome, count) in &reading.calls {
        samples.counter([webhook.as_deref().unwrap_or(NONE), outcome], *count)?;
    }
    page.of(&f::AUDIT_WRITTEN)?.counter([], agent.audit.written)?;
    page.of(&f::AUDIT_DROPPED)?.counter([], agent.audit.dropped)?;
    page.one(&f::AUDIT_QUEUE, reading.queued as u64)?;
    page.one(&f::AUDIT_UP, u64::from(agent.audit.problem.is_none()))
}
