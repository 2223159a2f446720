//! What metrics are made from, at one moment. Pure.

use crate::{
    instance::{journal::Lives, traffic::EraTraffic},
    measure::Distribution,
    status::model::Status,
    telemetry::Counts,
};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// All that is known of an agent at one moment.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What operators see: the metrics say nothing else.
    pub status: Status,
    pub ready: bool,
    /// Actions that wait for the agent to be resumed.
    pub waiting: usize,
    pub held: usize,
    pub sources: BTreeMap<String, SourceReading>,
    pub apps: BTreeMap<String, AppReading>,
    /// Of no app in particular.
    pub traffic: Vec<EraTraffic>,
    pub rounds: Distribution,
    /// By kind.
    pub events: BTreeMap<&'static str, u64>,
    /// By the code of the refusal.
    pub turned_away: BTreeMap<&'static str, u64>,
    /// Webhook, what came of it, and how often.
    pub calls: Vec<(Option<String>, &'static str, u64)>,
    pub sessions: usize,
    /// Records of the audit that wait to be written.
    pub queued: usize,
    /// All 0 where no spans are collected.
    pub spans: Counts,
    pub runtime: Runtime,
    pub process: Process,
}

/// What the status does not say of a source.
#[derive(Clone, Debug, Default)]
pub struct SourceReading {
    pub looks: u64,
    pub failures: u64,
    pub accepted_time: Option<Timestamp>,
    pub behind: Option<usize>,
}

/// What the status does not say of an app that runs.
#[derive(Clone, Debug, Default)]
pub struct AppReading {
    pub lives: Lives,
    pub traffic: Vec<EraTraffic>,
}

/// The tasks of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Runtime {
    pub tasks: usize,
    pub queued: usize,
    pub workers: usize,
}

/// This process, as the kernel sees it; what cannot be found out is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Process {
    pub cpu_seconds: Option<f64>,
    pub resident_bytes: Option<u64>,
    pub virtual_bytes: Option<u64>,
    pub open_files: Option<u64>,
    pub max_files: Option<u64>,
    pub threads: Option<u64>,
}
