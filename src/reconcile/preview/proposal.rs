//! What an agent would do with commits of one of its sources, by what a judge says of them.

use super::{super::SourceInput, Change, HeldBy, Preview, preview};
use crate::{
    authorize::{Answer, ObjectId, Proposed, Refusal, Report, State},
    manifest::{Revision, Snapshot},
    reconcile::{PruneSettings, Selection},
    resource::App,
};
use jiff::Timestamp;
use serde::Serialize;
use std::{collections::HashMap, sync::Arc};

/// What is told of a change: what `mcpfleet plan -o json` prints, and an agent answers.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Plans {
    /// Of this form. It grows by fields; a change that could break a reader has another number.
    pub version: u32,
    /// Where the change begins; of no commit if the source is none of git.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub base: Option<ObjectId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub head: Option<ObjectId>,
    /// Why the head could not be judged, in which case nothing moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Refusal>,
    pub agents: Vec<Preview>,
}

impl Plans {
    pub fn new(base: Option<ObjectId>, head: Option<ObjectId>, agents: Vec<Preview>) -> Plans {
        Plans { version: 1, base, head, error: None, agents }
    }
}

/// An agent, as far as it matters to what it would do with a source's commits.
#[derive(Clone, Copy)]
pub struct Follower<'a> {
    /// What it is called.
    pub name: &'a str,
    pub selection: &'a Selection,
    pub prune: &'a PruneSettings,
    /// The source that the commits are of.
    pub source: &'a Arc<str>,
    /// Only apps below this folder are taken.
    pub subpath: Option<&'a str>,
    /// Why it would not start an app, if it would not.
    pub refuses: &'a dyn Fn(&App) -> Vec<String>,
    /// Which files are not read.
    pub ignores: &'a dyn Fn(&str) -> bool,
    /// What its other sources have, as far as that is known: those before it and those after it.
    pub others: (&'a [SourceInput], &'a [SourceInput]),
}

/// What an agent would do. Where `enforced` is false, what is refused takes effect all the same.
pub fn proposal(follower: &Follower, states: &Proposed, report: &Report, enforced: bool, now: Timestamp) -> Preview {
    let before = follower.snapshot(&states.before, None);
    let accepted = if enforced { &states.after } else { &states.head };
    let after = follower.snapshot(accepted, Some(&before));
    let wished = follower.snapshot(&states.head, Some(&before));
    let change = Change {
        source: follower.source,
        before: &follower.own(before),
        after: &follower.own(after),
        wished: &follower.own(wished),
        others: follower.others,
    };
    let mut preview =
        preview(follower.name.to_owned(), change, follower.selection, follower.prune, follower.refuses, now);
    explain(&mut preview, report);
    preview
}

impl Follower<'_> {
    /// What it sees of what is accepted, after what it saw before.
    fn snapshot(&self, state: &State, before: Option<&Snapshot>) -> Arc<Snapshot> {
        let mut tree = state.tree();
        tree.retain(|path, _| !(self.ignores)(path));
        Arc::new(Snapshot::build(&tree, Revision::from(state.commit().to_string()), before))
    }

    /// The part of it that is the agent's.
    fn own(&self, snapshot: Arc<Snapshot>) -> Arc<Snapshot> {
        match self.subpath {
            Some(folder) => Arc::new(snapshot.narrowed(folder)),
            None => snapshot,
        }
    }
}

/// Says of what was not accepted why: what was last said of its file.
fn explain(preview: &mut Preview, report: &Report) {
    let changes = report.commits.iter().flat_map(|commit| commit.changes.iter().map(move |change| (commit, change)));
    let refused = changes.filter(|(_, change)| change.verdict == Answer::Refused);
    let by_path: HashMap<&str, _> = refused.map(|(commit, change)| (&*change.path, (commit, change))).collect();
    for held in preview.held.iter_mut().filter(|held| held.by == HeldBy::Refused) {
        if let Some((commit, change)) = held.path.as_deref().and_then(|path| by_path.get(path)) {
            let code = change.code.map(|code| format!(" [{code}]")).unwrap_or_default();
            held.reason = format!("commit {} is refused{code}: {}", commit.id.short(), change.message);
        }
    }
}
