//! An agent that is the first process of a container, or of a PID namespace without one.

use super::wrappers::has_image;
use crate::{
    lifecycle::world::World,
    support::{
        eventually, missing,
        processes::{MCPFLEET, all_processes, is_root, standing},
    },
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use std::{
    fs,
    path::Path,
    process::{Output, Stdio},
    time::Instant,
};
use tokio::process::Command;

const NAMESPACE: [&str; 4] = ["--pid", "--fork", "--mount-proc", "--kill-child"];

/// The processes of a PID namespace, by its first one, with parent and state.
fn inside(first: u32) -> Vec<(u32, u32, char)> {
    let namespace = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let Some(own) = namespace(first) else { return Vec::new() };
    let members = all_processes().filter(|pid| namespace(*pid).as_ref() == Some(&own));
    members.filter_map(|pid| standing(pid).map(|(state, parent, _)| (pid, parent, state))).collect()
}

fn child_of(parent: u32) -> Option<u32> {
    all_processes().find(|pid| standing(*pid).is_some_and(|(_, of, _)| of == parent))
}

fn name(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.cast_signed()), signal).unwrap();
}

/// `mcpfleet run` as process 1; `exec` keeps its output where `World::log` finds it.
fn in_namespace(world: &World) -> Command {
    let run = world.command(&["fleet", "--set", "gateway.listen=127.0.0.1:0"]);
    let mut command = Command::new("unshare");
    command.args(NAMESPACE).arg(MCPFLEET).args(run.as_std().get_args()).env_clear();
    for (name, value) in run.as_std().get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.current_dir(world.path("")).stdin(Stdio::null()).kill_on_drop(true);
    command
}

fn can_unshare(test: &str) -> bool {
    let can = std::process::Command::new("unshare").args(NAMESPACE).arg("true").stderr(Stdio::null()).status();
    is_root(test)
        && (can.is_ok_and(|status| status.success()) || {
            missing(test, "it needs `unshare`");
            false
        })
}

#[tokio::test]
async fn orphans_are_reaped_signals_arrive_and_the_exit_code_is_the_agents() {
    if !can_unshare("an agent that is process 1") {
        return;
    }
    let world = World::new();
    world.put("one.yaml", &world.app("one", &["--fork-grandchild", "--setsid-grandchild"]));
    let mut unshare = world.spawn(in_namespace(&world));
    unshare.pid("one").await;
    let init = child_of(unshare.id()).expect("process 1");
    assert_eq!(name(init), "mcpfleet-init");
    let agent = child_of(init).expect("the agent");
    eventually("all of the server", async || (inside(init).len() == 6).then_some(())).await;

    // What a lost keeper leaves becomes the first process's.
    signal(child_of(agent).expect("a keeper"), Signal::SIGKILL);
    unshare.app("one", "restarted", |app| app.restarts > 0 && app.instances.len() == 1).await;
    eventually("the new server and no zombie", async || {
        let all = inside(init);
        (all.len() == 6 && all.iter().all(|(.., state)| *state != 'Z')).then_some(())
    })
    .await;
    // Also one that nobody has marked.
    let before = unshare.ready().await.sources[0].last_read;
    signal(init, Signal::SIGHUP);
    unshare.soon("another look", |status| (status.sources[0].last_read > before).then_some(())).await;
    signal(init, Signal::SIGTERM);
    assert_eq!(unshare.ended().await.code(), Some(0), "{}", world.log());
    assert!(inside(init).is_empty());
    assert!(world.log().contains("SIGTERM"), "{}", world.log());
}

#[tokio::test]
async fn with_the_agent_everything_in_its_namespace_ends() {
    if !can_unshare("an agent that is killed behind process 1") {
        return;
    }
    let world = World::new();
    world.put("one.yaml", &world.app("one", &["--ignore-eof", "--ignore-sigterm", "--setsid-grandchild"]));
    let mut unshare = world.spawn(in_namespace(&world));
    unshare.pid("one").await;
    let init = child_of(unshare.id()).expect("process 1");
    let agent = child_of(init).expect("the agent");
    let members = inside(init);
    assert!(members.len() >= 5, "{members:?}");
    signal(agent, Signal::SIGKILL);
    assert_eq!(unshare.ended().await.code(), Some(128 + 9), "{}", world.log());
    let left = || members.iter().any(|(pid, ..)| standing(*pid).is_some_and(|(state, ..)| state != 'Z'));
    eventually("nothing is left", async || (!left()).then_some(())).await;
}

