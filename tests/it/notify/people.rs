//! What people are told, by an incoming webhook of Slack or what takes the same.

use super::{
    delivered, run,
    server::{Got, Server, status},
};
use crate::{
    git_source::{Stage, reaches},
    support::Draft,
};
use serde_json::{Value, json};
use std::fs;

const PATH: &str = "/services/T000/B000/XXXXsecretXXXX";

fn slack(stage: &Stage, server: &Server, interval: &str) -> Value {
    fs::write(stage.world.path("slack-url"), format!("{}{PATH}\n", server.url)).expect("a writable world");
    json!({"name": "chat", "kind": "slack", "url_file": "slack-url", "interval": interval})
}

fn all(got: &[Got]) -> String {
    got.iter().map(|got| got.text("text")).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_fails_many_apps_is_one_message() {
    let (stage, server) = (Stage::new(), Server::start().await);
    let mut agent = run(&stage, &[slack(&stage, &server, "1h")]);
    reaches(&mut agent, stage.root).await;
    let names: Vec<String> = (0..50).map(|number| format!("app-{number:02}")).collect();
    let files: Vec<(String, String)> =
        names.iter().map(|name| (format!("apps/{name}.yaml"), stage.app(name, "a", &["--exit", "7"]))).collect();
    let changes: Vec<(&str, Option<&str>)> = files.iter().map(|(path, text)| (&**path, Some(&**text))).collect();
    let commit = stage.push(Some(&stage.bob), &changes);
    let first = server.until("a message", |got| got.first().cloned()).await;
    assert_eq!((first.method.as_str(), &*first.path), ("POST", PATH));
    assert_eq!(first.header("content-type"), "application/json");
    let text = first.text("text");
    assert!(text.starts_with("mcpfleet on `eu-1`:\n• "), "{text}");
    assert!(text.lines().count() <= 18 && text.chars().count() < 4000, "{text}");
    // Each app and the commit are told of once: however often the apps come and go, the rest waits for the interval.
    let told = agent.until("apps that were tried again", |status| {
        let tried = status.apps.iter().filter(|app| app.restarts >= 2).count();
        (tried == 50).then(|| status.agent.notifications[0].clone())
    });
    assert!(told.await.delivered <= 5);
    let got = server.got();
    assert!(got.len() <= 5, "{}", all(&got));
    for name in &names {
        assert!(all(&got).matches(&format!("app `{name}`")).count() <= 1, "{}", all(&got));
    }
    assert!(all(&got).matches(&commit.to_string()[..12]).count() <= 1);
    // The URL is a secret.
    let shown = serde_json::to_string(&agent.status().await).unwrap();
    assert!(!stage.world.log().contains("XXXXsecret") && !shown.contains("XXXXsecret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn text_from_git_means_nothing_to_those_who_read() {
    let (stage, server) = (Stage::new(), Server::start().await);
    let mut agent = run(&stage, &[slack(&stage, &server, "1s")]);
    reaches(&mut agent, stage.root).await;
    let author = "<!channel> `@here` &amp; [x](http://evil.example) <https://evil.example|eve>";
    let author = format!("{} <eve@example.com>", author.replace(['<', '>'], "\u{202e}"));
    let text = stage.app("b", "b", &[]);
    let changes = [("apps/<!everyone> @all `b`.yaml", Some(&*text))];
    let draft = Draft {
        parents: &[stage.head()],
        signer: Some(&stage.bob),
        author: &author,
        changes: &changes,
        entries: &[],
        message: "X",
    };
    stage.push_commit(stage.repo.commit_draft(&draft));
    let got = server.until("a message", |got| got.first().cloned()).await;
    let text = got.text("text");
    assert!(text.contains("commit `") && text.contains("!everyone"), "{text}");
    assert!(!text.contains(['<', '>', '\u{202e}']), "{text}");
    assert_eq!(text.matches('@').count(), text.matches("@\u{200b}").count(), "{text}");
    for line in text.lines().skip(1) {
        assert_eq!(line.matches('`').count() % 2, 0, "{line}");
        // What strangers wrote is code: outside of it there is nothing but our own words.
        let own: String = line.split('`').step_by(2).collect();
        assert!(!own.contains("everyone") && !own.contains("evil"), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_repeats_nothing_and_a_url_that_is_gone_is_said() {
    let (stage, server) = (Stage::new(), Server::start().await);
    let refused = stage.push(Some(&stage.bob), &[("apps/b.yaml", Some(&stage.app("b", "b", &[])))]);
    let notification = slack(&stage, &server, "1s");
    let mut agent = run(&stage, std::slice::from_ref(&notification));
    server.until("a message", |got| all(got).contains(&refused.to_string()[..12]).then_some(())).await;
    delivered(&mut agent, 1).await;
    agent.stop().await;
    let before = server.got().len();
    let mut agent = run(&stage, &[notification]);
    reaches(&mut agent, refused).await;
    let next = stage.push(Some(&stage.bob), &[("apps/c.yaml", Some(&stage.app("c", "b", &[])))]);
    let told = |got: &[Got]| all(got.get(before..)?).contains(&next.to_string()[..12]).then_some(());
    server.until("what is new", told).await;
    assert!(!all(&server.got()[before..]).contains(&refused.to_string()[..12]), "{}", all(&server.got()));
    server.always(Some(status(404)));
    stage.push(None, &[("apps/d.yaml", Some("kind: app\n"))]);
    let problem = agent.until("a problem", |status| status.agent.notifications[0].problem.clone()).await;
    assert_eq!(problem.message, "it answers 404: it is not there, or the credential does not show it");
}
