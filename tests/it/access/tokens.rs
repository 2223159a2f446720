//! Bearer tokens, what is answered without a good one, and the commands that make and use them.

use super::fleet::{Client, REQUIRED, start, start_with, token, usual};
use crate::support::{Agent, Key, Repo, eventually, user};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// Status, code of the error, and the challenge.
async fn refusal(request: RequestBuilder) -> (u16, String, String) {
    let response = request.send().await.unwrap();
    let challenge = response.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    (status, body["error"]["code"].as_str().unwrap_or_default().to_owned(), challenge.unwrap_or_default())
}

#[tokio::test]
async fn without_a_good_token_there_is_nothing() {
    let agent = start().await;
    let base = format!("http://{}/.well-known/oauth-protected-resource", agent.listen);
    let nobody = Client::with(&agent.listen, None);
    let list = |client: &Client, app: &str| client.modern(app, "tools/list", json!({}));
    // There or not: the same.
    for app in ["alpha", "zeta"] {
        let expected = (401, "unauthenticated".to_owned(), format!("Bearer resource_metadata=\"{base}/mcp/{app}\""));
        assert_eq!(refusal(list(&nobody, app)).await, expected);
    }
    let wrong = Client::with(&agent.listen, Some("wrong"));
    let (status, code, challenge) = refusal(list(&wrong, "alpha")).await;
    assert_eq!((status, &*code), (401, "invalid-token"));
    assert_eq!(challenge, format!("Bearer error=\"invalid_token\", resource_metadata=\"{base}/mcp/alpha\""));
    for path in ["/mcp", "/mcp/alpha", "/v1/status", "/v1/events", "/v1/apps/alpha/logs", "/nothing"] {
        assert_eq!(nobody.get(path).send().await.unwrap().status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    for (path, body) in [("/v1/reconcile", "{}"), ("/v1/suspend", "{}"), ("/v1/apps/alpha/restart", "{}")] {
        let request = nobody.request(Method::POST, path).header("content-type", "application/json").body(body);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    // In the URL it is refused, were it good.
    let in_url = nobody.get(&format!("/v1/status?access_token={}", token("ada")));
    assert_eq!(in_url.send().await.unwrap().status(), StatusCode::BAD_REQUEST);
    for value in
        [format!("Basic {}", token("ada")), token("ada"), "Bearer".into(), format!("Bearer {0}, {0}", token("ada"))]
    {
        let request = nobody.get("/v1/status").header("authorization", &value);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::BAD_REQUEST, "{value}");
    }
    // What describes the gateway needs none, and says nothing of apps.
    for (path, resource) in [("", ""), ("/mcp/alpha", "/mcp/alpha"), ("/mcp/zeta", "/mcp/zeta")] {
        let response = nobody.get(&format!("/.well-known/oauth-protected-resource{path}")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let document: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!(document["resource"], format!("http://{}{resource}", agent.listen));
        assert_eq!(document["bearer_methods_supported"], json!(["header"]));
    }
    assert_eq!(nobody.get("/healthz").send().await.unwrap().status(), StatusCode::OK);
    // The token is in no log.
    assert_eq!(Client::of(&agent, "ada").tools("alpha").await.map(|tools| tools.len()), Some(3));
    assert!(!agent.log().contains(&token("ada")), "{}", agent.log());
}

#[tokio::test]
async fn the_token_never_reaches_a_server() {
    let agent = start().await;
    let ada = Client::of(&agent, "ada");
    let session = ada.session("alpha").await;
    let pid = super::fleet::call("pid", json!({})).to_string();
    let answered = super::fleet::answer(ada.in_session("alpha", &session, pid)).await;
    let pid: i32 = super::fleet::outcome(&answered).unwrap().parse().unwrap();
    let environment = std::fs::read(format!("/proc/{pid}/environ"));
    let Ok(environment) = environment else {
        return crate::support::missing("the environment of a server", "it is another user's");
    };
    assert!(!String::from_utf8_lossy(&environment).contains(&token("ada")));
}

#[tokio::test]
async fn guessing_is_slowed_down_and_keeps_out_nobody_else() {
    let agent = start().await;
    let ada = Client::of(&agent, "ada");
    let mut seen = Vec::new();
    for n in 0..40 {
        let wrong = Client::with(&agent.listen, Some(&format!("guess-{n}")));
        let response = wrong.get("/v1/status").send().await.unwrap();
        seen.push((response.status().as_u16(), response.headers().contains_key("retry-after")));
    }
    assert_eq!(seen.first(), Some(&(401, false)));
    assert_eq!(seen.last(), Some(&(429, true)));
    assert_eq!(ada.tools("alpha").await.map(|tools| tools.len()), Some(3));
}

#[tokio::test]
async fn a_token_is_made_committed_and_used() {
    let files = [("app.yaml", super::fleet::app("alpha", "a", "both")), ("role.yaml", usual().swap_remove(2).1)];
    let agent = start_with(&files, &[]).await;
    eventually("the advice", async || agent.log().contains("mcpfleet token create").then_some(())).await;
    let made: Value = serde_json::from_str(&agent.says(&["token", "create", "zoe", "-o", "json"]).await).unwrap();
    let (token, digest) = (made["token"].as_str().unwrap(), made["token_sha256"].as_str().unwrap());
    assert!(token.starts_with("mcpf_") && token.len() == 53, "{made}");
    assert_eq!(made["file"], Value::Null);
    let shown = agent.says(&["token", "create", "zoe"]).await;
    let document = &shown[shown.find("kind: user").unwrap()..];
    let document = document.split("\n\n").next().unwrap();
    assert!(!shown.contains(token), "another one each time");
    // As it is shown, with the digest of the first one and a role.
    let start = document.find("- ").unwrap() + 2;
    let document = document.replace(&document[start..start + 64], digest);
    let document = match document.contains("roles:") {
        true => document.replace("roles: []", "roles: [team-a]"),
        false => document.replace("spec:\n", "spec:\n  roles: [team-a]\n"),
    };
    agent.write("zoe.yaml", &format!("{document}\n"));
    let file = agent.home.path().join("token");
    std::fs::write(&file, format!("{token}\n")).unwrap();
    let zoe = Client::with(&agent.listen, Some(token));
    super::fleet::becomes("a new user", StatusCode::OK, async || zoe.get("/v1/status").send().await.unwrap().status())
        .await;

    let gateway = format!("http://{}", agent.listen);
    let cli = async |arguments: &[&str]| {
        let mut command = agent.home.mcpfleet(arguments);
        command.env("MCPFLEET_AGENT", &gateway).env("MCPFLEET_TOKEN_FILE", &file);
        let output = command.output().await.unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let listed = cli(&["mcp", "ls"]).await;
    assert!(listed.contains("ALLOWED TOOLS") && listed.contains("echo, hold, pid"), "{listed}");
    let listed: Value = serde_json::from_str(&cli(&["mcp", "ls", "-o", "json"]).await).unwrap();
    assert_eq!(listed[0]["allowed_tools"], json!({"allow": ["echo", "hold", "pid"]}), "{listed}");
    let tools: Value = serde_json::from_str(&cli(&["mcp", "tools", "alpha", "-o", "json"]).await).unwrap();
    let names: Vec<_> = tools.as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
    assert_eq!(names, ["echo", "hold", "pid"]);
    let called = cli(&["mcp", "call", "alpha", "echo", "{\"text\": \"hello\"}"]).await;
    assert!(called.contains("hello"), "{called}");
    assert!(cli(&["status"]).await.contains("as user zoe"));
    // Without rights there is a hint.
    agent.write("zoe.yaml", &format!("{document}\n").replace("[team-a]", "[]"));
    super::fleet::becomes("no rights", None, async || zoe.tools("alpha").await).await;
    let listed = cli(&["mcp", "ls"]).await;
    assert!(listed.contains("user zoe") && listed.contains("app_labels"), "{listed}");
    assert_eq!(cli(&["mcp", "ls", "-o", "json"]).await.trim(), "[]");
    // An operator sees all of them, and that all of their tools are allowed.
    let listed: Value = serde_json::from_str(&agent.says(&["mcp", "ls", "-o", "json"]).await).unwrap();
    assert_eq!(listed[0]["allowed_tools"], json!({"allow": ["*"]}));
}

#[tokio::test]
async fn in_a_repository_the_file_of_the_user_is_named() {
    let agent = Agent::start_with(&[], &[REQUIRED]).await;
    let home = &agent.home;
    let repo = Repo::at(&home.path().join("fleet.git"));
    let ada = Key::new("ada");
    let commit = repo.commit(&[], None, &[("people/ada.yaml", Some(&user("ada", &[&ada], &[])))], "Start");
    repo.push(commit);
    let cloned = home.git(["clone", "-q", "fleet.git", "work"]).output().await.unwrap();
    assert!(cloned.status.success(), "{cloned:?}");
    let shown = agent.says(&["token", "create", "ada", "--repo", "work"]).await;
    assert!(shown.contains("people/ada.yaml") && shown.contains("token_sha256"), "{shown}");
    let made: Value =
        serde_json::from_str(&agent.says(&["token", "create", "ada", "--repo", "work", "-o", "json"]).await).unwrap();
    assert_eq!(made["file"], "people/ada.yaml");
}
