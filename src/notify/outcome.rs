//! What has become of commits at this agent. Pure: what the agent sees and the time are told.
//!
//! A commit is pending once it is accepted, and then succeeds when what it wants runs here, or fails. Success is the end:
//! that a server breaks down a week later is not the commit's fault. A failure heals when what the commit wants runs after
//! all. So a commit has three or four states in its life, however often servers come and go.

use crate::status::model::{AppState, notification::CommitState};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Of how many commits that come at once, besides the newest, the outcome is told; and of how many that are refused.
const MAX_AT_ONCE: usize = 20;
/// How many commits of a source are remembered.
const MAX_KEPT: usize = 200;
/// However it goes on: after so many changes a commit stays what it is, unless it succeeds.
const MAX_CHANGES: u32 = 10;
/// How many names a description has.
const MAX_NAMED: usize = 2;

/// What the agent sees now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Look {
    pub sources: Vec<SourceLook>,
    pub apps: Vec<AppLook>,
}

/// A git source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceLook {
    pub name: String,
    /// The newest commit that has been seen.
    pub seen: Option<String>,
    /// The one that is to be in force.
    pub accepted: Option<String>,
    /// The one that is.
    pub in_force: Option<String>,
    /// Nothing new is applied, because somebody wants that.
    pub suspended: bool,
    /// Why what has been seen is not accepted, if it cannot be judged.
    pub problem: Option<String>,
    /// Commits with refused changes that are held, newest first, with the reason.
    pub refused: Vec<(String, String)>,
    /// What was judged last, newest first, with the reason where something was refused.
    pub judged: Vec<(String, Option<String>)>,
    /// What is refused takes effect all the same.
    pub audit: bool,
    /// How many removals somebody has to confirm.
    pub held: usize,
    /// Mistakes in files, each as a text of its own.
    pub mistakes: BTreeSet<String>,
}

/// An app that this agent is to run.
#[derive(Clone, Debug, PartialEq)]
pub struct AppLook {
    pub name: String,
    pub source: String,
    /// That made it what it is.
    pub commit: Option<String>,
    pub state: AppState,
    pub reason: Option<String>,
    /// The newest definition is not in force yet.
    pub updating: bool,
}

/// What has become of a commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub commit: String,
    pub state: CommitState,
    pub description: String,
    /// How often that has changed.
    #[serde(default)]
    pub changes: u32,
}

/// What is known of the commits of a source; written down, so that an agent that starts again says nothing twice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// What was to be in force at the last look.
    #[serde(default)]
    accepted: Option<String>,
    /// Newest first.
    #[serde(default)]
    pub outcomes: Vec<Outcome>,
    /// Of the commits that came with `accepted`.
    #[serde(skip)]
    batch: Batch,
    /// What ran, and what was wrong with files, when what is accepted was last in force.
    #[serde(skip)]
    running: BTreeSet<String>,
    #[serde(skip)]
    mistakes: Option<BTreeSet<String>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Batch {
    commits: BTreeSet<String>,
    /// The apps that ran before it.
    before: BTreeSet<String>,
    /// The mistakes there were before it, if anybody has looked.
    mistakes: Option<BTreeSet<String>>,
}

/// Of all sources, by name.
pub type Outcomes = BTreeMap<String, Known>;

/// Takes in what the agent sees. Whether anything has changed.
pub fn look(known: &mut Outcomes, look: &Look) -> bool {
    let before = known.clone();
    for source in &look.sources {
        let apps: Vec<&AppLook> = look.apps.iter().filter(|app| app.source == source.name).collect();
        known.entry(source.name.clone()).or_default().look(source, &apps);
    }
    known.iter().any(|(name, now)| before.get(name).is_none_or(|then| then.outcomes != now.outcomes))
}

