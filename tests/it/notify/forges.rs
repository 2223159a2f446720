//! The outcome of commits, told to forges.

use super::{
    TOKEN, configure, delivered, only, run,
    server::{Got, Server},
};
use crate::{
    git_source::{Stage, reaches},
    support::eventually,
};
use mcpfleet::authorize::ObjectId;
use serde_json::{Value, json};
use std::fs;

/// A notification to a forge like GitHub.
pub fn github(server: &Server) -> Value {
    json!({
        "name": "forge", "kind": "github", "api_url": server.url, "repository": "platform/fleet", "token_file": "token",
    })
}

/// The states that a commit had, in the order in which they came.
pub fn states(got: &[Got], commit: ObjectId) -> Vec<String> {
    let of = |got: &&Got| got.path.ends_with(&format!("/{commit}"));
    got.iter().filter(of).map(|got| got.text("state").to_owned()).collect()
}

/// The last message about a commit, once it says that it is in this state.
pub async fn told(server: &Server, commit: ObjectId, state: &str) -> Got {
    let last = |got: &[Got]| got.iter().rev().find(|got| got.path.ends_with(&format!("/{commit}"))).cloned();
    let is_so = |got: &[Got]| last(got).filter(|got| got.text("state") == state);
    server.until(&format!("{commit}: {state}"), is_so).await
}

#[tokio::test(flavor = "multi_thread")]
async fn github_hears_what_becomes_of_each_commit() {
    let (stage, server) = (Stage::new(), Server::start().await);
    let mut agent = run(&stage, &[github(&server)]);
    // The root has nothing to run.
    let first = told(&server, stage.root, "success").await;
    assert_eq!(
        (first.method.as_str(), &*first.path),
        ("POST", &*format!("/repos/platform/fleet/statuses/{}", stage.root))
    );
    assert_eq!(first.header("authorization"), format!("Bearer {TOKEN}"));
    assert_eq!(first.header("accept"), "application/vnd.github+json");
    assert_eq!(first.header("x-github-api-version"), "2022-11-28");
    assert_eq!(first.header("content-type"), "application/json");
    assert!(first.header("user-agent").starts_with("mcpfleet/"), "GitHub refuses those who do not say who they are");
    let expected = json!({
        "state": "success", "context": "mcpfleet/eu-1", "description": "applied: nothing of it is for this agent",
    });
    assert_eq!(first.body, expected);

    let good = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&stage.app("a", "a", &[])))]);
    assert_eq!(told(&server, good, "success").await.text("description"), "applied: 1 app runs");
    assert!(matches!(&*states(&server.got(), good).join(" "), "pending success" | "success"));

    // Bob may not do that.
    let refused = stage.push(Some(&stage.bob), &[("apps/b.yaml", Some(&stage.app("b", "b", &[])))]);
    let failure = told(&server, refused, "failure").await;
    let description = failure.text("description");
    assert!(description.starts_with("refused: not-allowed, apps/b.yaml: "), "{description}");
    assert!(description.chars().count() <= 140, "{description}");
    assert_eq!(states(&server.got(), refused), ["failure"]);

    let broken = stage.push(Some(&stage.alice), &[("apps/c.yaml", Some(&stage.app("c", "b", &["--exit", "7"])))]);
    let failure = told(&server, broken, "failure").await;
    assert!(failure.text("description").starts_with("c does not run: "), "{:?}", failure.body);

    let mended = stage.push(Some(&stage.alice), &[("apps/c.yaml", Some(&stage.app("c", "b", &[])))]);
    told(&server, mended, "success").await;
    reaches(&mut agent, mended).await;
    let gone = stage.push(Some(&stage.alice), &[("apps/c.yaml", None)]);
    assert_eq!(told(&server, gone, "success").await.text("description"), "applied: 1 stopped");
    // What was said once stays as it is.
    assert_eq!(states(&server.got(), broken).last().map(String::as_str), Some("failure"));
    let status = delivered(&mut agent, 6).await;
    assert_eq!((status.kind.as_str(), status.dropped, &status.problem), ("github", 0, &None));
    assert!(!stage.world.log().contains(TOKEN));
}

