//! Signing in and out.

use super::browser::{Browser, code, link, refusal, told};
use crate::{
    access::fleet::{Client, role, start, start_with, token, usual},
    access::issuer::Issuer,
    support::eventually,
};
use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

#[tokio::test]
async fn a_link_opens_a_session_once() {
    let agent = start().await;
    let link = link(&agent).await;
    assert_eq!(link.split_once('#').unwrap().0, format!("http://{}/web/open", agent.listen));
    let mut browser = Browser::new(&agent);
    // What the link leads to is for everybody; the code never gets there.
    let page = browser.bare(Method::GET, "/web/open").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);

    let response = browser.sign_in_request(&json!({"code": code(&link)})).send().await.unwrap();
    let set = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    let port = agent.listen.rsplit(':').next().unwrap();
    let (name, rest) = set.split_once('=').unwrap();
    assert_eq!(name, format!("mcpfleet-{port}"));
    let (secret, attributes) = rest.split_once("; ").unwrap();
    assert_eq!(secret.len(), 43);
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Strict; Max-Age=43200");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let (status, said) = told(response).await;
    assert_eq!((status, &said["principal"]), (200, &json!("operator")));
    let expires: Timestamp = said["expires"].as_str().unwrap().parse().unwrap();
    let lasts = Timestamp::now().duration_until(expires);
    assert!(lasts > SignedDuration::from_hours(11) && lasts <= SignedDuration::from_hours(12), "{lasts}");
    browser.cookie = Some(format!("{name}={secret}"));
    browser.proof = Some(said["proof"].as_str().unwrap().to_owned());
    assert_ne!(browser.proof.as_deref(), Some(secret));

    let (_, me) = browser.get("/v1/me").await;
    assert_eq!((&me["principal"], &me["by"]), (&json!("operator"), &json!("session")));
    assert_eq!(
        me["may"],
        json!({"read": true, "restart": true, "suspend": true, "resume": true, "reconcile": true,
        "prune": true, "audit": true})
    );
    assert_eq!(browser.restarts().await, (202, String::new()));
    // Once.
    let mut other = Browser::new(&agent);
    let (status, said) = other.sign_in(&json!({"code": code(&link)})).await;
    assert_eq!((status, &said["error"]["code"]), (401, &json!("invalid-link")));
    assert_eq!(other.cookie, None);

    let out = browser.request(Method::DELETE, "/v1/web/sessions").send().await.unwrap();
    assert_eq!(out.status(), StatusCode::NO_CONTENT);
    let gone = out.headers()["set-cookie"].to_str().unwrap();
    assert!(gone.starts_with(&format!("{name}=; ")) && gone.contains("Max-Age=0"), "{gone}");
    assert_eq!(browser.restarts().await, (401, "unauthenticated".into()));
    assert_eq!(browser.principal().await, "");
    // What is secret is in no log.
    let log = agent.log();
    assert!(!log.contains(secret) && !log.contains(code(&link)) && !log.contains(browser.proof.as_deref().unwrap()));
}

#[tokio::test]
async fn a_token_signs_in_as_its_user() {
    let mut files = usual();
    files.push(("watch.yaml", role("watch", "{allow: {rules: [{resources: [agent], verbs: [read, restart]}]}}")));
    files.retain(|(name, _)| *name != "eve.yaml");
    files.push(("eve.yaml", crate::access::fleet::user("eve", &["watch"])));
    let agent = start_with(&files, &[]).await;
    let ada = Browser::of_user(&agent, "ada").await;
    let (_, me) = ada.get("/v1/me").await;
    assert_eq!((&me["principal"], &me["by"]), (&json!("user/ada"), &json!("session")));
    assert!(me["may"].as_object().unwrap().values().all(|may| *may == json!(false)), "{me}");
    // The same as by the token itself.
    let by_token = Client::of(&agent, "ada");
    let (_, status) = ada.get("/v1/status").await;
    assert_eq!(status["apps"].as_array().unwrap().len(), 1);
    assert_eq!(status["apps"][0]["name"], by_token.status().await["apps"][0]["name"]);
    assert_eq!(ada.restarts().await, (403, "not-allowed".into()));
    assert_eq!(ada.get("/v1/audit").await.0, 403);
    let eve = Browser::of_user(&agent, "eve").await;
    assert_eq!(eve.get("/v1/status").await.1["sources"].as_array().unwrap().len(), 1, "she sees the agent");
    assert_eq!(eve.restarts().await.0, 202);
    // By the token, too, one is told who one is.
    let (_, me) = told(by_token.get("/v1/me").send().await.unwrap()).await;
    assert_eq!((&me["principal"], &me["by"], &me["expires"]), (&json!("user/ada"), &json!("token"), &Value::Null));
    let mut other = Browser::new(&agent);
    for shown in [
        json!({"token": "of-nobody"}),
        json!({"token": ""}),
        json!({"token": "a b"}),
        json!({"token": "\u{e9}"}),
        json!({"token": "x".repeat(20_000)}),
        json!({"code": ""}),
        json!({"code": "x".repeat(43)}),
        json!({"code": "x\u{0}"}),
    ] {
        let (status, said) = other.sign_in(&shown).await;
        assert_eq!(status, 401, "{shown}: {said}");
    }
    for shown in [json!({}), json!({"token": token("ada"), "code": "x"}), json!([]), json!({"token": 7}), json!(null)] {
        let (status, said) = other.sign_in(&shown).await;
        assert_eq!((status, &said["error"]["code"]), (400, &json!("invalid-request")), "{shown}");
    }
    assert_eq!(other.cookie, None);
}

