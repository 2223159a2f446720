//! `mcpfleet plan`, through the binary: what it shows, and that agents do just that.

use super::{Ended, World};
use crate::{
    git_source::{Stage, reaches, running},
    lifecycle::world,
    support::app,
};
use mcpfleet::authorize::ObjectId;
use serde_json::{Value, json};
use std::path::Path;

impl World {
    async fn plan(&self, arguments: &[&str]) -> Ended {
        let repo = self.repo.path().to_str().expect("a path in UTF-8");
        let command = &mut self.home.mcpfleet([&["plan", "--repo", repo], arguments].concat());
        command.output().await.expect("the binary starts").into()
    }

    async fn plan_json(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let ended = self.plan(&[arguments, &["-o", "json"]].concat()).await;
        let plan = serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {}", ended.errors));
        (ended.code, plan)
    }

    fn by_alice(&self, parent: ObjectId, changes: &[(&str, Option<&str>)]) -> ObjectId {
        self.repo.commit(&[parent], Some(&self.alice), changes, "x")
    }

    /// Six apps, and then a change with something of everything. Its names want to be markup.
    fn everything(&self) -> (String, String) {
        let names = ["a1", "a2", "a3", "a4", "a5", "b1"];
        let apps: Vec<_> = names.map(|name| (format!("apps/{name}.yaml"), app(name, &name[..1], "one"))).into();
        let files: Vec<_> = apps.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
        let base = self.by_alice(self.base, &files);
        let described = app("a2", "a", "one").replace("metadata: {", "metadata: {description: \"@all <b>|\", ");
        let secret = app("a5", "a", "one") + "    env: {TOKEN: hunter22}\n";
        let changes = [
            ("apps/a1.yaml", Some(app("a1", "a", "two"))),
            ("apps/a2.yaml", Some(described)),
            ("apps/a3.yaml", None),
            ("apps/a4.yaml", Some(app("a4", "a", "one") + "bogus: 1\n")),
            ("apps/a5.yaml", Some(secret)),
            ("apps/a6.yaml", Some(app("a6", "a", "one"))),
            ("apps/b1.yaml", Some(app("b1", "b", "two"))),
        ];
        // A commit takes effect whole or not at all, so each change has its own.
        let one = |parent, (path, text): &(&str, Option<String>)| {
            self.repo.commit(&[parent], Some(&self.bob), &[(*path, text.as_deref())], "A change")
        };
        let head = changes.iter().fold(base, one);
        (base.to_string(), head.to_string())
    }
}

/// Compares with what is written down, or with `UPDATE_GOLDEN=1` writes it down.
fn golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/plan").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, actual).expect("a file that can be written");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), actual, "{name}");
}

#[tokio::test]
async fn every_form_is_as_it_is_written_down() {
    let world = World::new();
    let (base, head) = world.everything();
    for format in ["text", "json", "yaml", "markdown"] {
        let ended = world.plan(&["--base", &base, "--head", &head, "-o", format]).await;
        assert_eq!((ended.code, ended.errors.as_str()), (Some(1), ""), "{format}");
        assert!(!ended.out.contains("hunter22"), "{}", ended.out);
        golden(format, &ended.out);
    }
}

#[tokio::test]
async fn each_selector_is_an_agent() {
    let world = World::new();
    let (base, head) = world.everything();
    let both = ["--base", &base, "--head", &head, "--selector", "team=a", "--selector", "team=b|c"];
    let (code, plan) = world.plan_json(&both).await;
    assert_eq!((code, plan["version"].clone()), (Some(1), json!(1)));
    let apps = |agent: usize, list: &str| -> Vec<Value> {
        plan["agents"][agent][list].as_array().into_iter().flatten().map(|step| step["app"].clone()).collect()
    };
    assert_eq!(apps(0, "actions"), ["a1", "a2", "a3", "a5", "a6"]);
    assert_eq!(apps(1, "actions"), Vec::<Value>::new());
    assert_eq!((apps(0, "held"), apps(1, "held")), (vec![json!("a4")], vec![json!("b1")]));

    // Of another team nothing changes, and a change of nothing changes nothing.
    let other = ["--base", &base, "--head", &head, "--selector", "team=z"];
    assert_eq!(world.plan_json(&other).await.0, Some(0));
    assert_eq!(world.plan_json(&["--base", &base, "--head", &base]).await.0, Some(0));
}

