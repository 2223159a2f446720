//! Processes: how they start, what they get, how they end.

use crate::support::{
    Era, RealClient, arguments, eventually,
    processes::{FakeServer, MCPFLEET, Stage, example, exists, mode, output, standing},
    text,
};
use mcpfleet::{
    instance::{
        launch::{Exit, LaunchError},
        logs::{LogRing, Writes},
    },
    resource::StopSignal,
};
use rmcp::model::CallToolRequestParams;
use serde_json::json;
use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt, path::Path, sync::Arc, time::Duration};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_server_gets_its_input_and_gives_its_output_and_exit_status() {
    let stage = Stage::new();
    let mut process = stage.shell("read line; echo \"got $line\"; echo trouble >&2; exit 7").await;
    process.stdin.write_all(b"hello\n").await.unwrap();
    assert_eq!(output(&mut process).await, "got hello\n");
    let mut errors = String::new();
    BufReader::new(&mut process.stderr).read_line(&mut errors).await.unwrap();
    assert_eq!(errors, "trouble\n");
    assert_eq!(process.control.wait().await, Exit::Code(7));
    assert_eq!(process.control.wait().await, Exit::Code(7));
    assert!(!exists(process.pid));
}

#[tokio::test]
async fn death_by_a_signal_is_told() {
    let stage = Stage::new();
    let mut process = stage.shell("kill -ABRT $$").await;
    let exit = process.control.wait().await;
    assert_eq!(exit, Exit::Signal(6));
    assert_eq!(exit.to_string(), "killed by SIGABRT");
}

#[tokio::test]
async fn a_server_ends_when_its_input_does() {
    let stage = Stage::new();
    let mut server = stage.fake(&[]).await;
    assert_eq!(server.call("echo", json!({"text": "hello"})).await, "hello");
    drop(server.process.stdin);
    assert_eq!(server.process.control.wait().await, Exit::Code(0));
}

#[tokio::test]
async fn stop_signals_and_escalates() {
    let stage = Stage::new();
    let mut polite = stage.shell("trap 'exit 3' TERM; echo ready; read line").await;
    ready(&mut polite.stdout).await;
    polite.control.stop(StopSignal::Term, LONG);
    assert_eq!(polite.control.wait().await, Exit::Code(3));

    let mut stubborn = stage.fake(&["--ignore-sigterm", "--ignore-eof"]).await;
    stubborn.call("pid", json!({})).await;
    stubborn.process.control.stop(StopSignal::Term, LONG);
    stubborn.process.control.stop(StopSignal::Term, Duration::from_millis(50));
    assert_eq!(stubborn.process.control.wait().await, Exit::Signal(9));
}

#[tokio::test]
async fn a_stopped_process_is_continued_to_end() {
    let stage = Stage::new();
    let mut process = stage.shell("trap 'exit 4' TERM; echo ready; kill -STOP $$").await;
    let pid = process.pid;
    ready(&mut process.stdout).await;
    eventually("the process is stopped", async || standing(pid).filter(|(state, ..)| *state == 'T')).await;
    process.control.stop(StopSignal::Term, LONG);
    assert_eq!(process.control.wait().await, Exit::Code(4));
}

/// `npx` and its like end at the first signal, while the server behind them still has something to save.
#[tokio::test]
async fn the_grace_period_is_for_the_whole_group() {
    let stage = Stage::new();
    let server = "(trap 'sleep 0.2; echo saved; exit' TERM; echo ready; read line <&3)";
    let mut process = stage.shell(&format!("exec 3<&0; trap 'exit 5' TERM; {server} & wait")).await;
    ready(&mut process.stdout).await;
    process.control.stop(StopSignal::Term, LONG);
    assert_eq!(output(&mut process).await, "saved\n");
    assert_eq!(process.control.wait().await, Exit::Code(5));
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let stage = Stage::new();
    let error = async |spec| stage.launcher.launch(spec).await.unwrap_err().to_string();

    let missing = error(stage.spec("dcoker", &[])).await;
    assert_eq!(missing, "cannot start `dcoker`: not found in PATH /usr/local/bin:/usr/bin:/bin");

    let file = stage.path().join("file");
    let path = file.to_str().unwrap();
    assert_eq!(error(stage.spec(path, &[])).await, format!("cannot start `{path}`: {path}: does not exist"));
    fs::write(&file, "no program").unwrap();
    assert_eq!(error(stage.spec(path, &[])).await, format!("cannot start `{path}`: {path}: permission denied"));
    fs::set_permissions(&file, mode(0o755)).unwrap();
    let text = error(stage.spec(path, &[])).await;
    assert_eq!(text, format!("cannot start `{path}`: {path}: is neither a program nor a script with a `#!` line"));
    fs::write(&file, "#!/no/such/interpreter\n").unwrap();
    let script = error(stage.spec(path, &[])).await;
    assert_eq!(script, format!("cannot start `{path}`: {path}: the interpreter that it names does not exist"));

    let mut nowhere = stage.spec("true", &[]);
    nowhere.working_directory = Some("/no/such/folder".into());
    assert_eq!(error(nowhere).await, "cannot start `true`: working directory /no/such/folder: does not exist");

    let entries = fs::read_dir(stage.runtime_dir()).map_or(0, Iterator::count);
    assert_eq!(entries, 0, "private directories are removed when the start fails");
}

