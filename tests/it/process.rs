//! Processes: how they start, what they get, how they end, and that nothing of them stays.

use crate::support::processes::{Stage, exists, mode, output};
use mcpfleet::{instance::launch::Exit, resource::StopSignal};
use std::{fs, time::Duration};
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
async fn stop_signals_and_escalates() {
    let stage = Stage::new();
    let mut polite = stage.shell("trap 'exit 3' TERM; echo ready; while :; do sleep 60 & wait; done").await;
    BufReader::new(&mut polite.stdout).read_line(&mut String::new()).await.unwrap();
    polite.control.stop(StopSignal::Term, LONG);
    assert_eq!(polite.control.wait().await, Exit::Code(3));

    let mut stubborn = stage.shell("trap '' TERM INT; echo ready; while :; do sleep 60; done").await;
    BufReader::new(&mut stubborn.stdout).read_line(&mut String::new()).await.unwrap();
    stubborn.control.stop(StopSignal::Int, LONG);
    stubborn.control.stop(StopSignal::Term, Duration::from_millis(50));
    assert_eq!(stubborn.control.wait().await, Exit::Signal(9));
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let stage = Stage::new();
    let error = async |spec| stage.launcher.launch(spec).await.unwrap_err().to_string();

    let missing = error(stage.spec("dcoker", &[])).await;
    assert_eq!(missing, "cannot start `dcoker`: not found in PATH /usr/local/bin:/usr/bin:/bin");

    let file = stage.path().join("file");
    fs::write(&file, "no program").unwrap();
    let path = file.to_str().unwrap();
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
async fn a_relative_folder_of_path_is_not_searched() {
    let stage = Stage::new();
    let program = stage.path().join("program");
    fs::write(&program, "#!/bin/sh\nexit 0\n").unwrap();
    fs::set_permissions(&program, mode(0o755)).unwrap();
    let mut spec = stage.spec("program", &[]);
    spec.working_directory = Some(stage.path().into());
    spec.env.insert("PATH".into(), ":.:".into());
    assert!(stage.launcher.launch(spec).await.is_err());
}
