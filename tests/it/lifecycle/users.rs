//! Which user of the host servers run as. Most of it can only be seen by root, and says so elsewhere.

use super::world::{World, app, only_pid};
use crate::support::processes::{MCPFLEET, is_root, mode};
use mcpfleet::{instance::user, status::model::AppState};
use nix::unistd::{chown, geteuid};
use serde_json::json;
use std::{fs, os::unix::fs::MetadataExt, path::Path};

fn owner(pid: u32) -> u32 {
    fs::metadata(format!("/proc/{pid}")).unwrap().uid()
}

/// A newcomer is root, and has everything in a folder that nobody else can enter.
#[tokio::test]
async fn the_demo_server_runs_from_a_closed_folder() {
    if !is_root("a switch of user") {
        return;
    }
    let world = World::new();
    fs::create_dir(world.path("closed")).unwrap();
    fs::set_permissions(world.path("closed"), mode(0o700)).unwrap();
    let binary = world.copy(Path::new(MCPFLEET), "closed/mcpfleet");
    let demo = json!({"command": "mcpfleet", "args": ["demo-server"]});
    world.put(
        "demo.yaml",
        &json!({"kind": "app", "version": "v3", "metadata": {"name": "demo"}, "spec": {"mcp": demo}}),
    );
    let mut agent = world.spawn(world.command_of(&binary, &["fleet", "--set", "gateway.listen=127.0.0.1:0"]));
    let pid = agent.pid("demo").await;
    assert_eq!(owner(pid), user::look_up("nobody").unwrap().uid);
    assert!(agent.says(&["mcp", "tools", "demo"]).await.contains("echo"));
    agent.stop().await;
}

#[tokio::test]
async fn a_root_agent_runs_servers_as_the_user_they_name_but_not_as_root() {
    if !is_root("a switch of user") {
        return;
    }
    let world = World::new();
    for (name, user) in
        [("default", None), ("other", Some("daemon")), ("root", Some("root")), ("none", Some("no-such-user"))]
    {
        let mut one = world.app(name, &[]);
        if let Some(user) = user {
            one["spec"]["mcp"]["run_as_host_user"] = json!(user);
        }
        world.put(&format!("{name}.yaml"), &one);
    }
    let mut agent = world.run();
    assert_eq!(owner(agent.pid("default").await), user::look_up("nobody").unwrap().uid);
    assert_eq!(owner(agent.pid("other").await), user::look_up("daemon").unwrap().uid);
    for (name, why) in [("root", "allow_root"), ("none", "there is no host user `no-such-user`")] {
        let row =
            agent.app(name, "refused", |app| app.reason.as_deref().is_some_and(|reason| reason.contains(why))).await;
        assert!(row.instances.is_empty() && row.state != Some(AppState::Ready), "{row:?}");
    }
    agent.stop().await;

    let mut agent =
        world.run_with(&["fleet", "--set", "gateway.listen=127.0.0.1:0", "--set", "app_service.allow_root=true"]);
    let pid = agent.pid("root").await;
    assert_eq!(owner(pid), 0);
    agent.stop().await;
}

#[tokio::test]
async fn an_agent_that_is_not_root_runs_servers_as_itself() {
    let world = World::new();
    world.put("own.yaml", &world.app("own", &[]));
    let mut other = world.app("other", &[]);
    other["spec"]["mcp"]["run_as_host_user"] = json!("daemon");
    world.put("other.yaml", &other);
    let binary = world.copy(Path::new(MCPFLEET), "mcpfleet");
    let mut command = world.command_of(&binary, &["fleet", "--set", "gateway.listen=127.0.0.1:0"]);
    let mut uid = geteuid().as_raw();
    if uid == 0 {
        let nobody = user::look_up("nobody").unwrap();
        uid = nobody.uid;
        command.uid(uid).gid(nobody.gid);
        chown(&world.path(""), Some(uid.into()), Some(nobody.gid.into())).unwrap();
    }
    let mut agent = world.spawn(command);
    let pid = agent.pid("own").await;
    assert_eq!((owner(agent.id()), owner(pid)), (uid, uid));
    let reason = agent.until("a refusal", |s| app(s, "other").and_then(|app| app.reason.clone())).await;
    assert!(reason.contains("needs an agent that runs as root"), "{reason}");
    agent.app("own", "still there", |app| only_pid(app) == Some(pid)).await;
    agent.stop().await;
}
