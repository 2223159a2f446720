//! The Debian package, installed on a machine with systemd: what it brings, and that the unit does what it says.

use super::{demo, ended, file, machine::Machine, prepare, project, says, tools};
use crate::support::{eventually, missing};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

/// What the package's checker may say: that the maintainer has no address, which is for those to set who publish it, and that
/// Debian did not ask for it.
const KNOWN: &[&str] = &["bogus-mail-host", "bogus-mail-host-in-debian-changelog", "initial-upload-closes-no-bugs"];

/// The package, of the program under test. Its parts are made where `Cargo.toml` says.
fn build(test: &str, to: &Path) -> Option<PathBuf> {
    let path = tools(test)?;
    prepare(&path, &project().join("target/package"));
    let package = to.join("mcpfleet.deb");
    let mut make = Command::new("cargo");
    make.args(["deb", "--quiet", "--no-build", "--profile", "dev", "--fast", "--strip", "--output"]).arg(&package);
    says(make.current_dir(project()).env("PATH", path));
    Some(package)
}

fn what_is_in_it(test: &str, package: &Path) {
    let listed = says(Command::new("dpkg-deb").arg("--contents").arg(package));
    for name in [
        "./usr/bin/mcpfleet",
        "./usr/lib/systemd/system/mcpfleet.service",
        "./etc/mcpfleet/agent.yaml",
        "./usr/share/man/man1/mcpfleet-run.1.gz",
        "./usr/share/bash-completion/completions/mcpfleet",
        "./usr/share/zsh/vendor-completions/_mcpfleet",
        "./usr/share/fish/vendor_completions.d/mcpfleet.fish",
        "./usr/share/doc/mcpfleet/copyright",
        "./usr/share/doc/mcpfleet/mcpfleet.cdx.json",
        "./usr/share/doc/mcpfleet/docs/operations.md",
        "./usr/share/doc/mcpfleet/examples/systemd/host-users.conf",
    ] {
        assert!(listed.lines().any(|line| line.ends_with(name)), "{name} is missing: {listed}");
    }
    let version = says(Command::new("dpkg-deb").args(["--field"]).arg(package).arg("Version"));
    assert_eq!(version.trim(), concat!(env!("CARGO_PKG_VERSION"), "-1"));
    if Command::new("lintian").arg("--version").output().is_err() {
        return missing(test, "there is no lintian");
    }
    let found = ended(Command::new("lintian").args(["--allow-root", "--fail-on", "none"]).arg(package));
    let tags: BTreeSet<&str> = found.out.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    let unknown: Vec<&&str> = tags.iter().filter(|tag| !KNOWN.contains(tag)).collect();
    assert!(unknown.is_empty(), "{}{}", found.out, found.errors);
}

/// One server of the app `demo` runs, and gives its number.
async fn server(machine: &Machine) -> String {
    eventually("a server", async || {
        let listed = machine.run(&["sh", "-c", "grep -l demo-server /proc/[0-9]*/cmdline"]).out;
        // The shell and `grep` have the word in their arguments too.
        let servers: Vec<&str> = listed
            .lines()
            .filter_map(|line| line.strip_prefix("/proc/")?.strip_suffix("/cmdline"))
            .filter(|pid| machine.run(&["cat", &format!("/proc/{pid}/comm")]).out.trim() == "mcpfleet")
            .filter(|pid| !machine.run(&["cat", &format!("/proc/{pid}/cmdline")]).out.contains("__keeper"))
            .collect();
        (servers.len() == 1).then(|| servers.concat())
    })
    .await
}

