//! Sandboxes.

use super::{fake, nobody};
use crate::support::{
    eventually, missing,
    processes::{FakeServer, Stage, mode},
};
use mcpfleet::{
    instance::{
        confine::{
            files::{READABLE, WRITABLE},
            plan::{Files, Namespace, Network, Plan},
        },
        launch::{LaunchSpec, Program},
    },
    sys,
};
use serde_json::json;
use std::{fs, os::unix::fs::symlink, path::PathBuf};
use tokio::net::TcpListener;

/// A sandbox, where the kernel has landlock.
fn sandbox(test: &str, read: &[PathBuf], write: &[PathBuf]) -> Option<Plan> {
    match sys::landlock_version() {
        Ok(landlock) if landlock >= 4 => {
            let files = Some(Files { read: read.to_vec(), write: write.to_vec(), landlock });
            Some(Plan { files, ..Plan::default() })
        }
        other => {
            missing(test, &format!("landlock: {other:?}"));
            None
        }
    }
}

/// A folder that everybody may read and write, with a file in it.
fn open_to_all(stage: &Stage, name: &str) -> PathBuf {
    let folder = stage.path().join(name);
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, mode(0o777)).unwrap();
    fs::write(folder.join("file"), "content").unwrap();
    fs::set_permissions(folder.join("file"), mode(0o666)).unwrap();
    folder
}

const DENIED: &str = "failed: Permission denied (os error 13)";

#[tokio::test]
async fn files_are_closed_but_for_those_that_are_named() {
    let stage = Stage::new();
    let [closed, read, written] = ["closed", "read", "written"].map(|name| open_to_all(&stage, name));
    let Some(plan) = sandbox("files", std::slice::from_ref(&read), std::slice::from_ref(&written)) else { return };
    let agent = std::process::id();
    let mut server = FakeServer::over(stage.launch(fake(&stage, &[], plan)).await);
    for (path, expected) in [
        (closed.join("file"), DENIED),
        (closed.clone(), DENIED),
        (read.join("file"), "content"),
        (read.clone(), "file"),
        (written.join("file"), "content"),
        ("/var/lib/dpkg/status".into(), DENIED),
        ("/var/lib".into(), DENIED),
        ("/home".into(), DENIED),
        ("/tmp".into(), DENIED),
        ("/etc".into(), DENIED),
        ("/run".into(), DENIED),
        // Of processes outside of the sandbox, also of the same user.
        (format!("/proc/{agent}/environ").into(), DENIED),
        (format!("/proc/{agent}/root/tmp").into(), DENIED),
        ("/dev/null".into(), ""),
    ] {
        assert_eq!(server.call("read", json!({"path": path})).await, expected, "{}", path.display());
    }
    for path in ["/etc/passwd", "/usr/lib", "/proc/self/status", "/bin/sh"] {
        let said = server.call("read", json!({"path": path})).await;
        assert!(!said.starts_with("failed"), "{path}: {said}");
    }
    for (path, expected) in [
        (closed.join("file"), DENIED),
        (closed.join("new"), DENIED),
        (read.join("file"), DENIED),
        (read.join("new"), DENIED),
        (written.join("file"), "written"),
        (written.join("new"), "written"),
        ("/tmp/mcpfleet-test-must-not-be-there".into(), DENIED),
        ("/dev/null".into(), "written"),
        // Its own folder, where it is.
        ("here".into(), "written"),
    ] {
        assert_eq!(server.call("write", json!({"path": path, "text": "x"})).await, expected, "{}", path.display());
    }
    let seen = server.look("env").await;
    assert_eq!(seen["HOME"], json!(stage.runtime_dir().join("test-1")));
    assert_eq!(seen["TMPDIR"], seen["HOME"]);
}

#[tokio::test]
async fn temporary_files_have_a_place_also_with_a_directory_that_is_given() {
    let stage = Stage::new();
    let given = open_to_all(&stage, "given");
    let Some(plan) = sandbox("files", std::slice::from_ref(&given), &[]) else { return };
    let mut spec = fake(&stage, &[], plan);
    spec.working_directory = Some(given.clone());
    let mut server = FakeServer::over(stage.launch(spec).await);
    assert_eq!(server.look("process").await["directory"], json!(given));
    let own = stage.runtime_dir().join("test-1");
    assert_eq!(server.look("env").await["TMPDIR"], json!(own));
    assert_eq!(server.call("write", json!({"path": own.join("x"), "text": "x"})).await, "written");
    assert_eq!(server.call("write", json!({"path": "x", "text": "x"})).await, DENIED);
    drop(server.process.stdin);
    server.process.control.wait().await;
    eventually("only what was given is left", async || (!own.exists()).then_some(())).await;
    assert!(given.exists());
}

