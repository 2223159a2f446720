//! The commits that changed an app, what they changed, and what was decided about them.

use super::{ask, fields, get, ids, list, refusal, rows};
use crate::{
    git_source::{Stage, git, reaches},
    lifecycle::world::World,
    support::Draft,
};
use git2::ObjectType;
use serde_json::{Value, json};

const NAMES: [&str; 6] = ["commit", "verb", "verdict", "signer", "code", "in_force"];

/// A document with an app, of more than one of which a file can be made.
fn document(stage: &Stage, name: &str, flag: &str) -> String {
    let fake = stage.world.path("fake");
    let args = if flag.is_empty() { String::new() } else { format!("\n    args: [--start-delay, \"{flag}\"]") };
    format!(
        "kind: app\nversion: v3\nmetadata:\n  name: {name}\n  labels: {{team: a}}\nspec:\n  mcp:\n    command: {}{args}\n    \
         env:\n      PASSWORD: of-{name}-{flag}\n",
        fake.display()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_has_the_verdict_that_was_made() {
    let stage = Stage::new();
    let text = |flag: &str| document(&stage, "a", flag);
    let before = stage.push(Some(&stage.alice), &[("apps/a.yaml", Some(&text("1")))]);
    let root = stage.push(Some(&stage.alice), &[("README.md", Some("hello"))]);
    let mut agent = stage.run_with(&["--root", &root.to_string()]);
    reaches(&mut agent, root).await;
    let update = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&text("2")))]);
    let unsigned = stage.push(None, &[("apps/a.yaml", Some(&text("3")))]);
    let broken = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some("kind: app\nspec: ["))]);
    let restored = stage.push(None, &[("apps/a.yaml", Some(&text("2")))]);
    let moved = stage.push(Some(&stage.alice), &[("apps/a.yaml", None), ("apps/x/a.yaml", Some(&text("4")))]);
    let other = stage.push(Some(&stage.bob), &[("apps/b.yaml", Some(&document(&stage, "b", "")))]);
    reaches(&mut agent, other).await;
    let page = get(&agent, "/v1/apps/a/history").await;
    let [a, r, b, c, d, e] = ids([moved, restored, broken, unsigned, update, before]);
    let expected = rows(&[
        [&a, "update", "accepted", "alice", "null", "true"],
        [&r, "update", "accepted", "null", "null", "false"],
        [&b, "update", "refused", "bob", "invalid-resource", "false"],
        [&c, "update", "refused", "null", "unsigned", "false"],
        [&d, "update", "accepted", "bob", "null", "false"],
        [&e, "create", "unjudged", "null", "null", "false"],
    ]);
    let versions = list(&page, "versions");
    assert_eq!(fields(versions, NAMES), expected, "{page:#}");
    assert_eq!(page["more"], false);
    assert_eq!((&versions[0]["path"], &versions[0]["from"]), (&json!("apps/x/a.yaml"), &json!("apps/a.yaml")));
    assert!(versions[3]["message"].as_str().is_some_and(|message| message.contains("not signed")), "{page:#}");
    assert!(versions[4]["rule"].as_str().is_some_and(|rule| rule.starts_with("role/team-a")), "{page:#}");
    assert!(versions[2]["diff"] == "" && versions[2]["diff_note"].is_string(), "{page:#}");
    let diff = versions[4]["diff"].as_str().unwrap();
    assert!(diff.starts_with("--- a/apps/a.yaml\n+++ b/apps/a.yaml\n@@ "), "{diff}");
    assert!(diff.contains("-    args: [--start-delay, \"1\"]\n+    args: [--start-delay, \"2\"]\n"), "{diff}");
    assert!(diff.contains("PASSWORD: [hidden]") && !page.to_string().contains("of-a-"), "{diff}");
    assert!(versions[5]["diff"].as_str().unwrap().starts_with("--- /dev/null\n"), "{page:#}");
    assert_eq!(
        (&versions[5]["author"], &versions[5]["subject"]),
        (&json!("alice <alice@example.com>"), &json!("Change"))
    );
    assert!(versions.iter().all(|version| version["time"].is_string() && version["truncated"] == false));

    // By pages, over what was judged and what was not.
    let mut seen = Vec::new();
    let mut path = "/v1/apps/a/history?limit=2".to_owned();
    loop {
        let page = get(&agent, &path).await;
        seen.extend(list(&page, "versions").to_vec());
        let last = seen.last().unwrap()["commit"].as_str().unwrap();
        path = format!("/v1/apps/a/history?limit=2&before={last}");
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(&seen, versions);
    for (query, status, code) in [
        ("before=0123456789abcdef0123456789abcdef01234567", 404, "unknown-commit"),
        ("before=HEAD", 400, "invalid-request"),
    ] {
        assert_eq!(refusal(&agent, &format!("/v1/apps/a/history?{query}")).await, (status, code.to_owned()));
    }
    assert_eq!(refusal(&agent, "/v1/apps/none/history").await, (404, "unknown-app".to_owned()));

    // What was decided outlasts the agent.
    agent.stop().await;
    let mut agent = stage.run();
    reaches(&mut agent, other).await;
    agent.until("its maker", |status| status.apps.first()?.author.clone()).await;
    assert_eq!(list(&get(&agent, "/v1/apps/a/history").await, "versions"), versions);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_file_with_several_apps_only_the_own_document_is_shown() {
    let stage = Stage::new();
    let file = |a: &str, b: &str| format!("{}---\n{}", document(&stage, "a", a), document(&stage, "b", b));
    let start = stage.push(Some(&stage.bob), &[("apps/both.yaml", Some(&file("1", "1")))]);
    let mut agent = stage.run();
    reaches(&mut agent, start).await;
    stage.push(Some(&stage.bob), &[("apps/both.yaml", Some(&file("1", "2")))]);
    let refused = stage.push(None, &[("apps/both.yaml", Some(&file("1", "3")))]);
    reaches(&mut agent, refused).await;
    let page = get(&agent, "/v1/apps/a/history").await;
    let [c, a] = ids([refused, start]);
    let expected = [
        // What is refused holds the whole file, and so this app too, whatever changed in it.
        [&*c, "update", "refused", "null", "unsigned", "false"],
        [&*a, "create", "accepted", "bob", "null", "false"],
    ];
    let versions: Vec<Value> = list(&page, "versions").to_vec();
    assert_eq!(fields(&versions, NAMES), rows(&expected), "{page:#}");
    assert_eq!(versions[0]["diff"], "");
    assert!(!page.to_string().contains("name: b"), "{page:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_commits_do_no_harm() {
    let stage = Stage::new();
    let text = |flag: &str| document(&stage, "a", flag);
    let start = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&text("1")))]);
    let mut agent = stage.run();
    reaches(&mut agent, start).await;
    // Hostile text, a message that is no UTF-8, and a merge whose sides do not agree.
    let hostile = stage.repo.commit_draft(&Draft {
        parents: &[start],
        signer: Some(&stage.bob),
        author: "</script><b>\u{202e} <bob@example.com>",
        changes: &[("apps/a.yaml", Some(&text("2")))],
        entries: &[],
        message: "\u{1b}[2J<script>alert(1)</script>\n\nmore",
    });
    let raw = stage.repo.unsigned(&Draft {
        parents: &[hostile],
        signer: None,
        author: "x <x@x>",
        changes: &[("apps/a.yaml", Some(&text("3"))), ("apps/large.yaml", Some(&"# \n".repeat(500_000)))],
        entries: &[],
        message: "PLACE",
    });
    let place = raw.windows(5).position(|part| part == b"PLACE").unwrap();
    let raw = stage.repo.write(ObjectType::Commit, &[&raw[..place], b"\xff\xfe\n"].concat());
    let side = stage.repo.commit(&[start], Some(&stage.alice), &[("apps/a.yaml", Some(&text("4")))], "Side");
    let merge = stage.repo.commit(&[raw, side], Some(&stage.alice), &[("apps/a.yaml", Some(&text("5")))], "Merge");
    stage.push_commit(merge);
    reaches(&mut agent, merge).await;
    let page = get(&agent, "/v1/apps/a/history").await;
    let commits = fields(list(&page, "versions"), ["commit", "verdict"]);
    let [m, h, s] = ids([merge, hostile, start]);
    assert_eq!(commits.first(), Some(&[m.clone(), "refused".to_owned()]), "{page:#}");
    assert_eq!(commits.last(), Some(&[s.clone(), "accepted".to_owned()]), "{page:#}");
    let told = list(&page, "versions").iter().find(|version| version["commit"] == *h).expect("it is told of");
    assert_eq!(told["subject"], "\u{1b}[2J<script>alert(1)</script>");
    let version = list(&page, "versions").iter().find(|version| version["commit"] == *raw.to_string());
    assert_eq!(version.map(|version| &version["subject"]), Some(&json!("\u{fffd}\u{fffd}")), "{page:#}");
    let changes = get(&agent, "/v1/changes").await;
    assert_eq!(list(&changes, "commits").len(), 6, "{changes:#}");
    assert_eq!(changes["commits"][0]["commit"], *m);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_only_shows_and_off_judges_nothing() {
    let stage = Stage::new();
    let start = stage.push(Some(&stage.bob), &[("apps/a.yaml", Some(&document(&stage, "a", "1")))]);
    let mut agent = stage.run_configured(&json!({"mode": "audit", "root": {"commit": stage.root.to_string()}}));
    reaches(&mut agent, start).await;
    let unsigned = stage.push(None, &[("apps/a.yaml", Some(&document(&stage, "a", "2")))]);
    let status = reaches(&mut agent, unsigned).await;
    assert_eq!(git(&status).mode, "audit");
    agent
        .until("its maker", |status| (status.apps.first()?.revision == Some(unsigned.to_string())).then_some(()))
        .await;
    let [u, s] = ids([unsigned, start]);
    let names = ["commit", "verdict", "code", "in_force"];
    let expected = rows(&[[&u, "shown-only", "unsigned", "true"], [&s, "accepted", "null", "false"]]);
    let page = get(&agent, "/v1/apps/a/history").await;
    assert_eq!(fields(list(&page, "versions"), names), expected);
    let changes = get(&agent, "/v1/changes").await;
    assert!(list(&changes, "held").is_empty() && changes["commits"][0]["accepted"] == true, "{changes:#}");
    agent.stop().await;

    let mut agent = stage.run_configured(&json!({"mode": "off"}));
    reaches(&mut agent, unsigned).await;
    let page = get(&agent, "/v1/apps/a/history").await;
    // What an earlier agent has decided is still known.
    assert_eq!(fields(list(&page, "versions"), ["commit"]), [[u], [s]]);
}

