//! What the agent tells of its own work: a log on stderr, and traces for an OpenTelemetry collector.
//!
//! Spans are made by [`span`] wherever something takes time that somebody may ask about, and cost one look at a flag as
//! long as nobody collects them ([`start`] has not been called). What has ended waits in a bounded queue for a thread of
//! its own that sends it; a collector that is slow, broken or gone costs spans, which are counted, and
//! nothing else.

mod collector;
mod export;
mod log;
mod otlp;
mod resource;
mod seldom;
mod settings;
pub mod span;

pub use log::{LogFormat, init};
pub use otlp::{Counts, Traces, counts, start};
pub use seldom::Seldom;
pub use settings::Otlp;
