//! The repository: what is pushed at random, and what of it should run.

use super::chance::Chance;
use crate::support::{Key, Repo, policy};
use mcpfleet::{authorize::ObjectId, status::model::Status};
use serde_json::json;
use std::{collections::BTreeMap, path::Path};

/// Apps that are always in the repository when it is calm.
const CALM: usize = 8;
/// Of so many names are the apps that come and go.
const NAMES: usize = 14;

/// Behaviours of servers that are good ones.
const GOOD: &[&[&str]] = &[
    &[],
    &["--era", "legacy"],
    &["--era", "modern"],
    &["--crash-after", "15"],
    &["--start-delay", "200"],
    &["--fork-grandchild"],
    &["--setsid-grandchild"],
    &["--ignore-sigterm"],
    &["--answer-twice"],
    &["--garbage-stdout"],
];

/// Those of servers that never serve.
const BAD: &[&[&str]] = &[&["--exit", "3"], &["--crash-on-discover", "--exit", "4"]];

const SESSIONS: &[&str] = &["shared", "per_session"];

/// What is said of an app.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    flags: Vec<String>,
    sessions: &'static str,
    /// Makes it another version.
    round: usize,
}

impl Said {
    fn new(flags: &[&str], sessions: &'static str) -> Said {
        Said { flags: flags.iter().map(ToString::to_string).collect(), sessions, round: 0 }
    }

    fn serves(&self) -> bool {
        !self.flags.iter().any(|flag| flag == "--exit")
    }

    fn text(&self, name: &str, server: &Path) -> String {
        let mcp = json!({
            "command": server,
            "args": self.flags,
            "env": {"ROUND": self.round.to_string()},
            "sessions": self.sessions,
            "idle_timeout": "3s",
            "max_instances": 6,
            "restart": {"initial_backoff": "100ms", "max_backoff": "1s", "reset_after": "1s"},
            "stop": {"grace_period": "500ms", "drain_timeout": "2s"},
        });
        let metadata = json!({"name": name, "labels": {"team": if name.ends_with('a') { "a" } else { "b" }}});
        format!("{:#}\n", json!({"kind": "app", "version": "v3", "metadata": metadata, "spec": {"mcp": mcp}}))
    }
}

/// How many commits of each kind were pushed.
#[derive(Debug, Default)]
pub struct Pushes {
    pub accepted: usize,
    pub refused: usize,
    /// Refused because a file cannot be read.
    pub broken: usize,
    /// What was refused, put back.
    pub restored: usize,
}

pub struct Fleet<'w> {
    pub repo: &'w Repo,
    server: &'w Path,
    alice: Key,
    bob: Key,
    pub root: ObjectId,
    head: ObjectId,
    /// The files of apps as the newest commit has them, by the app's name.
    files: BTreeMap<String, String>,
    /// Those that were accepted, and so what should run.
    accepted: BTreeMap<String, (Said, String)>,
    pub pushes: Pushes,
}

