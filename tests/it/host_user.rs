//! Servers that run as another user of the host. These tests need root, and say so where they have none.

use crate::support::processes::{FakeServer, MCPFLEET, Stage, example, is_root, mode};
use mcpfleet::instance::{
    launch::{Exit, HostUser, Launcher, Program},
    user,
};
use serde_json::{Value, json};
use std::{fs, path::Path};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

#[tokio::test]
async fn a_server_becomes_its_user_for_good() {
    if !is_root("a switch of user") {
        return;
    }
    let stage = Stage::new();
    let fake = stage.copy(&example("fake-mcp-server"), "server");
    let mut spec = stage.spec(fake.to_str().unwrap(), &[]);
    let nobody = user::look_up("nobody").unwrap();
    let (uid, gid) = (nobody.uid, nobody.gid);
    spec.user = Some(HostUser { groups: vec![gid, 4242], ..nobody });
    let mut server = FakeServer::over(stage.launch(spec).await);
    let seen = server.look("process").await;
    let numbers = |field: &str| -> Vec<u32> {
        seen["status"][field].as_str().unwrap().split_whitespace().map(|number| number.parse().unwrap()).collect()
    };
    assert_eq!(numbers("Uid"), [uid; 4]);
    assert_eq!(numbers("Gid"), [gid; 4]);
    assert_eq!(numbers("Groups"), [4242, gid]);
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(u64::from_str_radix(seen["status"][set].as_str().unwrap(), 16), Ok(0), "{set}");
    }
    // Its own directory, which it can use and others cannot enter.
    assert_eq!(seen["directory"], json!(stage.runtime_dir().join("test-1")));
    let directory = fs::metadata(stage.runtime_dir().join("test-1")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&directory), uid);
    // Which is also its home, because nobody has none.
    assert_eq!(server.look("env").await["HOME"], seen["directory"]);
    drop(server.process.stdin);
    assert_eq!(server.process.control.wait().await, Exit::Code(0));
}

#[tokio::test]
async fn programs_and_folders_are_looked_up_as_that_user() {
    if !is_root("a switch of user") {
        return;
    }
    let stage = Stage::new();
    let closed = stage.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, mode(0o700)).unwrap();
    let program = closed.join("program");
    fs::write(&program, "#!/bin/sh\nexit 0\n").unwrap();
    fs::set_permissions(&program, mode(0o755)).unwrap();

    let mut spec = stage.spec("program", &[]);
    spec.env.insert("PATH".into(), closed.clone().into());
    assert_eq!(stage.launch(spec.clone()).await.control.wait().await, Exit::Code(0));
    spec.user = Some(user::look_up("nobody").unwrap());
    let error = stage.launcher.launch(spec).await.unwrap_err().to_string();
    let path = closed.display();
    let expected =
        format!("cannot start `program`: not found in PATH {path}, of which this user may not enter all folders");
    assert_eq!(error, expected);

    let mut spec = stage.spec("true", &[]);
    spec.user = Some(user::look_up("nobody").unwrap());
    spec.working_directory = Some(closed.clone());
    let error = stage.launcher.launch(spec).await.unwrap_err().to_string();
    assert_eq!(error, format!("cannot start `true`: working directory {}: permission denied", closed.display()));
}

/// A newcomer is root, has the clone in /root, and the demo server runs as `nobody`.
#[tokio::test]
async fn the_own_binary_runs_as_a_user_who_cannot_reach_it() {
    if !is_root("a switch of user") {
        return;
    }
    let stage = Stage::new();
    let closed = stage.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, mode(0o700)).unwrap();
    let launcher = Launcher::with_keeper(stage.copy(Path::new(MCPFLEET), "closed/mcpfleet"));
    let mut spec = stage.spec("", &["demo-server"]);
    spec.program = Program::OwnBinary;
    spec.user = Some(user::look_up("nobody").unwrap());
    let mut process = launcher.launch(spec).await.unwrap();
    let owner = fs::metadata(format!("/proc/{}", process.pid)).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&owner), user::look_up("nobody").unwrap().uid);

    let client = json!({"name": "test", "version": "1"});
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client});
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params});
    process.stdin.write_all(format!("{hello}\n").as_bytes()).await.unwrap();
    let mut line = String::new();
    BufReader::new(&mut process.stdout).read_line(&mut line).await.unwrap();
    let answer: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(answer["result"]["protocolVersion"], "2025-11-25");
}
