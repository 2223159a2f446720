//! The metrics that there are: names, units, labels and what each is for. Pure.
//!
//! Names and units follow OpenMetrics 1.0: base units, `_total` of counters, `_info` of what is always 1. Labels are words
//! of the program's own, or names from the configuration and from git; what a client chose is never one.

use prometheus_client::{metrics::MetricType, registry::Unit};

/// One metric.
#[derive(Debug)]
pub struct Family {
    /// Without the unit and without what its type appends.
    name: &'static str,
    pub kind: MetricType,
    pub unit: Option<Unit>,
    pub labels: &'static [&'static str],
    /// What it is, for people.
    pub help: &'static str,
}

impl Family {
    /// Without unit and suffix.
    pub(super) fn stem(&self) -> &'static str {
        self.name
    }

    /// As queries have it; of a histogram without `_bucket`, `_sum` and `_count`.
    pub fn name(&self) -> String {
        let unit = self.unit.as_ref().map(|unit| format!("_{}", unit.as_str())).unwrap_or_default();
        let suffix = match self.kind {
            MetricType::Counter => "_total",
            MetricType::Info => "_info",
            MetricType::Gauge | MetricType::Histogram | MetricType::Unknown => "",
        };
        format!("{}{unit}{suffix}", self.name)
    }
}

macro_rules! families {
    ($($family:ident = $kind:ident $name:literal $([$unit:ident])? {$($label:literal),*} $help:literal;)*) => {
        $(pub(super) static $family: Family = Family {
            name: $name,
            kind: MetricType::$kind,
            unit: families!(@unit $($unit)?),
            labels: &[$($label),*],
            help: $help,
        };)*

        /// All metrics, in the order in which they are shown.
        pub static ALL: &[&Family] = &[$(&$family),*];
    };
    (@unit) => { None };
    (@unit $unit:ident) => { Some(Unit::$unit) };
}

