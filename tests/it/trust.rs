//! The root of trust, and what the operators of a host decide over a repository, with a running agent.

use crate::support::{self, Home, Key, Repo, demo_app, eventually};
use mcpfleet::authorize::ObjectId;
use serde_json::Value;
use std::{
    fs::{self, File},
    process::{Output, Stdio},
};

struct World {
    home: Home,
    repo: Repo,
    alice: Key,
    bob: Key,
    root: ObjectId,
}

/// Where the agent's state and socket are, as options of `run`.
const SET: [&str; 6] =
    ["--set", "state_dir=state", "--set", "control_socket=control.sock", "--set", "gateway.listen=127.0.0.1:0"];

impl World {
    fn new() -> World {
        let home = Home::new();
        let repo = Repo::new(&home);
        let (alice, bob) = (Key::new("alice"), Key::new("bob"));
        let root = support::root(&repo, &[("alice", &alice, &["admin"]), ("bob", &bob, &["team-a"])]);
        World { home, repo, alice, bob, root }
    }

    fn app(&self, parent: ObjectId, key: &Key, name: &str) -> ObjectId {
        let (path, text) = (format!("apps/{name}.yaml"), demo_app(name));
        let id = self.repo.commit(&[parent], Some(key), &[(&path, Some(&text))], &format!("Add {name}"));
        self.repo.push(id);
        id
    }

    fn repository(&self) -> &str {
        self.repo.path().to_str().expect("a path in UTF-8").trim_end_matches('/')
    }

    async fn start(&self, arguments: &[&str]) -> tokio::process::Child {
        let log = File::options().create(true).append(true).open(self.home.path().join("agent.log"));
        let agent = self
            .home
            .mcpfleet([&["run"], arguments, &SET].concat())
            .stdout(Stdio::null())
            .stderr(log.expect("a writable home"))
            .spawn()
            .expect("the agent starts");
        eventually("an agent", async || self.status().await).await;
        agent
    }

    async fn cli(&self, arguments: &[&str]) -> Output {
        let mut command = self.home.mcpfleet(arguments);
        command.env("MCPFLEET_AGENT", self.home.path().join("control.sock"));
        command.output().await.expect("the binary starts")
    }

    /// What a command prints that ends well.
    async fn says(&self, arguments: &[&str]) -> String {
        let output = self.cli(arguments).await;
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output));
        String::from_utf8(output.stdout).expect("the output is UTF-8")
    }

    async fn status(&self) -> Option<Value> {
        serde_json::from_slice(&self.cli(&["status", "-o", "json"]).await.stdout).ok()
    }

    async fn trust(&self) -> Value {
        let text = self.says(&["trust", "show", "--state-dir", "state", "-o", "json"]).await;
        serde_json::from_str(&text).expect("JSON")
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn apps(status: &Value) -> Vec<&str> {
    status["apps"].as_array().into_iter().flatten().filter_map(|app| app["name"].as_str()).collect()
}

#[tokio::test]
async fn a_repository_is_not_followed_without_a_root_of_trust() {
    let world = World::new();
    let config = format!("sources: [{{name: fleet, git: {{url: {}}}}}]\n", world.repository());
    fs::write(world.home.path().join("agent.yaml"), config).expect("a writable home");
    for (arguments, expected) in [
        (vec![world.repository()], "--trust-first"),
        (vec!["-c", "agent.yaml"], "authorization: {root: {commit: COMMIT}}"),
        (vec![&world.repo.url()], "log --show-signature HEAD"),
        (vec!["https://localhost/x.git"], "git ls-remote https://localhost/x.git HEAD"),
        (vec!["https://localhost/x.git", "--root", "main"], "not the full id of a commit"),
        (vec![world.repository(), "--root", "nowhere"], "nowhere is not a commit"),
        (vec![".", "--trust-first"], "a directory has no commits"),
        (vec!["--git", "."], "not a git repository"),
    ] {
        let output = world.cli(&[&["run"], &arguments[..], &SET].concat()).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output));
        assert!(text(&output).contains(expected), "{arguments:?}: {}", text(&output));
    }
}

#[tokio::test]
async fn the_root_is_needed_once() {
    let world = World::new();
    let mut agent = world.start(&[world.repository(), "--root", "main"]).await;
    let first = world.app(world.root, &world.bob, "one");
    let said = world.says(&["reconcile", "--wait"]).await;
    assert!(said.starts_with("Ready: "), "{said}");
    let status = world.status().await.expect("an agent");
    assert_eq!(apps(&status), ["one"], "{status:#}");
    agent.kill().await.expect("the agent runs");
    // From now on it goes on from what it knows.
    let _agent = world.start(&[world.repository()]).await;
    world.says(&["reconcile", "--wait"]).await;
    let shown = world.trust().await;
    assert_eq!(shown["trusted"]["root"], world.root.to_string());
    assert_eq!(shown["trusted"]["commit"], first.to_string());
}

