//! From a reading to text in the format of OpenMetrics. Pure.

mod agent;
mod apps;
mod gateway;
mod page;
mod sources;

use super::reading::Reading;
use page::Page;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, text::encode},
    registry::Registry,
};
use std::fmt;

/// The apps of which something is exported.
const MAX_APPS: usize = 10_000;

/// All metrics of a reading.
pub(super) fn text(reading: Reading) -> String {
    // Most of it is a line of some 80 bytes for each state that an app could be in.
    let mut text = String::with_capacity(16_384 + 1_536 * reading.status.apps.len().min(MAX_APPS));
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Written(reading)));
    // Writing to memory does not fail.
    let _ = encode(&mut text, &registry);
    text
}

#[derive(Debug)]
struct Written(Reading);

impl Collector for Written {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let (page, reading) = (&mut Page::new(encoder), &self.0);
        agent::write(page, reading)?;
        sources::write(page, reading)?;
        apps::write(page, reading)?;
        gateway::write(page, reading)?;
        agent::write_told(page, reading)?;
        agent::write_process(page, reading)
    }
}

#[cfg(test)]
mod tests;