/// A mistake is told with the code that it always has.
#[tokio::test]
async fn what_cannot_start_says_so() {
    if !can_unshare("a mistake of process 1") {
        return;
    }
    let world = World::new();
    let mut command = in_namespace(&world);
    let Output { status, stderr, .. } = command.args(["--set", "nonsense=1"]).output().await.unwrap();
    assert_eq!(status.code(), Some(2), "{}", String::from_utf8_lossy(&stderr));
}

/// Removed with the container's name, whatever becomes of the test.
struct Container(String);

impl Container {
    async fn docker(arguments: &[&str]) -> String {
        let output = Command::new("docker").args(arguments).output().await.unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    async fn inspect(&self, format: &str) -> String {
        Container::docker(&["inspect", "-f", format, &self.0]).await
    }

    async fn exec(&self, arguments: &[&str]) -> Option<String> {
        let output = Command::new("docker").args(["exec", &self.0, "/mcpfleet"]).args(arguments).output().await.ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = std::process::Command::new("docker").args(["rm", "-f", &self.0]).stdout(Stdio::null()).status();
    }
}

#[tokio::test]
async fn in_a_container() {
    if !has_image("an agent in a container") {
        return;
    }
    let world = World::new();
    let mcp = json!({"command": "/fake", "args": ["--fork-grandchild", "--setsid-grandchild"]});
    let app = json!({"kind": "app", "version": "v3", "metadata": {"name": "one"}, "spec": {"mcp": mcp}});
    world.put("one.yaml", &app);
    let fake = world.path("fake");
    let mut mounts = vec![
        format!("{MCPFLEET}:/mcpfleet:ro"),
        format!("{}:/fake:ro", fake.display()),
        format!("{}:/fleet:ro", world.path("fleet").display()),
    ];
    // The image has what node needs and no more.
    for library in libraries(Path::new(MCPFLEET)).into_iter().chain(libraries(&fake)) {
        let mount = format!("{library}:{library}:ro");
        if !mounts.contains(&mount) {
            mounts.push(mount);
        }
    }
    let mut arguments = vec!["run", "-d", "--network", "none", "--user", "12345", "--tmpfs", "/state:mode=1777"];
    mounts.iter().for_each(|mount| arguments.extend(["-v", mount]));
    arguments.extend(["--entrypoint", "/mcpfleet", "mcp/everything", "run", "/fleet"]);
    arguments.extend(["--set", "state_dir=/state/agent", "--set", "control_socket=/state/control.sock"]);
    arguments.extend(["--set", "gateway.listen=127.0.0.1:0"]);
    let container = Container(Container::docker(&arguments).await);

    let (agent, status) = (["--agent", "/state/control.sock"], ["status", "--wait", "--timeout", "60s"]);
    let waited = [status.as_slice(), &agent].concat();
    eventually("an agent that is ready in the container", async || container.exec(&waited).await).await;
    let init: u32 = container.inspect("{{.State.Pid}}").await.parse().unwrap();
    assert_eq!(name(init), "mcpfleet-init");
    eventually("all of the server", async || (inside(init).len() == 6).then_some(())).await;
    let keeper = child_of(child_of(init).unwrap()).unwrap();
    signal(keeper, Signal::SIGKILL);
    eventually("a new server and no zombie", async || {
        let all = inside(init);
        let so = all.len() == 6 && all.iter().all(|(pid, _, state)| *state != 'Z' && *pid != keeper);
        so.then_some(())
    })
    .await;
    let stopped = Instant::now();
    Container::docker(&["stop", "--time", "60", &container.0]).await;
    println!("stopped within {:?}", stopped.elapsed());
    assert_eq!(container.inspect("{{.State.ExitCode}}").await, "0");
    assert!(inside(init).is_empty());
}

/// Every library at the path where the loader looks for it.
fn libraries(program: &Path) -> Vec<String> {
    let output = std::process::Command::new("ldd").arg(program).output().expect("ldd runs");
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().filter(|word| word.starts_with('/')).map(str::to_owned).collect()
}
