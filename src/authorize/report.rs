//! The report of a judgement: what `mcpfleet authorize -o json` prints.

use super::{Judgement, ObjectId, Outcome, Refusal, Report, State};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

/// The version of the report's form.
const VERSION: u32 = 1;

impl Report {
    /// Reports on a judgement. Only commits that are `listed` are, which are those that the base does not have.
    pub fn new(base: ObjectId, judgement: &Judgement, assumed_root: bool, listed: impl Fn(ObjectId) -> bool) -> Report {
        let state = &judgement.state;
        let mut accepted = state.accepted_paths();
        for path in accepted.values_mut() {
            path.commit = path.commit.filter(|commit| listed(*commit));
        }
        let held = state.held();
        let undecided: Vec<_> = state.undecided().map(|(path, _)| path.clone()).collect();
        let whole = held.is_empty() && undecided.is_empty();
        Report {
            version: VERSION,
            base,
            head: state.commit(),
            outcome: if whole { Outcome::Accepted } else { Outcome::Partly },
            error: None,
            commits: judgement.commits.iter().filter(|commit| listed(commit.id)).cloned().collect(),
            accepted,
            held,
            undecided,
            assumed_root,
        }
    }

    /// Reports on what was pushed over a state: what was held or undecided there before is not its fault.
    pub fn of_push(before: &State, judgement: &Judgement) -> Report {
        let pushed: HashSet<ObjectId> = judgement.commits.iter().map(|commit| commit.id).collect();
        let undecided: HashSet<&Arc<str>> = before.undecided().map(|(path, _)| path).collect();
        let mut report = Report::new(before.commit(), judgement, false, |_| true);
        report.held.retain(|held| pushed.contains(&held.refused_commit));
        report.undecided.retain(|path| !undecided.contains(path));
        if report.held.is_empty() && report.undecided.is_empty() {
            report.outcome = Outcome::Accepted;
        }
        report
    }

    /// Reports on a head that could not be judged.
    pub fn refused(base: ObjectId, head: ObjectId, refusal: Refusal, assumed_root: bool) -> Report {
        Report {
            version: VERSION,
            base,
            head,
            outcome: Outcome::Refused,
            error: Some(refusal),
            commits: Vec::new(),
            accepted: BTreeMap::new(),
            held: Vec::new(),
            undecided: Vec::new(),
            assumed_root,
        }
    }
}