#[tokio::test]
async fn a_directory_has_no_history() {
    let world = World::new();
    world.put("a.yaml", &world.app("a", &[]));
    let mut agent = world.run();
    agent.ready().await;
    assert_eq!(refusal(&agent, "/v1/apps/a/history").await, (404, "no-history".to_owned()));
    let (_, answer) = ask(agent.control_socket(), "/v1/apps/a/history").await;
    assert!(answer["error"]["message"].as_str().unwrap().contains("git repository"), "{answer}");
    let changes = get(&agent, "/v1/changes").await;
    assert_eq!((&changes["mode"], list(&changes, "commits").len()), (&json!("directory"), 0));
    assert!(changes["note"].as_str().unwrap().contains("git repository"), "{changes}");
    world.write("b.yaml", "kind: app\nmetadata: {name: b}\n");
    agent.until("the mistake", |status| (!status.sources.first()?.diagnostics.is_empty()).then_some(())).await;
    let changes = get(&agent, "/v1/changes").await;
    let held = fields(list(&changes, "held"), ["path", "code"]);
    assert!(held.iter().any(|row| row[0] == "b.yaml"), "{changes:#}");
    assert!(list(&changes, "held").iter().all(|held| held["help"].as_str().is_some_and(|help| !help.is_empty())));
    assert_eq!(refusal(&agent, "/v1/changes?source=none").await, (404, "unknown-source".to_owned()));
    assert_eq!(refusal(&agent, "/v1/preview?ref=main").await, (404, "no-history".to_owned()));
    let preview = get(&agent, "/v1/preview").await;
    assert_eq!((&preview["version"], &preview["base"]), (&json!(1), &Value::Null), "{preview}");
    assert_eq!(preview["agents"][0]["held"][0]["app"], Value::Null);
}
