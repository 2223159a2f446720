//! `telemetry.otlp`.

use crate::resource::quantity;
use serde::{Serialize, Serializer};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// Where traces are sent, and how.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Otlp {
    /// Of a collector that speaks OTLP over HTTP, without a trailing `/`: spans are posted to `/v1/traces` below it.
    pub endpoint: String,
    /// What is sent with each request, by name: the files with the values, which are read anew for each request.
    pub headers: BTreeMap<String, PathBuf>,
    /// Certificates in PEM that may sign the collector's. `None`: those that this machine has.
    pub ca_file: Option<PathBuf>,
    /// What part of the traces that begin here is sent. Those that began elsewhere are as whoever began them has decided.
    pub sample: f64,
    /// Of a request.
    #[serde(serialize_with = "duration")]
    pub timeout: Duration,
    /// The most spans that wait to be sent. What comes on top is dropped, and counted.
    pub queue: usize,
    /// `None`: what the environment says (`OTEL_SERVICE_NAME`), else `mcpfleet`.
    pub service_name: Option<String>,
    /// What else is said of this agent. `OTEL_RESOURCE_ATTRIBUTES` adds to it.
    pub attributes: BTreeMap<String, String>,
}

impl Otlp {
    /// All defaults.
    pub fn new(endpoint: String) -> Otlp {
        Otlp {
            endpoint,
            headers: BTreeMap::new(),
            ca_file: None,
            sample: 1.0,
            timeout: Duration::from_secs(10),
            queue: 4096,
            service_name: None,
            attributes: BTreeMap::new(),
        }
    }
}

fn duration<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&quantity::format_duration(*value))
}
