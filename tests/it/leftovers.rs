//! Nothing that a server has started stays behind, however it, its keeper or the agent ends.

use crate::support::{
    eventually, missing,
    processes::{MCPFLEET, Stage, all_processes, example, exists, is_root, marked, standing},
};
use mcpfleet::{
    instance::{keeper::sweep, launch::Exit},
    resource::StopSignal,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use std::{fs, path::Path, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// A server that does all it can to stay.
const CLINGING: [&str; 4] = ["--ignore-sigterm", "--ignore-eof", "--fork-grandchild", "--setsid-grandchild"];

#[tokio::test]
async fn a_stop_takes_grandchildren_along() {
    let stage = Stage::new();
    let mut server = stage.fake(&["--fork-grandchild", "--setsid-grandchild"]).await;
    server.call("pid", json!({})).await;
    eventually("server and grandchildren run", async || (stage.marked().len() == 3).then_some(())).await;
    server.process.control.stop(StopSignal::Term, Duration::from_secs(60));
    assert_eq!(server.process.control.wait().await, Exit::Signal(15));
    assert_eq!(stage.marked(), [0; 0]);
}

#[tokio::test]
async fn so_does_the_end_of_the_server() {
    let stage = Stage::new();
    let mut server = stage.fake(&CLINGING).await;
    server.call("pid", json!({})).await;
    eventually("server and grandchildren run", async || (stage.marked().len() == 3).then_some(())).await;
    server.send("crash", json!({"code": 9})).await;
    assert_eq!(server.process.control.wait().await, Exit::Code(9));
    assert_eq!(stage.marked(), [0; 0]);
}

#[tokio::test]
async fn so_does_dropping_it() {
    let stage = Stage::new();
    let mut server = stage.fake(&CLINGING).await;
    server.call("pid", json!({})).await;
    eventually("server and grandchildren run", async || (stage.marked().len() == 3).then_some(())).await;
    drop(server);
    eventually("nothing is left", async || stage.marked().is_empty().then_some(())).await;
}

#[tokio::test]
async fn so_does_giving_up_on_a_start() {
    let stage = Stage::new();
    for patience in 0..20 {
        let mut spec = stage.fake_spec(&CLINGING);
        spec.instance = format!("test-{patience}");
        let launch = stage.launcher.launch(spec);
        let _ = tokio::time::timeout(Duration::from_micros(patience * 200), launch).await;
    }
    eventually("nothing is left", async || stage.marked().is_empty().then_some(())).await;
    let directories = || fs::read_dir(stage.runtime_dir()).map_or(0, Iterator::count);
    eventually("no directory is left", async || (directories() == 0).then_some(())).await;
}

/// Processes that are never there any more when somebody has seen them.
#[tokio::test]
async fn what_multiplies_faster_than_it_can_be_looked_at_ends_too() {
    for lose_keeper in [false, true, false, true, false, true] {
        let stage = Stage::new();
        let mut server = stage.fake(&["--relay-grandchild", "--ignore-sigterm"]).await;
        server.call("pid", json!({})).await;
        let (_, keeper, _) = standing(server.process.pid).unwrap();
        let started = std::time::Instant::now();
        match lose_keeper {
            false => server.process.control.stop(StopSignal::Kill, Duration::ZERO),
            true => kill(Pid::from_raw(keeper.cast_signed()), Signal::SIGKILL).unwrap(),
        }
        server.process.control.wait().await;
        println!("keeper lost: {lose_keeper}: after {:?}", started.elapsed());
        // Not there in one look may mean not seen in it.
        for _ in 0..20 {
            assert_eq!(stage.marked(), [0; 0]);
        }
    }
}

#[tokio::test]
async fn the_death_of_the_keeper_takes_the_server_and_all_of_its_own_along() {
    let stage = Stage::new();
    let mut server = stage.fake(&CLINGING).await;
    server.call("pid", json!({})).await;
    eventually("server and grandchildren run", async || (stage.marked().len() == 3).then_some(())).await;
    let (_, keeper, _) = standing(server.process.pid).unwrap();
    kill(Pid::from_raw(keeper.cast_signed()), Signal::SIGKILL).unwrap();
    assert_eq!(server.process.control.wait().await, Exit::Unknown);
    assert_eq!(stage.marked(), [0; 0]);
    assert_eq!(sweep(&stage.runtime_dir()).unwrap(), 1, "its directory is left to the next start");
}

#[tokio::test]
async fn the_death_of_the_agent_takes_everything_along() {
    let stage = Stage::new();
    let (agent, server) = hold(Command::new(example("hold-a-process")), &stage.runtime_dir(), 1, &CLINGING).await;
    let pid = agent.id().unwrap();
    let mark = format!("HELD_BY={pid}");
    eventually("server and grandchildren run", async || (marked(&mark).len() == 3).then_some(())).await;
    let (_, keeper, _) = standing(server).unwrap();
    kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).unwrap();
    eventually("nothing is left", async || marked(&mark).is_empty().then_some(())).await;
    // Process 1, which has inherited it, may take its time to reap it.
    eventually("the keeper has ended", async || (!exists(keeper) || is_zombie(keeper)).then_some(())).await;
    assert_eq!(fs::read_dir(stage.runtime_dir()).unwrap().count(), 0);
}

#[tokio::test]
async fn it_also_works_for_an_agent_that_is_not_root() {
    if !is_root("an agent that is not root") {
        return;
    }
    let stage = Stage::new();
    let (runtime_dir, nobody) = (stage.runtime_dir(), 65534);
    fs::create_dir(&runtime_dir).unwrap();
    std::os::unix::fs::chown(&runtime_dir, Some(nobody), Some(nobody)).unwrap();
    let mut agent = Command::new(stage.copy(&example("hold-a-process"), "agent"));
    agent.uid(nobody).gid(nobody).current_dir("/");
    let keeper = stage.copy(Path::new(MCPFLEET), "keeper");
    let fake = stage.copy(&example("fake-mcp-server"), "server");
    agent.args([&keeper, &runtime_dir, Path::new("1"), &fake]).args(CLINGING);
    let (agent, server) = started(agent).await;
    let pid = agent.id().unwrap();
    let mark = format!("HELD_BY={pid}");
    eventually("server and grandchildren run", async || (marked(&mark).len() == 3).then_some(())).await;
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&fs::metadata(format!("/proc/{server}")).unwrap()), nobody);
    kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).unwrap();
    eventually("nothing is left", async || marked(&mark).is_empty().then_some(())).await;
}

