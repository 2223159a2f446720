use super::*;
use crate::{
    instance::{journal::Lives, traffic::Traffic},
    protocol::Era,
    status::{
        metrics::{
            families,
            format::classic,
            reading::{AppReading, Process, Runtime, SourceReading},
        },
        model::{
            AgentState, AgentStatus, AppCondition, AppState, AppStatus, AuditStatus, ConditionKind, SourceStatus,
            Status, audit::Outcome,
        },
    },
};
use jiff::Timestamp;
use std::{collections::BTreeSet, time::Duration};

fn source(name: &str) -> SourceStatus {
    SourceStatus {
        name: name.into(),
        kind: "git".into(),
        location: "https://git.example.com/fleet.git".into(),
        watch: "poll".into(),
        watch_problem: None,
        revision: Some("a".repeat(40)),
        last_read: Some(Timestamp::from_millisecond(1_500).unwrap()),
        files: 3,
        resources: 2,
        error: None,
        diagnostics: Vec::new(),
        git: None,
    }
}

fn app(name: &str, state: Option<AppState>) -> AppStatus {
    AppStatus { state, ..AppStatus::bare(name, String::new()) }
}

fn reading(apps: Vec<AppStatus>) -> Reading {
    let agent = AgentStatus {
        version: "1.2.3".into(),
        principal: None,
        pid: None,
        started: None,
        gateway: String::new(),
        auth: "open".into(),
        state: AgentState::Ready,
        message: String::new(),
        suspended: None,
        suspended_apps: Vec::new(),
        audit: AuditStatus::default(),
        tls: None,
        notifications: Vec::new(),
    };
    Reading {
        status: Status { agent, sources: vec![source("fleet")], apps },
        ready: true,
        waiting: 0,
        held: 1,
        sources: [("fleet".to_owned(), SourceReading { looks: 7, behind: Some(2), ..SourceReading::default() })].into(),
        apps: Default::default(),
        traffic: Vec::new(),
        rounds: Default::default(),
        events: [("started", 4)].into(),
        turned_away: Default::default(),
        calls: vec![(None, "refused", 9)],
        sessions: 3,
        queued: 0,
        spans: Default::default(),
        runtime: Runtime::default(),
        process: Process::default(),
    }
}

/// The samples, without the comments.
fn samples(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

#[test]
fn every_metric_is_described_once_with_its_labels() {
    let text = text(reading(vec![app("a", Some(AppState::Ready))]));
    let types: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    assert_eq!(types.len(), families::ALL.len(), "{types:#?}");
    let classic = classic(&text);
    for family in families::ALL {
        let help = format!("# HELP {} {}\n", family.name(), family.help);
        assert!(classic.contains(&help), "{help}");
    }
    assert!(text.ends_with("# EOF\n") && !classic.contains("# EOF") && !classic.contains("# UNIT"));
    assert_eq!(samples(&text), samples(&classic));
}

#[test]
fn samples_say_what_the_reading_does() {
    let mut reading = reading(vec![app("a", Some(AppState::Backoff)), app("b", None)]);
    let traffic = std::sync::Arc::new(Traffic::default());
    traffic.add(Era::Modern, Outcome::Ok, Some(Duration::from_millis(30)));
    traffic.add(Era::Modern, Outcome::Denied, None);
    let read = AppReading { lives: Lives { started: 5, ended: 1, failed: 3 }, traffic: traffic.read() };
    reading.apps.insert("a".into(), read);
    let condition = |kind| AppCondition { kind, code: None, message: "x".into() };
    // Two of a kind are one sample: with two of the same labels all of it would be thrown away.
    reading.status.apps[0].conditions = vec![condition(ConditionKind::Held), condition(ConditionKind::Held)];
    let text = text(reading);
    for line in [
        "mcpfleet_build_info{version=\"1.2.3\"} 1",
        "mcpfleet_agent_state{state=\"Ready\"} 1",
        "mcpfleet_agent_state{state=\"Stalled\"} 0",
        "mcpfleet_removals_held 1",
        "mcpfleet_events_total{kind=\"started\"} 4",
        "mcpfleet_source_last_success_timestamp_seconds{source=\"fleet\"} 1.5",
        "mcpfleet_source_looks_total{source=\"fleet\"} 7",
        "mcpfleet_source_behind_commits{source=\"fleet\"} 2",
        "mcpfleet_app_state{app=\"a\",state=\"Backoff\"} 1",
        "mcpfleet_app_state{app=\"a\",state=\"Ready\"} 0",
        "mcpfleet_app_condition{app=\"a\",condition=\"Held\"} 1",
        "mcpfleet_app_exits_total{app=\"a\",expected=\"false\"} 3",
        "mcpfleet_idle_definitions{reason=\"NotSelected\"} 1",
        "mcpfleet_gateway_requests_total{app=\"a\",era=\"modern\",outcome=\"denied\"} 1",
        "mcpfleet_gateway_request_duration_seconds_count{app=\"a\",era=\"modern\"} 1",
        "mcpfleet_gateway_request_duration_seconds_bucket{le=\"0.1\",app=\"a\",era=\"modern\"} 1",
        "mcpfleet_gateway_request_duration_seconds_bucket{le=\"0.025\",app=\"a\",era=\"modern\"} 0",
        "mcpfleet_webhook_calls_total{webhook=\"(none)\",outcome=\"refused\"} 9",
        "mcpfleet_gateway_sessions 3",
    ] {
        assert!(text.lines().any(|written| written == line), "{line} in\n{text}");
    }
    assert!(!text.contains("app=\"b\""), "what does not run is counted, not listed");
    let all = samples(&text);
    let names: BTreeSet<_> = all.iter().filter_map(|line| line.rsplit_once(' ')).map(|(name, _)| name).collect();
    assert_eq!(names.len(), all.len(), "no sample is there twice");
}

#[test]
fn names_inject_nothing() {
    let evil = "x\"} 1\nmcpfleet_agent_ready 0\n# EOF\\";
    let mut reading = reading(vec![app(evil, Some(AppState::Ready)), app(evil, Some(AppState::Ready))]);
    reading.status.sources[0].location = evil.into();
    let text = text(reading);
    assert_eq!(text.lines().filter(|line| line.starts_with("mcpfleet_agent_ready")).count(), 1);
    assert_eq!(text.lines().filter(|line| line.starts_with("# EOF")).count(), 1);
    assert!(text.contains(r#"mcpfleet_app_sessions{app="x\"} 1\nmcpfleet_agent_ready 0\n# EOF\\"} 0"#), "{text}");
}

#[test]
fn only_so_many_apps_are_listed() {
    let apps = (0..MAX_APPS + 3).map(|number| app(&format!("a{number}"), Some(AppState::Ready)));
    let text = text(reading(apps.collect()));
    assert_eq!(text.lines().filter(|line| line.starts_with("mcpfleet_app_info{")).count(), MAX_APPS);
    assert!(text.lines().any(|line| line == "mcpfleet_metrics_left_out_apps 3"));
}
