//! `mcpfleet notify test`.

use super::{
    TOKEN,
    server::{Reply, Server, status},
};
use crate::support::Home;
use serde_json::json;
use std::{fs, process::Output};

const COMMIT: &str = "4f2c8b1d0e9a7c6b5d4e3f2a1b0c9d8e7f6a5b4c";

fn home(server: &Server) -> Home {
    let home = Home::new();
    let config = json!({
        "agent_name": "eu-1",
        "sources": [{"name": "fleet", "git": {"url": "https://git.example.com/platform/fleet.git"}}],
        "notifications": [
            {"name": "forge", "kind": "gitea", "api_url": server.url, "token_file": "token"},
            {"name": "chat", "kind": "slack", "url_file": "url"},
            {"name": "program", "kind": "webhook", "url": format!("{}/hook", server.url), "secret_file": "token"},
        ],
    });
    fs::write(home.path().join("agent.yaml"), config.to_string()).expect("a writable home");
    fs::write(home.path().join("token"), TOKEN).expect("a writable home");
    fs::write(home.path().join("url"), format!("{}/services/hidden", server.url)).expect("a writable home");
    home
}

async fn notify(home: &Home, arguments: &[&str]) -> (Option<i32>, String, String) {
    let arguments = [&["notify", "test", "-c", "agent.yaml"], arguments].concat();
    let Output { status, stdout, stderr } = home.mcpfleet(arguments).output().await.expect("the binary starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

#[tokio::test]
async fn a_real_message_is_sent_and_what_came_back_is_shown() {
    let server = Server::start().await;
    let home = home(&server);
    let (code, out, errors) = notify(&home, &["forge", "--commit", COMMIT]).await;
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{out}");
    assert!(
        out.starts_with("sent: {") && out.contains("answered: 201\n") && out.ends_with("the message was taken\n"),
        "{out}"
    );
    let got = server.got();
    assert_eq!(got[0].path, format!("/repos/platform/fleet/statuses/{COMMIT}"));
    assert_eq!((got[0].text("state"), got[0].text("context")), ("success", "mcpfleet/eu-1/test"));

    server.script([Reply::Status(200, &[], "ok".to_owned())]);
    let (code, out, _) = notify(&home, &["chat"]).await;
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("answered: 200\nok\n") && !out.contains("hidden"), "{out}");
    assert!(server.got()[1].text("text").contains("a test: messages of this agent arrive"));
    assert_eq!(notify(&home, &["program"]).await.0, Some(0));
    assert_eq!(server.got()[2].text("type"), "test");
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let server = Server::start().await;
    let home = home(&server);
    server.script([Reply::Status(401, &[], format!("no \u{1b}[31m{TOKEN}"))]);
    let (code, out, errors) = notify(&home, &["forge", "--commit", COMMIT]).await;
    assert_eq!(code, Some(1), "{out}");
    assert!(errors.contains("it answers 401: the credential is not accepted"), "{errors}");
    assert!(!out.contains(TOKEN) && !errors.contains(TOKEN) && !out.contains('\u{1b}'), "{out}{errors}");
    server.script([status(503)]);
    assert_eq!(notify(&home, &["program"]).await.0, Some(1));
    let (code, _, errors) = notify(&home, &["forge"]).await;
    assert!(code == Some(2) && errors.contains("--commit"), "{errors}");
    let (code, _, errors) = notify(&home, &["other"]).await;
    assert!(code == Some(2) && errors.contains("there are: forge, chat, program"), "{errors}");
    fs::remove_file(home.path().join("url")).expect("a file");
    let (code, _, errors) = notify(&home, &["chat"]).await;
    assert!(code == Some(1) && errors.contains("`url_file`") && errors.contains("cannot be read"), "{errors}");
}
