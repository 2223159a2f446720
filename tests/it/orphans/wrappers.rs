//! Servers behind the programs that people start them with, and every way in which they, their keepers or the agent
//! may end: nothing is left, in /proc or with the container engine.

use super::scene::{Everything, containers, kill_all, kill_hard};
use crate::{
    lifecycle::world::{Agent, World, app},
    support::{eventually, missing, outside, processes::mode},
};
use mcpfleet::status::model::AppState;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::{
    fs,
    process::{Command, Stdio},
};

/// How the life of a server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    FileRemoved,
    Updated,
    AgentTerminated,
    AgentKilled,
    KeeperKilled,
    AllKilled,
}

const ENDINGS: [Ending; 6] = [
    Ending::FileRemoved,
    Ending::Updated,
    Ending::AgentTerminated,
    Ending::AgentKilled,
    Ending::KeeperKilled,
    Ending::AllKilled,
];

/// A server behind a wrapper.
struct Wrapped {
    mcp: Value,
    /// So many processes run at least, keepers not counted.
    processes: usize,
    container: bool,
}

async fn nothing_is_left(world: World, wrapped: Wrapped) {
    for ending in ENDINGS {
        println!("{ending:?}");
        let excused = excuses(&world);
        let mut mcp = wrapped.mcp.clone();
        mcp["env"]["MARK"] = json!(world.path("").to_str().unwrap().trim_end_matches('/'));
        mcp["startup_timeout"] = json!("80s");
        mcp["warm"] = json!(0);
        mcp["stop"] = json!({"grace_period": "2s"});
        let mut resource = json!({"kind": "app", "version": "v3", "metadata": {"name": "it"}, "spec": {"mcp": mcp}});
        world.put("it.yaml", &resource);
        let mut agent = world.run();
        agent.app("it", "ready", |app| app.state == Some(AppState::Ready)).await;
        let before = whole(&world, &wrapped).await;
        let gone = async |agent: &mut Agent<'_>, what: &str| {
            eventually(what, async || {
                // Panics if the agent has ended.
                agent.status().await;
                Everything::of(&world, wrapped.container).is_free_of(&before).then_some(())
            })
            .await;
        };
        match ending {
            Ending::FileRemoved => {
                world.remove("it.yaml");
                agent.until("no app", |status| app(status, "it").is_none().then_some(())).await;
                gone(&mut agent, "nothing after a stop").await;
                agent.stop().await;
            }
            Ending::Updated => {
                resource["spec"]["mcp"]["env"]["VERSION"] = json!("2");
                resource["spec"]["mcp"]["stop"]["drain_timeout"] = json!("1s");
                world.put("it.yaml", &resource);
                gone(&mut agent, "nothing of the old version").await;
                agent.app("it", "ready", |app| app.state == Some(AppState::Ready) && !app.updating).await;
                whole(&world, &wrapped).await;
                agent.stop().await;
            }
            // Not eventually: a stop is over when nothing is left.
            Ending::AgentTerminated => agent.stop().await,
            Ending::AgentKilled => {
                agent.signal(Signal::SIGKILL);
                agent.ended().await;
                let left = || Everything::of(&world, wrapped.container);
                eventually("nothing without an agent", async || left().is_nothing().then_some(())).await;
            }
            Ending::KeeperKilled => {
                kill_hard(before.keepers.iter().copied());
                gone(&mut agent, "nothing of the server that lost its keeper").await;
                agent.app("it", "ready again", |app| app.state == Some(AppState::Ready)).await;
                agent.stop().await;
            }
            Ending::AllKilled => {
                kill_all(&world, &mut agent).await;
                if wrapped.container {
                    assert!(!containers(&world).is_empty(), "a container outlives its client");
                }
                world.remove("it.yaml");
                nothing_after_a_start(&world, &wrapped).await;
            }
        }
        let left = Everything::of(&world, wrapped.container);
        assert!(left.processes.is_empty(), "{ending:?}: {left:?}\n{}", world.log());
        // A keeper that was killed leaves its directory to the next start.
        let mut directories = if ending == Ending::KeeperKilled { 1 } else { 0 };
        if !left.containers.is_empty() {
            // A stop waits for an engine only so long. Then it says so, and the rest is the next agent's.
            assert!(excuses(&world) > excused, "{ending:?}: {left:?}\n{}", world.log());
            let _ = fs::remove_file(world.file("it.yaml"));
            nothing_after_a_start(&world, &wrapped).await;
            directories = 0;
        }
        // A keeper has told the end when it comes to its own, and to that of the directory.
        let files = || fs::read_dir(world.path("state/run")).unwrap().count();
        let over = || Everything::of(&world, wrapped.container).is_nothing() && files() == directories;
        eventually("no keeper and no directory", async || over().then_some(())).await;
    }
}

