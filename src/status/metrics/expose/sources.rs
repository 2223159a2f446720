//! Sources: what they are, how they are, and how far what is in force is from what they have.

use super::page::{Page, seconds};
use crate::{
    manifest::Severity,
    status::{
        metrics::{families as f, reading::Reading},
        model::SourceStatus,
    },
};
use std::fmt;

pub fn write(page: &mut Page, reading: &Reading) -> fmt::Result {
    let sources = &reading.status.sources;
    let mut samples = page.of(&f::SOURCE)?;
    for source in sources {
        let git = source.git.as_ref();
        let seen = git.and_then(|git| git.seen.as_deref()).unwrap_or_default();
        samples.info([
            &source.name,
            &source.kind,
            &source.location,
            git.map_or("", |git| &git.follows),
            git.map_or("", |git| &git.mode),
            source.revision.as_deref().unwrap_or_default(),
            seen,
        ])?;
    }
    let mut samples = page.of(&f::SOURCE_UP)?;
    for source in sources {
        let up = source.last_read.is_some() && source.error.is_none();
        samples.gauge([&source.name], u64::from(up))?;
    }
    let mut samples = page.of(&f::SOURCE_PROBLEM)?;
    for source in sources {
        if let Some(code) = source.error.as_ref().and_then(|error| error.code.as_deref()) {
            samples.gauge([&source.name, code], 1_u64)?;
        }
    }
    let mut samples = page.of(&f::SOURCE_LOOKS)?;
    for (name, source) in &reading.sources {
        samples.counter([name], source.looks)?;
    }
    let mut samples = page.of(&f::SOURCE_FAILURES)?;
    for (name, source) in &reading.sources {
        samples.counter([name], source.failures)?;
    }
    let newest = |source: &SourceStatus| source.git.as_ref()?.newest.map(seconds);
    each(page, &f::SOURCE_READ, sources, |source| source.last_read.map(seconds))?;
    each(page, &f::SOURCE_SEEN_TIME, sources, newest)?;
    let mut samples = page.of(&f::SOURCE_ACCEPTED_TIME)?;
    for (name, source) in &reading.sources {
        if let Some(time) = source.accepted_time {
            samples.gauge([name], seconds(time))?;
        }
    }
    let mut samples = page.of(&f::SOURCE_BEHIND)?;
    for (name, source) in &reading.sources {
        if let Some(behind) = source.behind {
            samples.gauge([name], behind as u64)?;
        }
    }
    each(page, &f::SOURCE_REFUSED, sources, |source| Some(source.git.as_ref()?.refused_total as f64))?;
    each(page, &f::SOURCE_FILES, sources, |source| Some(source.files as f64))?;
    each(page, &f::SOURCE_RESOURCES, sources, |source| Some(source.resources as f64))?;
    let mut samples = page.of(&f::SOURCE_DIAGNOSTICS)?;
    for source in sources {
        for (severity, word) in [(Severity::Error, "error"), (Severity::Warning, "warning")] {
            let count = source.diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
            samples.gauge([&source.name, word], count as u64)?;
        }
    }
    Ok(())
}

fn each(
    page: &mut Page,
    family: &'static f::Family,
    sources: &[SourceStatus],
    value: impl Fn(&SourceStatus) -> Option<f64>,
) -> fmt::Result {
    let mut samples = page.of(family)?;
    for source in sources {
        if let Some(value) = value(source) {
            samples.gauge([&source.name], value)?;
        }
    }
    Ok(())
}
