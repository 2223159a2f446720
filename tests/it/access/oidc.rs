//! Tokens that an issuer has signed.

use super::{
    fleet::{Client, role, start_with},
    issuer::Issuer,
};
use crate::support::{Agent, PATIENCE};
use reqwest::StatusCode;
use serde_json::{Value, json};

async fn start(issuer: &Issuer) -> Agent {
    let user = format!(
        "kind: user\nversion: v2\nmetadata: {{name: ada}}\nspec: {{roles: [a], gateway: {{oidc: [{{issuer: \"{}\", subject: \"42\"}}]}}}}\n",
        issuer.url
    );
    let files = [
        ("alpha.yaml", super::fleet::app("alpha", "a", "both")),
        ("a.yaml", role("a", "{allow: {app_labels: {team: a}, mcp: {tools: [echo]}}}")),
        ("ada.yaml", user),
    ];
    let setting = format!("gateway.oidc[0].issuer={}", issuer.url);
    start_with(&files, &[&setting, "gateway.oidc[0].audience=fleet"]).await
}

async fn status(agent: &Agent, token: &str) -> u16 {
    Client::with(&agent.listen, Some(token)).get("/v1/status").send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn who_a_token_is_of() {
    let issuer = Issuer::start(&[1]).await;
    let agent = start(&issuer).await;
    let good = issuer.token(1, "42", |_| {});
    let ada = Client::with(&agent.listen, Some(&good));
    assert_eq!(ada.tools("alpha").await.unwrap(), ["echo"]);
    assert_eq!(ada.status().await["agent"]["principal"], "ada");
    assert_eq!(issuer.asked(), 1, "keys are kept");
    // Right, and of nobody here.
    assert_eq!(status(&agent, &issuer.token(1, "43", |_| {})).await, 403);
    let with = |change: &dyn Fn(&mut Value)| issuer.token(1, "42", |claims| change(claims));
    let without = |name: &str| {
        with(&|claims| {
            claims.as_object_mut().unwrap().remove(name);
        })
    };
    for bad in [
        with(&|claims| claims["aud"] = json!("other")),
        with(&|claims| claims["exp"] = json!(1_000_000_000)),
        with(&|claims| claims["nbf"] = json!(4_000_000_000u64)),
        with(&|claims| claims["iss"] = json!("https://id.example")),
        without("exp"),
        without("nbf"),
        without("aud"),
        format!("{good}x"),
        good.replacen('.', ".x", 1),
    ] {
        assert_eq!(status(&agent, &bad).await, 401, "{bad}");
    }
    let (head, _) = good.rsplit_once('.').unwrap();
    assert_eq!(status(&agent, &format!("{head}.")).await, 401);
    assert!(!agent.log().contains(head), "tokens are in no log");
    // Where to get one.
    let nobody = Client::with(&agent.listen, None);
    let document = nobody.get("/.well-known/oauth-protected-resource/mcp/alpha").send().await.unwrap();
    let document: Value = serde_json::from_str(&document.text().await.unwrap()).unwrap();
    assert_eq!(document["authorization_servers"], json!([issuer.url]));
}

#[tokio::test]
async fn keys_are_replaced_and_looked_for_now_and_then_only() {
    let issuer = Issuer::start(&[1]).await;
    let agent = start(&issuer).await;
    // A key that is not known is looked for once more; not for each who names one.
    issuer.publish(&[1, 2]);
    assert_eq!(status(&agent, &issuer.token(2, "42", |_| {})).await, 200);
    let asked = issuer.asked();
    for key in 10..18 {
        assert_eq!(status(&agent, &issuer.token(key, "42", |_| {})).await, 401);
    }
    assert_eq!(issuer.asked(), asked);
    assert_eq!(status(&agent, &issuer.token(2, "42", |claims| claims["x"] = json!(1))).await, 200);
}

#[tokio::test]
async fn an_issuer_that_is_down() {
    let issuer = Issuer::start(&[1]).await;
    issuer.set_down(true);
    let agent = start(&issuer).await;
    let token = issuer.token(1, "42", |_| {});
    let response = Client::with(&agent.listen, Some(&token)).get("/v1/status").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key("retry-after"));
    // It is not asked again for everybody who comes.
    let asked = issuer.asked();
    for _ in 0..5 {
        assert_eq!(status(&agent, &token).await, 503);
    }
    assert_eq!(issuer.asked(), asked);
    // Once its keys are known it may go.
    let issuer = Issuer::start(&[1]).await;
    let agent = start(&issuer).await;
    assert_eq!(status(&agent, &issuer.token(1, "42", |_| {})).await, 200);
    issuer.set_down(true);
    assert_eq!(status(&agent, &issuer.token(1, "42", |claims| claims["x"] = json!(1))).await, 200);
}

/// With its leeway a token is good for half a minute more than it says.
#[tokio::test]
async fn a_stream_ends_with_the_token() {
    let issuer = Issuer::start(&[1]).await;
    let agent = start(&issuer).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let ending = issuer.token(1, "42", |claims| claims["exp"] = json!(now - 20));
    let ada = Client::with(&agent.listen, Some(&ending));
    let session = ada.session("alpha").await;
    let mut stream = ada.stream("alpha", &session).await;
    let drained = async { while stream.chunk().await.unwrap().is_some() {} };
    tokio::time::timeout(PATIENCE, drained).await.expect("the stream ends");
    assert_eq!(status(&agent, &ending).await, 401);
    agent.stop().await;
}