/// A start, too, is over when nothing is left, unless the engine is so slow that it says that it will try again.
async fn nothing_after_a_start(world: &World, wrapped: &Wrapped) {
    let excused = excuses(world);
    let mut next = world.run();
    next.ready().await;
    let is_over = || Everything::of(world, wrapped.container).is_nothing();
    if !is_over() {
        assert!(excuses(world) > excused, "{}", world.log());
        eventually("nothing of an earlier agent", async || is_over().then_some(())).await;
    }
    next.stop().await;
}

/// How often it was said that an engine is too slow to be waited for.
fn excuses(world: &World) -> usize {
    let log = world.log();
    log.matches("may be left").count() + log.matches("may have left behind").count()
}

/// All of a server, once all of it runs.
async fn whole(world: &World, wrapped: &Wrapped) -> Everything {
    eventually("all of the server", async || {
        let all = Everything::of(world, wrapped.container);
        let so = all.keepers.len() == 1
            && all.processes.len() >= wrapped.processes
            && all.containers.len() == usize::from(wrapped.container);
        so.then_some(all)
    })
    .await
}

#[tokio::test]
async fn behind_a_shell() {
    let world = World::new();
    let script = "\"$0\" --fork-grandchild --setsid-grandchild --ignore-sigterm --ignore-eof; true";
    let mcp = json!({"command": "sh", "args": ["-c", script, world.path("fake")]});
    nothing_is_left(world, Wrapped { mcp, processes: 4, container: false }).await;
}

#[tokio::test]
async fn behind_npx() {
    let Some(folder) = outside("npx", "MCPFLEET_TEST_SERVER_EVERYTHING") else { return };
    let world = World::new();
    let args = json!(["--no-install", "--prefix", folder, "mcp-server-everything"]);
    let mcp = json!({"command": "npx", "args": args, "env": {"npm_config_update_notifier": "false"}});
    nothing_is_left(world, Wrapped { mcp, processes: 2, container: false }).await;
}

#[tokio::test]
async fn behind_uv() {
    let Some(python) = outside("uv", "MCPFLEET_TEST_PYTHON") else { return };
    let uv = python.with_file_name("uv");
    if !uv.exists() {
        return missing("uv", "there is no `uv` beside MCPFLEET_TEST_PYTHON");
    }
    let world = World::new();
    let args = json!(["run", "--no-project", "--offline", "--no-cache", "--python", python, "mcp-server-time"]);
    nothing_is_left(world, Wrapped { mcp: json!({"command": uv, "args": args}), processes: 2, container: false }).await;
}

#[tokio::test]
async fn behind_docker() {
    if !has_image("docker run") {
        return;
    }
    let args = json!(["run", "-i", "--rm", "mcp/everything"]);
    let mcp = json!({"command": "docker", "args": args, "run_as_host_user": "docker"});
    nothing_is_left(World::new(), Wrapped { mcp, processes: 1, container: true }).await;
}

/// Neither a signal nor the end of its input ends the container, and nobody asked for its removal.
#[tokio::test]
async fn behind_docker_in_a_container_that_stays() {
    if !has_image("docker run of a stubborn container") {
        return;
    }
    let script = "for (const s of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(s, () => {}); process.exit = () => {}; \
                  setInterval(() => {}, 1e6); \
                  import('/app/node_modules/@modelcontextprotocol/server-everything/dist/index.js')";
    let args = json!([
        "--log-level",
        "error",
        "container",
        "run",
        "-i",
        "--entrypoint",
        "/usr/bin/node",
        "mcp/everything",
        "-e",
        script
    ]);
    let mcp = json!({"command": docker(), "args": args, "run_as_host_user": "docker"});
    nothing_is_left(World::new(), Wrapped { mcp, processes: 1, container: true }).await;
}