/// As in a container whose entry point is the agent.
#[tokio::test]
async fn it_also_works_for_an_agent_that_is_process_1() {
    let test = "an agent that is process 1";
    let namespace = ["--pid", "--fork", "--mount-proc", "--kill-child"];
    let can = std::process::Command::new("unshare").args(namespace).arg("true").stderr(Stdio::null()).status();
    if !is_root(test) {
        return;
    }
    if !can.is_ok_and(|status| status.success()) {
        return missing(test, "it needs `unshare`");
    }
    let stage = Stage::new();
    let mut unshare = Command::new("unshare");
    unshare.args(namespace).arg(example("hold-a-process"));
    let (mut outer, server) = hold(unshare, &stage.runtime_dir(), 5, &["--fork-grandchild"]).await;
    assert!(server > 1);
    let mark = "HELD_BY=1";
    let below = |pid: &u32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let agent = all_processes().find(|pid| standing(*pid).is_some_and(|(_, parent, _)| Some(parent) == outer.id()));
    let agent = agent.expect("the agent is the child of `unshare`");
    let namespace = below(&agent);
    let inside = || marked(mark).into_iter().filter(|pid| below(pid) == namespace).count();
    eventually("server and grandchild run", async || (inside() == 2).then_some(())).await;
    let zombies = || all_processes().filter(|pid| below(pid) == namespace && is_zombie(*pid)).count();
    eventually("no zombie is left", async || (zombies() == 0).then_some(())).await;
    // It inherits what a keeper leaves when it is killed.
    let keeper = all_processes().find(|pid| standing(*pid).is_some_and(|(_, parent, _)| parent == agent)).unwrap();
    kill(Pid::from_raw(keeper.cast_signed()), Signal::SIGKILL).unwrap();
    let processes = || all_processes().filter(|pid| below(pid) == namespace).count();
    eventually("only the agent is left", async || (processes() == 1).then_some(())).await;
    outer.kill().await.unwrap();
    eventually("the namespace is empty", async || (processes() == 0).then_some(())).await;
}

#[tokio::test]
async fn two_hundred_starts_leave_neither_descriptors_nor_zombies() {
    let stage = Stage::new();
    let once = hold(Command::new(example("hold-a-process")), &stage.path().join("once"), 1, &[]).await.0;
    let often = hold(Command::new(example("hold-a-process")), &stage.path().join("often"), 200, &[]).await.0;
    let descriptors = |agent: &Child| fs::read_dir(format!("/proc/{}/fd", agent.id().unwrap())).unwrap().count();
    let children = |agent: &Child| {
        let children = |pid: &u32| standing(*pid).is_some_and(|(_, parent, _)| Some(parent) == agent.id());
        all_processes().filter(children).count()
    };
    eventually("the last keeper is the only child", async || (children(&often) == 1).then_some(())).await;
    // The signal that reaps keepers which outlive their `Control` takes one more, once.
    assert!(descriptors(&often) <= descriptors(&once) + 1, "{} against {}", descriptors(&often), descriptors(&once));
}

fn is_zombie(pid: u32) -> bool {
    standing(pid).is_some_and(|(state, ..)| state == 'Z')
}

/// An agent of its own process that holds a fake server, and the number of the server.
async fn hold(mut agent: Command, runtime_dir: &Path, times: u32, flags: &[&str]) -> (Child, u32) {
    agent.arg(MCPFLEET).arg(runtime_dir).arg(times.to_string()).arg(example("fake-mcp-server")).args(flags);
    started(agent).await
}

async fn started(mut agent: Command) -> (Child, u32) {
    let mut agent = agent.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(agent.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
    let server = line.trim().parse().expect("the number of the server");
    (agent, server)
}
