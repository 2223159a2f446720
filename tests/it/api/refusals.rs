//! What the agent does not do, it says in one form, with the codes that the documentation has.

use super::{
    schemas::Schemas,
    stage::{Asker, Who, listen, run},
};
use crate::{access::issuer::Issuer, git_source::Stage};
use serde_json::{Value, json};

fn code(said: &[Value]) -> &str {
    said[0]["error"]["code"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_as_described() {
    let (stage, issuer, schemas) = (Stage::new(), Issuer::start(&[1]).await, Schemas::new());
    let mut agent = run(&stage, &issuer).await;
    let listen = listen(&mut agent).await;
    let asker = |who: Who| Asker { schemas: &schemas, listen: listen.clone(), who };
    let root = asker(Who::Token("root"));
    for (route, path, expected) in [
        ("/v1/events", "/v1/events?tail=x", (400, "invalid-request")),
        ("/v1/events", "/v1/events?follow=maybe", (400, "invalid-request")),
        ("/v1/events", "/v1/events?access_token=x", (400, "invalid-request")),
        ("/v1/watch", "/v1/watch?tail=-1", (400, "invalid-request")),
        ("/v1/audit", "/v1/audit?since=yesterday", (400, "invalid-request")),
        ("/v1/audit", "/v1/audit", (403, "not-allowed")),
        ("/v1/apps/{name}/logs", "/v1/apps/none/logs", (404, "unknown-app")),
        ("/v1/apps/{name}", "/v1/apps/none", (404, "unknown-app")),
        ("/v1/apps/{name}/history", "/v1/apps/none/history", (404, "unknown-app")),
        ("/v1/apps/{name}/history", "/v1/apps/alpha/history", (404, "no-history")),
        ("/v1/apps/{name}/history", "/v1/apps/alpha/history?before=x", (400, "invalid-request")),
        ("/v1/changes", "/v1/changes?source=none", (404, "unknown-source")),
        ("/v1/changes", "/v1/changes?before=x", (400, "invalid-request")),
        ("/v1/apps/{name}/logs", "/v1/apps/%FF/logs", (400, "invalid-request")),
        ("/v1/apps/{name}/logs", "/v1/apps/alpha/logs?instance=x", (404, "unknown-instance")),
        ("/v1/apps/{name}/logs", "/v1/apps/alpha/logs?previous=true", (404, "no-previous-run")),
        ("/v1/status", "/v1/nothing", (404, "not-found")),
    ] {
        let (status, said) = root.get(route, path).await;
        assert_eq!((status, code(&said)), expected, "{path}");
    }
    let una = asker(Who::Token("una"));
    assert_eq!(code(&una.get("/v1/apps/{name}/logs", "/v1/apps/alpha/logs").await.1), "not-allowed");
    for (route, path) in [
        ("/v1/plan", "/v1/plan"),
        ("/v1/apps/{name}/history", "/v1/apps/alpha/history"),
        ("/v1/changes", "/v1/changes"),
        ("/v1/preview", "/v1/preview?ref=main"),
    ] {
        assert_eq!(code(&una.get(route, path).await.1), "not-allowed", "{path}");
    }
    for (who, route, path, body, expected) in [
        (&root, "/v1/resume", "/v1/resume", json!({}), (409, "not-suspended")),
        (&root, "/v1/resume", "/v1/resume", json!({"app": "alpha"}), (409, "not-suspended")),
        (&root, "/v1/suspend", "/v1/suspend", json!({"app": "none"}), (404, "unknown-app")),
        (&root, "/v1/suspend", "/v1/suspend", json!({"app": 7}), (400, "invalid-request")),
        (&root, "/v1/apps/{name}/restart", "/v1/apps/asleep/restart", json!({}), (409, "suspended")),
        (&root, "/v1/apps/{name}/restart", "/v1/apps/none/restart", json!({}), (404, "unknown-app")),
        (&root, "/v1/reconcile", "/v1/reconcile", json!({"prune": "x".repeat(100_000)}), (413, "invalid-request")),
        (&una, "/v1/reconcile", "/v1/reconcile", json!({}), (403, "not-allowed")),
        (&una, "/v1/apps/{name}/restart", "/v1/apps/asleep/restart", json!({}), (404, "unknown-app")),
    ] {
        let (status, said) = who.post(route, path, body.clone()).await;
        assert_eq!((status, code(&said)), expected, "{path}");
    }
    let untyped = root.request("post", "/v1/reconcile").body("{}");
    let (status, said) = root.hold("post", "/v1/reconcile", "/v1/reconcile", untyped).await;
    assert_eq!((status, code(&said)), (415, "invalid-request"));
    let wrong =
        root.hold("post", "/v1/suspend", "/v1/suspend", root.request("put", "/v1/suspend").json(&json!({}))).await;
    assert_eq!((wrong.0, code(&wrong.1)), (405, "method-not-allowed"));

    // So many as may be.
    let mut held = Vec::new();
    for _ in 0..32 {
        let stream = una.request("get", "/v1/watch").send().await.unwrap();
        assert_eq!(stream.status(), 200);
        held.push(stream);
    }
    let (status, said) = una.get("/v1/watch", "/v1/watch").await;
    assert_eq!((status, code(&said)), (429, "too-many-watchers"));
    assert_eq!(root.request("get", "/v1/watch").send().await.unwrap().status(), 200);
    drop(held);

    let nobody = asker(Who::Nobody);
    for route in ["/v1/status", "/v1/me", "/v1/watch", "/v1/openapi.json"] {
        let (status, said) = nobody.get(route, route).await;
        assert_eq!((status, code(&said)), (401, "unauthenticated"), "{route}");
    }
    let evil = nobody.request("get", "/v1/status").header("host", "evil.example");
    assert_eq!(code(&nobody.hold("get", "/v1/status", "/v1/status", evil).await.1), "wrong-host");
    // It cannot be told whose it is, and then that he asks too often.
    issuer.set_down(true);
    let signed = asker(Who::Signed(issuer.token(1, "42", |_| {})));
    let (status, said) = signed.get("/v1/status", "/v1/status").await;
    assert_eq!((status, code(&said)), (503, "issuer-unavailable"));
    let guesser = asker(Who::Signed("guess".into()));
    let mut last = (0, String::new());
    for _ in 0..30 {
        let (status, said) = guesser.get("/v1/status", "/v1/status").await;
        last = (status, code(&said).to_owned());
    }
    assert_eq!(last, (429, "too-many-failures".into()));
}