#[tokio::test]
async fn what_no_process_can_be_given_is_refused() {
    let stage = Stage::new();
    let mut with_nul = stage.spec("true", &["a\0b"]);
    let mut with_equals = stage.spec("true", &[]);
    with_equals.env.insert("A=B".into(), "c".into());
    let mut elsewhere = stage.spec("true", &[]);
    elsewhere.instance = "../elsewhere".into();
    for spec in [&mut with_nul, &mut with_equals, &mut elsewhere] {
        let error = stage.launcher.launch(spec.clone()).await.unwrap_err();
        assert!(matches!(error, LaunchError::Impossible { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_relative_folder_of_path_is_not_searched() {
    let stage = Stage::new();
    let program = stage.path().join("program");
    fs::write(&program, "#!/bin/sh\nexit 0\n").unwrap();
    fs::set_permissions(&program, mode(0o755)).unwrap();
    let mut spec = stage.spec("program", &[]);
    spec.working_directory = Some(stage.path().into());
    spec.env.insert("PATH".into(), ":.:".into());
    let error = stage.launcher.launch(spec.clone()).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot start `program`: not found in PATH :.:");
    spec.env.insert("PATH".into(), format!(".:{}", stage.path().display()).into());
    assert_eq!(stage.launch(spec).await.control.wait().await, Exit::Code(0));
}

#[tokio::test]
async fn the_environment_is_what_was_declared_and_nothing_else() {
    let stage = Stage::new();
    let mut spec = stage.fake_spec(&[]);
    spec.env = BTreeMap::from([("HOME".into(), "/somewhere".into()), ("EMPTY".into(), "".into())]);
    let mut server = FakeServer::over(stage.launch(spec).await);
    let marker = stage.launcher.identity().marker("test-1");
    let expected = json!({"HOME": "/somewhere", "EMPTY": "", "MCPFLEET_INSTANCE": marker});
    assert_eq!(server.look("env").await, expected);

    // Larger than what the socket to the keeper takes at once.
    let mut spec = stage.fake_spec(&[]);
    let value = "x".repeat(100 << 10);
    spec.env = (0..9).map(|n| (format!("V{n}"), value.clone().into())).collect();
    spec.instance = "test-2".into();
    let mut server = FakeServer::over(stage.launch(spec).await);
    let environment = server.look("env").await;
    assert_eq!(environment.as_object().unwrap().len(), 11, "nine, HOME and the marker");
    assert_eq!(environment["V8"], value);
}

#[tokio::test]
async fn a_private_directory_is_home_for_the_homeless_and_goes_with_the_server() {
    let stage = Stage::new();
    let mut server = stage.fake(&[]).await;
    let directory = stage.runtime_dir().join("test-1");
    assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o777, 0o700);
    assert_eq!(server.look("process").await["directory"], json!(directory));
    assert_eq!(server.look("env").await["HOME"], json!(directory));
    fs::create_dir_all(directory.join("cache/of/things")).unwrap();
    drop(server.process.stdin);
    server.process.control.wait().await;
    eventually("the directory is gone", async || (!directory.exists()).then_some(())).await;
}

#[tokio::test]
async fn a_server_inherits_nothing_of_the_agent() {
    let stage = Stage::new();
    // Open in this process and not closed on exec, as a careless parent of the agent may leave it.
    let _leak = nix::unistd::dup(fs::File::open("/etc/hostname").unwrap()).unwrap();
    let mut server = stage.fake(&[]).await;
    let seen = server.look("process").await;
    let descriptors = seen["descriptors"].as_object().unwrap();
    assert_eq!(descriptors.keys().collect::<Vec<_>>(), ["0", "1", "2"], "{descriptors:?}");
    assert!(descriptors.values().all(|target| target.as_str().unwrap().starts_with("pipe:")));

    let status = |field: &str| seen["status"][field].as_str().unwrap().trim().to_owned();
    assert_eq!(status("NoNewPrivs"), "1");
    assert_eq!(status("Umask"), "0022");
    for set in ["SigBlk", "SigIgn", "ShdPnd"] {
        // The fake server's Rust runtime ignores SIGPIPE by itself, and 32 and 33 belong to the C library.
        let bits = u64::from_str_radix(&status(set), 16).unwrap();
        assert_eq!(bits & !(1 << 12 | 1 << 31 | 1 << 32), 0, "{set}");
    }
    let core = seen["limits"].as_str().unwrap().lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_ascii_whitespace().nth(4), Some("0"));

    let pid = server.process.pid;
    let (_, keeper, session) = standing(pid).unwrap();
    assert_eq!(session, pid, "leads a session of its own");
    assert_eq!(fs::read_to_string(format!("/proc/{keeper}/comm")).unwrap(), "mcpfleet-keeper\n");
    let marker = stage.launcher.identity().marker("test-1");
    let arguments = fs::read_to_string(format!("/proc/{keeper}/cmdline")).unwrap();
    assert_eq!(arguments, format!("mcpfleet\0__keeper\0test\0{marker}\0"));
    if let Ok(environment) = fs::read(format!("/proc/{keeper}/environ")) {
        assert_eq!(environment, b"");
    }
    if let Ok(entries) = fs::read_dir(format!("/proc/{keeper}/fd")) {
        let targets: Vec<_> = entries.map(|entry| fs::read_link(entry.unwrap().path()).unwrap()).collect();
        assert!(!targets.iter().any(|target| target == Path::new("/etc/hostname")), "{targets:?}");
        assert!(!targets.iter().any(|target| target.starts_with("pipe:")), "{targets:?}");
    }
}

#[tokio::test]
async fn a_flood_on_stderr_neither_blocks_the_server_nor_fills_the_agent() {
    let stage = Stage::new();
    let mut server = stage.fake(&["--flood-stderr"]).await;
    let ring = LogRing::new("test");
    let (_, nothing) = tokio::net::unix::pipe::pipe().unwrap();
    let stderr = std::mem::replace(&mut server.process.stderr, nothing);
    let log = ring.open("test-1".into(), Writes::AsPrimary, Arc::default());
    let pumped = tokio::spawn(async move { log.pump(stderr).await });
    eventually("the ring is full", async || (ring.tail(usize::MAX).len() == 2_048).then_some(())).await;
    assert_eq!(server.call("echo", json!({"text": "still there"})).await, "still there");
    server.process.control.stop(StopSignal::Kill, Duration::ZERO);
    server.process.control.wait().await;
    pumped.await.unwrap();
    assert_eq!(ring.tail(usize::MAX).len(), 2_048);
}

#[tokio::test]
async fn the_fake_server_speaks_to_the_official_client_in_both_eras() {
    for era in Era::BOTH {
        let command = tokio::process::Command::new(example("fake-mcp-server"));
        let client = RealClient::new(era).spawn(command).await;
        let tools = client.list_all_tools().await.unwrap();
        assert!(tools.iter().any(|tool| tool.name == "echo"), "{era:?}");
        let call = CallToolRequestParams::new("echo").with_arguments(arguments(json!({"text": "hello"})));
        assert_eq!(text(&client.call_tool(call).await.unwrap()), "hello", "{era:?}");
        client.cancel().await.unwrap();
    }
}

#[test]
fn a_keeper_without_an_agent_ends() {
    let mut keeper = std::process::Command::new(MCPFLEET);
    let status = keeper.args(["__keeper", "nobody"]).stdin(std::process::Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(3));
}

async fn ready(stdout: &mut tokio::net::unix::pipe::Receiver) {
    let mut line = [0; 6];
    tokio::io::AsyncReadExt::read_exact(stdout, &mut line).await.unwrap();
    assert_eq!(&line, b"ready\n");
}