impl Known {
    fn look(&mut self, source: &SourceLook, apps: &[&AppLook]) {
        self.take_in(source);
        if let (Some(seen), Some(problem)) = (&source.seen, &source.problem)
            && source.accepted.as_ref() != Some(seen)
        {
            self.set(seen, CommitState::Error, format!("it cannot be judged: {problem}"));
        }
        if !source.audit {
            let mut told = BTreeSet::new();
            let judged = source.judged.iter().filter_map(|(commit, refused)| Some((commit, refused.as_ref()?)));
            let held = source.refused.iter().map(|(commit, reason)| (commit, reason));
            // Oldest first, so that the newest is the newest.
            let all: Vec<_> = held.chain(judged).filter(|(commit, _)| told.insert(*commit)).take(MAX_AT_ONCE).collect();
            for (commit, reason) in all.into_iter().rev() {
                self.set(commit, CommitState::Failure, format!("refused: {reason}"));
            }
        }
        let refused: BTreeSet<&str> = self.refused(source);
        let open: Vec<String> = self
            .outcomes
            .iter()
            .filter(|outcome| outcome.state != CommitState::Success && !refused.contains(outcome.commit.as_str()))
            .map(|outcome| outcome.commit.clone())
            .collect();
        for commit in open {
            if let Some((state, description)) = self.judge(&commit, source, apps) {
                self.set(&commit, state, description);
            }
        }
        if source.in_force == source.accepted && source.accepted.is_some() && !source.suspended {
            self.mistakes = Some(source.mistakes.clone());
            self.running = apps.iter().map(|app| app.name.clone()).collect();
        }
        self.outcomes.truncate(MAX_KEPT);
    }

    /// Begins with what has been accepted since the last look.
    fn take_in(&mut self, source: &SourceLook) {
        let Some(accepted) = source.accepted.as_ref().filter(|accepted| self.accepted.as_ref() != Some(accepted))
        else {
            return;
        };
        let since = self.accepted.replace(accepted.clone());
        let judged = source.judged.iter().map(|(commit, _)| commit);
        let new: Vec<&String> = judged.take_while(|commit| since.as_ref() != Some(*commit)).collect();
        let first = since.is_none();
        self.batch = Batch {
            commits: new.iter().map(|commit| (*commit).clone()).chain([accepted.clone()]).collect(),
            before: self.running.clone(),
            mistakes: self.mistakes.clone(),
        };
        let others = new.into_iter().filter(|commit| *commit != accepted).take(if first { 0 } else { MAX_AT_ONCE });
        let others: Vec<&String> = others.collect();
        for commit in others.into_iter().rev().chain([accepted]) {
            if self.state_of(commit).is_none_or(|state| state == CommitState::Error) {
                self.set(commit, CommitState::Pending, accepted_only(source));
            }
        }
    }