#[tokio::test]
async fn an_order_before_the_first_start_is_a_root() {
    let world = World::new();
    let config = format!(
        "state_dir: state\nsources: [{{name: fleet, git: {{url: {}}}}}]\napp_service: {{default_host_user: nobody, \
         resources: [{{labels: {{'*': '*'}}}}]}}\n",
        world.repository()
    );
    fs::write(world.home.path().join("agent.yaml"), config).expect("a writable home");
    let root = world.root.to_string();
    world.says(&["trust", "set", &root, "--reason", "looked at", "-c", "agent.yaml"]).await;
    let _agent = world.start(&["-c", "agent.yaml"]).await;
    world.app(world.root, &world.bob, "one");
    world.says(&["reconcile", "--wait"]).await;
    let status = world.status().await.expect("an agent");
    assert_eq!(apps(&status), ["one"], "{status:#}");
    assert_eq!(world.trust().await["trusted"]["root"], root);
}

#[tokio::test]
async fn an_operator_may_trust_a_history_that_was_rewritten() {
    let world = World::new();
    let _agent = world.start(&[world.repository(), "--trust-first"]).await;
    let old = world.app(world.root, &world.bob, "one");
    world.says(&["reconcile", "--wait"]).await;
    let again = world.repo.commit(
        &[],
        Some(&world.alice),
        &support::policy(&[("alice", &world.alice, &["admin"])]).changes(),
        "",
    );
    let new = world.app(again, &world.alice, "two");
    let output = world.cli(&["reconcile", "--wait"]).await;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let status = world.status().await.expect("an agent");
    assert_eq!(apps(&status), ["one"], "{status:#}");
    assert_eq!(world.trust().await["trusted"]["commit"], old.to_string());

    let output = world.cli(&["trust", "set", "nowhere", "--reason", "x", "--state-dir", "state"]).await;
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    let output = world.cli(&["trust", "set", &new.to_string(), "--reason", " ", "--state-dir", "state"]).await;
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    let set = ["trust", "set", &new.to_string(), "--reason", "cleaned\u{1b}[2J", "--state-dir", "state"];
    let said = world.says(&set).await;
    assert!(said.contains("The agent looks now"), "{said}");
    world.says(&["reconcile", "--wait"]).await;
    let status = world.status().await.expect("an agent");
    assert_eq!(apps(&status), ["two"], "{status:#}");
    let shown = world.trust().await;
    assert_eq!((&shown["trusted"]["root"], &shown["pending"]), (&new.to_string().into(), &Value::Null), "{shown:#}");
    assert_eq!(shown["trusted"]["began"], "override");
    assert_eq!(shown["overrides"][0]["reason"], "cleaned\u{1b}[2J");
    let said = world.says(&["trust", "show", "--state-dir", "state"]).await;
    assert!(said.contains("cleaned\\u{1b}[2J") && said.contains("by an override on this host"), "{said}");
}

#[tokio::test]
async fn a_key_that_is_denied_signs_nothing_any_more() {
    let world = World::new();
    let _agent = world.start(&[world.repository(), "--root", "main"]).await;
    let deny = ["trust", "deny-key", &world.bob.public(), "--reason", "laptop stolen", "--state-dir", "state"];
    world.says(&deny).await;
    assert!(world.says(&deny).await.contains("denied already"));
    let refused = world.app(world.root, &world.bob, "one");
    let next = world.app(refused, &world.alice, "two");
    world.says(&["reconcile", "--wait"]).await;
    let status = world.status().await.expect("an agent");
    assert_eq!(apps(&status), ["two"], "{status:#}");
    let shown = world.trust().await;
    assert_eq!(shown["trusted"]["commit"], next.to_string());
    assert_eq!(shown["trusted"]["held"][0]["code"], "denied-key", "{shown:#}");
    assert_eq!(shown["trusted"]["held"][0]["refused_commit"], refused.to_string());
    assert_eq!(shown["denied_keys"][0]["reason"], "laptop stolen");
    let output = world.cli(&["trust", "deny-key", "nothing", "--reason", "x", "--state-dir", "state"]).await;
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
}

#[tokio::test]
async fn which_source_is_meant_must_be_clear() {
    let world = World::new();
    let url = world.repository();
    let config = format!(
        "state_dir: state\ncontrol_socket: control.sock\nsources: [{{name: a, git: {{url: {url}}}}}, {{name: b, git: {{url: {url}}}}}]\n"
    );
    fs::write(world.home.path().join("agent.yaml"), config).expect("a writable home");
    for (arguments, expected) in [
        (vec!["-c", "agent.yaml"], "several git sources (a, b)"),
        (vec!["-c", "agent.yaml", "--source", "c"], "no git source c, but there is a, b"),
        (vec!["--state-dir", "nowhere"], "no agent has followed a repository"),
        (vec!["-c", "missing.yaml"], "there is no file"),
    ] {
        let output = world.cli(&[&["trust", "show"], &arguments[..]].concat()).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output));
        assert!(text(&output).contains(expected), "{arguments:?}: {}", text(&output));
    }
    // Before the first start: the order is there when it comes.
    let root = world.root.to_string();
    let set = ["trust", "set", &root, "--reason", "the first", "-c", "agent.yaml", "--source", "a"];
    let said = world.says(&set).await;
    assert!(said.contains("at the next start"), "{said}");
    let shown = world.says(&["trust", "show", "-c", "agent.yaml", "--source", "a"]).await;
    assert!(shown.contains("nothing is trusted yet") && shown.contains(&format!("to come    {root}")), "{shown}");
}