impl<'w> Fleet<'w> {
    /// A repository in which alice may do everything, and bob what he likes with the apps of team `a`.
    pub fn new(repo: &'w Repo, server: &'w Path) -> Fleet<'w> {
        let (alice, bob) = (Key::new("alice"), Key::new("bob"));
        let files = policy(&[("alice", &alice, &["admin"]), ("bob", &bob, &["team-a"])]);
        let root = repo.commit(&[], Some(&alice), &files.changes(), "Start");
        repo.push(root);
        let (files, accepted) = Default::default();
        Fleet { repo, server, alice, bob, root, head: root, files, accepted, pushes: Pushes::default() }
    }

    pub fn head(&self) -> ObjectId {
        self.head
    }

    /// Names of apps, there or not.
    pub fn names() -> Vec<String> {
        (0..NAMES).map(|number| format!("app-{number}-{}", if number % 2 == 0 { "a" } else { "b" })).collect()
    }

    /// Pushes what is always the same, in new versions, so that nobody is still bound to a process of before.
    pub fn calm(&mut self, round: usize) {
        // Before anything else: what was accepted, and is not there any more because it was refused, is there then to be deleted.
        self.restore(Fleet::names().iter());
        let mut changes: BTreeMap<String, Option<Said>> = self.files.keys().map(|name| (name.clone(), None)).collect();
        let flags: [&[&str]; 3] = [&[], &["--era", "legacy"], &["--fork-grandchild"]];
        let calm = Fleet::names().into_iter().take(CALM).zip(flags.iter().cycle()).zip(SESSIONS.iter().cycle());
        changes
            .extend(calm.map(|((name, flags), sessions)| (name, Some(Said { round, ..Said::new(flags, sessions) }))));
        self.accept(changes);
        self.repo.push(self.head);
    }

    /// Pushes anything.
    pub fn push(&mut self, chance: &mut Chance) {
        let names = Fleet::names();
        let mut changes = BTreeMap::new();
        let allowed = !chance.percent(20);
        for _ in 0..=chance.below(3) {
            // Where bob has no say.
            let name = if allowed { chance.of_these(&names) } else { &names[2 * chance.below(NAMES / 2) + 1] };
            let flags = if chance.percent(12) { chance.of_these(BAD) } else { chance.of_these(GOOD) };
            let said = Said::new(flags, SESSIONS[chance.below(SESSIONS.len())]);
            changes.insert(name.clone(), Some(said).filter(|_| !chance.percent(25)));
        }
        if allowed {
            // Nobody builds on what was refused.
            self.restore(changes.keys());
        }
        changes.retain(|name, said| said.is_some() || self.files.contains_key(name));
        match (allowed, chance.percent(10)) {
            (true, false) => self.accept(changes),
            (true, true) => {
                let broken = |name: &String| (name.clone(), Some(format!("kind: app\nmetadata: {{name: {name}\n")));
                self.commit(true, changes.keys().map(broken).collect());
                self.pushes.broken += 1;
            }
            (false, _) => {
                let texts = self.texts(&changes);
                self.commit(false, texts);
                self.pushes.refused += 1;
            }
        }
        self.repo.push(self.head);
    }

    fn accept(&mut self, changes: BTreeMap<String, Option<Said>>) {
        let texts = self.texts(&changes);
        self.commit(true, texts);
        self.pushes.accepted += 1;
        for (name, said) in changes {
            match said {
                Some(said) => {
                    let text = said.text(&name, self.server);
                    self.accepted.insert(name, (said, text));
                }
                None => drop(self.accepted.remove(&name)),
            }
        }
    }

    fn texts(&self, changes: &BTreeMap<String, Option<Said>>) -> Vec<(String, Option<String>)> {
        let text = |(name, said): (&String, &Option<Said>)| {
            (name.clone(), said.as_ref().map(|said| said.text(name, self.server)))
        };
        changes.iter().map(text).collect()
    }

    /// Puts back what was accepted, where something else was refused.
    fn restore<'n>(&mut self, names: impl Iterator<Item = &'n String>) {
        let other = |name: &&String| self.files.get(*name) != self.accepted.get(*name).map(|(_, text)| text);
        let accepted = |name: &String| (name.clone(), self.accepted.get(name).map(|(_, text)| text.clone()));
        let changes: Vec<_> = names.filter(other).map(accepted).collect();
        if !changes.is_empty() {
            self.commit(true, changes);
            self.pushes.restored += 1;
        }
    }

    fn commit(&mut self, allowed: bool, changes: Vec<(String, Option<String>)>) {
        let paths: Vec<_> = changes.iter().map(|(name, text)| (path(name), text.as_deref())).collect();
        let paths: Vec<_> = paths.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        let signer = if allowed { &self.alice } else { &self.bob };
        self.head = self.repo.commit(&[self.head], Some(signer), &paths, "Change");
        for (name, text) in changes {
            match text {
                Some(text) => drop(self.files.insert(name, text)),
                None => drop(self.files.remove(&name)),
            }
        }
    }

    /// What an agent that has come to the newest commit does otherwise than it should; empty: nothing.
    pub fn differs(&self, status: &Status) -> Vec<String> {
        let mut wrong = Vec::new();
        let running: BTreeMap<&str, _> =
            status.apps.iter().filter(|app| app.state.is_some()).map(|app| (app.name.as_str(), app)).collect();
        for (name, (said, _)) in &self.accepted {
            match running.get(name.as_str()) {
                None => wrong.push(format!("{name} does not run")),
                Some(app) if app.command.get(1..) != Some(&said.flags[..]) => {
                    wrong.push(format!("{name} runs {:?} instead of {:?}", app.command, said.flags));
                }
                Some(app) if said.serves() && app.state != Some(mcpfleet::status::model::AppState::Ready) => {
                    wrong.push(format!("{name} is {:?}: {:?}", app.state, app.reason));
                }
                Some(_) => {}
            }
        }
        wrong.extend(
            running.keys().filter(|name| !self.accepted.contains_key(**name)).map(|name| format!("{name} still runs")),
        );
        wrong
    }
}

fn path(name: &str) -> String {
    format!("apps/{name}.yaml")
}
