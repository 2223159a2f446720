//! The start of an agent: what it refuses, what it says, what it lets in.

use super::world::World;
use crate::support::{PATIENCE, eventually, processes::is_root};
use mcpfleet::client::{
    api::{AgentClient, ApiError},
    endpoint::Endpoint,
    http::HttpClient,
};
use serde_json::json;
use std::{fs, net::TcpListener, process::Stdio};
use tokio::{process::Command, time::timeout};

#[tokio::test]
async fn what_cannot_be_run_is_refused_with_its_place() {
    let world = World::new();
    let write = |text: &str| {
        fs::write(world.path("bad.yaml"), text).unwrap();
        ["-c", "bad.yaml"]
    };
    let source = "sources: [{name: local, directory: {path: fleet}}]\n";
    for (text, place, what) in [
        ("sources:\n  - name: fleet\n    git: {url: https://x}\n".to_owned(), "bad.yaml:3:11", "no repository"),
        (format!("{source}policy_source: local\n"), "bad.yaml:2:1", "not yet supported"),
        (format!("{source}gatway: {{}}\n"), "bad.yaml:2:1", "did you mean `gateway`?"),
        (format!("{source}gateway: {{auth: open, listen: '0.0.0.0:7420'}}\n"), "bad.yaml:2:", "0.0.0.0"),
    ] {
        let (code, error) = world.refused(&write(&text)).await;
        assert_eq!(code, Some(2), "{error}");
        assert!(error.contains(place) && error.contains(what), "{error}");
    }
    let open = ["fleet", "--set", "gateway.listen=0.0.0.0:0"];
    for (arguments, what) in [
        (&write("gateway: {auth: open}\n")[..], "nothing to run"),
        (&["-c", "none.yaml"], "none.yaml"),
        (&["none"], "there is no directory none"),
        (&["agent.yaml/fleet"], "there is no directory"),
        (&open, "0.0.0.0"),
        (&["fleet", "--set", "gateway.colour=blue"], "colour"),
        (&[], "--config"),
    ] {
        let (code, error) = world.refused(arguments).await;
        assert_eq!(code, Some(2), "{arguments:?}: {error}");
        assert!(error.contains(what), "{arguments:?}: {error}");
    }
    assert!(!world.path("state").exists(), "nothing was begun");
}

#[tokio::test]
async fn two_agents_do_not_share_a_port_or_a_socket() {
    let world = World::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (code, error) = world.refused(&["fleet", "--set", &format!("gateway.listen={address}")]).await;
    assert_eq!(code, Some(3), "{error}");
    assert!(error.contains(&format!("error: cannot listen on {address}: Address already in use")), "{error}");
    assert!(!world.control_socket().exists());

    let mut agent = world.run();
    agent.ready().await;
    let (code, error) = world.refused(&["fleet", "--set", "gateway.listen=127.0.0.1:0"]).await;
    assert_eq!(code, Some(3), "{error}");
    assert!(error.contains("another agent uses the state_dir"), "{error}");
    let elsewhere = format!("state_dir={}", world.path("other").display());
    let mut command = world.command(&["fleet", "--set", "gateway.listen=127.0.0.1:0"]);
    let refused = command.args(["--set", &elsewhere]).output().await.unwrap();
    let error = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(3), "{error}");
    assert!(error.contains("another agent answers at") && error.contains("control.sock"), "{error}");
    // The first one is none the worse for it.
    agent.ready().await;
    agent.stop().await;

    fs::write(world.control_socket(), "precious").unwrap();
    let (code, error) = world.refused(&["fleet", "--set", "gateway.listen=127.0.0.1:0"]).await;
    assert_eq!(code, Some(3), "{error}");
    assert!(error.contains("is no socket"), "{error}");
    assert_eq!(fs::read_to_string(world.control_socket()).unwrap(), "precious");
}

