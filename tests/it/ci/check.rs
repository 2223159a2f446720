use super::World;
use crate::support::{Draft, Ended, app};
use git2::{FileMode, ObjectType};
use serde_json::{Value, json};

impl World {
    async fn check(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
        let repo = self.repo.path().to_str().expect("a path in UTF-8");
        let base = self.base.to_string();
        let mut command = self.home.mcpfleet([&["check", "--repo", repo, "--base", &base], arguments].concat());
        command.envs(environment.iter().copied());
        command.output().await.expect("the binary starts").into()
    }

    async fn json(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let ended = self.check(&[arguments, &["-o", "json"]].concat(), &[]).await;
        let report = serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {}", ended.errors));
        (ended.code, report)
    }
}

#[tokio::test]
async fn a_good_change_passes() {
    let world = World::new();
    let head = world.change(&[("apps/pay.yaml", Some(&app("pay", "a", "one")))]).to_string();
    let (code, report) = world.json(&["--head", "change"]).await;
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!((&report["version"], &report["passed"], &report["enforced"]), (&json!(1), &json!(true), &json!(true)));
    assert_eq!((&report["base"], &report["head"]), (&json!(world.base.to_string()), &json!(head)));
    assert_eq!(report["validation"]["files"], 7);
    assert_eq!(report["authorization"]["assumed_root"], Value::Null);
    assert_eq!(report["authorization"]["commits"][0]["signer"], "bob");
    let shown = world.check(&["--head", "change"], &[]).await;
    assert!(shown.out.contains("bob: create of app pay in apps/pay.yaml"), "{}", shown.out);
    assert!(shown.out.ends_with("the change can be merged\n"), "{}", shown.out);
}

#[tokio::test]
async fn what_is_not_valid_and_what_is_not_allowed_both_show() {
    let world = World::new();
    let bad = app("own", "a", "one") + "bogus: 1\n";
    world.change(&[("apps/own.yaml", Some(&bad)), ("apps/other.yaml", Some(&app("other", "b", "x")))]);
    let summary = world.home.path().join("summary.md");
    let ci = [("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", summary.to_str().expect("UTF-8"))];
    let ended = world.check(&["--head", "change"], &ci).await;
    assert_eq!(ended.code, Some(1), "{}", ended.errors);
    for part in [
        "error[unknown-field]: unknown field `bogus`",
        "::error file=apps/own.yaml,line=8,col=1,title=unknown-field::unknown field `bogus`",
        "::error file=apps/other.yaml,title=refused%3A not-allowed::",
        "the change cannot be merged as it is",
    ] {
        assert!(ended.out.contains(part), "{part}\n{}", ended.out);
    }
    let summary = std::fs::read_to_string(summary).expect("a summary");
    assert!(summary.contains("| ❌ | `apps/own.yaml`:8:1 | `unknown-field` |"), "{summary}");
    assert!(summary.contains("| `bob` | `apps/other.yaml` | `not-allowed` |"), "{summary}");
}

/// A change answers for itself: also for what it breaks elsewhere, and not for what was broken before.
#[tokio::test]
async fn what_was_wrong_before_is_only_counted() {
    let world = World::new();
    let target = world.repo.write(ObjectType::Blob, b"elsewhere.yaml");
    let broken = world.repo.commit_draft(&Draft {
        parents: &[world.base],
        signer: Some(&world.alice),
        author: "alice <alice@example.com>",
        changes: &[("apps/old.yaml", Some("kind: nothing\n"))],
        entries: &[("apps/link.yaml", FileMode::Link, target)],
        message: "x",
    });
    let world = World { base: broken, ..world };
    world.change(&[("apps/pay.yaml", Some(&app("pay", "a", "one")))]);
    let (code, report) = world.json(&["--head", "change"]).await;
    assert_eq!((code, &report["earlier_problems"]), (Some(0), &json!(2)), "{report:#}");

    world.change(&[("roles/team-a.yaml", None)]);
    let (code, report) = world.json(&["--head", "change"]).await;
    assert_eq!(code, Some(1));
    let new = &report["validation"]["diagnostics"];
    assert_eq!(
        (&new[0]["code"], &new[0]["path"], &new[1]),
        (&json!("unknown-role"), &json!("users/bob.yaml"), &Value::Null)
    );
}

/// The rules are those of the base: not what the change says of itself, and not what is checked out.
#[tokio::test]
async fn a_change_cannot_bring_its_own_rules() {
    let world = World::new();
    let open = "authorization: {mode: \"off\"}\n";
    world.change(&[(".mcpfleet/agent.yaml", Some(open)), ("apps/other.yaml", Some(&app("other", "b", "x")))]);
    let (code, report) = world.json(&["--head", "change"]).await;
    assert_eq!((code, &report["enforced"]), (Some(1), &json!(true)), "{report:#}");
    // Whoever runs the check may say so.
    let (code, report) = world.json(&["--head", "change", "--config", "change:.mcpfleet/agent.yaml"]).await;
    assert_eq!((code, &report["enforced"]), (Some(0), &json!(false)), "{report:#}");
}

/// The base has moved on: what it has new is not the change's undoing.
#[tokio::test]
async fn a_change_is_what_came_after_the_fork() {
    let world = World::new();
    world.change(&[("apps/pay.yaml", Some(&app("pay", "a", "one")))]);
    let later = [("apps/late.yaml", Some(app("late", "b", "x")))];
    let later: Vec<_> = later.iter().map(|(path, text)| (*path, text.as_deref())).collect();
    let moved = world.repo.commit(&[world.base], Some(&world.alice), &later, "Meanwhile");
    let fork = world.base;
    let world = World { base: moved, ..world };
    let (code, report) = world.json(&["--head", "change"]).await;
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!((&report["authorization"]["base"], &report["behind"]), (&json!(fork.to_string()), &json!(true)));
    assert_eq!(report["authorization"]["commits"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn files_get_the_other_forms() {
    let world = World::new();
    world.change(&[("apps/own.yaml", Some("kind: nothing\n"))]);
    let ended = world.check(&["--head", "change", "-o", "json=a.json", "-o", "markdown=a.md"], &[]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.out.contains("error[unknown-kind]"), "{}", ended.out);
    let read = |name: &str| std::fs::read_to_string(world.home.path().join(name)).expect("a file");
    let report: Value = serde_json::from_str(&read("a.json")).expect("JSON");
    assert_eq!(report["passed"], false);
    assert!(read("a.md").starts_with("### mcpfleet: ❌"));
    for (arguments, part) in [
        (vec!["-o", "json", "-o", "markdown"], "stdout: only one output can go to it"),
        (vec!["-o", "xml"], "the formats are `text`, `markdown`"),
        (vec!["--head", "nothing"], "nothing"),
    ] {
        let ended = world.check(&arguments, &[]).await;
        assert_eq!(ended.code, Some(2), "{arguments:?}");
        assert!(ended.errors.contains(part), "{}", ended.errors);
    }
}
