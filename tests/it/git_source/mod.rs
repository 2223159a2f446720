//! The real agent on a real repository: what a push brings about, what it must not, and what of it outlasts the agent.

mod crash;
mod looks;
mod modes;
mod overrides;
mod pushes;
mod refusals;
mod restart;
mod several;

use crate::{
    lifecycle::world::{Agent, World},
    support::{Key, Repo, policy},
};
use mcpfleet::{
    authorize::ObjectId,
    status::model::{AgentState, GitStatus, SourceStatus, Status},
};
use serde_json::{Value, json};
use std::{cell::Cell, fs, path::PathBuf};

/// A repository with a policy, by which alice may do everything and bob what he likes with the apps of team `a`, and the
/// world for an agent that follows it.
pub struct Stage {
    pub world: World,
    pub repo: Repo,
    pub alice: Key,
    pub bob: Key,
    pub root: ObjectId,
    head: Cell<ObjectId>,
}

impl Stage {
    pub fn new() -> Stage {
        let world = World::new();
        let repo = Repo::at(&world.path("fleet.git"));
        let (alice, bob) = (Key::new("alice"), Key::new("bob"));
        let files = policy(&[("alice", &alice, &["admin"]), ("bob", &bob, &["team-a"])]);
        let root = repo.commit(&[], Some(&alice), &files.changes(), "Start");
        repo.push(root);
        Stage { world, repo, alice, bob, root, head: Cell::new(root) }
    }

    /// The file of an app that runs the fake server.
    pub fn app(&self, name: &str, team: &str, flags: &[&str]) -> String {
        let mut app = self.world.app(name, flags);
        app["metadata"]["labels"] = json!({"team": team});
        format!("{app:#}\n")
    }

    /// Commits on top of what was committed last, and pushes.
    pub fn push(&self, signer: Option<&Key>, changes: &[(&str, Option<&str>)]) -> ObjectId {
        let commit = self.repo.commit(&[self.head.get()], signer, changes, "Change");
        self.push_commit(commit);
        commit
    }

    /// Pushes a commit that was made before.
    pub fn push_commit(&self, commit: ObjectId) {
        self.repo.push(commit);
        self.head.set(commit);
    }

    /// What was pushed last.
    pub fn head(&self) -> ObjectId {
        self.head.get()
    }

    /// An agent on the repository, with its first commit as root of trust.
    pub fn run(&self) -> Agent<'_> {
        self.run_with(&["--root", &self.root.to_string()])
    }

    pub fn run_with(&self, arguments: &[&str]) -> Agent<'_> {
        let url = self.repo.url();
        self.world.run_with(&[&[&*url, "--set", "gateway.listen=127.0.0.1:0"], arguments].concat())
    }

    /// An agent with a configuration of which the source is this repository.
    pub fn run_configured(&self, authorization: &Value) -> Agent<'_> {
        let source = json!({"name": "fleet", "git": {"url": self.repo.url()}, "authorization": authorization});
        let config = self.world.configure_sources(&[source]);
        self.world.run_with(&["-c", &config, "--set", "gateway.listen=127.0.0.1:0"])
    }

    /// Where the agent keeps what it trusts. There is one source.
    pub fn state_dir(&self) -> PathBuf {
        let sources = fs::read_dir(self.world.path("state").join("sources")).expect("the folder of the sources");
        sources.flatten().next().expect("one source").path()
    }

    pub fn trust(&self) -> Value {
        let text = fs::read(self.state_dir().join("trust.json")).expect("something is trusted");
        serde_json::from_slice(&text).expect("JSON")
    }
}

/// The one source of an agent.
pub fn source(status: &Status) -> &SourceStatus {
    status.sources.first().expect("one source")
}

pub fn git(status: &Status) -> &GitStatus {
    source(status).git.as_ref().expect("a git source")
}

/// Whether all of a commit that is accepted has been carried out.
pub fn is_at(status: &Status, commit: ObjectId) -> bool {
    status.agent.state == AgentState::Ready && git(status).accepted == Some(commit.to_string())
}

/// Waits until an agent has judged up to a commit, and has carried out what was accepted.
pub async fn reaches(agent: &mut Agent<'_>, commit: ObjectId) -> Status {
    agent
        .until(&format!("{commit} judged and carried out"), |status| is_at(status, commit).then(|| status.clone()))
        .await
}

/// Waits until a commit has been seen and not accepted.
pub async fn refuses(agent: &mut Agent<'_>, commit: ObjectId) -> Status {
    let seen = |status: &Status| git(status).seen == Some(commit.to_string()) && source(status).error.is_some();
    agent.until(&format!("{commit} seen and refused"), |status| seen(status).then(|| status.clone())).await
}

/// The names of the apps that run.
pub fn running(status: &Status) -> Vec<&str> {
    status.apps.iter().filter(|app| app.state.is_some()).map(|app| app.name.as_str()).collect()
}