#[tokio::test]
async fn what_is_named_has_to_be_there() {
    let stage = Stage::new();
    let nowhere = stage.path().join("nowhere");
    let Some(plan) = sandbox("files", std::slice::from_ref(&nowhere), &[]) else { return };
    let error = stage.launcher.launch(fake(&stage, &[], plan)).await.unwrap_err().to_string();
    assert!(error.ends_with(&format!("sandbox: {} does not exist", nowhere.display())), "{error}");
}

#[tokio::test]
async fn an_interpreter_out_of_reach_is_told() {
    let stage = Stage::new();
    let Some(plan) = sandbox("files", &[], &[]) else { return };
    let interpreter = stage.copy("/bin/sh".as_ref(), "interpreter");
    let script = stage.path().join("script");
    fs::write(&script, format!("#!{}\n", interpreter.display())).unwrap();
    fs::set_permissions(&script, mode(0o755)).unwrap();
    let mut spec = fake(&stage, &[], plan);
    spec.program = Program::Named(script.to_str().unwrap().into());
    let error = stage.launcher.launch(spec.clone()).await.unwrap_err().to_string();
    assert!(error.ends_with("must be below `sandbox.read`"), "{error}");
    if let Some(files) = &mut spec.plan.files {
        files.read = vec![interpreter];
    }
    stage.launch(spec).await;
}

/// What a server may write to it may also replace by a symlink, for its next start.
#[tokio::test]
async fn a_server_cannot_widen_its_sandbox() {
    let stage = Stage::new();
    let [closed, written] = ["closed", "written"].map(|name| open_to_all(&stage, name));
    for planted in ["modules", "bin", "more"] {
        symlink(&closed, written.join(planted)).unwrap();
    }
    symlink(written.join("more"), stage.path().join("given")).unwrap();
    let read = [written.join("modules"), stage.path().join("given")];
    let Some(plan) = sandbox("files", &read, &[written.clone(), written.join("more")]) else { return };
    let mut spec = fake(&stage, &[], plan);
    let path = format!("{}/bin:/usr/../..:/..:/usr/bin:/bin", written.display());
    spec.env.insert("PATH".into(), path.into());
    let mut server = FakeServer::over(stage.launch(spec).await);
    assert_eq!(server.call("read", json!({"path": written.join("file")})).await, "content");
    for path in [&closed, &written.join("modules"), &written.join("more")] {
        assert_eq!(server.call("read", json!({"path": path.join("file")})).await, DENIED, "{}", path.display());
    }
    assert_eq!(server.call("read", json!({"path": "/var/lib"})).await, DENIED);
}

/// The limit is the server's: what is done before it runs is not counted.
#[tokio::test]
async fn few_open_files_are_no_matter_for_the_sandbox() {
    let stage = Stage::new();
    let Some(plan) = sandbox("files", &[], &[]) else { return };
    let plan = Plan { open_files: Some(4), ..plan };
    stage.launch(LaunchSpec { plan, user: nobody(), ..stage.spec("sleep", &["600"]) }).await;
}

/// Whether a server with such a network reaches a listener on this host's loopback interface.
async fn connects(network: Network) -> String {
    let stage = Stage::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut spec = fake(&stage, &[], Plan { network, ..Plan::default() });
    if network == Network::Own(Namespace::User) {
        // Whoever has to take this way changes no users.
        spec.user = None;
    }
    let mut server = FakeServer::over(stage.launch(spec).await);
    let address = listener.local_addr().unwrap().to_string();
    server.call("connect", json!({"address": address})).await
}

#[tokio::test]
async fn a_network_of_its_own_has_nothing_but_itself() {
    assert_eq!(connects(Network::Host).await, "connected");
    let launcher = Stage::new().launcher;
    let offered = match launcher.offer(true).network {
        Ok(namespace) => namespace,
        Err(why) => return missing("a network namespace", &why),
    };
    // Refused, and not unreachable: the loopback interface is up.
    assert_eq!(connects(Network::Own(offered)).await, "failed: Connection refused (os error 111)");
    if offered == Namespace::Plain {
        assert_eq!(connects(Network::Own(Namespace::User)).await, "failed: Connection refused (os error 111)");
    }
}

#[tokio::test]
async fn rules_keep_tcp_out() {
    let Some(plan) = sandbox("TCP rules", &[], &[]) else { return };
    let version = plan.files.unwrap().landlock;
    assert_eq!(connects(Network::NoTcp(version)).await, DENIED);
}

#[test]
fn what_every_sandbox_has_is_written_down() {
    let page = include_str!("../../../docs/resources.md");
    for path in READABLE.iter().chain(WRITABLE) {
        assert!(page.contains(&format!("`{path}`")), "{path}");
    }
}
