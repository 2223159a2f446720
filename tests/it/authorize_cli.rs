//! `mcpfleet authorize`, through the binary.

use crate::support::{self, Ended, Home, Key, Repo};
use mcpfleet::authorize::ObjectId;
use serde_json::{Value, json};

/// A repository with an administrator, `alice`, and `bob`, who may change what is labelled `team: a`.
struct World {
    home: Home,
    repo: Repo,
    alice: Key,
    bob: Key,
    root: ObjectId,
}

impl World {
    fn new() -> World {
        let home = Home::new();
        let repo = Repo::new(&home);
        let (alice, bob) = (Key::new("alice"), Key::new("bob"));
        let root = support::root(&repo, &[("alice", &alice, &["admin"]), ("bob", &bob, &["team-a"])]);
        World { home, repo, alice, bob, root }
    }

    /// Somebody writes an app of a team and pushes.
    fn app(&self, parent: ObjectId, key: &Key, name: &str, team: &str, argument: &str) -> ObjectId {
        let text = support::app(name, team, argument);
        let message = format!("{name} says {argument}\u{1b}[31m");
        let id = self.repo.commit(&[parent], Some(key), &[(&format!("apps/{name}.yaml"), Some(&text))], &message);
        self.repo.push(id);
        id
    }

    async fn authorize(&self, arguments: &[&str]) -> Ended {
        let repo = self.repo.path().to_str().expect("a path in UTF-8");
        let arguments = [&["authorize", "--repo", repo], arguments].concat();
        self.home.mcpfleet(arguments).output().await.expect("the binary starts").into()
    }

    async fn json(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let ended = self.authorize(&[arguments, &["-o", "json"]].concat()).await;
        (
            ended.code,
            serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {}{}", ended.out, ended.errors)),
        )
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.home.path().join(name);
        std::fs::write(&path, text).expect("a file that can be written");
        path.display().to_string()
    }
}

#[tokio::test]
async fn what_is_allowed_is_accepted() {
    let world = World::new();
    let head = world.app(world.root, &world.bob, "pay", "a", "one");
    let (base, head) = (world.root.to_string(), head.to_string());
    let (code, report) = world.json(&["--base", &base, "--head", &head]).await;
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(report["version"], 1);
    assert_eq!(report["outcome"], "accepted");
    assert_eq!(report["error"], Value::Null);
    assert_eq!(report["assumed_root"], true);
    assert_eq!((&report["base"], &report["head"]), (&json!(base), &json!(head)));
    assert_eq!(report["commits"][0]["signer"], "bob");
    assert_eq!(report["commits"][0]["changes"][0]["verb"], "create");
    assert_eq!(report["accepted"]["apps/pay.yaml"]["commit"], json!(head));
    assert_eq!(report["accepted"]["users/bob.yaml"]["commit"], Value::Null);
    assert_eq!((&report["held"], &report["undecided"]), (&json!([]), &json!([])));

    let shown = world.authorize(&["--base", &base, "--root", &base]).await;
    assert_eq!(shown.code, Some(0), "{}", shown.errors);
    let expected = format!(
        "accepted  {}  bob: create of app pay in apps/pay.yaml\n\n1 commit, 1 accepted, nothing held\n",
        &head[..10]
    );
    assert_eq!((shown.out.as_str(), shown.errors.as_str()), (expected.as_str(), ""));
}

