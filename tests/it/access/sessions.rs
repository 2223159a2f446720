//! A session is its principal's.

use super::fleet::{Client, answer, call, outcome, role, start_with, token, user, usual};
use mcpfleet::resource::Digest;
use reqwest::{Method, StatusCode};
use serde_json::json;

#[tokio::test]
async fn nobody_uses_the_session_of_another() {
    let mut files = usual();
    files.push(("twin.yaml", user("twin", &["team-a"])));
    let both = format!("{}, {}", Digest::of_bytes(token("ada").as_bytes()), Digest::of_bytes(b"second-token"));
    let ada = user("ada", &["team-a"]).replace(&Digest::of_bytes(token("ada").as_bytes()).to_string(), &both);
    files.retain(|(name, _)| *name != "ada.yaml");
    files.push(("ada.yaml", ada));
    let agent = start_with(&files, &[]).await;
    let (ada, twin) = (Client::of(&agent, "ada"), Client::of(&agent, "twin"));
    let session = ada.session("alpha").await;
    let echo = call("echo", json!({"text": "mine"})).to_string();
    // The same rights, and still somebody else.
    let other = answer(twin.in_session("alpha", &session, echo.clone())).await;
    assert_eq!((other.0, &other.1["error"]["code"]), (StatusCode::NOT_FOUND, &json!(-32013)));
    let unknown = answer(twin.in_session("alpha", "0123456789abcdef0123456789abcdef", echo.clone())).await;
    assert_eq!(other, unknown, "it cannot be told from one that is not there");
    let stream = twin.get("/mcp/alpha").header("accept", "text/event-stream").header("mcp-session-id", &session);
    assert_eq!(stream.send().await.unwrap().status(), StatusCode::NOT_FOUND);
    let ended = twin.request(Method::DELETE, "/mcp/alpha").header("mcp-session-id", &session).send().await.unwrap();
    assert_eq!(ended.status(), StatusCode::NOT_FOUND);
    // Its own user comes with another token, and is the same.
    let again = Client::with(&agent.listen, Some("second-token"));
    assert_eq!(outcome(&answer(again.in_session("alpha", &session, echo.clone())).await), Ok("mine".into()));
    let ended = again.request(Method::DELETE, "/mcp/alpha").header("mcp-session-id", &session).send().await.unwrap();
    assert_eq!(ended.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn nobody_cancels_the_call_of_another() {
    // One process for all, so that ids could get mixed up.
    let mut files = usual();
    files.retain(|(name, _)| *name != "alpha.yaml");
    let shared = super::fleet::app("alpha", "a", "legacy").replace("mcp: {", "mcp: {sessions: shared, ");
    files.extend([("alpha.yaml", shared), ("twin.yaml", user("twin", &["team-a"]))]);
    let agent = start_with(&files, &[]).await;
    let (ada, twin) = (Client::of(&agent, "ada"), Client::of(&agent, "twin"));
    let (of_ada, of_twin) = (ada.session("alpha").await, twin.session("alpha").await);
    let gate = agent.home.path().join("gate");
    let hold = call("hold", json!({"path": gate})).to_string();
    let held = tokio::spawn(answer(ada.in_session("alpha", &of_ada, hold)));
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}).to_string();
    for session in [&of_twin, &of_ada] {
        twin.in_session("alpha", session, cancel.clone()).send().await.unwrap();
    }
    // Nothing overtakes on the way to the one process.
    let echo = call("echo", json!({"text": "x"})).to_string();
    assert_eq!(outcome(&answer(twin.in_session("alpha", &of_twin, echo)).await), Ok("x".into()));
    std::fs::write(&gate, "").unwrap();
    std::fs::set_permissions(&gate, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(outcome(&held.await.unwrap()), Ok("held".into()));
}

/// Roles that nobody holds, or that are for other apps, open nothing.
#[tokio::test]
async fn a_role_of_another_is_of_no_use() {
    let mut files = usual();
    files.push(("all.yaml", role("all", "{allow: {app_labels: {\"*\": \"*\"}, mcp: {tools: [\"*\"]}}}")));
    let agent = start_with(&files, &[]).await;
    let eve = Client::of(&agent, "eve");
    assert_eq!(eve.tools("alpha").await, None);
    agent.write("eve.yaml", &user("eve", &["all"]));
    super::fleet::becomes("the new role", true, async || {
        eve.tools("alpha").await.is_some_and(|tools| tools.len() > 10)
    })
    .await;
}
