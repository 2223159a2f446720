//! Who did what, as it is written down and as it is shown.

use crate::support::{Agent, Got, PATIENCE, PlainClient, demo_app, eventually, fake_app, processes::mode};
use mcpfleet::{
    protocol::{MODERN_VERSION, meta},
    status::model::audit::{Kind, Outcome, Record},
};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Stdio, time::Duration};
use tokio::io::{AsyncBufReadExt, BufReader};

/// The records of a file, which must be whole lines.
fn records(file: &Path) -> Vec<Record> {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// The records that the command line shows.
async fn shown(agent: &Agent, filters: &[&str]) -> Vec<Record> {
    let text = agent.says(&[&["audit", "-o", "json", "-n", "10000"], filters].concat()).await;
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Waits until there is such a record, and gives the last one.
async fn one(agent: &Agent, filters: &[&str]) -> Record {
    eventually(&format!("a record of {filters:?}"), async || shown(agent, filters).await.pop()).await
}

fn settings(file: &Path) -> Vec<String> {
    vec![format!("audit.file={}", file.display())]
}

async fn start(files: &[(&str, &str)], settings: &[String]) -> Agent {
    Agent::start_with(files, &settings.iter().map(String::as_str).collect::<Vec<_>>()).await
}

#[tokio::test]
async fn who_did_what() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("log/audit.jsonl");
    let agent = start(&[("one.yaml", &fake_app("one", &[]))], &settings(&file)).await;
    let gateway = format!("http://{}", agent.listen);
    let client = PlainClient::new(&gateway, "one");

    assert_eq!(client.call("echo", json!({"text": "not-for-the-log"})).await, Got::Text("not-for-the-log".into()));
    let echo = one(&agent, &["--tool", "echo"]).await;
    assert_eq!((&*echo.kind, &*echo.outcome, echo.principal.as_deref()), ("request", "ok", Some("anonymous")));
    assert_eq!((echo.app.as_deref(), echo.method.as_deref()), (Some("one"), Some("tools/call")));
    assert!(echo.peer.as_deref().is_some_and(|peer| peer.starts_with("127.0.0.1:")), "{echo:?}");
    assert!(echo.duration_ms.is_some_and(|duration| duration > 0.0) && echo.arguments.is_none(), "{echo:?}");

    client.call("no-such-tool", json!({})).await;
    let failed = one(&agent, &["--outcome", "error"]).await;
    assert_eq!((failed.code, failed.name.as_deref()), (Some(-32602), Some("no-such-tool")));

    assert_eq!(client.call_within(Duration::from_millis(300), "sleep", json!({"ms": 60_000})).await, Got::Silence);
    assert_eq!(one(&agent, &["--outcome", "gone"]).await.name.as_deref(), Some("sleep"));

    PlainClient::new(&gateway, "not-there").call("echo", json!({})).await;
    let denied = one(&agent, &["--outcome", "denied"]).await;
    assert_eq!((denied.app.as_deref(), denied.code), (Some("not-there"), Some(-32600)));

    let session = client.open().await.unwrap();
    session.call("echo", json!({"text": "a"})).await;
    assert_eq!(session.delete().await, Some(204));
    let ended = one(&agent, &["--kind", "session-end"]).await;
    let label = ended.session.clone().expect("a session");
    let of_session: Vec<_> = shown(&agent, &["--app", "one"]).await;
    let of_session: Vec<_> = of_session.iter().filter(|record| record.session.as_ref() == Some(&label)).collect();
    let seen: Vec<_> = of_session.iter().map(|record| (&*record.kind, record.method.as_deref())).collect();
    assert_eq!(
        seen,
        [
            ("session-start", Some("initialize")),
            ("notification", Some("notifications/initialized")),
            ("request", Some("tools/call")),
            ("session-end", None),
        ]
    );
    assert!(ended.reason.is_some() && ended.duration_ms.is_some());

    agent.says(&["mcp", "tools", "one"]).await;
    agent.says(&["mcp", "call", "one", "echo", r#"{"text": "by the socket"}"#]).await;
    let operator = one(&agent, &["--principal", "operator", "--tool", "echo"]).await;
    assert!(operator.peer.as_deref().is_some_and(|peer| peer.starts_with("uid ")), "{operator:?}");
    agent.says(&["restart", "one", "--wait"]).await;
    let restarted = one(&agent, &["--kind", "operation"]).await;
    assert_eq!((restarted.method.as_deref(), restarted.app.as_deref()), (Some("restart"), Some("one")));

    let all = shown(&agent, &[]).await;
    assert!(all.iter().all(|record| record.method.as_deref() != Some("tools/list")), "lists are nobody's business");
    assert!(all.iter().map(|record| record.sequence).eq(1..=all.len() as u64), "without a gap");
    let home = agent.stop().await;
    let written = records(&file);
    assert_eq!(written[..all.len()], all[..]);
    assert_eq!(written.last().map(|record| &*record.kind), Some("agent-stop"));
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains("not-for-the-log"), "arguments are recorded only where that is wanted");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    drop(home);
}

#[tokio::test]
async fn changes_of_resources_and_what_strangers_try() {
    let agent = start(&[("one.yaml", &demo_app("one"))], &["gateway.auth=required".into()]).await;
    agent.write("two.yaml", &demo_app("two"));
    let created = one(&agent, &["--kind", "change"]).await;
    eventually("it is created", async || {
        let record = shown(&agent, &["--kind", "change"]).await.pop()?;
        (record.method.as_deref() == Some("create")).then_some(())
    })
    .await;
    assert!(created.source.is_some() && created.revision.is_some(), "{created:?}");
    let change = shown(&agent, &["--kind", "change"]).await.pop().unwrap();
    assert_eq!((change.resource.as_deref(), change.path.as_deref()), (Some("app/two"), Some("two.yaml")));
    agent.write("two.yaml", &demo_app("two").replace("playground", "workshop"));
    fs::remove_file(agent.folder().join("one.yaml")).unwrap();
    let changes = eventually("an update and a removal", async || {
        let changes = shown(&agent, &["--kind", "change"]).await;
        let has = |verb: &str| changes.iter().any(|change| change.method.as_deref() == Some(verb));
        (has("update") && has("delete")).then_some(changes)
    })
    .await;
    let deleted = changes.iter().find(|change| change.method.as_deref() == Some("delete")).unwrap();
    assert_eq!(deleted.resource.as_deref(), Some("app/one"));

    let http = reqwest::Client::new();
    for _ in 0..3 {
        let tried = http.get(format!("http://{}/v1/audit", agent.listen)).bearer_auth("guess-of-a-token").send().await;
        assert_eq!(tried.unwrap().status(), 401);
    }
    let stranger = one(&agent, &["--kind", "admission"]).await;
    assert_eq!((&*stranger.outcome, stranger.name.as_deref()), ("denied", Some("/v1/audit")));
    assert!(stranger.principal.is_none() && stranger.peer.is_some());
    let text = agent.says(&["audit", "-o", "json"]).await;
    assert!(!text.contains("guess-of-a-token"));
    agent.stop().await;
}

#[tokio::test]
async fn calls_at_the_endpoint_for_all_are_those_of_their_app() {
    let agent = start(&[("one.yaml", &fake_app("one", &["--era", "modern"]))], &["audit.arguments=true".into()]).await;
    let all = async |name: &str| {
        let meta = json!({meta::PROTOCOL_VERSION: MODERN_VERSION, meta::CLIENT_CAPABILITIES: {}});
        let params = json!({"name": name, "arguments": {"text": "to all"}, "_meta": meta});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let request = reqwest::Client::new()
            .post(format!("http://{}/mcp", agent.listen))
            .header("content-type", "application/json")
            .header("mcp-protocol-version", MODERN_VERSION)
            .header("mcp-method", "tools/call")
            .header("mcp-name", name)
            .body(body.to_string());
        request.send().await.unwrap().text().await.unwrap()
    };
    assert!(all("one__echo").await.contains("to all"));
    all("one__no-such-tool").await;
    all("nobody__echo").await;
    let unknown = eventually("three calls", async || {
        let mut calls = shown(&agent, &["--kind", "request"]).await;
        (calls.len() == 3).then(|| calls.pop())
    })
    .await
    .unwrap();
    let echo = one(&agent, &["--tool", "echo"]).await;
    assert_eq!((echo.app.as_deref(), &*echo.outcome), (Some("one"), "ok"));
    assert_eq!(echo.arguments.as_deref(), Some(r#"{"text":"to all"}"#));
    let refused = one(&agent, &["--tool", "no-such-tool"]).await;
    assert_eq!((refused.app.as_deref(), &*refused.outcome, refused.code), (Some("one"), "error", Some(-32602)));
    assert_eq!((unknown.app, unknown.name.as_deref(), &*unknown.outcome), (None, Some("nobody__echo"), "error"));
    agent.stop().await;
}

#[tokio::test]
async fn it_is_for_operators_only() {
    let agent = start(&[], &[]).await;
    let response = reqwest::get(format!("http://{}/v1/audit", agent.listen)).await.unwrap();
    assert_eq!(response.status(), 403);
    agent.stop().await;
}

#[tokio::test]
async fn arguments_are_recorded_where_it_is_wanted_but_no_secrets() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), mode(0o711)).unwrap();
    fs::create_dir(dir.path().join("secrets")).unwrap();
    fs::write(dir.path().join("secrets/token"), "hunter2-and-more").unwrap();
    let app = fake_app("one", &[]).replace("args: []", "args: [], env: {TOKEN: {secret: token}}");
    let settings =
        ["audit.arguments=true".into(), format!("app_service.secrets_dir={}", dir.path().join("secrets").display())];
    let agent = start(&[("one.yaml", &app)], &settings).await;
    let client = PlainClient::new(&format!("http://{}", agent.listen), "one");
    let said = "a \u{1b}[31m hunter2-and-more";
    assert_eq!(client.call("echo", json!({"text": said})).await, Got::Text(said.into()));
    let echo = one(&agent, &["--tool", "echo"]).await;
    let arguments: Value = serde_json::from_str(echo.arguments.as_deref().unwrap()).unwrap();
    assert_eq!(arguments, json!({"text": "a \u{1b}[31m [secret]"}));
    client.call("echo", json!({"text": "x".repeat(100_000)})).await;
    let long = eventually("the long one", async || {
        let last = shown(&agent, &["--tool", "echo"]).await.pop()?;
        last.arguments.filter(|arguments| arguments.contains("xxx"))
    })
    .await;
    assert!(long.len() < 5_000 && long.ends_with('…'), "{}", long.len());
    // What a client says does nothing to a terminal.
    client.open().await.unwrap().call("no\u{1b}]0;title\u{7}", json!({})).await;
    one(&agent, &["--outcome", "error"]).await;
    let text = agent.says(&["audit"]).await;
    assert!(text.contains(r"\u{1b}]0;title\u{7}") && !text.contains('\u{1b}') && !text.contains("hunter2"), "{text}");
    agent.stop().await;
}

#[tokio::test]
async fn followers_see_it_happen() {
    let agent = start(&[("one.yaml", &fake_app("one", &[]))], &[]).await;
    let mut following = agent.command(&["audit", "-f", "-n", "0", "--tool", "echo", "-o", "json"]);
    let mut following = following.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let client = PlainClient::new(&format!("http://{}", agent.listen), "one");
    // Until the follower is there, calls are not told to it.
    let told = async {
        let mut line = Box::pin(lines.next_line());
        loop {
            client.call("pid", json!({})).await;
            client.call("echo", json!({"text": "x"})).await;
            if let Ok(line) = tokio::time::timeout(Duration::from_millis(100), &mut line).await {
                return line.unwrap().expect("a line");
            }
        }
    };
    let line = tokio::time::timeout(PATIENCE, told).await.expect("it is told");
    let record: Record = serde_json::from_str(&line).unwrap();
    assert_eq!((record.name.as_deref(), record.app.as_deref()), (Some("echo"), Some("one")));
    following.kill().await.unwrap();
    agent.stop().await;
}

#[tokio::test]
async fn it_goes_on_after_a_restart_and_is_searched_in_all_files() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("audit.jsonl");
    let settings = settings(&file);
    let agent = start(&[("one.yaml", &demo_app("one"))], &settings).await;
    let client = PlainClient::new(&format!("http://{}", agent.listen), "one");
    client.call("no-such-tool", json!({})).await;
    one(&agent, &["--tool", "no-such-tool"]).await;
    agent.stop().await;
    let before = records(&file).len() as u64;
    // As if it had been full.
    fs::rename(&file, dir.path().join("audit.jsonl.20261128T202439123Z")).unwrap();
    fs::write(&file, "").unwrap();
    let agent = start(&[], &settings).await;
    let all = shown(&agent, &[]).await;
    assert!(all.iter().map(|record| record.sequence).eq(1..=all.len() as u64), "{all:#?}");
    assert_eq!(all[before as usize].kind, Kind::AgentStart.word());
    assert_eq!(shown(&agent, &["--tool", "no-such-tool"]).await.len(), 1);
    assert_eq!(shown(&agent, &["--since", "2126-01-01T00:00:00Z"]).await, []);
    let sets = [&settings[0], "state_dir=other", "control_socket=other.sock", "gateway.listen=127.0.0.1:0"];
    let mut second = agent.home.mcpfleet(["run", "fleet"]);
    let refused = second.args(sets.iter().flat_map(|set| ["--set", set])).output().await.unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(3) && said.contains("another process writes to it"), "{said}");
    agent.stop().await;
}

#[test]
fn every_word_is_documented() {
    let page = include_str!("../../docs/operations.md");
    let kinds = Kind::ALL.iter().filter(|kind| **kind != Kind::Missed).map(|kind| kind.word());
    for word in kinds.chain(Outcome::ALL.iter().map(|outcome| outcome.word())) {
        assert!(page.contains(&format!("`{word}`")), "docs/operations.md does not say what {word} is");
    }
}
