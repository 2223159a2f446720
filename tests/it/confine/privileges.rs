//! What a server may not inherit.

use crate::support::{
    missing,
    processes::{MCPFLEET, Stage, example, is_root},
};
use std::{fs, path::Path};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

const SETS: [&str; 4] = ["CapInh", "CapPrm", "CapEff", "CapAmb"];

fn sets(pid: u32) -> [u64; 4] {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    SETS.map(|set| {
        let line = status.lines().find_map(|line| line.strip_prefix(set)?.strip_prefix(":\t")).unwrap();
        u64::from_str_radix(line, 16).unwrap()
    })
}

/// A service manager may give an agent that is not root a few capabilities, in a way in which all that it starts
/// would have them too.
#[tokio::test]
async fn capabilities_of_the_agent_are_not_passed_on() {
    if !is_root("capabilities") {
        return;
    }
    if !Path::new("/usr/bin/setpriv").exists() {
        return missing("capabilities", "there is no setpriv");
    }
    let stage = Stage::new();
    let keeper = stage.copy(Path::new(MCPFLEET), "mcpfleet");
    let holder = stage.copy(&example("hold-a-process"), "hold");
    let run = stage.path().join("run");
    fs::create_dir(&run).unwrap();
    std::os::unix::fs::chown(&run, Some(65534), Some(65534)).unwrap();
    let mut agent = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .args(["--inh-caps", "+net_raw,+dac_override", "--ambient-caps", "+net_raw,+dac_override"])
        .arg(holder)
        .arg(keeper)
        .arg(run)
        .args(["1", "/bin/sleep", "600"])
        .env("PATH", "/usr/bin:/bin")
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(agent.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
    let server: u32 = line.trim().parse().unwrap();
    let had = sets(agent.id().unwrap());
    assert!(had.iter().all(|set| *set == 1 << 13 | 1 << 1), "{had:x?}");
    assert_eq!(sets(server), [0; 4]);
    agent.kill().await.unwrap();
}

/// Root that was asked for is root, but hands nothing down by the inheritable set.
#[tokio::test]
async fn the_inheritable_set_is_empty_also_for_root() {
    if !is_root("capabilities") {
        return;
    }
    let stage = Stage::new();
    let server = stage.launch(stage.spec("sleep", &["600"])).await;
    let [inheritable, _, _, ambient] = sets(server.pid);
    assert_eq!((inheritable, ambient), (0, 0));
}
