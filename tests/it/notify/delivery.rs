//! What becomes of messages that are not taken at once.

use super::{
    TOKEN, delivered,
    forges::{github, states, told},
    only, run,
    server::{Reply, Server, status},
};
use crate::git_source::{Stage, is_at, reaches};
use mcpfleet::status::model::Status;
use std::fs;

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_sent_again() {
    let (stage, server) = (Stage::new(), Server::start().await);
    server.script([status(500), Reply::Status(429, &[("retry-after", "2")], "slow down".to_owned())]);
    let mut agent = run(&stage, &[github(&server)]);
    let waits = |status: &Status| {
        let told = only(status);
        told.problem.clone().filter(|problem| problem.message.contains("429") && problem.next_attempt.is_some())
    };
    let problem = agent.until("a pause", waits).await;
    assert_eq!(problem.message, "it answers 429: slow down");
    let told = delivered(&mut agent, 1).await;
    assert_eq!((told.problem, told.dropped), (None, 0));
    assert!(told.last_success.is_some());
    assert!(states(&server.got(), stage.root).len() >= 3);
    let events = stage.world.log();
    assert_eq!(events.matches("notification `forge` (github): it answers 500").count(), 1, "{events}");
    assert_eq!(events.matches("notification `forge` (github): messages get through again").count(), 1, "{events}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_refused_is_said_once_and_a_new_one_counts_at_once() {
    let (stage, server) = (Stage::new(), Server::start().await);
    server.always(Some(Reply::Status(401, &[], format!("{{\"message\":\"Bad credentials {TOKEN}\"}}"))));
    let mut agent = run(&stage, &[github(&server)]);
    told(&server, stage.root, "success").await;
    let first = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&stage.app("a", "a", &[])))]);
    told(&server, first, "success").await;
    let lost = agent.until("messages that are lost", |status| {
        let told = only(status);
        (told.dropped >= 2).then(|| told.clone())
    });
    let problem = lost.await.problem.unwrap().message;
    assert_eq!(problem, "it answers 401: the credential is not accepted: {\"message\":\"Bad credentials ***\"}");
    let log = stage.world.log();
    assert_eq!(log.matches("a message is let go").count(), 1, "{log}");
    assert!(!log.contains(TOKEN), "{log}");
    fs::write(stage.world.path("token"), "n3w\n").unwrap();
    server.always(None);
    let second = stage.push(Some(&stage.bob), &[("apps/a.yaml", None)]);
    let taken = told(&server, second, "success").await;
    assert_eq!(taken.header("authorization"), "Bearer n3w");
    assert_eq!(delivered(&mut agent, 1).await.problem, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_forge_that_does_not_answer() {
    let (stage, server) = (Stage::new(), Server::start().await);
    server.always(Some(Reply::Hang));
    let mut notification = github(&server);
    notification["timeout"] = "2s".into();
    let mut agent = run(&stage, &[notification]);
    let mut newest = stage.root;
    for number in 0..10 {
        let text = stage.app("a", "a", &["--start-delay", &(number % 2).to_string()]);
        newest = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&text))]);
        agent.until("a commit in force", |status| is_at(status, newest).then_some(())).await;
    }
    let problem = agent.until("a problem", |status| only(status).problem.clone()).await;
    assert_eq!(problem.message, "no answer within 2s");
    // What is told then is what is true then, the newest first.
    server.always(None);
    let before = server.got().len();
    told(&server, newest, "success").await;
    delivered(&mut agent, 1).await;
    let after = server.got()[before..].to_vec();
    assert_eq!(states(&after, newest).last().map(String::as_str), Some("success"));
    assert!(after.iter().all(|got| got.text("state") == "success"), "{after:?}");
    // And nobody waits for it at the end either.
    server.always(Some(Reply::Hang));
    let last = stage.push(Some(&stage.bob), &[("apps/a.yaml", None)]);
    reaches(&mut agent, last).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_when_the_agent_ends_is_sent() {
    let (stage, server) = (Stage::new(), Server::start().await);
    server.script([Reply::Status(503, &[("retry-after", "3000")], String::new())]);
    let mut agent = run(&stage, &[github(&server)]);
    agent.until("a message that waits", |status| only(status).problem.clone()).await;
    agent.stop().await;
    assert_eq!(states(&server.got(), stage.root).last().map(String::as_str), Some("success"));
    assert!(server.got().len() >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed() {
    let (stage, server, other) = (Stage::new(), Server::start().await, Server::start().await);
    let location: &'static str = Box::leak(format!("{}/elsewhere", other.url).into_boxed_str());
    let headers: &'static [(&str, &str)] = Box::leak(Box::new([("location", location)]));
    server.always(Some(Reply::Status(307, headers, String::new())));
    let mut agent = run(&stage, &[github(&server)]);
    let problem = agent.until("a problem", |status| only(status).problem.clone()).await;
    assert!(problem.message.contains("307") && problem.message.contains("not followed"), "{problem:?}");
    assert!(other.got().is_empty());
}
