//! Users of the host, on the control socket.

use super::fleet::{role, start_with};
use crate::support::{
    Agent, eventually,
    processes::{MCPFLEET, is_root},
};
use std::{path::Path, process::Output};

/// Runs a command as another user, on the control socket.
async fn as_nobody(agent: &Agent, binary: &Path, arguments: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(binary);
    command.args(arguments).env_clear().env("MCPFLEET_AGENT", agent.socket()).current_dir("/").uid(65534).gid(65534);
    command.output().await.unwrap()
}

#[tokio::test]
async fn a_user_of_the_host_is_who_lists_it() {
    if !is_root("another user on the control socket") {
        return;
    }
    let nobody = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(65534)).unwrap().unwrap().name;
    let files = [
        ("alpha.yaml", super::fleet::app("alpha", "a", "both")),
        ("beta.yaml", super::fleet::app("beta", "b", "both")),
        ("a.yaml", role("a", "{allow: {app_labels: {team: a}, mcp: {tools: [echo]}}}")),
    ];
    let agent = start_with(&files, &[]).await;
    // The test's own binary may be where nobody else gets.
    let binary = agent.home.path().join("mcpfleet");
    let copied = std::process::Command::new("cp").arg(MCPFLEET).arg(&binary).status().unwrap();
    assert!(copied.success());
    let refused = as_nobody(&agent, &binary, &["mcp", "ls"]).await;
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && text.contains(&nobody) && text.contains("host_users"), "{refused:?}");
    let user = |host: &str| {
        format!(
            "kind: user\nversion: v2\nmetadata: {{name: carol}}\nspec: {{roles: [a], gateway: {{host_users: [{host}]}}}}\n"
        )
    };
    agent.write("carol.yaml", &user(&nobody));
    let listed = eventually("the user", async || {
        let listed = as_nobody(&agent, &binary, &["mcp", "ls", "-o", "json"]).await;
        (listed.status.code() == Some(0)).then(|| String::from_utf8(listed.stdout).unwrap())
    })
    .await;
    assert!(listed.contains("alpha") && !listed.contains("beta"), "{listed}");
    let called = as_nobody(&agent, &binary, &["mcp", "call", "alpha", "echo", "{\"text\": \"hello\"}"]).await;
    assert!(String::from_utf8_lossy(&called.stdout).contains("hello"), "{called:?}");
    let denied = as_nobody(&agent, &binary, &["mcp", "call", "alpha", "pid"]).await;
    assert_eq!(denied.status.code(), Some(1), "{denied:?}");
    let suspend = as_nobody(&agent, &binary, &["suspend"]).await;
    assert_eq!(suspend.status.code(), Some(1), "{suspend:?}");
    agent.write("carol.yaml", &user("somebody-else"));
    eventually("nobody again", async || {
        let listed = as_nobody(&agent, &binary, &["mcp", "ls"]).await;
        (listed.status.code() == Some(1)).then_some(())
    })
    .await;
}
