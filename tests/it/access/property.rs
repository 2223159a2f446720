//! Any roles: nobody sees, reaches, or interferes with what is another's, and everybody has what is theirs.

use super::fleet::{Client, answer, app, call, outcome, role, start_with, user};
use crate::support::eventually;
use proptest::{
    prelude::*,
    sample::subsequence,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use reqwest::{Method, StatusCode};
use serde_json::json;

const APPS: [(&str, &str); 3] = [("alpha", "a"), ("beta", "b"), ("gamma", "c")];
const USERS: [&str; 3] = ["ada", "bob", "eve"];
const TOOLS: [&str; 3] = ["echo", "pid", "stats"];

/// What a user has: for teams, with tools; and what is denied.
#[derive(Clone, Debug)]
struct Given {
    teams: Vec<&'static str>,
    tools: Vec<&'static str>,
    denied: Vec<&'static str>,
}

impl Given {
    fn role(&self) -> String {
        let labels: Vec<String> = self.teams.iter().map(|team| format!("{{team: {team}}}")).collect();
        format!(
            "{{allow: {{app_labels: [{}], mcp: {{tools: {:?}}}}}, deny: {{mcp: {{tools: {:?}}}}}}}",
            labels.join(", "),
            self.tools,
            self.denied
        )
    }

    fn may(&self, team: &str, tool: &str) -> bool {
        self.knows(team) && self.tools.contains(&tool) && !self.denied.contains(&tool)
    }

    fn knows(&self, team: &str) -> bool {
        self.teams.contains(&team)
    }
}

fn given() -> impl Strategy<Value = [Given; 3]> {
    let one = (
        subsequence(vec!["a", "b", "c"], 0..=3),
        subsequence(TOOLS.to_vec(), 0..=3),
        subsequence(TOOLS.to_vec(), 0..=1),
    );
    let one = one.prop_map(|(teams, tools, denied)| Given { teams, tools, denied });
    proptest::array::uniform3(one)
}

#[tokio::test]
async fn everybody_has_what_is_theirs_and_nothing_of_others() {
    let mut files: Vec<(&str, String)> = vec![
        ("alpha.yaml", app("alpha", "a", "both")),
        ("beta.yaml", app("beta", "b", "both")),
        ("gamma.yaml", app("gamma", "c", "both")),
    ];
    files.extend([("ada.yaml", user("ada", &[])), ("bob.yaml", user("bob", &[])), ("eve.yaml", user("eve", &[]))]);
    let agent = start_with(&files, &[]).await;
    let clients = USERS.map(|name| Client::of(&agent, name));
    // The same cases in each run, so that a failure can be looked at again.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    for case in 0..10 {
        let given = given().new_tree(&mut runner).unwrap().current();
        // One file, so that it is in force as a whole; the mark says that it is.
        let mark = format!("mark-{case}");
        let mut text = String::new();
        for (name, given) in USERS.iter().zip(&given) {
            text += &format!(
                "{}---\n{}---\n",
                role(&format!("of-{name}"), &given.role()),
                user(name, &[&format!("of-{name}")])
            );
        }
        text += &format!(
            "{}---\n{}",
            role("watch", "{allow: {rules: [{resources: [agent], verbs: [read]}]}}"),
            user(&mark, &["watch"])
        );
        for name in USERS {
            let _ = std::fs::remove_file(agent.folder().join(format!("{name}.yaml")));
        }
        agent.write("policy.yaml", &text);
        let marked = Client::of(&agent, &mark);
        eventually("the policy in force", async || {
            (marked.get("/v1/status").send().await.unwrap().status() == StatusCode::OK).then_some(())
        })
        .await;
        for (client, given) in clients.iter().zip(&given) {
            check(client, given, &clients).await;
        }
    }
}

async fn check(client: &Client, given: &Given, all: &[Client]) {
    let listed = client.status().await;
    let listed: Vec<_> = listed["apps"].as_array().unwrap().iter().map(|app| app["name"].as_str().unwrap()).collect();
    let expected: Vec<_> = APPS.iter().filter(|(_, team)| given.knows(team)).map(|(app, _)| *app).collect();
    assert_eq!(listed, expected, "{given:?}");
    for (app, team) in APPS {
        let tools = client.tools(app).await;
        let expected: Vec<_> = TOOLS.into_iter().filter(|tool| given.may(team, tool)).map(str::to_owned).collect();
        let mut got = tools.clone().unwrap_or_default();
        got.sort();
        assert_eq!((tools.is_some(), got), (given.knows(team), expected), "{app} with {given:?}");
        for tool in TOOLS {
            let called = outcome(&answer(client.call(app, tool, json!({"text": "x"}))).await);
            match (given.knows(team), given.may(team, tool)) {
                (_, true) => assert!(called.is_ok(), "{app} {tool} with {given:?}: {called:?}"),
                (true, false) => assert_eq!(called, Err((200, -32602)), "{app} {tool} with {given:?}"),
                (false, false) => assert_eq!(called, Err((404, -32600)), "{app} {tool} with {given:?}"),
            }
        }
        if !given.knows(team) {
            continue;
        }
        let session = client.session(app).await;
        for other in all.iter().filter(|other| !std::ptr::eq(*other, client)) {
            let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
            let subscribe =
                json!({"jsonrpc": "2.0", "id": 1, "method": "resources/subscribe", "params": {"uri": "x:y"}});
            for body in [call("echo", json!({})), cancel, subscribe] {
                // Without the tool it does not even come to the session.
                let got = outcome(&answer(other.in_session(app, &session, body.to_string())).await);
                assert!(matches!(got, Err((404, _) | (200, -32602))), "{body}: {got:?}");
            }
            let stream = other.get(&format!("/mcp/{app}")).header("accept", "text/event-stream");
            let stream = stream.header("mcp-session-id", &session).send().await.unwrap();
            assert_eq!(stream.status(), StatusCode::NOT_FOUND);
            let ended = other.request(Method::DELETE, &format!("/mcp/{app}")).header("mcp-session-id", &session);
            assert_eq!(ended.send().await.unwrap().status(), StatusCode::NOT_FOUND);
        }
        let ended = client.request(Method::DELETE, &format!("/mcp/{app}")).header("mcp-session-id", &session);
        assert_eq!(ended.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    }
}
