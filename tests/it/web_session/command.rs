//! `mcpfleet web`.

use super::browser::{Browser, code};
use crate::{
    access::fleet::start,
    support::{Agent, demo_app, processes::mode},
};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt as _};

/// A browser that writes down how it was called, and keeps what it was given.
fn fake_browser(agent: &Agent) -> String {
    let program = agent.home.path().join("browser");
    let script = "#!/bin/sh\nprintf '%s\\n' \"$@\" > \"$0.args\"\ncp -- \"$1\" \"$0.page\" || exit 1\n";
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, mode(0o755)).unwrap();
    program.display().to_string()
}

#[tokio::test]
async fn the_browser_is_opened_and_nobody_sees_the_code() {
    let agent = start().await;
    let browser = fake_browser(&agent);
    let runtime = agent.home.path().join("run time");
    fs::create_dir(&runtime).unwrap();
    let mut command = agent.command(&["web", "-o", "json"]);
    command.env("BROWSER", format!("/does/not/exist:{browser}")).env("XDG_RUNTIME_DIR", &runtime);
    let output = command.output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["opened"], true);
    let url = said["url"].as_str().unwrap();
    let file = runtime.join("mcpfleet/web.html");
    // It is not among the arguments, which all users of the machine can see, but in a file that is nobody else's.
    assert_eq!(fs::read_to_string(format!("{browser}.args")).unwrap(), format!("{}\n", file.display()));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let page = fs::read_to_string(format!("{browser}.page")).unwrap();
    assert!(page.contains(&format!("url={url}\"")), "{page}");
    let signed_in = Browser::with(&agent, json!({"code": code(url)})).await;
    assert_eq!(signed_in.principal().await, "operator");

    let text =
        agent.command(&["web"]).env("BROWSER", &browser).env("XDG_RUNTIME_DIR", &runtime).output().await.unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains(&format!("open http://{}/.", agent.listen)) && !text.contains('#'), "{text}");
}

#[tokio::test]
async fn without_a_browser_the_link_is_printed() {
    let agent = start().await;
    let text = agent.says(&["web", "--no-browser"]).await;
    let link = text.lines().next().unwrap();
    assert_eq!(Browser::with(&agent, json!({"code": code(link)})).await.principal().await, "operator");
    assert!(text.contains("good once, until"), "{text}");
    let mut command = agent.command(&["web"]);
    command.env("BROWSER", "/does/not/exist").env("XDG_RUNTIME_DIR", agent.home.path());
    let output = command.output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.starts_with("No browser was opened: /does/not/exist: ") && text.contains("/web/open#"), "{text}");
}

#[tokio::test]
async fn where_one_is_nobody_the_page_itself_is_opened() {
    let agent = Agent::start_with(&[("demo.yaml", &demo_app("demo"))], &["gateway.auth=open"]).await;
    let url = format!("http://localhost:{}", agent.listen.rsplit(':').next().unwrap());
    let output = agent.home.mcpfleet(["web", "--no-browser", "--agent", &url, "-o", "json"]).output().await.unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said, json!({"url": format!("{url}/"), "expires": null, "opened": false}));
    // By a token one is somebody, at the address by which one has asked.
    let agent = start().await;
    let url = format!("http://localhost:{}", agent.listen.rsplit(':').next().unwrap());
    let token = agent.home.path().join("token");
    fs::write(&token, crate::access::fleet::token("ada")).unwrap();
    let arguments = ["web", "--no-browser", "-o", "json", "--agent", &url, "--token-file", token.to_str().unwrap()];
    let output = agent.home.mcpfleet(arguments).output().await.unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let link = said["url"].as_str().unwrap();
    assert!(link.starts_with(&format!("{url}/web/open#")), "{link}");
    assert_eq!(Browser::with(&agent, json!({"code": code(link)})).await.principal().await, "user/ada");
    // And with none one is refused.
    let refused = agent.home.mcpfleet(["web", "--no-browser", "--agent", &url]).output().await.unwrap();
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
}
