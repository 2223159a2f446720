//! Agents that are killed at any moment, while pushes go on.

use super::{Stage, git, reaches, running, source};
use crate::support::PATIENCE;
use mcpfleet::{authorize::ObjectId, status::model::Status};
use nix::sys::signal::Signal;
use serde_json::json;
use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};

const ROUNDS: usize = 25;

/// The history so far, and what there is to be said of an agent on it.
struct History {
    stage: Stage,
    /// In order; the first is the root.
    commits: RefCell<Vec<ObjectId>>,
    /// Up to where something was trusted when it was last looked at.
    trusted: Cell<usize>,
}

impl History {
    fn new() -> History {
        let stage = Stage::new();
        History { commits: RefCell::new(vec![stage.root]), trusted: Cell::new(0), stage }
    }

    /// Every second commit is one of somebody who may not make it, and would leave a trace if it ran.
    fn push(&self) {
        let number = self.commits.borrow().len();
        let commit = if number.is_multiple_of(2) {
            let trace = self.stage.world.path("unverified");
            let mut evil = self.stage.world.app(&format!("evil-{number}"), &[]);
            evil["metadata"]["labels"] = json!({"team": "b"});
            evil["spec"]["mcp"] = json!({"command": "touch", "args": [trace]});
            let path = format!("apps/evil-{number}.yaml");
            self.stage.push(Some(&self.stage.bob), &[(&path, Some(&format!("{evil:#}\n")))])
        } else {
            let mut app = self.stage.world.app("a", &[]);
            app["metadata"]["labels"] = json!({"team": "a"});
            app["metadata"]["description"] = json!(number.to_string());
            self.stage.push(Some(&self.stage.bob), &[("apps/a.yaml", Some(&format!("{app:#}\n")))])
        };
        self.commits.borrow_mut().push(commit);
    }

    fn number(&self, commit: &str) -> usize {
        self.commits.borrow().iter().position(|known| known.to_string() == commit).expect("a commit of this history")
    }

    /// Which commit's version of the app is in force, and up to which commit the history has been accepted.
    fn applied(&self, status: &Status) -> (usize, usize) {
        let shown = status.apps.iter().find(|app| app.name == "a").and_then(|app| app.description.as_deref());
        let accepted = git(status).accepted.as_deref().map_or(0, |commit| self.number(commit));
        (shown.map_or(0, |number| number.parse().expect("a number")), accepted)
    }

    /// After the agent was killed: what it trusted has not moved backwards, and is no older than what it applied.
    fn check(&self, applied: (usize, usize)) {
        let sources = self.stage.world.path("state").join("sources");
        if !sources.exists() || !self.stage.state_dir().join("trust.json").exists() {
            assert_eq!((applied, self.trusted.get()), ((0, 0), 0), "something was applied, and nothing is trusted");
            return;
        }
        let trusted = self.number(self.stage.trust()["state"]["commit"].as_str().expect("a commit"));
        let before = self.trusted.replace(trusted);
        assert!(trusted >= before, "what is trusted moved from {before} back to {trusted}");
        assert!(trusted >= applied.0 && trusted >= applied.1, "{applied:?} was applied, and {trusted} is trusted");
        assert!(!self.stage.world.path("unverified").exists(), "something ran that nobody was allowed to run");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_moment_to_be_killed_is_a_bad_one() {
    let history = History::new();
    let mut random = 0_u64;
    for round in 0..ROUNDS {
        // The lives are the same in every run; where they end in the agent's work is left to chance.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let life = Duration::from_millis((random >> 33) % 400);
        let mut agent = history.stage.run();
        let (started, mut applied) = (Instant::now(), (0, 0));
        // Every now and then one gets on before it is killed.
        let gets_on = round % 5 == 4;
        while started.elapsed() < life || (gets_on && applied.1 <= history.trusted.get()) {
            assert!(started.elapsed() < PATIENCE, "an agent that gets on: {}", history.stage.world.log());
            history.push();
            if let Some(status) = agent.status().await.filter(|status| source(status).git.is_some()) {
                assert!(running(&status).iter().all(|name| *name == "a"), "{status:?}");
                let (app, accepted) = history.applied(&status);
                applied = (app.max(applied.0), accepted.max(applied.1));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        agent.signal(Signal::SIGKILL);
        agent.ended().await;
        drop(agent);
        history.check(applied);
    }
    let mut agent = history.stage.run();
    let status = reaches(&mut agent, history.stage.head()).await;
    let (app, accepted) = history.applied(&status);
    let last = history.commits.borrow().len() - 1;
    assert_eq!((app, accepted), (last - (last + 1) % 2, last));
    assert_eq!(git(&status).refused_total, last / 2);
    agent.stop().await;
    history.check((app, accepted));
    println!("{last} commits, {ROUNDS} agents killed");
}
