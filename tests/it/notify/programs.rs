//! What programs are told, by JSON that is signed.

use super::{
    TOKEN, delivered, run,
    server::{Got, Server, status},
};
use crate::{
    git_source::{Stage, reaches},
    support::outside,
};
use mcpfleet::status::model::notification::CommitState;
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, path::Path, process::Command};

fn webhook(server: &Server) -> Value {
    json!({"name": "program", "kind": "webhook", "url": format!("{}/hook?a=b", server.url), "secret_file": "token"})
}

/// What the documentation tells receivers to do, with the secret of these tests.
fn verifier() -> String {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/notifications.md")).expect("the page");
    let code = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    code.to_owned()
}

/// Whether the documented verification takes a message.
fn is_verified(python: &Path, got: &Got, secret: &str, body: &str) -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    let main = "\nimport json, sys\nheaders = json.loads(sys.argv[2])\nverify(sys.argv[1], headers, sys.argv[3].encode(), now=int(headers['webhook-timestamp']))\n";
    let script = folder.path().join("verify.py");
    fs::write(&script, verifier() + main).expect("a file");
    let headers: serde_json::Map<String, Value> = ["webhook-id", "webhook-timestamp", "webhook-signature"]
        .into_iter()
        .map(|name| (name.to_owned(), json!(got.header(name))))
        .collect();
    let headers = Value::Object(headers).to_string();
    let output = Command::new(python).arg(script).args([secret, &headers, body]).output().expect("Python starts");
    output.status.success()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_sent_once_signed_and_in_order() {
    let (stage, server) = (Stage::new(), Server::start().await);
    server.script([status(500)]);
    let mut agent = run(&stage, &[webhook(&server)]);
    let good = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&stage.app("a", "a", &[])))]);
    let success = |got: &[Got]| {
        let is_it = |got: &&Got| got.text("type") == "commit-success" && got.body["data"]["commit"] == good.to_string();
        got.iter().find(is_it).cloned()
    };
    let outcome = server.until("the outcome", success).await;
    assert_eq!((outcome.method.as_str(), &*outcome.path), ("POST", "/hook?a=b"));
    assert_eq!((&outcome.body["version"], &outcome.body["agent"]), (&json!(1), &json!({"name": "eu-1"})));
    let expected = json!({
        "level": "info", "kind": "commit-success", "source": "fleet", "commit": good.to_string(), "state": "success",
        "message": "applied: 1 app runs",
    });
    assert_eq!(outcome.body["data"], expected);
    assert!(outcome.text("timestamp").parse::<jiff::Timestamp>().is_ok(), "{:?}", outcome.body);
    delivered(&mut agent, 3).await;

    let got = server.got();
    // The first was sent twice, as one.
    assert_eq!(got[0].header("webhook-id"), got[1].header("webhook-id"));
    let ids: BTreeSet<&str> = got.iter().map(|got| got.header("webhook-id")).collect();
    assert_eq!(ids.len(), got.len() - 1);
    let numbers: Vec<u64> = got[1..].iter().filter_map(|got| got.body["data"]["sequence"].as_u64()).collect();
    assert!(numbers.is_sorted() && numbers.len() > 3, "{numbers:?}");
    // Of an app it is said from which source it is.
    let started = got.iter().find(|got| got.text("type") == "started").expect("a start");
    assert_eq!((&started.body["data"]["app"], &started.body["data"]["source"]), (&json!("a"), &json!("fleet")));
    assert!(!stage.world.log().contains(TOKEN));
    let Some(python) = outside("the documented verification", "MCPFLEET_TEST_PYTHON") else { return };
    let raw = outcome.raw.clone();
    assert!(is_verified(&python, &outcome, TOKEN, &raw));
    assert!(!is_verified(&python, &outcome, "another", &raw));
    assert!(!is_verified(&python, &outcome, TOKEN, &raw.replace("success", "failure")));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_hears_of_what_one_asks_for() {
    let (stage, server) = (Stage::new(), Server::start().await);
    let mut some = webhook(&server);
    some["events"] = json!([CommitState::Failure.kind(), "app-stop"]);
    let mut agent = run(&stage, &[some]);
    reaches(&mut agent, stage.root).await;
    let good = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&stage.app("a", "a", &[])))]);
    reaches(&mut agent, good).await;
    let bad = stage.push(Some(&stage.bob), &[("apps/b.yaml", Some(&stage.app("b", "b", &[])))]);
    reaches(&mut agent, bad).await;
    let gone = stage.push(Some(&stage.bob), &[("apps/a.yaml", None)]);
    reaches(&mut agent, gone).await;
    server.until("both", |got| (got.len() >= 2).then_some(())).await;
    delivered(&mut agent, 2).await;
    let kinds: BTreeSet<String> = server.got().iter().map(|got| got.text("type").to_owned()).collect();
    assert_eq!(kinds, BTreeSet::from(["app-stop".to_owned(), "commit-failure".to_owned()]));
    assert_eq!(server.got().len(), 2);
}

/// A collector that takes its time, while pushes go on: nothing waits for it, and what there is no room for is counted.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_collector_holds_up_nothing() {
    let (stage, server) = (Stage::new(), Server::start().await);
    server.always(Some(super::server::Reply::Hang));
    let mut agent = run(&stage, &[webhook(&server)]);
    // Each push makes a few dozen events.
    let mut newest = stage.root;
    for round in 0..40 {
        let files: Vec<(String, String)> = (0..10)
            .map(|number| {
                let name = format!("app-{number}");
                (format!("apps/{name}.yaml"), stage.app(&name, "a", &["--start-delay", &(round % 2).to_string()]))
            })
            .collect();
        let changes: Vec<(&str, Option<&str>)> = files.iter().map(|(path, text)| (&**path, Some(&**text))).collect();
        newest = stage.push(Some(&stage.bob), &changes);
        reaches(&mut agent, newest).await;
    }
    let told = agent.until("messages that are lost", |status| {
        let told = status.agent.notifications[0].clone();
        (told.dropped > 0).then_some(told)
    });
    let told = told.await;
    assert!(told.waiting <= 1_001, "{told:?}");
    assert_eq!(stage.world.log().matches("1000 messages wait").count(), 1);
    server.always(None);
    let after = delivered(&mut agent, 1_000).await;
    assert_eq!(after.problem, None);
    let last = server.got().last().cloned().expect("messages");
    assert!(server.got().iter().any(|got| got.body["data"]["commit"] == newest.to_string()), "{last:?}");
}