#[tokio::test]
async fn a_refusal_is_explained() {
    let world = World::new();
    let (base, first) = (world.root.to_string(), world.app(world.root, &world.alice, "pay", "b", "one"));
    let refused = world.app(first, &world.bob, "pay", "b", "two");
    let head = world.app(refused, &world.bob, "own", "a", "one").to_string();
    let ended = world.authorize(&["--base", &base, "--head", &head]).await;
    assert_eq!(ended.code, Some(1), "{}", ended.errors);
    for part in [
        &format!("refused  {refused}  pay says two\\u{{1b}}[31m"),
        "author  bob <bob@example.com>  (as the commit says)",
        "signer  bob",
        "apps/pay.yaml: update of app pay [not-allowed]",
        "no rule of the roles of user `bob` (team-a) allows to update app `pay` in apps/pay.yaml",
        "next: have somebody make the change whose roles allow it",
        &format!("to restore: git restore --source {} -- apps/pay.yaml", first.short()),
        &format!("Vouch-For: {refused}"),
        "3 commits, 2 accepted, 1 refused, 1 file held",
    ] {
        assert!(ended.out.contains(part), "{part}\n{}", ended.out);
    }
    assert!(!ended.out.contains('\u{1b}'), "{}", ended.out);
    assert!(ended.errors.contains("`--root REV` judges from a root of trust on"), "{}", ended.errors);
    // With the root of trust, what is held on the base is known, and only what comes after it is listed.
    let on = refused.to_string();
    let (code, report) = world.json(&["--root", &base, "--base", &on, "--head", &head]).await;
    assert_eq!(code, Some(1));
    assert_eq!(report["assumed_root"], Value::Null);
    assert_eq!(report["outcome"], "partly");
    assert_eq!(report["commits"].as_array().map(Vec::len), Some(1));
    assert_eq!(report["held"][0]["path"], "apps/pay.yaml");
    assert_eq!(report["held"][0]["code"], "not-allowed");
    assert_eq!(report["accepted"]["apps/pay.yaml"]["commit"], Value::Null);
    // Without it the base counts as it is.
    let (code, report) = world.json(&["--base", &on, "--head", &head]).await;
    assert_eq!((code, &report["outcome"]), (Some(0), &json!("accepted")));
}

#[tokio::test]
async fn what_cannot_be_judged_says_so_in_the_report() {
    let world = World::new();
    let base = world.app(world.root, &world.bob, "pay", "a", "one").to_string();
    let aside = world.app(world.root, &world.alice, "other", "a", "one").to_string();
    let (code, report) = world.json(&["--base", &base, "--head", &aside]).await;
    assert_eq!((code, &report["outcome"]), (Some(1), &json!("refused")));
    assert_eq!(report["error"]["code"], "history-rewritten");
    assert_eq!(report["commits"], json!([]));

    // A clone that has the head alone.
    let clone = world.home.path().join("shallow");
    let git = world.home.git(["clone", "--quiet", "--depth", "1", &world.repo.url()]).arg(&clone).status().await;
    assert!(git.expect("git starts").success());
    let repo = clone.to_str().expect("a path in UTF-8");
    let root = world.root.to_string();
    let ended = world.home.mcpfleet(["authorize", "--repo", repo, "--base", &root, "-o", "json"]).output().await;
    let ended = Ended::from(ended.expect("the binary starts"));
    let report: Value = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!((ended.code, &report["error"]["code"]), (Some(1), &json!("shallow")));
    assert!(report["error"]["message"].as_str().is_some_and(|text| text.contains("git fetch --unshallow")), "{report}");
}

#[tokio::test]
async fn the_configuration_may_come_from_a_commit() {
    let world = World::new();
    let first = world.app(world.root, &world.bob, "pay", "a", "one");
    // Whoever is judged brings a configuration of their own; that of the base counts.
    let text = "authorization: {denied_keys: [KEY]}\n".replace("KEY", &world.bob.public());
    let changes = [(".mcpfleet/agent.yaml", Some(text.as_str()))];
    let base = world.repo.commit(&[first], Some(&world.alice), &changes, "Deny");
    let changes = [(".mcpfleet/agent.yaml", Some("authorization: {}\n"))];
    let easier = world.repo.commit(&[base], Some(&world.bob), &changes, "Allow");
    let head = world.app(easier, &world.bob, "pay", "a", "two").to_string();
    let base = base.to_string();
    let with = |place: String| {
        let (world, base, head) = (&world, &base, &head);
        async move { world.json(&["--base", base, "--head", head, "--config", &place]).await }
    };
    let (code, report) = with(format!("{base}:.mcpfleet/agent.yaml")).await;
    assert_eq!((code, &report["held"][0]["code"]), (Some(1), &json!("denied-key")), "{report:#}");
    let (code, _) = with(format!("{head}:.mcpfleet/agent.yaml")).await;
    assert_eq!(code, Some(0));
    // The same from a file, alone or as an agent has it.
    let (code, report) = with(world.write("alone.yaml", &text)).await;
    assert_eq!((code, &report["held"][0]["code"]), (Some(1), &json!("denied-key")));
    let whole = format!("sources:\n- name: fleet\n  git: {{url: /srv/fleet.git}}\n  {text}");
    let (code, _) = with(world.write("agent.yaml", &whole)).await;
    assert_eq!(code, Some(1));
}