#[tokio::test]
async fn signing_in_again_ends_the_session_before() {
    let agent = start().await;
    let mut browser = Browser::of_user(&agent, "ada").await;
    let before = browser.clone();
    browser.sign_in(&json!({"token": token("bob")})).await;
    assert_eq!((browser.principal().await, before.principal().await), ("user/bob".into(), String::new()));
    // Another browser's is not touched.
    let other = Browser::of_user(&agent, "bob").await;
    assert_eq!((browser.principal().await, other.principal().await), ("user/bob".into(), "user/bob".into()));
}

#[tokio::test]
async fn a_session_ends_with_the_token_that_it_is_of() {
    let issuer = Issuer::start(&[1]).await;
    let user = format!(
        "kind: user\nversion: v2\nmetadata: {{name: ada}}\nspec: {{roles: [a], gateway: {{oidc: [{{issuer: \"{}\", subject: \"42\"}}]}}}}\n",
        issuer.url
    );
    let mut files = usual();
    files.retain(|(name, _)| *name != "ada.yaml");
    files.push(("ada.yaml", user));
    files.push(("a.yaml", role("a", "{allow: {app_labels: {team: a}, mcp: {tools: [echo]}}}")));
    let setting = format!("gateway.oidc[0].issuer={}", issuer.url);
    let agent = start_with(&files, &[&setting, "gateway.oidc[0].audience=fleet"]).await;
    // The clocks of issuers may be wrong by half a minute: this one is good for a few seconds more.
    let ends = Timestamp::now().as_second() - 27;
    let token = issuer.token(1, "42", |claims| claims["exp"] = json!(ends));
    let browser = Browser::with(&agent, json!({"token": token})).await;
    let (_, me) = browser.get("/v1/me").await;
    let expires: Timestamp = me["expires"].as_str().unwrap().parse().unwrap();
    assert!((ends + 29..=ends + 30).contains(&expires.as_second()), "{me}");
    // A link made in it lasts no longer, and opens nothing that does.
    let (status, said) = browser.post("/v1/web/links", json!({})).await;
    assert_eq!(status, 200, "{said}");
    let until: Timestamp = said["expires"].as_str().unwrap().parse().unwrap();
    assert!(until.as_second() <= ends + 30, "{said}");
    let linked = Browser::with(&agent, json!({"code": code(said["url"].as_str().unwrap())})).await;
    let (_, me) = linked.get("/v1/me").await;
    let expires: Timestamp = me["expires"].as_str().unwrap().parse().unwrap();
    assert!(expires.as_second() <= ends + 30, "{me}");
    eventually("the end of both", async || {
        (browser.principal().await.is_empty() && linked.principal().await.is_empty()).then_some(())
    })
    .await;
    assert_eq!(refusal(browser.request(Method::GET, "/v1/status")).await, (401, "unauthenticated".into()));
}

#[tokio::test]
async fn all_of_it_is_in_the_audit() {
    let agent = start().await;
    let browser = Browser::of_user(&agent, "ada").await;
    browser.post("/v1/web/links", json!({})).await;
    browser.restarts().await;
    refusal(browser.with_cookie(Method::POST, "/v1/reconcile").json(&json!({}))).await;
    Browser::new(&agent).sign_in(&json!({"code": "x".repeat(43)})).await;
    browser.request(Method::DELETE, "/v1/web/sessions").send().await.unwrap();
    let text = agent.says(&["audit", "-o", "json", "-n", "100"]).await;
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |method: &str| {
        records.iter().find(|record| record["method"] == method).unwrap_or_else(|| panic!("{method}: {text}"))
    };
    let session = of("web-sign-in")["session"].as_str().unwrap();
    for method in ["web-sign-in", "web-link", "restart", "web-sign-out"] {
        let record = of(method);
        assert_eq!((&record["principal"], &record["session"]), (&json!("user/ada"), &json!(session)), "{record}");
        assert_eq!(record["kind"], "operation");
        assert!(record["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{record}");
    }
    let refused: Vec<&Value> = records.iter().filter(|record| record["kind"] == "admission").collect();
    let reason = |part: &str| refused.iter().any(|record| record["reason"].as_str().unwrap().contains(part));
    assert!(reason("X-Mcpfleet-Proof") && reason("the link is not good"), "{text}");
    assert!(!text.contains(browser.cookie.as_deref().unwrap().split_once('=').unwrap().1));
}

#[tokio::test]
async fn who_logs_out_ends_the_links_that_were_made_there_and_needs_no_proof_for_it() {
    let agent = start().await;
    let browser = Browser::of_operator(&agent).await;
    let (_, made) = browser.post("/v1/web/links", json!({})).await;
    let code = code(made["url"].as_str().unwrap()).to_owned();
    let out = browser.with_cookie(Method::DELETE, "/v1/web/sessions").send().await.unwrap();
    assert_eq!(out.status(), StatusCode::NO_CONTENT);
    let (status, said) = Browser::new(&agent).sign_in(&json!({"code": code})).await;
    assert_eq!((status, &said["error"]["code"]), (401, &json!("invalid-link")));
}

#[tokio::test]
async fn a_bad_token_at_the_root_is_refused_and_recorded() {
    let agent = start().await;
    let browser = Browser::new(&agent);
    assert_eq!(browser.bare(Method::GET, "/").send().await.unwrap().status(), StatusCode::OK);
    let guess = browser.bare(Method::GET, "/").bearer_auth("x".repeat(40));
    assert_eq!(refusal(guess).await.0, 401);
    let text = agent.says(&["audit", "-o", "json", "-n", "100"]).await;
    assert!(text.lines().any(|line| line.contains("admission") && line.contains("\"name\":\"/\"")), "{text}");
}
