//! `mcpfleet plan --running`: what a real agent would do for a commit that it has not seen.

use crate::{
    git_source::{Stage, reaches},
    lifecycle::world::{Agent, World},
    support::{Repo, role},
};
use mcpfleet::{authorize::ObjectId, resource::Digest};
use serde_json::{Value, json};
use std::{fs, process::Output};

/// Asks an agent what it would do for a commit of the stage's repository.
async fn plan(agent: &Agent<'_>, stage: &Stage, head: ObjectId) -> (Option<i32>, Value) {
    let (repo, head) = (stage.repo.path().to_str().expect("UTF-8"), head.to_string());
    let ended = agent.cli(&["plan", "--running", "--repo", repo, "--head", &head, "-o", "json"]).await;
    let plan = serde_json::from_slice(&ended.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&ended.stderr)));
    (ended.status.code(), plan)
}

/// Apps and verbs of one of a plan's lists.
fn steps<'p>(plan: &'p Value, list: &str) -> Vec<(&'p str, &'p str)> {
    let text = |value: &'p Value| value.as_str().expect("a text");
    let steps = plan["agents"][0][list].as_array().expect("a list").iter();
    steps.map(|step| (text(&step["app"]), text(&step["verb"]))).collect()
}

fn said(ended: &Output) -> (Option<i32>, String) {
    (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_pushed_yet_is_planned_and_then_done() {
    let stage = Stage::new();
    let file = |name: &str, team: &str, flags: &[&str]| stage.app(name, team, flags);
    let names = [("keep", "a"), ("gone", "a"), ("next", "a"), ("other", "b")];
    let files = names.map(|(name, team)| (format!("apps/{name}.yaml"), file(name, team, &[])));
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
    let before = stage.push(Some(&stage.alice), &files);
    let mut agent = stage.run();
    reaches(&mut agent, before).await;
    let (code, nothing) = plan(&agent, &stage, before).await;
    assert_eq!((code, &nothing["base"]), (Some(0), &json!(before.to_string())), "{nothing:#}");

    let changes = [
        ("apps/gone.yaml", None),
        ("apps/next.yaml", Some(file("next", "a", &["--start-delay", "5"]))),
        ("apps/new.yaml", Some(file("new", "a", &[]))),
        ("apps/other.yaml", Some(file("other", "b", &["--start-delay", "5"]))),
    ];
    let one = |parent, (path, text): &(&str, Option<String>)| {
        stage.repo.commit(&[parent], Some(&stage.bob), &[(*path, text.as_deref())], "Change")
    };
    let head = changes.iter().fold(before, one);
    let (code, planned) = plan(&agent, &stage, head).await;
    assert_eq!(code, Some(1));
    assert_eq!(steps(&planned, "actions"), [("gone", "stop"), ("new", "start"), ("next", "replace")]);
    assert_eq!(steps(&planned, "held"), [("other", "replace")]);
    let status = agent.status().await.expect("a status");
    assert_eq!(planned["agents"][0]["agent"], json!(status.agent.gateway));

    // Done; what was refused stays held, and is not in force for the changes to come either.
    stage.push_commit(head);
    reaches(&mut agent, head).await;
    let (code, done) = plan(&agent, &stage, head).await;
    assert_eq!((code, steps(&done, "actions")), (Some(1), vec![]));
    assert_eq!(steps(&done, "held"), [("other", "replace")]);
    let whole = file("other", "b", &[]);
    let restored = stage.repo.commit(&[head], Some(&stage.bob), &[("apps/other.yaml", Some(&whole))], "Restore");
    let (code, nothing) = plan(&agent, &stage, restored).await;
    assert_eq!((code, steps(&nothing, "actions"), steps(&nothing, "held")), (Some(0), vec![], vec![]));

    // An agent that is open to everybody does not tell everybody by whose keys it judges.
    let repo = stage.repo.path().to_str().expect("UTF-8");
    let ended = agent.cli(&["plan", "--running", "--repo", repo, "--agent", &status.agent.gateway]).await;
    let (code, errors) = said(&ended);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("for operators"), "{errors}");
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_chooses_what_it_runs() {
    let stage = Stage::new();
    let names = ["a1", "a2", "a3", "a4"];
    let files = names.map(|name| (format!("apps/{name}.yaml"), stage.app(name, "a", &[])));
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
    let before = stage.push(Some(&stage.alice), &files);
    let source = json!({
        "name": "fleet", "git": {"url": stage.repo.url()}, "path": "apps", "ignore": ["apps/drafts/**"],
        "authorization": {"root": {"commit": stage.root.to_string()}},
    });
    let path = stage.world.configure_sources(&[source]);
    let mut config: Value = serde_json::from_slice(&fs::read(&path).expect("a file")).expect("JSON");
    let own = stage.world.app("own", &[]);
    config["app_service"]["resources"] = json!([{"labels": {"team": ["a", "^c.$"]}}]);
    config["app_service"]["apps"] = json!([{"metadata": own["metadata"], "spec": own["spec"]}]);
    config["prune"] = json!({"min_apps": 2, "max_fraction": 0.25});
    fs::write(&path, format!("{config:#}\n")).expect("a file");
    let mut agent = stage.world.run_with(&["-c", &path, "--set", "gateway.listen=127.0.0.1:0"]);
    reaches(&mut agent, before).await;

    let files = [
        ("apps/new.yaml", stage.app("new", "c1", &[])),
        ("apps/not-chosen.yaml", stage.app("not-chosen", "b", &[])),
        ("apps/drafts/draft.yaml", stage.app("draft", "a", &[])),
        ("elsewhere/far.yaml", stage.app("far", "a", &[])),
        ("apps/own.yaml", stage.app("own", "a", &["--start-delay", "5"])),
    ];
    let files = files.iter().map(|(path, text)| (*path, Some(text.as_str())));
    let changes: Vec<_> = files.chain([("apps/a1.yaml", None), ("apps/a2.yaml", None)]).collect();
    let head = stage.repo.commit(&[before], Some(&stage.alice), &changes, "Change");
    let (_, planned) = plan(&agent, &stage, head).await;
    assert_eq!(steps(&planned, "actions"), [("new", "start")]);
    assert_eq!(steps(&planned, "held"), [("a1", "stop"), ("a2", "stop")]);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_read_the_agent_may_plan() {
    let stage = Stage::new();
    let user = |name: &str, roles: &str| {
        let digest = Digest::of_bytes(name.as_bytes());
        format!(
            "kind: user\nversion: v2\nmetadata: {{name: {name}}}\nspec: {{roles: [{roles}], gateway: {{token_sha256: [{digest}]}}}}\n"
        )
    };
    let before = stage.push(
        Some(&stage.alice),
        &[
            ("roles/looks.yaml", Some(&role("looks", &["{resources: [agent], verbs: [read]}"], &[]))),
            ("users/ada.yaml", Some(&user("ada", "looks"))),
            ("users/eve.yaml", Some(&user("eve", "team-a"))),
        ],
    );
    let mut agent = stage.run_with(&["--root", &stage.root.to_string(), "--set", "gateway.auth=required"]);
    let gateway = reaches(&mut agent, before).await.agent.gateway;
    let repo = stage.repo.path().to_str().expect("UTF-8");
    for (name, expected) in [("ada", 0), ("eve", 1)] {
        let token = stage.world.path(name);
        fs::write(&token, name).expect("a file");
        let token = token.to_str().expect("UTF-8");
        let ended = agent.cli(&["plan", "--running", "--repo", repo, "--agent", &gateway, "--token-file", token]).await;
        let (code, errors) = said(&ended);
        assert_eq!(code, Some(expected), "{name}: {errors}");
        assert_eq!(errors.contains("verb `read`"), expected == 1, "{name}: {errors}");
    }
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_compared_says_what_to_do() {
    let stage = Stage::new();
    let mut agent = stage.run();
    reaches(&mut agent, stage.root).await;
    let old = Repo::at(&stage.world.path("old.git"));
    old.push(old.commit(&[], None, &[("a.txt", Some("a"))], "Something else"));
    let (url, old) = (stage.repo.url(), old.path().to_str().expect("UTF-8").to_owned());
    let (code, errors) = said(&agent.cli(&["plan", "--running", "--repo", &old]).await);
    assert_eq!(code, Some(2), "{errors}");
    assert!(errors.contains("`git fetch`") && errors.contains(&url), "{errors}");
    let repo = stage.repo.path().to_str().expect("UTF-8");
    let (code, errors) = said(&agent.cli(&["plan", "--running", "--repo", repo, "--source", "none"]).await);
    assert_eq!((code, errors.contains("no git source `none`")), (Some(2), true), "{errors}");
    // Two answers to the same question.
    for both in [["--base", "main"], ["--config", "agent.yaml"], ["--selector", "a=b"], ["--root", "main"]] {
        let ended = agent.cli(&[&["plan", "--running", "--repo", repo][..], &both[..]].concat()).await;
        assert_eq!(said(&ended).0, Some(2), "{both:?}");
    }
    agent.stop().await;

    let world = World::new();
    let mut agent = world.run();
    agent.ready().await;
    let (code, errors) = said(&agent.cli(&["plan", "--running", "--repo", repo]).await);
    assert_eq!((code, errors.contains("follows no git source")), (Some(2), true), "{errors}");
    agent.stop().await;
}
