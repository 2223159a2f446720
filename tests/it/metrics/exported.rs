//! What a real agent exports is what is said that it does.

use super::{
    exposition::Exposition,
    server::promtool,
    stage::{Stage, get, scrape},
};
use crate::support::eventually;
use mcpfleet::status::metrics::families;
use serde_json::json;
use std::collections::BTreeSet;

/// Does what is counted only when it happens.
async fn use_everything(stage: &Stage, agent: &crate::lifecycle::world::Agent<'_>, admin: &str) {
    agent.call("a", "echo", json!({"text": "x"})).await.expect("an answer");
    let http = reqwest::Client::new();
    let hooks = stage.address("webhooks are served").await;
    for token in ["a secret of some length", "another"] {
        http.post(format!("http://{hooks}/hooks/forge"))
            .header("x-gitlab-token", token)
            .send()
            .await
            .expect("an answer");
    }
    // The gateway speaks TLS, which this does not: it is asked on the control socket, where nobody is refused by their
    // token but by their path.
    let unknown = agent.call("nobody-has-this", "echo", json!({})).await;
    assert!(unknown.is_err(), "{unknown:?}");
    let ready = http.get(format!("http://{admin}/readyz")).send().await.expect("an answer");
    assert_eq!(ready.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_has_samples_with_its_labels_and_no_other_is_there() {
    let stage = Stage::new();
    let agent = stage.run().await;
    let admin = stage.admin().await;
    use_everything(&stage, &agent, &admin).await;

    // The records of the audit are written after a moment.
    let read = eventually("records that are written", async || {
        let read = scrape(&admin).await;
        read.value("mcpfleet_audit_written_records_total", &[]).is_some_and(|count| count > 0.0).then_some(read)
    })
    .await;
    let mut wrong = BTreeSet::new();
    for family in families::ALL {
        let name = family.name();
        if read.help.get(&name).is_none_or(|help| help != family.help) {
            wrong.insert(format!("{name}: another help"));
        }
        let mut samples = read.samples.iter().filter(|sample| read.family(&sample.name) == Some(&name)).peekable();
        if samples.peek().is_none() {
            wrong.insert(format!("{name}: no sample"));
        }
        for sample in samples {
            let labels: BTreeSet<_> = sample.labels.keys().map(String::as_str).filter(|label| *label != "le").collect();
            if labels != family.labels.iter().copied().collect() {
                wrong.insert(format!("{name}: the labels {labels:?}"));
            }
        }
    }
    let known: BTreeSet<String> = families::ALL.iter().map(|family| family.name()).collect();
    wrong.extend(read.types.keys().filter(|name| !known.contains(*name)).map(|name| format!("{name}: unknown")));
    assert!(wrong.is_empty(), "{wrong:#?}");

    let head = stage.head.to_string();
    let revision = |app: &str| {
        let of =
            |sample: &&super::exposition::Sample| sample.name == "mcpfleet_app_info" && sample.labels["app"] == app;
        read.samples.iter().find(of).map(|sample| sample.labels["revision"].clone())
    };
    assert_ne!(revision("b"), Some(head.clone()), "what was refused is not in force");
    assert_eq!(revision("a"), revision("b"));
    for (name, labels, expected) in [
        ("mcpfleet_source_info", &[("source", "fleet"), ("accepted", &*head), ("seen", &*head)][..], 1.0),
        ("mcpfleet_source_up", &[("source", "fleet")], 1.0),
        ("mcpfleet_source_up", &[("source", "nowhere")], 0.0),
        ("mcpfleet_source_problem", &[("source", "nowhere"), ("code", "not-found")], 1.0),
        ("mcpfleet_source_behind_commits", &[("source", "fleet")], 0.0),
        ("mcpfleet_source_refused_changes", &[("source", "fleet")], 1.0),
        ("mcpfleet_app_condition", &[("app", "b"), ("condition", "Held")], 1.0),
        ("mcpfleet_app_state", &[("app", "a"), ("state", "Ready")], 1.0),
        ("mcpfleet_gateway_requests_total", &[("app", "a"), ("outcome", "ok")], 1.0),
        ("mcpfleet_webhook_calls_total", &[("webhook", "forge"), ("outcome", "taken")], 1.0),
        ("mcpfleet_webhook_calls_total", &[("webhook", "forge"), ("outcome", "refused")], 1.0),
        ("mcpfleet_agent_ready", &[], 1.0),
    ] {
        let value = match name {
            // Whether there is a handshake first is the client's affair.
            "mcpfleet_gateway_requests_total" => {
                let of = |sample: &&super::exposition::Sample| {
                    sample.name == name && labels.iter().all(|(key, value)| sample.labels[*key] == *value)
                };
                Some(read.samples.iter().filter(of).map(|sample| sample.value).sum::<f64>().min(1.0))
            }
            name => read.value(name, labels),
        };
        assert_eq!(value, Some(expected), "{name} {labels:?}");
    }
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_formats_say_the_same_and_are_as_promtool_wants_them() {
    let stage = Stage::new();
    let agent = stage.run().await;
    let admin = stage.admin().await;
    use_everything(&stage, &agent, &admin).await;
    let classic = get(&admin, "text/plain").await;
    let open = get(&admin, "application/openmetrics-text; version=1.0.0").await;
    assert!(open.ends_with("# EOF\n") && open.contains("# UNIT process_resident_memory_bytes bytes\n"), "{open}");
    let names = |text: &str| -> BTreeSet<String> {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples.filter_map(|line| line.rsplit_once(' ')).map(|(series, _)| series.to_owned()).collect()
    };
    // What happens in between may have been counted in one of them for the first time.
    let different: Vec<_> = names(&classic).symmetric_difference(&names(&open)).cloned().collect();
    assert!(different.iter().all(|series| series.starts_with("mcpfleet_events_total")), "{different:?}");
    Exposition::read(&classic);
    agent.stop().await;
    if let Some(promtool) = promtool("both_formats_say_the_same_and_are_as_promtool_wants_them") {
        let said = promtool.check_metrics(&classic).await;
        assert_eq!(said, "", "{said}");
    }
}