    /// Commits of which something was refused: whatever else they bring, that is what they are.
    fn refused<'s>(&self, source: &'s SourceLook) -> BTreeSet<&'s str> {
        if source.audit {
            return BTreeSet::new();
        }
        let judged = source.judged.iter().filter(|(_, refused)| refused.is_some()).map(|(commit, _)| commit.as_str());
        judged.chain(source.refused.iter().map(|(commit, _)| commit.as_str())).collect()
    }

    fn state_of(&self, commit: &str) -> Option<CommitState> {
        self.outcomes.iter().find(|outcome| outcome.commit == commit).map(|outcome| outcome.state)
    }

    fn is_refusal(&self, commit: &str) -> bool {
        let outcome = self.outcomes.iter().find(|outcome| outcome.commit == commit);
        outcome.is_some_and(|outcome| outcome.description.starts_with("refused: "))
    }

    /// What has become of an accepted commit; `None`: what it was before.
    fn judge(&self, commit: &str, source: &SourceLook, apps: &[&AppLook]) -> Option<(CommitState, String)> {
        let accepted = source.accepted.as_deref()?;
        let is_newest = accepted == commit;
        let before = self.state_of(commit)?;
        if !is_newest && before == CommitState::Error || self.is_refusal(commit) {
            return None;
        }
        if source.in_force != source.accepted || source.suspended {
            return (before == CommitState::Error).then(|| (CommitState::Pending, accepted_only(source)));
        }
        let own = |app: &&&AppLook| {
            let made = app.commit.as_deref();
            made.is_some_and(|made| made == commit || is_newest && self.batch.commits.contains(made))
        };
        let own: Vec<&&AppLook> = apps.iter().filter(own).collect();
        let mut faults = Vec::new();
        if is_newest && source.held > 0 {
            faults.push(format!("{} held, see `mcpfleet status`", counted(source.held, "removal is", "removals are")));
        }
        if let Some(mistake) = self
            .batch
            .mistakes
            .as_ref()
            .filter(|_| is_newest)
            .and_then(|before| source.mistakes.difference(before).next())
        {
            faults.push(mistake.clone());
        }
        let broken = |app: &&&&AppLook| matches!(app.state, AppState::Failed | AppState::Degraded | AppState::Backoff);
        let broken: Vec<&AppLook> = own.iter().filter(broken).map(|app| **app).collect();
        if !broken.is_empty() {
            faults.push(broken_ones(&broken));
        }
        if !faults.is_empty() {
            return Some((CommitState::Failure, faults.join("; ")));
        }
        let moves = |app: &&&&AppLook| {
            app.updating || matches!(app.state, AppState::Pending | AppState::Starting | AppState::Draining)
        };
        if own.iter().any(|app| moves(&app)) {
            return None;
        }
        // What came after it has what it brought: there is nothing left of it to look at.
        if !is_newest && own.is_empty() && before == CommitState::Failure {
            return None;
        }
        Some((CommitState::Success, self.applied(&own, apps, is_newest)))
    }

    fn applied(&self, own: &[&&AppLook], apps: &[&AppLook], is_newest: bool) -> String {
        let suspended = own.iter().filter(|app| app.state == AppState::Suspended).count();
        let mut parts = Vec::new();
        if own.len() > suspended {
            parts.push(counted(own.len() - suspended, "app runs", "apps run"));
        }
        if suspended > 0 {
            parts.push(format!("{suspended} suspended"));
        }
        let gone = self.batch.before.iter().filter(|name| !apps.iter().any(|app| app.name == **name)).count();
        if gone > 0 && is_newest {
            parts.push(format!("{gone} stopped"));
        }
        match parts.is_empty() {
            true => "applied: nothing of it is for this agent".to_owned(),
            false => format!("applied: {}", parts.join(", ")),
        }
    }

    /// Takes note of a state, which counts only if it is another one.
    fn set(&mut self, commit: &str, state: CommitState, description: String) {
        let at = self.outcomes.iter().position(|outcome| outcome.commit == commit);
        let Some(outcome) = at.and_then(|at| self.outcomes.get_mut(at)) else {
            self.outcomes.insert(0, Outcome { commit: commit.to_owned(), state, description, changes: 0 });
            return;
        };
        let refusal = description.starts_with("refused: ") && !outcome.description.starts_with("refused: ");
        let settled = outcome.state == state || outcome.changes >= MAX_CHANGES && state != CommitState::Success;
        if !settled || refusal {
            (outcome.state, outcome.description, outcome.changes) = (state, description, outcome.changes + 1);
        }
    }
}

fn accepted_only(source: &SourceLook) -> String {
    match source.suspended {
        true => "accepted, and waits: the agent is suspended".to_owned(),
        false => "accepted, and on its way".to_owned(),
    }
}

fn broken_ones(broken: &[&AppLook]) -> String {
    let named: Vec<String> = broken
        .iter()
        .take(MAX_NAMED)
        .map(|app| match &app.reason {
            Some(reason) => format!("{} does not run: {reason}", app.name),
            None => format!("{} does not run", app.name),
        })
        .collect();
    let more = match broken.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!("; and {}", counted(more, "app more", "apps more")),
    };
    match broken.len() {
        1 => named.join("; "),
        all => format!("{all} apps do not run: {}{more}", named.join("; ")),
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests;
