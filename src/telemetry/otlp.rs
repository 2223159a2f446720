//! Starts and ends the collection of spans.

use super::{
    Otlp,
    collector::Collector,
    export::{Exporter, Tally},
    resource::{Surroundings, attributes},
    span,
};
use opentelemetry::{InstrumentationScope, KeyValue, trace::TracerProvider as _};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider, SpanLimits},
};
use std::{
    path::Path,
    sync::{Arc, OnceLock, atomic::Ordering::Relaxed},
    time::Duration,
};

/// How long the end of the agent waits for what has not been sent.
const FLUSH: Duration = Duration::from_secs(3);

static TALLY: OnceLock<Arc<Tally>> = OnceLock::new();

/// What has become of the spans of this agent, as counts that only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The collector has them.
    pub sent: u64,
    /// There was no room in the queue.
    pub dropped: u64,
    /// The collector has not taken them.
    pub failed: u64,
}

/// The counts; `None` where no spans are collected.
pub fn counts() -> Option<Counts> {
    let tally = TALLY.get()?;
    let [sent, dropped, failed] = [&tally.sent, &tally.dropped, &tally.failed].map(|count| count.load(Relaxed));
    Some(Counts { sent, dropped, failed })
}

/// Spans are collected for as long as this is kept; what waits when it is dropped is sent, within a few seconds.
#[derive(Debug)]
#[must_use]
pub struct Traces(SdkTracerProvider);

/// Begins to collect spans, once in the life of a process.
///
/// # Errors
/// What is missing for that, for people.
pub fn start(settings: &Otlp) -> Result<Traces, String> {
    let collector = Collector::new(settings).map_err(|why| format!("telemetry.otlp: {why}"))?;
    let around = Surroundings {
        service_name: std::env::var("OTEL_SERVICE_NAME").ok(),
        attributes: std::env::var("OTEL_RESOURCE_ATTRIBUTES").ok(),
        host: std::fs::read_to_string(Path::new("/proc/sys/kernel/hostname")).ok().map(|name| name.trim().to_owned()),
        instance: random_id(),
    };
    let resource = attributes(settings, &around).into_iter().map(|(key, value)| KeyValue::new(key, value));
    let resource = Resource::builder_empty().with_attributes(resource).build();
    let tally = TALLY.get_or_init(Arc::default).clone();
    let exporter = Exporter::start(collector, &resource, settings.queue, tally)
        .map_err(|error| format!("telemetry.otlp: there cannot be a thread for it: {error}"))?;
    // Everything is given here, so that nothing of it is taken from the environment.
    let provider = SdkTracerProvider::builder()
        .with_resource(resource)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sample))))
        .with_span_limits(SpanLimits::default())
        .with_span_processor(exporter)
        .build();
    let scope = InstrumentationScope::builder("mcpfleet").with_version(env!("CARGO_PKG_VERSION")).build();
    span::collect(provider.tracer_with_scope(scope));
    Ok(Traces(provider))
}

impl Drop for Traces {
    fn drop(&mut self) {
        if self.0.shutdown_with_timeout(FLUSH).is_err() {
            tracing::warn!("the collector has not taken the last spans in time");
        }
    }
}

fn random_id() -> Option<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).ok()?;
    Some(random.iter().map(|byte| format!("{byte:02x}")).collect())
}
