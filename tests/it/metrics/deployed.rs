//! What is in `deploy/` for Prometheus and Grafana fits what agents export.

use super::{
    server::{Prometheus, promtool},
    stage::Stage,
};
use crate::{access::fleet, support::outside};
use mcpfleet::status::metrics::families;
use regex::Regex;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

fn yaml(path: &Path) -> serde_yaml::Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn dashboard() -> Value {
    let text = fs::read_to_string(deploy().join("grafana/mcpfleet.json")).expect("the dashboard");
    serde_json::from_str(&text).expect("JSON")
}

/// All texts below the keys that hold queries.
fn queries_of(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if matches!(key.as_str(), "expr" | "definition") => found.push(text.clone()),
                    value => queries_of(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| queries_of(value, found)),
        _ => {}
    }
}

/// The queries of rules, and the names of those that record something.
fn rules(file: &str) -> (Vec<String>, Vec<String>) {
    let parsed = yaml(&deploy().join("prometheus").join(file));
    let groups = parsed["groups"].as_sequence().expect("groups");
    let rules: Vec<_> = groups.iter().flat_map(|group| group["rules"].as_sequence().expect("rules")).collect();
    let texts = |key: &str| rules.iter().filter_map(|rule| rule.get(key)?.as_str()).map(str::to_owned).collect();
    (texts("expr"), texts("record"))
}

/// The queries of the documentation.
fn documented() -> Vec<String> {
    let pages = ["docs/metrics.md", "docs/fleet.md"].map(|page| Path::new(env!("CARGO_MANIFEST_DIR")).join(page));
    let texts = pages.map(|page| fs::read_to_string(page).expect("a readable page"));
    let blocks = texts.iter().flat_map(|text| text.split("```promql\n").skip(1));
    let blocks = blocks.filter_map(|rest| rest.split_once("```")).map(|(block, _)| block);
    // One query a paragraph.
    blocks
        .flat_map(|block| block.split("\n\n"))
        .map(|query| query.trim().to_owned())
        .filter(|q| !q.is_empty())
        .collect()
}

fn all_queries() -> Vec<String> {
    let mut queries = documented();
    queries_of(&dashboard(), &mut queries);
    queries.extend(rules("rules.yml").0);
    queries.extend(rules("alerts.yml").0);
    queries
}