#[tokio::test]
async fn roles_and_users_of_the_host_rule_instead_of_the_repositorys() {
    let world = World::new();
    let head = world.app(world.root, &world.bob, "pay", "a", "one").to_string();
    let base = world.root.to_string();
    let folder = world.home.path().join("policy");
    let carol = Key::new("carol");
    for (path, text) in support::policy(&[("carol", &carol, &["admin"])]).0 {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a new folder");
        std::fs::write(path, text).expect("a file that can be written");
    }
    let config = world.write("config.yaml", "authorization: {policy_dir: policy}\n");
    let (code, report) = world.json(&["--base", &base, "--head", &head, "--config", &config]).await;
    assert_eq!((code, &report["held"][0]["code"]), (Some(1), &json!("unknown-key")), "{report:#}");
    let next = world.app(head.parse().expect("an id"), &carol, "other", "b", "one").to_string();
    let (code, report) = world.json(&["--base", &head, "--head", &next, "--config", &config]).await;
    assert_eq!((code, &report["commits"][0]["signer"]), (Some(0), &json!("carol")), "{report:#}");
    // A folder with a mistake is no policy.
    std::fs::write(folder.join("users/carol.yaml"), "kind: user\n").expect("a file that can be written");
    let ended = world.authorize(&["--base", &base, "--config", &config]).await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.errors.contains("users/carol.yaml"), "{}", ended.errors);
}

#[tokio::test]
async fn wrong_calls_are_explained() {
    let world = World::new();
    let base = world.root.to_string();
    let unknown = world.write("unknown.yaml", "authorization: {max_comits: 5}\n");
    let relative =
        world.repo.commit(&[world.root], Some(&world.alice), &[("c", Some("authorization: {policy_dir: p}\n"))], "");
    let nobody = world.repo.commit(&[], Some(&world.alice), &[("a", Some("b"))], "Nothing").to_string();
    for (arguments, expected) in [
        (vec!["--base", "nowhere"], "nowhere is not a commit of"),
        (vec!["--base", &base, "--config", "missing.yaml"], "cannot read missing.yaml"),
        (vec!["--base", &base, "--config", &unknown], "did you mean `max_commits`?"),
        (vec!["--base", &base, "--config", "HEAD:missing.yaml"], "there is no file missing.yaml in commit HEAD"),
        (vec!["--base", &base, "--config", &format!("{relative}:c")], "absolute paths only"),
        (vec!["--base", &nobody, "--head", &nobody, "--root", &nobody], "has no administrator"),
    ] {
        let ended = world.authorize(&arguments).await;
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{arguments:?}: {}", ended.errors);
        assert!(ended.errors.contains(expected), "{arguments:?}: {}", ended.errors);
    }
    let ended = world.home.mcpfleet(["authorize", "--repo", "/", "--base", "a"]).output().await;
    let ended = Ended::from(ended.expect("the binary starts"));
    assert_eq!(ended.code, Some(2), "{}", ended.errors);
    // What is only seen by agents is said: they would apply it.
    let audit = world.write("audit.yaml", "authorization: {mode: audit}\n");
    let ended = world.authorize(&["--base", &base, "--config", &audit]).await;
    assert!(ended.errors.contains("an agent applies what is refused here"), "{}", ended.errors);
}
