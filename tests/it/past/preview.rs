//! What waits, and what a branch would bring.

use super::{ask, fields, get, ids, list, refusal, rows};
use crate::{
    git_source::{Stage, git, reaches, running},
    lifecycle::world::World,
};
use serde_json::{Value, json};

fn steps(preview: &Value) -> Vec<[String; 2]> {
    fields(list(&preview["agents"][0], "actions"), ["app", "verb"])
}

fn held(preview: &Value) -> Vec<[String; 3]> {
    fields(list(&preview["agents"][0], "held"), ["app", "verb", "by"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_is_judged_and_nothing_of_it_takes_effect() {
    let stage = Stage::new();
    let app = |name: &str, team: &str, delay: &str| stage.app(name, team, &["--start-delay", delay]);
    let start = stage.push(
        Some(&stage.alice),
        &[("apps/a.yaml", Some(&*app("a", "a", "1"))), ("apps/b.yaml", Some(&app("b", "b", "1")))],
    );
    let mut agent = stage.run();
    reaches(&mut agent, start).await;
    let waits = get(&agent, "/v1/preview").await;
    assert_eq!((steps(&waits), held(&waits), &waits["agents"][0]["unchanged"]), (vec![], vec![], &json!(2)));

    // A branch that the agent does not follow, and so has never fetched.
    let first = stage.repo.commit(&[start], Some(&stage.bob), &[("apps/a.yaml", Some(&app("a", "a", "2")))], "One");
    let branch = stage.repo.commit(
        &[first],
        Some(&stage.bob),
        &[("apps/b.yaml", Some(&app("b", "b", "2"))), ("apps/c.yaml", Some(&app("c", "a", "1")))],
        "Two",
    );
    stage.repo.set("refs/heads/next", Some(branch));
    let ahead = stage.push(Some(&stage.bob), &[("apps/d.yaml", Some(&app("d", "a", "1")))]);
    reaches(&mut agent, ahead).await;
    let preview = get(&agent, "/v1/preview?ref=next").await;
    let [fork, head] = ids([start, branch]);
    assert_eq!((&preview["version"], &preview["base"], &preview["head"]), (&json!(1), &json!(fork), &json!(head)));
    assert_eq!(steps(&preview), rows(&[["a", "replace"]]), "{preview:#}");
    assert_eq!(held(&preview), rows(&[["b", "replace", "refused"], ["c", "start", "refused"]]), "{preview:#}");
    let reason = preview["agents"][0]["held"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("not-allowed") && reason.contains(&branch.short()), "{reason}");
    let changed = &preview["agents"][0]["actions"][0]["changes"][0];
    assert_eq!((&changed["before"], &changed["after"]), (&json!("\"1\""), &json!("\"2\"")));
    // The same by the id of the commit, which is not here either, and as the command line says.
    assert_eq!(get(&agent, &format!("/v1/preview?ref={branch}")).await, preview);
    let clone = stage.world.path("clone.git");
    git2::build::RepoBuilder::new().bare(true).clone(&stage.repo.url(), &clone).unwrap();
    let arguments =
        ["plan", "--running", "--repo", clone.to_str().unwrap(), "--head", &branch.to_string(), "-o", "json"];
    let output = agent.cli(&arguments).await;
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!(plan, preview);
    // Nothing of it is left, or in force.
    assert!(!stage.state_dir().join("preview.git").exists());
    let status = agent.status().await.unwrap();
    assert_eq!((running(&status), git(&status).refused.len()), (vec!["a", "b", "d"], 0));

    // What this agent would not start is not said to start.
    let mut root: Value = serde_json::from_str(&app("e", "a", "1")).unwrap();
    root["spec"]["mcp"]["run_as_host_user"] = json!("root");
    let root = stage.repo.commit(&[ahead], Some(&stage.alice), &[("apps/e.yaml", Some(&*root.to_string()))], "Root");
    stage.repo.set("refs/heads/root", Some(root));
    let preview = get(&agent, "/v1/preview?ref=refs/heads/root").await;
    assert_eq!((steps(&preview), held(&preview)), (vec![], rows(&[["e", "start", "not-granted"]])), "{preview:#}");
    let reason = preview["agents"][0]["held"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("host user `root`"), "{reason}");

    for (reference, status, code) in [
        ("none", 404, "unknown-commit"),
        ("a..b", 404, "unknown-commit"),
        ("0123456789abcdef0123456789abcdef01234567", 404, "unknown-commit"),
    ] {
        let refused = refusal(&agent, &format!("/v1/preview?ref={reference}")).await;
        assert_eq!(refused, (status, code.to_owned()), "{reference}");
    }
    // Who is nobody is told what waits, and no more.
    let gateway = status.agent.gateway.clone();
    let as_nobody = async |path: &str| reqwest::get(format!("{gateway}{path}")).await.unwrap().status().as_u16();
    assert_eq!((as_nobody("/v1/preview").await, as_nobody("/v1/preview?ref=next").await), (200, 403));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_told() {
    let stage = Stage::new();
    let start = stage.push(Some(&stage.alice), &[("apps/a.yaml", Some(&*stage.app("a", "a", &[])))]);
    let mut agent = stage.run();
    reaches(&mut agent, start).await;
    assert_eq!(agent.cli(&["suspend"]).await.status.code(), Some(0));
    stage.push(Some(&stage.bob), &[("apps/a.yaml", None), ("apps/b.yaml", Some(&*stage.app("b", "a", &[])))]);
    let refused = stage.push(Some(&stage.bob), &[("apps/c.yaml", Some(&*stage.app("c", "b", &[])))]);
    agent
        .until("both judged", |status| {
            (git(status).accepted == Some(refused.to_string()) && status.agent.message.contains("2 ")).then_some(())
        })
        .await;
    let waits = get(&agent, "/v1/preview").await;
    assert_eq!(steps(&waits), rows(&[["a", "stop"], ["b", "start"]]), "{waits:#}");
    assert_eq!(held(&waits), rows(&[["c", "start", "refused"]]), "{waits:#}");
    assert_eq!(waits["base"], json!(refused.to_string()));
    let changes = get(&agent, "/v1/changes").await;
    let codes = fields(list(&changes, "held"), ["code"]);
    assert!(codes.contains(&["suspended".to_owned()]), "{changes:#}");
    assert_eq!(agent.cli(&["resume"]).await.status.code(), Some(0));
    agent.until("b runs", |status| (running(status) == ["b"]).then_some(())).await;
    let waits = get(&agent, "/v1/preview").await;
    assert_eq!((steps(&waits), held(&waits)), (vec![], rows(&[["c", "start", "refused"]])), "{waits:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn removals_that_are_held_are_told() {
    let world = World::new();
    for name in ["a", "b", "c", "d"] {
        world.put(&format!("{name}.yaml"), &world.app(name, &[]));
    }
    let mut agent = world.run();
    agent.ready().await;
    for name in ["a", "b", "c"] {
        world.remove(&format!("{name}.yaml"));
    }
    agent.until("the guard", |status| status.agent.message.contains("held").then_some(())).await;
    let by_guard = async |agent: &crate::lifecycle::world::Agent<'_>| {
        let (status, preview) = ask(agent.control_socket(), "/v1/preview").await;
        assert_eq!(status, 200);
        held(&preview).into_iter().filter(|row| row[2] == "prune-guard").map(|row| row[0].clone()).collect::<Vec<_>>()
    };
    crate::support::eventually("all three held", async || (by_guard(&agent).await == ["a", "b", "c"]).then_some(()))
        .await;
    let changes = get(&agent, "/v1/changes").await;
    let guarded = fields(list(&changes, "held"), ["app", "code"]);
    assert!(guarded.contains(&["a".to_owned(), "prune-guard".to_owned()]), "{changes:#}");
}
