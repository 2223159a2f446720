//! Which commit wrote what a merge brings, where sides wrote one thing and another.

use super::{A, B, Stage};
use crate::support::{app, user};
use mcpfleet::authorize::{Code, CommitAnswer, ObjectId};

const BOB: &str = "users/bob.yaml";

/// A line that is older than the base, on which bob's roles are taken away twice, once on each of two sides, and bob gives
/// himself one back on one of them, in `grant`. `head` merges the sides again, and has what bob wrote.
struct Branch {
    grant: ObjectId,
    head: ObjectId,
}

/// The sides in the order in which `grant_first` says that the merge names them.
fn branch(stage: &Stage, grant_first: bool) -> Branch {
    let (alice, bob) = (Some(&stage.alice), Some(&stage.bob));
    let (without, with) = (user("bob", &[&stage.bob], &[]), user("bob", &[&stage.bob], &["team-a"]));
    let put = |on: &[ObjectId], by, text: &str, message| stage.repo.commit(on, by, &[(BOB, Some(text))], message);
    let one = put(&[stage.root], alice, &without, "Take bob's roles away");
    let two = put(&[stage.root], alice, &without, "Take them away here too");
    let both = stage.merge(&[one, two], None, &[]);
    let grant = put(&[one], bob, &with, "Take them back");
    let on_both = stage.edit(both, alice, "a", "2");
    let text = app("a", "a", "2");
    let head = match grant_first {
        true => stage.merge(&[grant, on_both], alice, &[(A, Some(&text))]),
        false => stage.merge(&[on_both, grant], alice, &[(BOB, Some(&with))]),
    };
    Branch { grant, head }
}

#[test]
fn an_administrators_merge_seals_nothing_that_another_was_refused() {
    for grant_first in [true, false] {
        let stage = Stage::new();
        let base = stage.edit(stage.root, Some(&stage.carol), "b", "2");
        let branch = branch(&stage, grant_first);
        let b = app("b", "b", "2");
        let merged =
            |message: &str| stage.repo.commit(&[branch.head, base], Some(&stage.alice), &[(B, Some(&b))], message);

        let merge = merged("Merge");
        let verdicts = stage.judge_from(base, merge);
        assert_eq!(verdicts.answer(branch.grant), CommitAnswer::Refused);
        assert_eq!(verdicts.answer(merge), CommitAnswer::NothingToDecide);
        assert_eq!(verdicts.0.state.held()[0].refused_commit, branch.grant);
        verdicts.assert(BOB, Some("bob "));
        verdicts.assert(A, Some("2"));

        // It is for the administrator to say so.
        let merge = merged(&format!("Merge\n\nVouch-For: {}", branch.grant));
        let verdicts = stage.judge_from(base, merge);
        verdicts.assert_whole();
        verdicts.assert(BOB, Some("bob team-a"));
    }
}

#[test]
fn what_was_written_by_right_counts_though_a_side_that_came_to_nothing_wrote_the_same() {
    let stage = Stage::new();
    let base = stage.edit(stage.root, Some(&stage.carol), "b", "2");
    // Bob makes app a the second; carol, who may not, did so too, and took it back.
    let right = stage.edit(stage.root, Some(&stage.bob), "a", "2");
    let wrong = stage.edit(stage.root, Some(&stage.carol), "a", "2");
    let taken_back = stage.edit(wrong, Some(&stage.carol), "a", "1");
    let (a, b) = (app("a", "a", "2"), app("b", "b", "2"));
    for sides in [[right, taken_back], [taken_back, right]] {
        let old = stage.merge(&sides, None, &[(A, Some(&a))]);
        // The line has something else by now, so that whoever merges must decide.
        let line = stage.edit(base, Some(&stage.bob), "a", "3");
        let merge = stage.merge(&[line, old], Some(&stage.bob), &[(A, Some(&a)), (B, Some(&b))]);
        let verdicts = stage.judge_from(base, merge);
        assert_eq!(verdicts.answer(wrong), CommitAnswer::Refused);
        assert_eq!(verdicts.answer(merge), CommitAnswer::Accepted, "{:#?}", verdicts.0.commits);
        verdicts.assert(A, Some("2"));
    }
}

#[test]
fn in_an_old_branch_too_a_parent_that_another_contains_counts_for_nothing() {
    let stage = Stage::new();
    // Carol's app is gone, and bob makes one of his own in its place.
    let gone = stage.put(stage.root, Some(&stage.carol), B, None);
    let base = stage.edit(gone, Some(&stage.bob), "a", "2");
    let (a, own) = (app("a", "a", "2"), app("b", "a", "bob's"));
    for parents in [[gone, stage.root], [stage.root, gone]] {
        let old = stage.merge(&parents, Some(&stage.bob), &[(B, Some(&own))]);
        let verdicts = stage.judge_from(base, stage.merge(&[base, old], None, &[(A, Some(&a)), (B, Some(&own))]));
        assert_eq!(verdicts.answer(old), CommitAnswer::Accepted);
        verdicts.assert_whole();
        verdicts.assert(B, Some("bob's"));
    }
}

#[test]
fn of_several_who_wrote_the_same_refused_content_each_is_remembered() {
    let stage = Stage::new();
    let base = stage.edit(stage.root, Some(&stage.alice), "b", "2");
    let (text, next, b) = (app("a", "a", "bad"), app("a", "a", "next"), app("b", "b", "2"));
    let refused = ["One", "Two"]
        .map(|message| stage.repo.commit(&[stage.root], Some(&stage.carol), &[(A, Some(&text))], message));
    let first = stage.merge(&[base, refused[0], refused[1]], None, &[(A, Some(&text))]);
    assert_eq!(stage.judge_from(base, first).held(), [A]);
    for bad in refused {
        let on_bad = stage.edit(bad, Some(&stage.bob), "a", "next");
        let merge = stage.merge(&[first, on_bad], Some(&stage.bob), &[(A, Some(&next)), (B, Some(&b))]);
        let verdicts = stage.judge_from(base, merge);
        assert_eq!(verdicts.codes(on_bad), [Code::HeldUnderneath]);
        verdicts.assert(A, Some("1"));
    }
}
