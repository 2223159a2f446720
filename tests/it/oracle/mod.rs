//! The judgement of random histories, held against one that was written from the rules alone.

mod history;
mod judge;
mod objects;
mod properties;
mod world;

use globset::{Glob, GlobSetBuilder};
use history::{History, histories};
use judge::{Oracle, Reasons};
use mcpfleet::authorize::{Cache, CommitAnswer, Identity, Judge, ObjectId, Report, Rules, State};
use objects::Memory;
use proptest::prelude::*;
use std::{cell::Cell, collections::BTreeMap};
use world::PATHS;

/// What is said of a head, in the words of both.
#[derive(Debug, PartialEq)]
struct Said {
    /// Of the files that are decided.
    accepted: BTreeMap<&'static str, Option<ObjectId>>,
    /// With the commit that is the reason.
    held: BTreeMap<&'static str, Reasons>,
    /// With the commit that is the reason.
    undecided: BTreeMap<&'static str, Reasons>,
    /// Whether the head itself was refused.
    refused: bool,
}

fn rules(identity: Identity) -> Rules {
    let mut managed = GlobSetBuilder::new();
    managed.add(Glob::new("**/*.yaml").expect("a glob"));
    Rules {
        identity,
        managed: managed.build().expect("globs"),
        fixed_policy: None,
        forge_keys: Vec::new(),
        root_keys: Vec::new(),
        denied_keys: Vec::new(),
        merge_approves: false,
        max_commits: 1000,
    }
}

thread_local! {
    /// The histories are as if in one repository: what has the same name is the same.
    static CACHE: Cell<Cache> = Cell::default();
}

/// What the engine says of all heads that descend from the base.
struct Judged {
    ids: Vec<ObjectId>,
    reports: BTreeMap<usize, Report>,
    states: BTreeMap<usize, State>,
}

impl Judged {
    fn of(history: &History, signed: bool) -> Judged {
        let memory = Memory::of(history, signed);
        let rules = rules(if signed { Identity::Signature } else { Identity::Author });
        let mut cache = CACHE.take();
        let mut judge = Judge::new(&memory, &rules, &mut cache);
        let root = judge.root(memory.commits[history.base]).expect("a root");
        let heads = (0..history.commits.len()).filter(|commit| history.is_trusted(*commit));
        let report = |head: usize| {
            let judgement = judge.advance(&root, memory.commits[head]).expect("a judgement");
            ((head, Report::new(root.commit(), &judgement, false, |_| true)), (head, judgement.state))
        };
        let (reports, states) = heads.map(report).unzip();
        CACHE.set(cache);
        Judged { ids: memory.commits, reports, states }
    }

    /// The heads that were judged.
    fn heads(&self) -> impl Iterator<Item = usize> {
        self.reports.keys().copied()
    }

    fn index(&self, id: ObjectId) -> usize {
        self.ids.iter().position(|other| *other == id).expect("a commit of the history")
    }

    fn said(&self, head: usize) -> Said {
        let report = &self.reports[&head];
        let path_of = |path: &str| PATHS.into_iter().find(|other| *other == path).expect("a path that changes");
        let reason = |commit: ObjectId| -> Reasons { [self.index(commit)].into() };
        let undecided: BTreeMap<_, _> =
            self.states[&head].undecided().map(|(path, commit)| (path_of(path), reason(commit))).collect();
        let accepted = |path: &str| report.accepted.get(path).and_then(|accepted| accepted.blob);
        Said {
            accepted: PATHS.into_iter().filter(|p| !undecided.contains_key(p)).map(|p| (p, accepted(p))).collect(),
            held: report.held.iter().map(|held| (path_of(&held.path), reason(held.refused_commit))).collect(),
            undecided,
            refused: report.commits.iter().any(|c| c.id == self.ids[head] && c.verdict == CommitAnswer::Refused),
        }
    }
}

fn said_by_oracle(oracle: &Oracle, head: usize) -> Said {
    let verdict = oracle.verdict(head);
    let mut said = Said {
        accepted: BTreeMap::new(),
        held: BTreeMap::new(),
        undecided: BTreeMap::new(),
        refused: !verdict.accepted,
    };
    for (path, name) in PATHS.into_iter().enumerate() {
        let candidates: Vec<_> = verdict.state.candidates(path).into_iter().collect();
        match &candidates[..] {
            [one] => {
                said.accepted.insert(name, Memory::blob_of(path, *one));
                let reasons = verdict.state.reasons[path].clone();
                said.held.extend((!reasons.is_empty()).then_some((name, reasons)));
            }
            _ => {
                said.undecided.insert(name, verdict.state.reasons[path].clone());
            }
        }
    }
    said
}

/// Whether two maps say the same of these paths.
fn agree_on_paths<T: PartialEq>(a: &BTreeMap<&str, T>, b: &BTreeMap<&str, T>, paths: &[usize]) -> bool {
    paths.iter().all(|path| a.get(PATHS[*path]) == b.get(PATHS[*path]))
}

fn agree(history: &History, signed: bool) -> Result<(), TestCaseError> {
    let oracle = Oracle::new(history);
    prop_assume!(!oracle.is_unsettled());
    let judged = Judged::of(history, signed);
    for head in judged.heads() {
        let expected = said_by_oracle(&oracle, head);
        let mut said = judged.said(head);
        // Of several commits that wrote the same, any may be called the reason.
        for (path, reasons) in said.held.iter_mut().chain(&mut said.undecided) {
            let of_path = expected.held.get(path).or(expected.undecided.get(path));
            if let Some(expected) = of_path.filter(|expected| reasons.is_subset(expected)) {
                *reasons = expected.clone();
            }
        }
        prop_assert_eq!(
            said,
            expected,
            "engine (left) and oracle (right) disagree on commit {} of {:?}\n{:#?}",
            head,
            history,
            judged.reports[&head].commits
        );
    }
    Ok(())
}

/// As many times as usual, and more, with other histories each time. One on which they disagree is shown, and is worth a
/// test of its own in `judgement`.
fn times(factor: u32) -> ProptestConfig {
    let usual = ProptestConfig::default();
    let cases = factor * usual.cases;
    let (max_global_rejects, max_shrink_iters) = (cases, 20_000);
    ProptestConfig { cases, max_global_rejects, max_shrink_iters, failure_persistence: None, ..usual }
}

proptest! {
    #![proptest_config(times(6))]

    #[test]
    fn the_engine_agrees_with_the_rules(history in histories(12)) {
        agree(&history, false)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..times(1) })]

    #[test]
    fn so_it_does_where_commits_are_signed(history in histories(8)) {
        agree(&history, true)?;
    }
}