#[test]
fn every_metric_and_label_that_is_used_is_exported() {
    let names = Regex::new(r"\b((?:mcpfleet|process)_[a-z0-9_]+|mcpfleet:[a-z0-9_:]+)(?:\s*\{([^}]*)\})?").unwrap();
    let labels = Regex::new(r#"([a-z_]+)\s*(?:=~|!~|!=|=)\s*""#).unwrap();
    let (_, recorded) = rules("rules.yml");
    let mut exported = BTreeMap::new();
    for family in families::ALL {
        let suffixes: &[&str] =
            if family.kind.as_str() == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        exported.extend(suffixes.iter().map(|suffix| (format!("{}{suffix}", family.name()), family.labels)));
    }
    let (mut wrong, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for query in all_queries() {
        for found in names.captures_iter(&query) {
            let name = &found[1];
            seen.insert(name.to_owned());
            if recorded.iter().any(|recorded| recorded == name) {
                continue;
            }
            let Some(known) = exported.get(name) else {
                wrong.insert(format!("{name} in {query}"));
                continue;
            };
            let selected = found.get(2).map(|selected| selected.as_str()).unwrap_or_default();
            for label in labels.captures_iter(selected).map(|label| label[1].to_owned()) {
                if !known.contains(&&*label) && !["agent", "job", "instance", "le"].contains(&&*label) {
                    wrong.insert(format!("{name} has no label {label}: {query}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen.len() > 30, "only {seen:?}");
}

#[test]
fn the_dashboard_is_laid_out() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut taken = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().expect("a title");
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{title}");
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().expect("a number"));
        assert!(x + w <= 24, "{title} is too wide");
        for place in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(place), "{title} lies over another panel at {place:?}");
        }
        if panel["type"] != "row" {
            assert!(panel["description"].as_str().is_some_and(|text| !text.is_empty()), "{title} says not what it is");
            assert!(panel["targets"].as_array().is_some_and(|targets| !targets.is_empty()), "{title} asks nothing");
        }
    }
}

#[tokio::test]
async fn promtool_likes_rules_and_configuration() {
    let Some(promtool) = promtool("promtool_likes_rules_and_configuration") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    for entry in walkdir::WalkDir::new(deploy().join("prometheus")) {
        let entry = entry.expect("a readable folder");
        let to = folder.path().join(entry.path().strip_prefix(deploy().join("prometheus")).expect("it is below"));
        match entry.file_type().is_dir() {
            true => fs::create_dir_all(to).expect("a folder"),
            false => drop(fs::copy(entry.path(), to).expect("a copy")),
        }
    }
    // Whoever sets it up brings this one.
    fs::write(folder.path().join("mcpfleet.token"), "x").expect("a file");
    promtool.run(folder.path(), &["check", "config", "prometheus.yml"]).await;
    promtool.run(folder.path(), &["check", "rules", "--lint-fatal", "rules.yml", "alerts.yml"]).await;
    promtool.run(folder.path(), &["test", "rules", "tests.yml"]).await;
    // Debian's Prometheus is built without Kubernetes, so that its tool does not know it.
    let kubernetes = yaml(&deploy().join("prometheus/scrape-kubernetes.yml"));
    assert_eq!(kubernetes["scrape_configs"][0]["kubernetes_sd_configs"][0]["role"].as_str(), Some("pod"));
    let agents = yaml(&deploy().join("prometheus/targets/agents.yml"));
    assert!(agents.as_sequence().is_some_and(|groups| groups.iter().all(|group| group["targets"].is_sequence())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_reads_agents_and_answers_every_query() {
    let test = "a_real_prometheus_reads_agents_and_answers_every_query";
    let Some(program) = outside(test, "MCPFLEET_TEST_PROMETHEUS") else { return };
    let stage = Stage::new();
    let mut agent = stage.run().await;
    let admin = stage.admin().await;
    let gateway = agent.status().await.expect("a status").agent.gateway;
    let gateway = gateway.strip_prefix("https://").expect("a gateway with TLS").to_owned();
    let rules: Vec<_> = ["rules.yml", "alerts.yml"].map(|file| deploy().join("prometheus").join(file)).to_vec();
    let config = json!({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": rules,
        "scrape_configs": [
            {"job_name": "mcpfleet", "static_configs": [{"targets": [admin], "labels": {"agent": "admin"}}]},
            {"job_name": "mcpfleet-gateway", "scheme": "https", "tls_config": {"ca_file": stage.repository.world.path("tls.crt")},
             "authorization": {"credentials": fleet::token("ada")},
             "static_configs": [{"targets": [gateway], "labels": {"agent": "gateway"}}]},
        ],
    });
    let folder = stage.repository.world.path("prometheus");
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let server = Prometheus::start(&program, &folder, &config, &port.to_string()).await;
    server.until("both are read", "sum(up)", |rows| (rows.first()?.1 == 2.0).then_some(())).await;
    let head = stage.head.to_string();
    let info = format!("count(mcpfleet_source_info{{accepted=\"{head}\"}})");
    server.until("the revision of both", &info, |rows| (rows.first()?.1 == 2.0).then_some(())).await;
    server.until("what is recorded", "mcpfleet:source_behind:seconds", |rows| (rows.len() == 2).then_some(())).await;

    let queries = all_queries();
    assert!(queries.len() > 50, "only {}", queries.len());
    for query in queries.iter().filter(|query| !query.starts_with("label_values")) {
        let query = query.replace("$agent", ".*").replace("$app", ".*").replace("$__rate_interval", "1m");
        server.query(&query).await;
    }
    // One whose value is there as long as the agent is the one that it was.
    let panels = server.query("mcpfleet_app_state{state=\"Ready\"} == 1").await;
    assert_eq!(panels.len(), 4, "{panels:?}");
    assert_eq!(server.bad_rules().await, Vec::<String>::new());
    agent.stop().await;
}