families! {
    // The agent.
    BUILD = Info "mcpfleet_build" {"version"} "The version of the agent";
    AGENT_STATE = Gauge "mcpfleet_agent_state" {"state"} "Whether the agent is in this state (Ready, Reconciling, Stalled): 1 of one of them";
    AGENT_READY = Gauge "mcpfleet_agent_ready" {} "Whether clients may be sent here, as /readyz has it";
    AGENT_SUSPENDED = Gauge "mcpfleet_agent_suspended" {} "Whether somebody has suspended the agent, so that nothing new is applied";
    AGENT_WAITING = Gauge "mcpfleet_agent_waiting_actions" {} "Actions that wait for the agent to be resumed";
    SUSPENDED_APPS = Gauge "mcpfleet_suspended_apps" {} "Apps that somebody has suspended, there or not";
    REMOVALS_HELD = Gauge "mcpfleet_removals_held" {} "Removals of apps that the prune guard holds";
    RECONCILE = Histogram "mcpfleet_reconcile_duration" [Seconds] {} "How long it took to decide what is to run and to tell the servers, each time something was new";
    EVENTS = Counter "mcpfleet_events" {"kind"} "Events since the agent started, by kind as in `mcpfleet events`";

    // Sources.
    SOURCE = Info "mcpfleet_source" {"source", "kind", "location", "follows", "mode", "accepted", "seen"} "A source: what it follows, the revision that is in force and the one that was there at the last look";
    SOURCE_UP = Gauge "mcpfleet_source_up" {"source"} "Whether the last look at the source went well";
    SOURCE_PROBLEM = Gauge "mcpfleet_source_problem" {"source", "code"} "1 while something is the matter with the source, by the code that the status has";
    SOURCE_LOOKS = Counter "mcpfleet_source_looks" {"source"} "Looks at the source, well or not";
    SOURCE_FAILURES = Counter "mcpfleet_source_look_failures" {"source"} "Looks that found no way to the source";
    SOURCE_READ = Gauge "mcpfleet_source_last_success_timestamp" [Seconds] {"source"} "When the source was last read, or asked for news, with success";
    SOURCE_SEEN_TIME = Gauge "mcpfleet_source_seen_commit_timestamp" [Seconds] {"source"} "When the newest commit that was seen says it was made";
    SOURCE_ACCEPTED_TIME = Gauge "mcpfleet_source_accepted_commit_timestamp" [Seconds] {"source"} "When the commit that is in force says it was made";
    SOURCE_BEHIND = Gauge "mcpfleet_source_behind_commits" {"source"} "Commits that were seen and are not in force, at most 1000; absent where the history was rewritten";
    SOURCE_REFUSED = Gauge "mcpfleet_source_refused_changes" {"source"} "Changes that take no effect because they were refused; in audit mode, that would take none";
    SOURCE_FILES = Gauge "mcpfleet_source_files" {"source"} "Files that were read";
    SOURCE_RESOURCES = Gauge "mcpfleet_source_resources" {"source"} "Resources that the source has";
    SOURCE_DIAGNOSTICS = Gauge "mcpfleet_source_diagnostics" {"source", "severity"} "Mistakes in the files of the source";

    // Apps.
    APP = Info "mcpfleet_app" {"app", "source", "revision", "spec", "transport"} "An app that this agent runs: the revision that made it what it is, and the first digits of the digest of the spec that serves";
    APP_STATE = Gauge "mcpfleet_app_state" {"app", "state"} "Whether the app is in this state: 1 of one of them";
    APP_UPDATING = Gauge "mcpfleet_app_updating" {"app"} "Whether the newest definition is not in force yet";
    APP_CONDITION = Gauge "mcpfleet_app_condition" {"app", "condition"} "1 while the definition of the app is remarkable: Invalid, Held, Shadowed, ToolsChanged and so on";
    APP_INSTANCES = Gauge "mcpfleet_app_instances" {"app"} "Processes of the app, or connections to a remote one";
    APP_SESSIONS = Gauge "mcpfleet_app_sessions" {"app"} "Sessions of clients with the app";
    APP_RESTARTS = Gauge "mcpfleet_app_restarts" {"app"} "Starts of the present version after its first";
    APP_STARTS = Counter "mcpfleet_app_starts" {"app"} "Processes of the app that were started";
    APP_EXITS = Counter "mcpfleet_app_exits" {"app", "expected"} "Processes of the app that have ended, as they were told to (true) or not (false)";
    APPS_IDLE = Gauge "mcpfleet_idle_definitions" {"reason"} "Definitions that are known and not run: not selected, expired, or behind another of the same name";
    APPS_LEFT_OUT = Gauge "mcpfleet_metrics_left_out_apps" {} "Apps of which nothing is exported because there are too many";

    // The gateway.
    REQUESTS = Counter "mcpfleet_gateway_requests" {"app", "era", "outcome"} "Requests of clients that have come to an end; the app is `(all)` for the endpoint of all apps";
    REQUEST_DURATION = Histogram "mcpfleet_gateway_request_duration" [Seconds] {"app", "era"} "From the arrival of a request to its answer, of those that were let through; streams until their end";
    TURNED_AWAY = Counter "mcpfleet_gateway_refused_requests" {"code"} "HTTP requests that were refused before they were a message to an app, by the code of the answer";
    SESSIONS = Gauge "mcpfleet_gateway_sessions" {} "Sessions of clients";
    CERTIFICATE = Gauge "mcpfleet_gateway_certificate_expiry_timestamp" [Seconds] {} "Until when the certificate that the gateway shows is good; absent without TLS";
    WEBHOOKS = Counter "mcpfleet_webhook_calls" {"webhook", "outcome"} "Calls of webhooks, taken or refused; the webhook is `(none)` for names that are no webhook's";

    // What is told to others.
    NOTIFICATIONS = Counter "mcpfleet_notification_messages" {"notification", "outcome"} "Messages of notifications: delivered, or dropped because nobody will get them";
    NOTIFICATIONS_WAITING = Gauge "mcpfleet_notification_waiting_messages" {"notification"} "Messages that wait to be sent";
    NOTIFICATION_UP = Gauge "mcpfleet_notification_up" {"notification"} "Whether messages get through, as far as is known";
    SPANS = Counter "mcpfleet_trace_spans" {"outcome"} "Spans: sent to the collector, dropped because there was no room, or failed because it has not taken them";

    // The audit.
    AUDIT_WRITTEN = Counter "mcpfleet_audit_written_records" {} "Records that were written to the audit's file";
    AUDIT_DROPPED = Counter "mcpfleet_audit_dropped_records" {} "Records that are nowhere, because they came faster than they could be written";
    AUDIT_QUEUE = Gauge "mcpfleet_audit_queued_records" {} "Records that wait to be written";
    AUDIT_UP = Gauge "mcpfleet_audit_up" {} "Whether the audit is written as it should be";

    // The process, by the names that all programs use for it.
    TASKS = Gauge "mcpfleet_runtime_tasks" {} "Tasks that are alive";
    QUEUE = Gauge "mcpfleet_runtime_queued_tasks" {} "Tasks that wait for a worker and are nobody's yet";
    WORKERS = Gauge "mcpfleet_runtime_workers" {} "Threads that run tasks";
    CPU = Counter "process_cpu" [Seconds] {} "CPU time of the agent itself, in user and system mode";
    RSS = Gauge "process_resident_memory" [Bytes] {} "Memory of the agent itself that is in RAM";
    VIRTUAL = Gauge "process_virtual_memory" [Bytes] {} "Address space of the agent itself";
    OPEN_FILES = Gauge "process_open_fds" {} "Files that the agent itself has open";
    MAX_FILES = Gauge "process_max_fds" {} "Files that it may have open";
    THREADS = Gauge "process_threads" {} "Threads of the agent itself";
    STARTED = Gauge "process_start_time" [Seconds] {} "When the agent started";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_follow_the_rules() {
        let names: BTreeSet<String> = ALL.iter().map(|family| family.name()).collect();
        assert_eq!(names.len(), ALL.len());
        for family in ALL {
            let name = family.name();
            assert!(name.starts_with("mcpfleet_") || name.starts_with("process_"), "{name}");
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            let reserved = ["_total", "_info", "_bucket", "_sum", "_count", "_created"];
            assert!(!reserved.iter().any(|suffix| family.stem().ends_with(suffix)), "{name}: its type appends that");
            for unit in ["milliseconds", "kilobytes", "minutes"] {
                assert!(!name.contains(unit), "{name} is not in base units");
            }
            assert!(!family.help.contains(['\n', '\\']) && !family.help.ends_with('.'), "{name}: {}", family.help);
        }
    }
}
