//! An agent that is open to everybody: reading is nobody's, and ordering is the operator's.

use super::browser::{Browser, code, link, told};
use crate::{
    access::fleet::{token, usual},
    support::Agent,
};
use reqwest::Method;
use serde_json::json;

async fn start() -> Agent {
    let files = usual();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    Agent::start_with(&files, &["gateway.auth=open"]).await
}

#[tokio::test]
async fn everybody_looks_and_the_operator_acts() {
    let agent = start().await;
    let nobody = Browser::new(&agent);
    let (_, me) = nobody.get("/v1/me").await;
    assert_eq!((&me["principal"], &me["by"]), (&json!("anonymous"), &json!("open")));
    assert_eq!(
        me["may"],
        json!({"read": true, "restart": false, "suspend": false, "resume": false, "reconcile": false,
        "prune": false, "audit": false})
    );
    let page = nobody.bare(Method::GET, "/").send().await.unwrap().text().await.unwrap();
    assert!(page.contains("web/app.js"), "{page}");
    assert_eq!(nobody.restarts().await, (403, "not-allowed".into()));
    let (status, said) = nobody.post("/v1/web/links", json!({})).await;
    assert_eq!((status, &said["error"]["code"]), (403, &json!("anonymous")));
    // What does not count here is not asked for.
    let (status, said) = Browser::new(&agent).sign_in(&json!({"token": token("ada")})).await;
    assert_eq!((status, &said["error"]["code"]), (403, &json!("open")));

    let operator = Browser::of_operator(&agent).await;
    assert_eq!(operator.principal().await, "operator");
    assert_eq!(operator.restarts().await, (202, String::new()));
    let without = Browser { proof: None, ..operator.clone() };
    assert_eq!(without.restarts().await, (403, "no-proof".into()));
    assert_eq!(without.get("/v1/status").await.0, 200);
    // Whoever's session has ended is as good as anybody.
    assert_eq!(operator.request(Method::DELETE, "/v1/web/sessions").send().await.unwrap().status(), 204);
    assert_eq!(operator.principal().await, "anonymous");
    assert_eq!(operator.restarts().await, (403, "not-allowed".into()));
}

#[tokio::test]
async fn sessions_end_with_the_agent() {
    let agent = start().await;
    let (browser, unused) = (Browser::of_operator(&agent).await, link(&agent).await);
    let (home, listen) = (agent.listen.clone(), browser.host.clone());
    assert_eq!(home, listen);
    let home = agent.stop().await;
    let agent = Agent::start_in(home, &listen).await;
    assert_eq!(browser.restarts().await.0, 403);
    let (status, _) = told(browser.sign_in_request(&json!({"code": code(&unused)})).send().await.unwrap()).await;
    assert_eq!(status, 401);
    assert_eq!(Browser::of_operator(&agent).await.restarts().await.0, 202);
}
