//! Refused content, and how it becomes acceptable.

use super::{A, B, Stage};
use crate::support::app;
use mcpfleet::authorize::{Code, CommitAnswer, ObjectId};

/// Refused work of carol's on app `a`.
fn refused(stage: &Stage) -> ObjectId {
    stage.edit(stage.root, Some(&stage.carol), "a", "carol's")
}

fn vouch(id: ObjectId) -> String {
    format!("Look at it\n\nVouch-For: {id}")
}

#[test]
fn restoring_needs_no_right_and_no_signature() {
    let stage = Stage::new();
    let bad = refused(&stage);
    let restored = stage.edit(bad, None, "a", "1");
    let verdicts = stage.judge(restored);
    assert_eq!(verdicts.answer(restored), CommitAnswer::Accepted);
    verdicts.assert_whole();
    // Only exactly what was accepted is.
    assert_eq!(stage.judge(stage.edit(bad, None, "a", "0")).held(), [A]);
    // And it can be edited again as if nothing had been.
    let next = stage.edit(restored, Some(&stage.bob), "a", "2");
    assert_eq!(stage.judge(next).answer(next), CommitAnswer::Accepted);
}

#[test]
fn nobody_seals_refused_work_unknowingly() {
    let stage = Stage::new();
    let bad = refused(&stage);
    let edit = app("a", "a", "bob's on carol's");
    let unaware = stage.put(bad, Some(&stage.bob), A, Some(&edit));
    assert_eq!(stage.code(unaware), Code::HeldUnderneath);
    stage.judge(unaware).assert(A, Some("1"));
    assert!(stage.judge(unaware).message(unaware).contains(&format!("Vouch-For: {bad}")));

    let aware = stage.repo.commit(&[bad], Some(&stage.bob), &[(A, Some(&edit))], &vouch(bad));
    let verdicts = stage.judge(aware);
    assert_eq!(verdicts.answer(aware), CommitAnswer::Accepted);
    verdicts.assert_whole();

    // To vouch gives no right, and another's id is no vouch.
    let foreign = stage.repo.commit(&[bad], Some(&stage.carol), &[(A, Some(&edit))], &vouch(bad));
    assert_eq!(stage.code(foreign), Code::NotAllowed);
    let other = stage.repo.commit(&[bad], Some(&stage.bob), &[(A, Some(&edit))], &vouch(stage.root));
    assert_eq!(stage.code(other), Code::HeldUnderneath);
}

#[test]
fn an_empty_commit_can_approve_content_as_it_stands() {
    let stage = Stage::new();
    let (a, b) = (app("a", "a", "2"), app("b", "b", "2"));
    let bad = stage.repo.commit(&[stage.root], Some(&stage.dave), &[(A, Some(&a)), (B, Some(&b))], "Both");
    assert_eq!(stage.judge(bad).held(), [A, B]);
    let by = |key| stage.repo.commit(&[bad], Some(key), &[], &vouch(bad));
    let (bob, alice) = (by(&stage.bob), by(&stage.alice));
    assert_eq!(stage.judge(bob).held(), [A, B], "bob has no right to b, and a vouch is whole or nothing");
    stage.judge(alice).assert_whole();
    stage.judge(alice).assert(A, Some("2"));
    // Restored in part, the rest can be vouched for by whoever has the right to it.
    let restored = stage.edit(bad, None, "b", "1");
    let bob = stage.repo.commit(&[restored], Some(&stage.bob), &[], &vouch(bad));
    stage.judge(bob).assert_whole();
}

#[test]
fn the_last_refused_writer_is_the_reason() {
    let stage = Stage::new();
    let first = refused(&stage);
    let second = stage.edit(first, Some(&stage.dave), "a", "dave's");
    let for_first = stage.repo.commit(&[second], Some(&stage.bob), &[], &vouch(first));
    assert_eq!(stage.judge(for_first).held(), [A]);
    let for_second = stage.repo.commit(&[second], Some(&stage.bob), &[], &vouch(second));
    let verdicts = stage.judge(for_second);
    verdicts.assert(A, Some("dave's"));
    verdicts.assert_whole();
}

#[test]
fn a_refused_commit_still_restores_what_it_restores() {
    let stage = Stage::new();
    let bad = refused(&stage);
    let (a, b) = (app("a", "a", "1"), app("b", "b", "x"));
    let mixed = stage.repo.commit(&[bad], Some(&stage.bob), &[(A, Some(&a)), (B, Some(&b))], "Restore a, break b");
    let verdicts = stage.judge(mixed);
    assert_eq!(verdicts.answer(mixed), CommitAnswer::Refused);
    assert_eq!(verdicts.held(), [B]);
    assert_eq!(verdicts.0.state.held()[0].refused_commit, mixed);
}

#[test]
fn held_creations_and_deletions() {
    let stage = Stage::new();
    let created = stage.put(stage.root, Some(&stage.carol), "apps/new.yaml", Some(&app("new", "a", "1")));
    let verdicts = stage.judge(created);
    verdicts.assert("apps/new.yaml", None);
    assert_eq!(verdicts.0.state.held()[0].accepted_blob, None);
    let deleted = stage.put(created, None, A, None);
    let verdicts = stage.judge(deleted);
    verdicts.assert(A, Some("1"));
    assert_eq!(verdicts.0.state.held()[0].head_blob, None);
    assert_eq!(verdicts.held(), [A, "apps/new.yaml"]);
    // The name of a held file is free.
    let taken = stage.put(deleted, Some(&stage.bob), "apps/other.yaml", Some(&app("new", "a", "mine")));
    stage.judge(taken).assert("apps/other.yaml", Some("mine"));
}