fn docker() -> String {
    let found = Command::new("sh").args(["-c", "command -v docker"]).output().unwrap();
    String::from_utf8(found.stdout).unwrap().trim().to_owned()
}

/// Whether there is an engine with the image, and this is root, who can become the user `docker`.
pub fn has_image(test: &str) -> bool {
    if !nix::unistd::Uid::effective().is_root() {
        missing(test, "only root can start servers as another user");
        return false;
    }
    let image = ["image", "inspect", "mcp/everything"];
    let inspected = Command::new("docker").args(image).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let found = inspected.is_ok_and(|status| status.success());
    if !found {
        missing(test, "there is no Docker engine with the image mcp/everything");
    }
    found
}

/// An engine of our own, as good as any other: a script that says what it was asked, and lists one container until that
/// is removed.
#[tokio::test]
async fn what_the_engine_is_asked() {
    let world = World::new();
    let engine = world.path("podman");
    let (asked, there, fake) = (world.path("asked"), world.path("there"), world.path("fake"));
    let script = format!(
        "#!/bin/sh\necho \"$*\" >>{asked}\ncase \"$3\" in\n\
         run) touch {there}; exec {fake};;\nps) if [ -e {there} ]; then echo 0123456789ab; fi;;\nrm) rm {there};;\nesac\n",
        asked = asked.display(),
        there = there.display(),
        fake = fake.display(),
    );
    fs::write(&engine, script).unwrap();
    for path in [&engine, &world.path("")] {
        fs::set_permissions(path, mode(0o777)).unwrap();
    }
    let mcp = json!({"command": engine, "args": ["--connection", "far", "run", "-i", "x"], "env": {"TOKEN": "hush"}});
    world.put("it.yaml", &json!({"kind": "app", "version": "v3", "metadata": {"name": "it"}, "spec": {"mcp": mcp}}));
    let mut agent = world.run();
    agent.pid("it").await;
    let records: Vec<_> = fs::read_dir(world.path("state/run")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let record = records.iter().find(|path| path.extension().is_some_and(|e| e == "container")).expect("a record");
    let text = fs::read_to_string(record).unwrap();
    assert!(text.contains("far") && !text.contains("hush"), "{text}");
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&fs::metadata(record).unwrap()) & 0o777, 0o600);
    let marker = record.file_stem().unwrap().to_str().unwrap().to_owned();
    agent.stop().await;
    assert!(!record.exists() && !there.exists());
    let asked = fs::read_to_string(asked).unwrap();
    let label = format!("label mcpfleet.instance={marker}");
    let ps = format!("--connection far ps --all --quiet --no-trunc --filter {}", label.replacen(' ', "=", 1));
    let rm = "--connection far rm --force --volumes 0123456789ab".to_owned();
    let expected = [format!("--connection far run --{label} -i x"), ps.clone(), rm, ps];
    assert_eq!(asked.lines().collect::<Vec<_>>(), expected);
}

/// An engine that never answers holds nothing up for long, and what it did not say is asked again by the next agent.
#[tokio::test]
async fn an_engine_that_does_not_answer() {
    let world = World::new();
    let (engine, well, fake) = (world.path("docker"), world.path("well"), world.path("fake"));
    let script = format!(
        "#!/bin/sh\ncase \"$1\" in\nrun) exec {fake};;\nps) [ -e {well} ] || exec sleep 600;;\nesac\n",
        well = well.display(),
        fake = fake.display(),
    );
    fs::write(&engine, script).unwrap();
    fs::set_permissions(&engine, mode(0o755)).unwrap();
    let mcp = json!({"command": engine, "args": ["run", "x"]});
    world.put("it.yaml", &json!({"kind": "app", "version": "v3", "metadata": {"name": "it"}, "spec": {"mcp": mcp}}));
    let mut agent = world.run();
    agent.pid("it").await;
    agent.stop().await;
    let records = || fs::read_dir(world.path("state/run")).unwrap().count();
    assert_eq!(records(), 1);
    assert!(world.log().contains("a container may be left"), "{}", world.log());
    world.remove("it.yaml");
    fs::write(&well, "").unwrap();
    let mut agent = world.run();
    agent.ready().await;
    assert_eq!(records(), 0);
    agent.stop().await;
}