#[tokio::test]
async fn a_configuration_says_what_an_agent_runs() {
    let world = World::new();
    let config = format!(
        "sources:\n  - {{name: fleet, git: {{url: /r}}, path: apps, ignore: [\"apps/a6.yaml\"], authorization: {{root: {{commit: {}}}}}}}\n\
         app_service: {{resources: [{{labels: {{team: a}}}}]}}\nprune: {{min_apps: 2, max_fraction: 0.1}}\n",
        world.repo.main().expect("a head")
    );
    // The root must be one with a policy: the first commit.
    let (base, head) = world.everything();
    std::fs::write(world.home.path().join("eu.yaml"), config).expect("a file");
    let (code, plan) = world.plan_json(&["--base", &base, "--head", &head, "--config", "./eu.yaml"]).await;
    assert_eq!(code, Some(1), "{plan:#}");
    let agent = &plan["agents"][0];
    assert_eq!(agent["agent"], "./eu.yaml");
    let actions: Vec<_> = agent["actions"].as_array().expect("actions").iter().map(|step| &step["app"]).collect();
    // Not a6, which is ignored, and not the end of a3, which the guard holds.
    assert_eq!(actions, ["a1", "a2", "a5"]);
    let held: Vec<_> = agent["held"].as_array().expect("held").iter().map(|step| (&step["app"], &step["by"])).collect();
    assert_eq!(held, [(&json!("a3"), &json!("prune-guard")), (&json!("a4"), &json!("invalid"))]);
    let wrong = world.plan(&["--base", &base, "--selector", "team"]).await;
    assert_eq!(wrong.code, Some(2), "{}", wrong.errors);
}

/// The plan is carried out to the letter by a real agent.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_does_what_the_plan_says() {
    let stage = Stage::new();
    let file = |name: &str, team: &str, flags: &[&str]| stage.app(name, team, flags);
    let before = stage.push(
        Some(&stage.alice),
        &[
            ("apps/keep.yaml", Some(&file("keep", "a", &[]))),
            ("apps/gone.yaml", Some(&file("gone", "a", &[]))),
            ("apps/next.yaml", Some(&file("next", "a", &[]))),
            ("apps/other.yaml", Some(&file("other", "b", &[]))),
        ],
    );
    let mut agent = stage.run();
    reaches(&mut agent, before).await;
    let (kept, next) = (agent.pid("keep").await, agent.pid("next").await);
    let other = agent.pid("other").await;

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
    let (root, base, commit) = (stage.root.to_string(), before.to_string(), head.to_string());
    let repo = stage.repo.path().to_str().expect("UTF-8").to_owned();
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_mcpfleet"))
        .args(["plan", "--repo", &repo, "--root", &root, "--base", &base, "--head", &commit, "-o", "json"])
        .output()
        .await
        .expect("the binary starts");
    let plan: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let steps = |list: &str| -> Vec<(String, String)> {
        let steps = plan["agents"][0][list].as_array().expect("a list").iter();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        steps.map(|step| (text(&step["app"]), text(&step["verb"]))).collect()
    };
    let pair = |app: &str, verb: &str| (app.to_owned(), verb.to_owned());
    assert_eq!(steps("actions"), [pair("gone", "stop"), pair("new", "start"), pair("next", "replace")]);
    assert_eq!(steps("held"), [pair("other", "replace")]);
    assert_eq!(plan["agents"][0]["unchanged"], 2);

    stage.push_commit(head);
    let status = agent
        .until("what was accepted is carried out", |status| {
            let names = running(status);
            (names == ["keep", "new", "next", "other"]).then(|| status.clone())
        })
        .await;
    assert!(world::app(&status, "gone").is_none_or(|app| !running(&status).contains(&&*app.name)));
    world::gone(next).await;
    assert_eq!((agent.pid("keep").await, agent.pid("other").await), (kept, other));
    agent.stop().await;
}