#[tokio::test(flavor = "multi_thread")]
async fn gitlab_and_gitea_in_their_own_ways() {
    let (stage, server) = (Stage::new(), Server::start().await);
    fs::write(stage.world.path("other-token"), "0ther").unwrap();
    let gitlab = json!({
        "name": "lab", "kind": "gitlab", "source": "fleet", "api_url": format!("{}/api/v4/", server.url),
        "repository": "platform/tools/fleet", "token_file": "token",
    });
    let gitea = json!({
        "name": "tea", "kind": "gitea", "api_url": format!("{}/api/v1", server.url), "repository": "platform/fleet",
        "token_file": "other-token", "context": "fleet of eu-1",
    });
    let url = "https://mcp.example.com/";
    let mut arguments = configure(&stage, &[gitlab, gitea]);
    arguments.extend(["--set".to_owned(), format!("gateway.public_url={url}")]);
    let _agent = stage.world.run_with(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let refused = stage.push(None, &[("apps/a.yaml", Some(&stage.app("a", "a", &[])))]);
    let of = |got: &[Got], prefix: &str| {
        let is_of = |got: &&Got| got.path.starts_with(prefix) && got.path.ends_with(&refused.to_string());
        got.iter().find(is_of).cloned()
    };
    let lab = server.until("GitLab", |got| of(got, "/api/v4/")).await;
    assert_eq!(lab.path, format!("/api/v4/projects/platform%2Ftools%2Ffleet/statuses/{refused}"));
    assert_eq!((lab.header("private-token"), lab.header("authorization")), (TOKEN, ""));
    let description = lab.text("description").to_owned();
    assert!(description.starts_with("refused: unsigned") && description.chars().count() <= 255, "{description}");
    let target_url = "https://mcp.example.com/#/changes";
    let expected =
        json!({"state": "failed", "name": "mcpfleet/eu-1", "description": description, "target_url": target_url});
    assert_eq!(lab.body, expected);

    let tea = server.until("Gitea", |got| of(got, "/api/v1/")).await;
    assert_eq!(tea.path, format!("/api/v1/repos/platform/fleet/statuses/{refused}"));
    assert_eq!(tea.header("authorization"), "token 0ther");
    let expected =
        json!({"state": "failure", "context": "fleet of eu-1", "description": description, "target_url": target_url});
    assert_eq!(tea.body, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_starts_again_says_nothing_twice() {
    let (stage, server) = (Stage::new(), Server::start().await);
    let good = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&stage.app("a", "a", &[])))]);
    let refused = stage.push(Some(&stage.bob), &[("apps/b.yaml", Some(&stage.app("b", "b", &[])))]);
    let mut agent = run(&stage, &[github(&server)]);
    told(&server, refused, "failure").await;
    let next = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&stage.app("a", "a", &["--start-delay", "1"])))]);
    told(&server, next, "success").await;
    delivered(&mut agent, 2).await;
    agent.stop().await;
    let before = server.got().len();
    assert!(states(&server.got(), good).iter().all(|state| state != "failure"));

    let mut agent = run(&stage, &[github(&server)]);
    reaches(&mut agent, next).await;
    // Something new, which comes after whatever it would have said again.
    let newest = stage.push(Some(&stage.bob), &[("apps/a.yaml", None)]);
    told(&server, newest, "success").await;
    let again: Vec<Got> =
        server.got()[before..].iter().filter(|got| !got.path.ends_with(&newest.to_string())).cloned().collect();
    assert!(again.is_empty(), "{again:?}");
    // What the forge has not taken is told by the next agent.
    agent.stop().await;
    server.always(Some(super::server::status(401)));
    let mut agent = run(&stage, &[github(&server)]);
    let last = stage.push(Some(&stage.bob), &[("apps/z.yaml", Some(&stage.app("z", "a", &[])))]);
    told(&server, last, "success").await;
    agent.until("a message that is lost", |status| (only(status).dropped > 0).then_some(())).await;
    agent.stop().await;
    server.always(None);
    let before = server.got().len();
    let _agent = run(&stage, &[github(&server)]);
    let all = eventually("the state that was not taken", async || {
        let got = server.got()[before..].to_vec();
        (states(&got, last) == ["success"]).then_some(got)
    });
    assert_eq!(all.await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_large_push_the_newest_commits_are_told() {
    let (stage, server) = (Stage::new(), Server::start().await);
    let mut agent = run(&stage, &[github(&server)]);
    told(&server, stage.root, "success").await;
    let mut commits = vec![stage.root];
    for number in 0..60 {
        let text = stage.app("a", "a", &["--start-delay", &(number % 2).to_string()]);
        let parents = [*commits.last().unwrap()];
        commits.push(stage.repo.commit(&parents, Some(&stage.bob), &[("apps/a.yaml", Some(&text))], "Change"));
    }
    let newest = *commits.last().unwrap();
    stage.push_commit(newest);
    told(&server, newest, "success").await;
    reaches(&mut agent, newest).await;
    delivered(&mut agent, 2).await;
    let got = server.got();
    let told_of = commits.iter().filter(|commit| !states(&got, **commit).is_empty()).count();
    assert_eq!(told_of, 22, "the root, the newest, and 20 before it");
    // The newest was told first.
    let first = got.iter().find(|got| !got.path.ends_with(&stage.root.to_string())).unwrap();
    assert!(first.path.ends_with(&newest.to_string()), "{}", first.path);
}