#[tokio::test]
async fn where_authentication_is_required_only_the_operator_comes_in() {
    let world = World::new();
    world.put("one.yaml", &world.app("one", &[]));
    let mut agent = world.run_configured(&json!({"app_service": {"resources": [{"labels": {"*": "*"}}]}}));
    agent.pid("one").await;
    let status = agent.ready().await;
    assert_eq!(status.agent.auth, "required");
    let endpoint: Endpoint = status.agent.gateway.parse().unwrap();
    let stranger = AgentClient::new(HttpClient::new(vec![endpoint], None));
    match stranger.status().await {
        Err(ApiError::Refused { status, .. }) => assert_eq!(status.as_u16(), 401),
        other => panic!("{other:?}"),
    }
    assert!(agent.says(&["mcp", "ls"]).await.contains("one"));
    assert!(agent.call("one", "echo", json!({"text": "hello"})).await.is_ok_and(|text| text == "hello"));
    if is_root("another user at the control socket") {
        let binary = world.copy(env!("CARGO_BIN_EXE_mcpfleet").as_ref(), "mcpfleet");
        let mut command = Command::new(binary);
        command.args(["status", "--agent"]).arg(world.control_socket()).uid(65534).gid(65534).env_clear();
        let output = command.output().await.unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains("may not use this agent's control socket"), "{error}");
    }
    agent.stop().await;
}

#[tokio::test]
async fn the_first_words_can_be_followed() {
    let world = World::new();
    world.write(
        "demo.yaml",
        "kind: app\nversion: v3\nmetadata: {name: demo}\nspec: {mcp: {command: mcpfleet, args: [demo-server]}}\n",
    );
    world.write("bad.yaml", "kind: ap\n");
    let mut agent = world.run();
    agent.pid("demo").await;
    let words = eventually("the first words", async || {
        let words = fs::read_to_string(world.path("agent.out")).unwrap();
        words.contains("Try in another terminal").then_some(words)
    })
    .await;
    let url = agent.until("the URL", |status| status.apps.first().map(|app| app.url.clone())).await;
    let folder = fs::canonicalize(world.path("fleet")).unwrap();
    assert!(words.contains(&format!("{}: 1 resource in 2 files, 1 problem (see `", folder.display())), "{words}");
    assert!(
        words.lines().any(|line| line.split_whitespace().collect::<Vec<_>>() == ["demo", "Ready", &url]),
        "{words}"
    );
    let advice = words.lines().find_map(|line| line.strip_prefix("Try in another terminal:")).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", advice]).env_remove("MCPFLEET_AGENT").stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(PATIENCE, shell.output()).await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(0), "{advice}: {output:?}");
    assert!(String::from_utf8(output.stdout).unwrap().contains("echo"), "{advice}");
    agent.stop().await;
}

/// Servers may be programs that use `select`, which knows 1024 descriptors.
#[tokio::test]
async fn the_agent_may_open_more_files_than_its_servers() {
    let world = World::new();
    world.put("one.yaml", &world.app("one", &[]));
    let mut shell = Command::new("sh");
    let run = world.command(&["fleet", "--set", "gateway.listen=127.0.0.1:0"]);
    let run = run.as_std();
    shell.args(["-c", r#"ulimit -Sn 256 && exec "$0" "$@""#]).arg(run.get_program()).args(run.get_args());
    shell.env_clear().envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.current_dir(world.path("")).stdin(Stdio::null()).kill_on_drop(true);
    let mut agent = world.spawn(shell);
    let open_files = |pid: u32| -> Vec<String> {
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
        line.split_whitespace().take(2).map(str::to_owned).collect()
    };
    let server = open_files(agent.pid("one").await);
    let own = open_files(agent.id());
    assert_eq!(own[0], own[1]);
    assert_eq!(server, ["256", &own[1]]);
    agent.stop().await;
}

/// It has secrets in its memory.
#[tokio::test]
async fn nobody_looks_into_an_agents_memory() {
    let world = World::new();
    world.write(
        "demo.yaml",
        "kind: app\nversion: v3\nmetadata: {name: demo}\nspec: {mcp: {command: mcpfleet, args: [demo-server]}}\n",
    );
    let mut agent = world.run();
    agent.ready().await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", agent.id())).unwrap();
    let cores = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(cores.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{cores}");
    // The kernel gives what belongs to such a process to root.
    let folder = std::fs::metadata(format!("/proc/{}", agent.id())).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&folder), 0);
    agent.stop().await;
}
