//! The answers of an agent that has everything to tell, to users who see more or less of it.

use super::{
    schemas::{Schemas, faults},
    stage::{Asker, Who, listen, run},
};
use crate::{access::issuer::Issuer, git_source::Stage, web_session::Browser};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// All fields that are anywhere in a value.
fn fields(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| fields(item, found)),
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            found.insert(key.clone());
            fields(value, found);
        }),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_as_described() {
    let (stage, issuer, schemas) = (Stage::new(), Issuer::start(&[1]).await, Schemas::new());
    let mut agent = run(&stage, &issuer).await;
    let listen = listen(&mut agent).await;
    let link = agent.client.web_link().await.unwrap().url;
    let mut browser = Browser::at(&listen);
    browser.sign_in(&json!({"code": link.split_once('#').unwrap().1})).await;
    let asker = |who: Who| Asker { schemas: &schemas, listen: listen.clone(), who };
    let mut told = BTreeSet::new();
    for (who, apps, reads_all) in [
        (Who::Operator(browser), 9, true),
        (Who::Token("root"), 9, true),
        (Who::Token("ada"), 4, false),
        (Who::Token("una"), 4, false),
        (Who::Token("eve"), 0, false),
    ] {
        let is_operator = matches!(who, Who::Operator(_));
        let asker = asker(who);
        let (status, said) = asker.get("/v1/status", "/v1/status").await;
        assert_eq!(status, 200);
        fields(&said[0], &mut told);
        let running = said[0]["apps"].as_array().unwrap().iter().filter(|app| !app["state"].is_null()).count();
        let expected = if reads_all { 7 } else { apps };
        assert!(running <= expected && (running > 0) == (apps > 0), "{running} of {expected}: {}", said[0]);
        for (route, path, fine) in [
            ("/v1/me", "/v1/me", true),
            ("/v1/openapi.json", "/v1/openapi.json", true),
            ("/v1/events", "/v1/events?tail=1000", true),
            ("/v1/events", "/v1/events?app=crashing", true),
            ("/v1/plan", "/v1/plan", reads_all),
            ("/v1/changes", "/v1/changes?source=fleet", reads_all),
            ("/v1/changes", "/v1/changes?source=local", reads_all),
            ("/v1/preview", "/v1/preview", reads_all),
            ("/v1/preview", "/v1/preview?ref=main", reads_all),
            ("/v1/audit", "/v1/audit?tail=1000", is_operator),
        ] {
            let (status, said) = asker.get(route, path).await;
            assert_eq!(status, if fine { 200 } else { 403 }, "{path}");
            // It names all fields that there can be.
            if route != "/v1/openapi.json" {
                said.iter().for_each(|value| fields(value, &mut told));
            }
        }
        for (route, path) in [
            ("/v1/apps/{name}/logs", "/v1/apps/alpha/logs"),
            ("/v1/apps/{name}", "/v1/apps/alpha"),
            ("/v1/apps/{name}", "/v1/apps/fromgit"),
            ("/v1/apps/{name}/history", "/v1/apps/fromgit/history"),
        ] {
            let (status, said) = asker.get(route, path).await;
            assert!(status == 200 || !is_operator && matches!(status, 403 | 404), "{path}: {status}");
            said.iter().for_each(|value| fields(value, &mut told));
        }
        // Its stream, up to the first event.
        let mut stream = asker.request("get", "/v1/watch?tail=50").send().await.unwrap();
        let mut text = String::new();
        while !text.contains("event: status") || !text.ends_with("\n\n") {
            text += std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap();
        }
        let name = |event: &str| event.strip_prefix("event: ").map(|rest| rest.split('\n').next().unwrap().to_owned());
        for event in text.split("\n\n").filter(|event| event.starts_with("event: ")) {
            let data: Value = serde_json::from_str(event.split_once("data: ").unwrap().1).unwrap();
            let schema = if name(event).unwrap() == "status" { "Status" } else { "Event" };
            assert_eq!(faults(&schemas.named(schema), &data), [""; 0], "{event}");
        }
    }
    // What is to be seen is there, so that this says something.
    for field in [
        "refused",
        "diagnostics",
        "conditions",
        "dynamic_labels",
        "dynamic_label_problems",
        "instances",
        "signer",
        "author",
        "last_exit",
        "allowed_tools",
        "tools",
        "line_text",
        "suspended_apps",
        "server",
        "selectors",
        "accepted",
        "reason",
        "state",
        "took_ms",
        "definition",
        "clients",
        "verb",
        "diff",
        "in_force",
        "commits",
        "held",
        "actions",
    ] {
        assert!(told.contains(field), "{field} was not seen: {told:?}");
    }
    let root = asker(Who::Token("root"));
    for (route, path, body, expected) in [
        ("/v1/reconcile", "/v1/reconcile", json!({}), 202),
        ("/v1/reconcile", "/v1/reconcile", json!({"prune": true}), 202),
        ("/v1/apps/{name}/restart", "/v1/apps/alpha/restart", json!({}), 202),
        ("/v1/suspend", "/v1/suspend", json!({"app": "alpha"}), 200),
        ("/v1/resume", "/v1/resume", json!({"app": "alpha"}), 200),
        ("/v1/suspend", "/v1/suspend", json!({}), 200),
        ("/v1/resume", "/v1/resume", json!({}), 200),
        ("/v1/web/links", "/v1/web/links", json!({}), 200),
    ] {
        assert_eq!(root.post(route, path, body).await.0, expected, "{path}");
    }
    let nobody = asker(Who::Nobody);
    let shown = json!({"token": crate::access::fleet::token("ada")});
    assert_eq!(nobody.post("/v1/web/sessions", "/v1/web/sessions", shown).await.0, 200);
    assert_eq!(nobody.hold("get", "/readyz", "/readyz", nobody.request("get", "/readyz")).await.0, 200);
    let metadata = "/.well-known/oauth-protected-resource";
    assert_eq!(nobody.get(metadata, metadata).await.0, 200);
    drop(agent);
}
