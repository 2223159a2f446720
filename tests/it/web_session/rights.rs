//! A session has the rights of whoever made it, as they are now.

use super::browser::{Browser, code, link, refusal};
use crate::{
    access::fleet::{Client, becomes, role, start, token, user},
    support::eventually,
};
use reqwest::{Method, Response};
use serde_json::json;

/// Reads a stream until it ends.
async fn ends(what: &str, mut stream: Response) {
    let all = async { while stream.chunk().await.expect("an orderly end").is_some() {} };
    tokio::time::timeout(crate::support::PATIENCE, all).await.unwrap_or_else(|_| panic!("{what} goes on"));
}

async fn open(browser: &Browser, path: &str) -> Response {
    let response = browser.request(Method::GET, path).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    response
}

#[tokio::test]
async fn roles_change_and_users_go() {
    let agent = start().await;
    let browser = Browser::of_user(&agent, "ada").await;
    assert_eq!(browser.restarts().await.0, 403);
    agent.write("more.yaml", &role("more", "{allow: {rules: [{resources: [agent], verbs: [restart]}]}}"));
    agent.write("ada.yaml", &user("ada", &["team-a", "more"]));
    becomes("the new right", 202, async || browser.restarts().await.0).await;
    agent.write("ada.yaml", &user("ada", &["team-a"]));
    becomes("the lost right", 403, async || browser.restarts().await.0).await;

    let streams = [
        open(&browser, "/v1/watch").await,
        open(&browser, "/v1/events?follow=true").await,
        open(&browser, "/v1/apps/alpha/logs?follow=true").await,
    ];
    // What a link of hers would open is hers, too.
    let (_, said) = browser.post("/v1/web/links", json!({})).await;
    let link = said["url"].as_str().unwrap().to_owned();
    let session = browser.clone();
    std::fs::remove_file(agent.folder().join("ada.yaml")).unwrap();
    becomes("the end", String::new(), async || session.principal().await).await;
    for stream in streams {
        ends("a stream of a user who is gone", stream).await;
    }
    let (status, said) = Browser::new(&agent).sign_in(&json!({"code": code(&link)})).await;
    assert_eq!((status, &said["error"]["code"]), (401, &json!("invalid-link")));
    // Another one of that name, with that token, is another one.
    agent.write("ada.yaml", &user("ada", &["team-a"]));
    becomes("the new user", "user/ada".into(), async || Browser::of_user_or_nobody(&agent, "ada").await).await;
    assert_eq!(browser.principal().await, "", "it has ended");
}

#[tokio::test]
async fn a_token_that_is_somebody_elses_is_not_hers() {
    let agent = start().await;
    let browser = Browser::of_user(&agent, "ada").await;
    agent.write("ada.yaml", &user("ada", &["team-a"]).replace(&digest("ada"), &digest("new")));
    becomes("the end", String::new(), async || browser.principal().await).await;
    agent.write("carl.yaml", &user("carl", &["team-b"]).replace(&digest("carl"), &digest("ada")));
    becomes("carl by that token", "carl".into(), async || {
        let answer = Client::of(&agent, "ada").get("/v1/status").send().await.unwrap();
        let status: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        status["agent"]["principal"].as_str().unwrap_or_default().to_owned()
    })
    .await;
    assert_eq!(browser.principal().await, "");
}

fn digest(name: &str) -> String {
    mcpfleet::resource::Digest::of_bytes(token(name).as_bytes()).to_string()
}

#[tokio::test]
async fn who_signs_out_sees_nothing_more() {
    let agent = start().await;
    let browser = Browser::of_operator(&agent).await;
    let other = Browser::of_operator(&agent).await;
    let streams = [
        open(&browser, "/v1/watch").await,
        open(&browser, "/v1/events?follow=true").await,
        open(&browser, "/v1/audit?follow=true").await,
        open(&browser, "/v1/apps/alpha/logs?follow=true").await,
    ];
    assert_eq!(browser.request(Method::DELETE, "/v1/web/sessions").send().await.unwrap().status(), 204);
    for stream in streams {
        ends("a stream of a session that has ended", stream).await;
    }
    assert_eq!(other.principal().await, "operator");
}

#[tokio::test]
async fn servers_are_used_by_it_with_the_proof() {
    let agent = start().await;
    let ada = Browser::of_user(&agent, "ada").await;
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "arguments": {"text": "hi"},
        "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}}});
    let call = |app: &str, proof: bool| {
        let request = if proof {
            ada.request(Method::POST, &format!("/mcp/{app}"))
        } else {
            ada.with_cookie(Method::POST, &format!("/mcp/{app}"))
        };
        request
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", "echo")
            .body(body.to_string())
    };
    let (status, answer) = crate::access::fleet::answer(call("alpha", true)).await;
    assert_eq!((status.as_u16(), answer.pointer("/result/content/0/text")), (200, Some(&json!("hi"))), "{answer}");
    assert_eq!(refusal(call("alpha", false)).await, (403, "no-proof".into()));
    assert_eq!(crate::access::fleet::answer(call("beta", true)).await.0.as_u16(), 404);
}

#[tokio::test]
async fn many_sessions_and_links_of_one_push_out_nobody_elses() {
    let agent = start().await;
    let bob = Browser::of_user(&agent, "bob").await;
    let operators = link(&agent).await;
    let first = Browser::of_user(&agent, "ada").await;
    let mut last = first.clone();
    for _ in 0..70 {
        last = Browser::of_user(&agent, "ada").await;
        last.post("/v1/web/links", json!({})).await;
    }
    eventually("no session for the first", async || first.principal().await.is_empty().then_some(())).await;
    assert_eq!((last.principal().await, bob.principal().await), ("user/ada".into(), "user/bob".into()));
    assert_eq!(Browser::with(&agent, json!({"code": code(&operators)})).await.principal().await, "operator");
}