async fn ready(machine: &Machine) {
    eventually("an agent that is ready", async || {
        let ended = machine.run(&["mcpfleet", "status", "--wait", "--timeout", "5s"]);
        (ended.code == Some(0)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn it_is_a_service_that_works() {
    const TEST: &str = "packages::package::it_is_a_service_that_works";
    let folder = tempfile::tempdir().expect("a folder");
    let Some(package) = build(TEST, folder.path()) else { return };
    what_is_in_it(TEST, &package);
    let Some(machine) = Machine::boot(TEST).await else { return };
    machine.write("/root/mcpfleet.deb", &std::fs::read(&package).expect("the package"));
    machine.says(&["dpkg", "--install", "/root/mcpfleet.deb"]);

    it_starts_and_does_no_harm(&machine).await;
    what_is_configured_runs(&machine).await;
    a_loop_that_hangs_is_noticed(&machine).await;
    servers_have_users_of_their_own(&machine).await;
    it_stops(&machine).await;
    it_goes(&machine);
}

async fn it_starts_and_does_no_harm(machine: &Machine) {
    assert_eq!(machine.says(&["systemctl", "is-active", "mcpfleet"]), "active", "{}", machine.journal());
    assert_eq!(machine.says(&["systemctl", "is-enabled", "mcpfleet"]), "enabled");
    ready(machine).await;
    assert_eq!(machine.shows("Type,NRestarts,User,KillMode"), "notify\n0\nmcpfleet\nmixed");
    eventually("a status", async || machine.shows("StatusText").contains("Ready: what is wanted runs").then_some(()))
        .await;
    let pid = machine.shows("MainPID");
    let owner = machine.says(&["stat", "--format", "%U", &format!("/proc/{pid}"), "/var/lib/mcpfleet"]);
    assert_eq!(owner, "mcpfleet\nmcpfleet");
    assert!(machine.says(&["mcpfleet", "status"]).contains("No apps."));
}

async fn what_is_configured_runs(machine: &Machine) {
    let wanted = match machine.says(&["cat", "/sys/fs/cgroup/cgroup.controllers"]).contains("memory") {
        true => "  limits: {memory: 256Mi}\n",
        false => "",
    };
    machine.write("/etc/mcpfleet/secrets/token", b"hush-hush");
    machine.says(&["chgrp", "--recursive", "mcpfleet", "/etc/mcpfleet/secrets"]);
    machine.says(&["chmod", "640", "/etc/mcpfleet/secrets/token"]);
    machine.write("/etc/mcpfleet/resources/demo.yaml", demo("demo", wanted).as_bytes());
    machine.says(&["systemctl", "reload", "mcpfleet"]);
    eventually("an end of the reload", async || (machine.shows("ActiveState") == "active").then_some(())).await;
    server(machine).await;
    ready(machine).await;
    assert_eq!(machine.says(&["mcpfleet", "mcp", "call", "demo", "add", r#"{"a": 1, "b": 2}"#]), "3");
    // What the service manager is told by reaches nobody but the agent.
    let environment = machine.says(&["mcpfleet", "mcp", "call", "demo", "whoami"]);
    assert!(environment.contains("MCPFLEET_INSTANCE"), "{environment}");
    for variable in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "INVOCATION_ID"] {
        assert!(!environment.contains(variable), "{environment}");
    }
    // The unit hands its control group down, so a server has its own.
    let server = server(machine).await;
    let group = machine.says(&["cat", &format!("/proc/{server}/cgroup")]);
    assert!(group.contains("/system.slice/mcpfleet.service/mcpfleet-"), "{group}");
    if !wanted.is_empty() {
        let limit = format!("/sys/fs/cgroup{}/memory.max", group.trim_start_matches("0::"));
        assert_eq!(machine.says(&["cat", &limit]), "268435456");
    }
}

async fn a_loop_that_hangs_is_noticed(machine: &Machine) {
    machine.write("/etc/systemd/system/mcpfleet.service.d/test.conf", b"[Service]\nWatchdogSec=3s\n");
    machine.says(&["systemctl", "daemon-reload"]);
    machine.says(&["systemctl", "restart", "mcpfleet"]);
    let before = server(machine).await;
    let pid = machine.shows("MainPID");
    // It lives for several times that long, with nothing to do.
    tokio::time::sleep(std::time::Duration::from_secs(7)).await;
    assert_eq!(machine.shows("MainPID,NRestarts"), format!("{pid}\n0"), "{}", machine.journal());
    machine.says(&["sh", "-c", "kill -STOP $1", "sh", &pid]);
    eventually("another agent", async || {
        let now = machine.shows("MainPID");
        (now != "0" && now != pid && machine.shows("NRestarts") == "1").then_some(())
    })
    .await;
    assert!(machine.journal().contains("Watchdog timeout"), "{}", machine.journal());
    ready(machine).await;
    assert_ne!(server(machine).await, before);
    assert_eq!(machine.says(&["mcpfleet", "mcp", "call", "demo", "add", r#"{"a": 1, "b": 2}"#]), "3");
}

async fn servers_have_users_of_their_own(machine: &Machine) {
    let folder = "/usr/share/doc/mcpfleet/examples/systemd";
    let drop_ins = "/etc/systemd/system/mcpfleet.service.d";
    machine.says(&["cp", &format!("{folder}/host-users.conf"), &format!("{folder}/credentials.conf"), drop_ins]);
    for name in ["git-token", "webhook-secret"] {
        machine.write(&format!("/etc/mcpfleet/credentials/{name}"), b"hush");
    }
    machine.says(&["chmod", "--recursive", "go=", "/etc/mcpfleet/credentials"]);
    let config =
        file("deploy/debian/agent.yaml").replace("app_service:\n", "app_service:\n  default_host_user: nobody\n");
    machine.write("/etc/mcpfleet/agent.yaml", config.as_bytes());
    machine.says(&["mcpfleet", "config", "check", "-c", "/etc/mcpfleet/agent.yaml"]);
    machine.says(&["systemctl", "daemon-reload"]);
    machine.says(&["systemctl", "restart", "mcpfleet"]);
    ready(machine).await;
    let about = machine.says(&["mcpfleet", "mcp", "call", "demo", "whoami"]);
    assert!(about.contains("nobody"), "{about}");
    let pid = machine.shows("MainPID");
    assert_eq!(machine.says(&["stat", "--format", "%U", &format!("/proc/{pid}")]), "root");
    let credentials = format!("/proc/{pid}/root/run/credentials/mcpfleet.service");
    assert_eq!(machine.says(&["cat", &format!("{credentials}/git-token")]), "hush");
    // The server reaches its own folder, and nothing of the agent's.
    let server = server(machine).await;
    let folder = machine.says(&["readlink", &format!("/proc/{server}/cwd")]);
    let reads = |path: &str| {
        let user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "ls", path];
        machine.run(&user).code == Some(0)
    };
    assert!(folder.starts_with("/var/lib/mcpfleet/run/") && reads(&folder), "{folder}");
    for path in ["/var/lib/mcpfleet", "/var/lib/mcpfleet/run", "/etc/mcpfleet/credentials", "/etc/mcpfleet/secrets"] {
        assert!(!reads(path), "{path}");
    }
    let status = machine.says(&["cat", &format!("/proc/{server}/status")]);
    assert!(status.contains("CapEff:\t0000000000000000") && status.contains("NoNewPrivs:\t1"), "{status}");
    // A sandbox needs what the kernel may lack; the unit is not in its way.
    let closed = demo("closed", "") + "    sandbox: {network: false}\n";
    machine.write("/etc/mcpfleet/resources/closed.yaml", closed.as_bytes());
    machine.says(&["systemctl", "reload", "mcpfleet"]);
    eventually("a server in a sandbox", async || {
        let status: serde_json::Value =
            serde_json::from_str(&machine.says(&["mcpfleet", "status", "-o", "json"])).expect("JSON");
        let app = status["apps"].as_array()?.iter().find(|app| app["name"] == "closed")?;
        let kernel = app["reason"].as_str().is_some_and(|reason| reason.contains("kernel"));
        (app["state"] == "Ready" || kernel).then_some(())
    })
    .await;
}

async fn it_stops(machine: &Machine) {
    machine.says(&["systemctl", "stop", "mcpfleet"]);
    for (property, value) in [("ActiveState", "inactive"), ("Result", "success"), ("ExecMainStatus", "0")] {
        assert_eq!(machine.shows(property), value, "{property}: {}", machine.journal());
    }
    let left = machine.run(&["sh", "-c", "cat /proc/[0-9]*/comm | grep -c '^mcpfleet'"]);
    assert_eq!(left.out.trim(), "0");
}

fn it_goes(machine: &Machine) {
    machine.says(&["rm", "-r", "/etc/systemd/system/mcpfleet.service.d"]);
    machine.says(&["dpkg", "--remove", "mcpfleet"]);
    machine.says(&["test", "-f", "/etc/mcpfleet/agent.yaml"]);
    machine.says(&["test", "-d", "/var/lib/mcpfleet"]);
    machine.says(&["dpkg", "--purge", "mcpfleet"]);
    for path in ["/etc/mcpfleet/agent.yaml", "/var/lib/mcpfleet", "/lib/systemd/system/mcpfleet.service"] {
        assert_ne!(machine.run(&["test", "-e", path]).code, Some(0), "{path} is left");
    }
    // What is the administrator's.
    machine.says(&["test", "-f", "/etc/mcpfleet/resources/demo.yaml"]);
}
