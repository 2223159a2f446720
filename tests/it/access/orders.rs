//! Orders to the agent: by operators, and by users whose roles say so.

use super::fleet::{Client, role, start_with, user, usual};
use reqwest::Method;
use serde_json::{Value, json};

async fn order(client: &Client, path: &str, body: Value) -> (u16, String) {
    let request = client.request(Method::POST, path).header("content-type", "application/json").body(body.to_string());
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn who_may_order_what() {
    let mut files = usual();
    files.retain(|(name, _)| *name != "eve.yaml");
    let allow = |rule: &str| format!("{{allow: {{rules: [{rule}]}}}}");
    files.extend([
        (
            "restarts.yaml",
            role("restarts", &allow("{resources: [agent], verbs: [restart, suspend], labels: {team: a}}")),
        ),
        ("looks.yaml", role("looks", &allow("{resources: [agent], verbs: [reconcile]}"))),
        ("all.yaml", role("all", &allow("{resources: [\"*\"], verbs: [\"*\"]}"))),
        ("none.yaml", role("none", "{deny: {rules: [{resources: [agent], verbs: [suspend]}]}}")),
        ("eve.yaml", user("eve", &["restarts"])),
        ("ian.yaml", user("ian", &["looks"])),
        ("joe.yaml", user("joe", &["all"])),
        ("kim.yaml", user("kim", &["all", "none"])),
    ]);
    let agent = start_with(&files, &[]).await;
    let paths = [
        ("/v1/reconcile", json!({})),
        ("/v1/apps/alpha/restart", json!({})),
        ("/v1/apps/beta/restart", json!({})),
        ("/v1/suspend", json!({"app": "alpha"})),
        ("/v1/resume", json!({"app": "alpha"})),
        ("/v1/suspend", json!({})),
        ("/v1/resume", json!({})),
        ("/v1/apps/none/restart", json!({})),
    ];
    // `ada` may use and watch alpha; `eve` knows of none, and may have alpha restarted.
    for (name, expected) in [
        ("ada", [403, 403, 404, 403, 403, 403, 403, 404]),
        ("eve", [403, 202, 404, 200, 200, 403, 403, 404]),
        ("ian", [202, 404, 404, 404, 404, 403, 403, 404]),
        ("joe", [202, 202, 202, 200, 200, 200, 200, 404]),
        ("kim", [202, 202, 202, 403, 403, 403, 403, 404]),
    ] {
        let client = Client::of(&agent, name);
        for ((path, body), expected) in paths.iter().zip(expected) {
            let (status, code) = order(&client, path, body.clone()).await;
            assert_eq!(status, expected, "{name} {path} {body}: {code}");
        }
    }
    // By the command line, with a token.
    let file = agent.home.path().join("token");
    std::fs::write(&file, super::fleet::token("eve")).unwrap();
    let mut command = agent.home.mcpfleet(["restart", "alpha"]);
    command.env("MCPFLEET_AGENT", format!("http://{}", agent.listen)).env("MCPFLEET_TOKEN_FILE", &file);
    let output = command.output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
