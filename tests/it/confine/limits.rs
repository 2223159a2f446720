//! Limits.

use super::{fake, grouped, grouped_as, nobody, tag};
use crate::support::{
    Agent, eventually, fake_app,
    processes::{FakeServer, MCPFLEET, Stage, standing},
};
use mcpfleet::{
    instance::{
        confine::{
            cgroup::{Groups, Wanted},
            plan::{Bounds, Enforcement, Plan},
        },
        host::{Host, HostSettings},
        launch::{End, Excess, Exit, LaunchSpec, Launcher, Start},
        secrets::SecretSettings,
        user,
    },
    manifest::parse_file,
    resource::Resource,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, process::Command, time::Duration};
use tokio::io::{AsyncBufReadExt, BufReader};

const MEBIBYTE: u64 = 1 << 20;

fn by_groups(grouped: Bounds) -> Plan {
    Plan { grouped, ..Plan::default() }
}

fn by_looking(watched: Bounds) -> Plan {
    Plan { watched, ..Plan::default() }
}

#[tokio::test]
async fn a_server_that_eats_more_than_its_limit_is_killed_told_of_and_restarted() {
    let test = "a limit of memory";
    if grouped(test, Wanted::Memory).is_none() {
        return;
    }
    let limits = "limits: {memory: 64Mi, cpu: 1500m, processes: 50, open_files: 200}, sessions: shared";
    let app = fake_app("hungry", &[]).replace("args: []}", &format!("args: [], {limits}}}"));
    assert!(app.contains("64Mi"), "{app}");
    let mut agent = Agent::start(&[("hungry.yaml", &app)]).await;
    let status = agent.ready().await;
    let confinement = status["apps"][0]["confinement"].as_array().unwrap().clone();
    let what: Vec<&str> = confinement.iter().map(|one| one["what"].as_str().unwrap()).collect();
    assert_eq!(what, ["limits.memory: 64Mi", "limits.cpu: 1500m", "limits.processes: 50", "limits.open_files: 200"]);
    assert!(confinement.iter().all(|one| one["by"].is_string() && one.get("gap").is_none()), "{confinement:?}");
    let shown = agent.says(&["status", "-v"]).await;
    assert!(shown.contains("limits.memory: 64Mi") && shown.contains("cgroup v"), "{shown}");

    let called = agent.cli(&["mcp", "call", "hungry", "eat", r#"{"mib": 200}"#]).await;
    assert_ne!(called.status.code(), Some(0), "{called:?}");
    let app = eventually("a restart", async || {
        let status: Value = serde_json::from_str(&agent.says(&["status", "-o", "json"]).await).unwrap();
        let app = status["apps"][0].clone();
        (app["restarts"] == 1 && app["state"] == "Ready").then_some(app)
    })
    .await;
    assert_eq!(app["last_exit"], "killed by SIGKILL: out of memory (limit 64Mi)");
    let called = agent.says(&["mcp", "call", "hungry", "eat", r#"{"mib": 1}"#]).await;
    assert!(called.contains("eaten"), "{called}");
    agent.stop().await;
}

#[tokio::test]
async fn groups_are_made_for_an_instance_and_removed_with_it() {
    let Some((stage, folder)) = grouped("a limit of processes", Wanted::Processes) else { return };
    let plan = by_groups(Bounds { processes: Some(12), ..Bounds::default() });
    let mut server = FakeServer::over(stage.launch(fake(&stage, &[], plan)).await);
    let said = server.call("spawn", json!({"count": 30})).await;
    let started: u64 = said.split(':').next().unwrap().parse().unwrap();
    assert!((5..12).contains(&started) && said.contains("temporarily unavailable"), "{said}");
    let processes = fs::read_to_string(folder.join("test-1/cgroup.procs")).unwrap();
    assert_eq!(processes.lines().count() as u64, started + 1);
    assert!(processes.lines().any(|pid| pid == server.process.pid.to_string()), "{processes}");
    drop(server.process.stdin);
    assert_eq!(server.process.control.wait().await, Exit::Code(0));
    assert!(!folder.join("test-1").exists());
    assert_eq!(stage.marked(), [0; 0]);
}

#[tokio::test]
async fn a_share_of_a_processor_is_written_down() {
    let Some((stage, folder)) = grouped("a limit of processors", Wanted::Cpu) else { return };
    let plan = by_groups(Bounds { cpu_millis: Some(250), ..Bounds::default() });
    let server = stage.launch(fake(&stage, &[], plan)).await;
    let read = |file: &str| fs::read_to_string(folder.join("test-1").join(file)).ok();
    let written = read("cpu.max").or_else(|| Some(read("cpu.cfs_quota_us")? + &read("cpu.cfs_period_us")?)).unwrap();
    assert_eq!(written.split_whitespace().collect::<Vec<_>>(), ["25000", "100000"]);
    drop(server);
    eventually("no group is left", async || (!folder.join("test-1").exists()).then_some(())).await;
}

#[tokio::test]
async fn a_limit_that_the_kernel_does_not_take_is_told() {
    let Some((stage, _)) = grouped("a limit of processors", Wanted::Cpu) else { return };
    let plan = by_groups(Bounds { cpu_millis: Some(u64::MAX / 1000), ..Bounds::default() });
    let error = stage.launcher.launch(fake(&stage, &[], plan)).await.unwrap_err().to_string();
    assert!(error.contains("cannot limit it by /") && error.contains("invalid argument"), "{error}");
}

#[tokio::test]
async fn nothing_escapes_a_group_when_the_keeper_is_killed() {
    let Some((stage, _)) = grouped("groups", Wanted::Memory) else { return };
    let plan = by_groups(Bounds { memory: Some(256 * MEBIBYTE), ..Bounds::default() });
    // No variable and no session leads to it.
    let script = "env -i setsid sh -c 'echo $$; exec sleep 600' & cat >/dev/null";
    let spec = LaunchSpec { plan, user: nobody(), ..stage.spec("sh", &["-c", script]) };
    let mut server = stage.launch(spec).await;
    let mut line = String::new();
    BufReader::new(&mut server.stdout).read_line(&mut line).await.unwrap();
    let grandchild: u32 = line.trim().parse().unwrap();
    let runs = || standing(grandchild).is_some_and(|(state, ..)| state != 'Z');
    assert!(runs() && standing(grandchild).unwrap().2 == grandchild);
    let (_, keeper, _) = standing(server.pid).unwrap();
    kill(Pid::from_raw(keeper.cast_signed()), Signal::SIGKILL).unwrap();
    assert_eq!(server.control.wait().await, Exit::Unknown);
    eventually("nothing is left", async || (!runs()).then_some(())).await;
}

#[tokio::test]
async fn what_an_agent_that_was_killed_left_is_swept() {
    let tag = tag();
    let Some((stage, folder)) = grouped_as(&tag, "groups", Wanted::Memory) else { return };
    // Two agents with one tag would not leave each other alone.
    drop(stage);
    // Above any number that a process has.
    let lose = |name: &str| {
        let left = folder.with_file_name(name);
        fs::create_dir_all(left.join("a-1")).unwrap();
        let lost = Command::new("sleep").arg("600").spawn().unwrap();
        fs::write(left.join("a-1/cgroup.procs"), lost.id().to_string()).unwrap();
        (left, lost)
    };
    let (left, mut lost) = lose(&format!("mcpfleet-{tag}-99999999"));
    let (others, mut running) = lose(&format!("mcpfleet-{tag}y-99999999"));
    drop(Groups::find(&tag));
    assert!(!left.exists());
    assert!(lost.wait().unwrap().code().is_none());
    // Their keepers may be at it, or their next agent will be.
    assert_eq!(running.try_wait().unwrap(), None);
    running.kill().unwrap();
    running.wait().unwrap();
    drop(Groups::find(&tag));
    assert!(!others.exists());
}

#[tokio::test]
async fn open_files_are_limited_for_good() {
    let stage = Stage::new();
    let mut server =
        FakeServer::over(stage.launch(fake(&stage, &[], Plan { open_files: Some(100), ..Plan::default() })).await);
    let seen = server.look("process").await;
    let limits = seen["limits"].as_str().unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(line.split_whitespace().skip(3).take(2).collect::<Vec<_>>(), ["100", "100"]);
}

#[tokio::test]
async fn without_groups_a_look_finds_who_uses_too_much_memory() {
    let stage = Stage::new();
    let limit = 64 * MEBIBYTE;
    let plan = by_looking(Bounds { memory: Some(limit), ..Bounds::default() });
    let mut server = FakeServer::over(stage.launch(fake(&stage, &["--fork-grandchild"], plan)).await);
    assert_eq!(server.call("eat", json!({"mib": 100})).await, "eaten");
    let exit = server.process.control.wait().await;
    assert_eq!(exit, Exit::OverLimit { end: End::Signal(9), excess: Excess::Memory { limit } });
    assert_eq!(exit.to_string(), "killed by SIGKILL: it used more memory than its limit of 64Mi");
    assert_eq!(stage.marked(), [0; 0]);
}

#[tokio::test]
async fn without_groups_a_look_finds_who_has_too_many_processes() {
    let stage = Stage::new();
    let plan = by_looking(Bounds { processes: Some(8), ..Bounds::default() });
    let mut server = FakeServer::over(stage.launch(fake(&stage, &[], plan)).await);
    assert_eq!(server.call("spawn", json!({"count": 4})).await, "4");
    // Long enough for a look to have happened.
    let early = tokio::time::timeout(Duration::from_millis(2500), server.process.control.wait()).await;
    assert!(early.is_err(), "{early:?}");
    server.send("spawn", json!({"count": 6})).await;
    let exit = server.process.control.wait().await;
    assert_eq!(exit, Exit::OverLimit { end: End::Signal(9), excess: Excess::Processes { limit: 8 } });
    assert_eq!(stage.marked(), [0; 0]);
}

/// A launcher that has no groups is a host that has none.
#[tokio::test]
async fn what_cannot_be_enforced_is_an_error_or_told() {
    let stage = Stage::new();
    let agent = user::current().unwrap();
    let app = "kind: app\nversion: v3\nmetadata: {name: a}\nspec: {mcp: {command: x, limits: {memory: 1Gi, cpu: 1}}}\n";
    let file = parse_file("a.yaml", app.as_bytes());
    let Some(Resource::App(app)) = file.resources.first().map(|located| located.resource.clone()) else {
        panic!("{:?}", file.diagnostics)
    };
    let host = |enforcement| {
        let settings = HostSettings {
            runtime_dir: stage.runtime_dir(),
            tools_dir: stage.path().join("tools"),
            default_host_user: Some(agent.name.clone()),
            allow_root: true,
            host_users: None,
            ambient: BTreeMap::new(),
            allowed: BTreeMap::new(),
            parallel_starts: 1,
            drain_timeout: Duration::ZERO,
            secrets: SecretSettings { dir: stage.path().join("secrets"), granted: None },
            enforcement,
            remote_hosts: None,
        };
        Host::new(settings, Launcher::with_keeper(MCPFLEET), agent.clone())
    };
    let error = host(Enforcement::Strict).prepare(&app).await.unwrap_err().reason;
    assert_eq!(
        error,
        "not enforceable on this host: `limits.memory: 1Gi` (control groups are not in use); `limits.cpu: 1` (control \
         groups are not in use); `app_service.enforcement: best_effort` runs it without"
    );
    let Start::Process(spec) = host(Enforcement::BestEffort).prepare(&app).await.unwrap() else { panic!() };
    let plan = spec.plan;
    assert_eq!(plan.watched.memory, Some(1 << 30));
    let shown: Vec<String> = plan.measures.iter().map(ToString::to_string).collect();
    assert_eq!(shown[1], "limits.cpu: 1 not enforced (control groups are not in use)");
}

/// When the machine is out of memory, somebody has to be left who can tell of it.
#[tokio::test]
async fn a_server_goes_before_its_keeper() {
    let stage = Stage::new();
    let server = stage.launch(fake(&stage, &[], Plan::default())).await;
    let (_, keeper, _) = standing(server.pid).unwrap();
    let score =
        |pid: u32| -> i32 { fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap().trim().parse().unwrap() };
    assert_eq!(score(keeper), score(std::process::id()));
    assert!(score(server.pid) > score(keeper));
}
