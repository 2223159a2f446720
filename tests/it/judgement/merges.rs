//! Merges: what they may not smuggle in, and what they need nobody for.

use super::{A, B, Stage};
use crate::support::{app, user};
use mcpfleet::authorize::{Code, CommitAnswer, ObjectId};

fn vouch(ids: &[ObjectId]) -> String {
    ids.iter().fold("Merge\n".to_owned(), |text, id| text + &format!("\nVouch-For: {id}"))
}

#[test]
fn a_clean_merge_gives_the_union_and_needs_no_signature() {
    let stage = Stage::new();
    let ours = stage.edit(stage.root, Some(&stage.bob), "a", "2");
    let theirs = stage.edit(stage.root, Some(&stage.carol), "b", "2");
    let b = app("b", "b", "2");
    let merge = stage.merge(&[ours, theirs], None, &[(B, Some(&b))]);
    let verdicts = stage.judge(merge);
    assert_eq!(verdicts.answer(merge), CommitAnswer::NothingToDecide);
    verdicts.assert_whole();
    verdicts.assert(A, Some("2"));
    verdicts.assert(B, Some("2"));
}

#[test]
fn a_merge_that_adds_or_takes_away_decides() {
    let stage = Stage::new();
    let ours = stage.edit(stage.root, Some(&stage.bob), "a", "2");
    let theirs = stage.edit(stage.root, Some(&stage.carol), "b", "2");
    let (evil, b) = (app("a", "a", "evil"), app("b", "b", "2"));
    // Its own content, a fix thrown away ("ours"), the same the other way round.
    for (parents, changes, held) in [
        ([ours, theirs], vec![(A, Some(evil.as_str())), (B, Some(b.as_str()))], A),
        ([ours, theirs], vec![], B),
        ([theirs, ours], vec![], A),
    ] {
        for by in [None, Some(&stage.mallory), Some(&stage.dave)] {
            let merge = stage.merge(&parents, by, &changes);
            let verdicts = stage.judge(merge);
            assert_eq!(verdicts.answer(merge), CommitAnswer::Refused);
            assert_eq!(verdicts.held(), [held]);
            verdicts.assert(A, Some("2"));
            verdicts.assert(B, Some("2"));
        }
    }
    // By whoever has the right it stands.
    let merge = stage.merge(&[ours, theirs], Some(&stage.carol), &[]);
    let verdicts = stage.judge(merge);
    assert_eq!(verdicts.answer(merge), CommitAnswer::Accepted);
    verdicts.assert(B, Some("1"));
}

#[test]
fn refused_work_stays_refused_through_a_merge() {
    let stage = Stage::new();
    let bad = stage.edit(stage.root, Some(&stage.carol), "a", "bad");
    let main = stage.edit(stage.root, Some(&stage.carol), "b", "2");
    let text = app("a", "a", "bad");
    // Nobody decides anything by merging it, not even an administrator, unless they say so.
    for by in [None, Some(&stage.alice)] {
        let merge = stage.merge(&[main, bad], by, &[(A, Some(&text))]);
        let verdicts = stage.judge(merge);
        assert_eq!(verdicts.answer(merge), CommitAnswer::NothingToDecide);
        assert_eq!(verdicts.held(), [A]);
        assert_eq!(verdicts.0.state.held()[0].refused_commit, bad);
        verdicts.assert(A, Some("1"));
    }
    let vouched = |by| stage.repo.commit(&[main, bad], Some(by), &[(A, Some(&text))], &vouch(&[bad]));
    let (alice, carol) = (vouched(&stage.alice), vouched(&stage.carol));
    stage.judge(alice).assert_whole();
    stage.judge(alice).assert(A, Some("bad"));
    assert_eq!(stage.judge(carol).held(), [A]);

    let mut stage = stage;
    stage.rules.merge_approves = true;
    let merge = stage.merge(&[main, bad], Some(&stage.alice), &[(A, Some(&text))]);
    stage.judge(merge).assert(A, Some("bad"));
    let merge = stage.merge(&[main, bad], Some(&stage.carol), &[(A, Some(&text))]);
    assert_eq!(stage.judge(merge).held(), [A]);
}

#[test]
fn new_content_over_refused_content_needs_a_vouch() {
    let stage = Stage::new();
    let bad = stage.edit(stage.root, Some(&stage.carol), "a", "bad");
    let main = stage.edit(stage.root, Some(&stage.carol), "b", "2");
    let mixed = app("a", "a", "mixed");
    let merge = stage.merge(&[main, bad], Some(&stage.bob), &[(A, Some(&mixed))]);
    assert_eq!(stage.code(merge), Code::HeldUnderneath);
    let merge = stage.repo.commit(&[main, bad], Some(&stage.bob), &[(A, Some(&mixed))], &vouch(&[bad]));
    stage.judge(merge).assert(A, Some("mixed"));
}

#[test]
fn what_both_sides_changed_is_for_somebody_with_the_right() {
    let stage = Stage::new();
    let ours = stage.edit(stage.root, Some(&stage.bob), "a", "ours");
    let theirs = stage.edit(stage.root, Some(&stage.alice), "a", "theirs");
    let merge = stage.merge(&[ours, theirs], None, &[]);
    let verdicts = stage.judge(merge);
    assert_eq!(verdicts.codes(merge), [Code::ContestedMerge]);
    assert_eq!((verdicts.undecided(), verdicts.held()), (vec![A.to_owned()], vec![]));
    verdicts.assert(A, Some("1"));
    // Carol may not decide, to take one side is a decision; bob may.
    let later = stage.edit(merge, Some(&stage.carol), "a", "theirs");
    assert_eq!(stage.judge(later).undecided(), [A]);
    let touch = stage.edit(merge, None, "a", "theirs");
    assert_eq!(stage.code(touch), Code::Unsigned);
    let decided = stage.edit(merge, Some(&stage.bob), "a", "theirs");
    stage.judge(decided).assert_whole();
    stage.judge(decided).assert(A, Some("theirs"));
    let approved = stage.repo.commit(&[merge], Some(&stage.bob), &[], &vouch(&[merge]));
    stage.judge(approved).assert(A, Some("ours"));
    // At once by whoever merges.
    let merge = stage.merge(&[ours, theirs], Some(&stage.bob), &[]);
    stage.judge(merge).assert(A, Some("ours"));
    stage.judge(merge).assert_whole();
}

#[test]
fn what_is_undecided_keeps_what_was_in_force() {
    let stage = Stage::new();
    let first = stage.edit(stage.root, Some(&stage.bob), "a", "2");
    let ours = stage.edit(first, Some(&stage.bob), "a", "ours");
    let theirs = stage.edit(first, Some(&stage.alice), "a", "theirs");
    let merge = stage.merge(&[ours, theirs], None, &[]);
    let later = stage.edit(merge, Some(&stage.carol), "b", "2");
    stage.judge_from(first, later).assert(A, Some("2"));
    stage.judge_from(first, later).assert(B, Some("2"));
}

#[test]
fn a_revocation_binds_concurrent_work() {
    let stage = Stage::new();
    let revoked = user("bob", &[&stage.bob], &[]);
    let main = stage.put(stage.root, Some(&stage.alice), "users/bob.yaml", Some(&revoked));
    let work = stage.edit(stage.root, Some(&stage.bob), "a", "late");
    let (a, u) = (app("a", "a", "late"), ("users/bob.yaml", Some(revoked.as_str())));
    // In either order of the parents, merged by anybody without the right.
    for (parents, changes) in [([main, work], (A, Some(a.as_str()))), ([work, main], u)] {
        for by in [None, Some(&stage.carol)] {
            let merge = stage.merge(&parents, by, &[changes]);
            let verdicts = stage.judge(merge);
            assert_eq!(verdicts.answer(work), CommitAnswer::Accepted, "on its own line");
            verdicts.assert(A, Some("1"));
            verdicts.assert("users/bob.yaml", Some("bob "));
            let next = stage.edit(merge, Some(&stage.bob), "a", "later");
            assert_eq!(stage.judge(next).codes(next), [Code::NotAllowed]);
        }
    }
    let merge = stage.repo.commit(&[main, work], Some(&stage.alice), &[(A, Some(&a))], &vouch(&[work]));
    stage.judge(merge).assert(A, Some("late"));
}

#[test]
fn a_revoked_authors_branch_merged_into_a_longer_history() {
    let stage = Stage::new();
    let revoked = user("bob", &[&stage.bob], &[]);
    let work = stage.edit(stage.root, Some(&stage.bob), "a", "late");
    let more = stage.put(work, Some(&stage.bob), "apps/new.yaml", Some(&app("new", "a", "1")));
    let main = stage.put(stage.root, Some(&stage.alice), "users/bob.yaml", Some(&revoked));
    let main = stage.edit(main, Some(&stage.carol), "b", "2");
    let (a, new) = (app("a", "a", "late"), app("new", "a", "1"));
    let merge = stage.merge(&[main, more], Some(&stage.carol), &[(A, Some(&a)), ("apps/new.yaml", Some(&new))]);
    let verdicts = stage.judge(merge);
    verdicts.assert(A, Some("1"));
    verdicts.assert("apps/new.yaml", None);
    verdicts.assert(B, Some("2"));
}

#[test]
fn an_old_side_branch_rolls_nothing_back() {
    let stage = Stage::new();
    let two = stage.edit(stage.root, Some(&stage.bob), "a", "2");
    let three = stage.edit(two, Some(&stage.bob), "a", "3");
    // A branch from before the base, signed at the time by its author.
    let old = stage.edit(stage.root, Some(&stage.bob), "a", "0");
    let text = app("a", "a", "0");
    for base in [stage.root, three] {
        let merge = stage.merge(&[three, old], None, &[(A, Some(&text))]);
        stage.judge_from(base, merge).assert(A, if base == three { Some("3") } else { Some("1") });
        assert_eq!(stage.judge_from(base, merge).answer(merge), CommitAnswer::Refused);
        let ours = stage.merge(&[three, old], None, &[]);
        if base == three {
            stage.judge_from(base, ours).assert_whole();
        }
    }
}

#[test]
fn old_lines_are_judged_where_they_are_merged() {
    let stage = Stage::new();
    let base = stage.edit(stage.root, Some(&stage.bob), "a", "2");
    let good = stage.edit(stage.root, Some(&stage.carol), "b", "old");
    let bad = stage.put(good, Some(&stage.carol), "apps/evil.yaml", Some(&app("evil", "a", "1")));
    let on_bad = stage.put(bad, Some(&stage.alice), "apps/evil.yaml", Some(&app("evil", "a", "2")));
    let (b, one, two) = (app("b", "b", "old"), app("evil", "a", "1"), app("evil", "a", "2"));
    let merge = stage.merge(&[base, bad], None, &[(B, Some(&b)), ("apps/evil.yaml", Some(&one))]);
    let verdicts = stage.judge_from(base, merge);
    verdicts.assert(B, Some("old"));
    verdicts.assert("apps/evil.yaml", None);
    assert_eq!(verdicts.answer(good), CommitAnswer::Accepted);
    assert_eq!(verdicts.codes(bad), [Code::NotAllowed]);
    assert_eq!(verdicts.0.state.held()[0].refused_commit, bad);
    // What builds on it is skipped as well, even by an administrator, without a vouch.
    let merge = stage.merge(&[base, on_bad], None, &[(B, Some(&b)), ("apps/evil.yaml", Some(&two))]);
    let verdicts = stage.judge_from(base, merge);
    assert_eq!(verdicts.codes(on_bad), [Code::HeldUnderneath]);
    assert_eq!(verdicts.held(), ["apps/evil.yaml"]);
}

#[test]
fn an_evil_merge_inside_an_old_branch_is_seen() {
    let stage = Stage::new();
    let base = stage.edit(stage.root, Some(&stage.alice), "a", "2");
    let left = stage.edit(stage.root, Some(&stage.carol), "b", "2");
    let right = stage.put(stage.root, Some(&stage.bob), "apps/c.yaml", Some(&app("c", "a", "1")));
    let (b, c, evil) = (app("b", "b", "2"), app("c", "a", "1"), app("b", "b", "evil"));
    let honest = stage.merge(&[left, right], None, &[("apps/c.yaml", Some(&c))]);
    let merge = stage.merge(&[base, honest], None, &[(B, Some(&b)), ("apps/c.yaml", Some(&c))]);
    stage.judge_from(base, merge).assert_whole();
    let dishonest = stage.merge(&[left, right], None, &[("apps/c.yaml", Some(&c)), (B, Some(&evil))]);
    let merge = stage.merge(&[base, dishonest], None, &[(B, Some(&evil)), ("apps/c.yaml", Some(&c))]);
    let verdicts = stage.judge_from(base, merge);
    assert_eq!(verdicts.codes(dishonest), [Code::Unsigned]);
    verdicts.assert(B, Some("2"));
    assert_eq!(verdicts.held(), [B]);
}

/// The rule that a replayed change applies only where what it started from is still there.
#[test]
fn a_replayed_change_applies_only_where_what_it_started_from_is_current() {
    let stage = Stage::new();
    // On the branch a goes from 1 to 2; main went from 1 to 9 meanwhile.
    let branch = stage.edit(stage.root, Some(&stage.bob), "a", "2");
    let main = stage.edit(stage.root, Some(&stage.bob), "a", "9");
    let main = stage.edit(main, Some(&stage.carol), "b", "2");
    let taken = app("a", "a", "2");
    let merge = stage.merge(&[main, branch], None, &[(A, Some(&taken))]);
    let verdicts = stage.judge(merge);
    assert_eq!(verdicts.codes(merge), [Code::ContestedMerge]);
    // From a base on main it is an old line, and main has it.
    let verdicts = stage.judge_from(main, merge);
    verdicts.assert(A, Some("9"));
    assert_eq!(verdicts.answer(branch), CommitAnswer::Accepted);
    assert_eq!(verdicts.answer(merge), CommitAnswer::Refused);
}

#[test]
fn sides_that_cannot_both_be_true() {
    let stage = Stage::new();
    // Both sides make an app of the same name: each is fine, together they are not.
    let ours = stage.put(stage.root, Some(&stage.bob), "apps/one.yaml", Some(&app("x", "a", "1")));
    let text = app("x", "a", "2");
    let theirs = stage.put(stage.root, Some(&stage.bob), "apps/two.yaml", Some(&text));
    let merge = stage.merge(&[ours, theirs], None, &[("apps/two.yaml", Some(&text))]);
    let verdicts = stage.judge(merge);
    let names: Vec<_> =
        ["apps/one.yaml", "apps/two.yaml"].iter().filter(|path| verdicts.value(path).is_some()).collect();
    assert!(names.len() <= 1, "{names:?}");
    assert_eq!(verdicts.undecided(), ["apps/one.yaml", "apps/two.yaml"]);
    // Both sides take the other's administrator away.
    let two =
        stage.put(stage.root, Some(&stage.alice), "users/bob.yaml", Some(&user("bob", &[&stage.bob], &["admin"])));
    let without_alice = stage.put(two, Some(&stage.bob), "users/alice.yaml", None);
    let without_bob = stage.put(two, Some(&stage.alice), "users/bob.yaml", None);
    let merge = stage.merge(&[without_alice, without_bob], None, &[("users/bob.yaml", None)]);
    let verdicts = stage.judge(merge);
    assert!(verdicts.value("users/alice.yaml").is_some() || verdicts.value("users/bob.yaml").is_some());
}

#[test]
fn many_parents_and_crossings() {
    let stage = Stage::new();
    let a = stage.edit(stage.root, Some(&stage.bob), "a", "2");
    let b = stage.edit(stage.root, Some(&stage.carol), "b", "2");
    let x = stage.put(stage.root, Some(&stage.dave), "apps/team-a/x.yaml", Some(&app("x", "b", "1")));
    let (ta, tb, tx) = (app("a", "a", "2"), app("b", "b", "2"), app("x", "b", "1"));
    let octopus = stage.merge(&[a, b, x], None, &[(B, Some(&tb)), ("apps/team-a/x.yaml", Some(&tx))]);
    stage.judge(octopus).assert_whole();
    let evil = stage.merge(&[a, b, x], None, &[("apps/team-a/x.yaml", Some(&tx))]);
    assert_eq!(stage.judge(evil).held(), [B]);
    // Criss-cross: both sides merged the other, then went on, then meet.
    let left = stage.merge(&[a, b], None, &[(B, Some(&tb))]);
    let right = stage.merge(&[b, a], None, &[(A, Some(&ta))]);
    let left = stage.edit(left, Some(&stage.bob), "a", "3");
    let right = stage.edit(right, Some(&stage.carol), "b", "3");
    let tb = app("b", "b", "3");
    let meet = stage.merge(&[left, right], None, &[(B, Some(&tb))]);
    let verdicts = stage.judge(meet);
    assert_eq!(verdicts.answer(meet), CommitAnswer::NothingToDecide);
    verdicts.assert_whole();
    verdicts.assert(A, Some("3"));
    verdicts.assert(B, Some("3"));
}

#[test]
fn a_parent_that_another_contains_counts_for_nothing() {
    let stage = Stage::new();
    let one = stage.edit(stage.root, Some(&stage.bob), "a", "2");
    let two = stage.edit(one, Some(&stage.bob), "a", "3");
    let text = app("a", "a", "3");
    let merge = stage.merge(&[one, two], None, &[(A, Some(&text))]);
    stage.judge(merge).assert_whole();
    let back = stage.merge(&[one, two], None, &[]);
    assert_eq!(stage.judge(back).held(), [A], "the older parent's content is a rollback");
    let twice = stage.merge(&[two, two], None, &[]);
    stage.judge(twice).assert_whole();
}

#[test]
fn of_what_an_old_branch_brings_policy_comes_first() {
    let stage = Stage::new();
    let revoked = user("bob", &[&stage.bob], &[]);
    let base = stage.edit(stage.root, Some(&stage.carol), "b", "2");
    let work = stage.edit(stage.root, Some(&stage.bob), "a", "2");
    let revocation = stage.put(stage.root, Some(&stage.alice), "users/bob.yaml", Some(&revoked));
    let (a, u) = ((A, Some(app("a", "a", "2"))), ("users/bob.yaml", Some(revoked.as_str())));
    // The work comes first in the branch, and was made at the same time.
    let old = stage.merge(&[work, revocation], None, &[u]);
    let merge = stage.merge(&[base, old], None, &[(a.0, a.1.as_deref()), u]);
    let verdicts = stage.judge_from(base, merge);
    assert_eq!(verdicts.codes(work), [Code::NotAllowed]);
    verdicts.assert(A, Some("1"));
    verdicts.assert("users/bob.yaml", Some("bob "));
}

#[test]
fn refused_content_of_an_undecided_path_is_no_policy_after_a_restart() {
    let stage = Stage::new();
    let ours = stage.edit(stage.root, Some(&stage.carol), "b", "ours");
    let theirs = stage.edit(stage.root, Some(&stage.carol), "b", "theirs");
    let intruder = user("mallory", &[&stage.mallory], &["admin"]);
    let merge = stage.merge(&[ours, theirs], None, &[(B, Some(&intruder))]);
    // The stage compares the policy before and after.
    assert_eq!(stage.judge(merge).undecided(), [B]);
}

#[test]
fn in_an_old_branch_new_content_over_refused_content_needs_a_vouch() {
    let stage = Stage::new();
    let base = stage.edit(stage.root, Some(&stage.carol), "b", "2");
    let bad = stage.edit(stage.root, Some(&stage.carol), "a", "bad");
    let good = stage.edit(stage.root, Some(&stage.bob), "a", "2");
    let (mixed, b) = (app("a", "a", "mixed"), app("b", "b", "2"));
    let old = stage.merge(&[good, bad], Some(&stage.bob), &[(A, Some(&mixed))]);
    let merge = stage.merge(&[base, old], None, &[(A, Some(&mixed)), (B, Some(&b))]);
    let verdicts = stage.judge_from(base, merge);
    assert_eq!(verdicts.codes(old), [Code::HeldUnderneath]);
    assert_ne!(verdicts.value(A).as_deref(), Some("mixed"));
}

#[test]
fn what_builds_on_refused_work_that_was_merged_before_needs_a_vouch() {
    let stage = Stage::new();
    let base = stage.edit(stage.root, Some(&stage.alice), "b", "2");
    let bad = stage.edit(stage.root, Some(&stage.carol), "a", "bad");
    let (text, next, b) = (app("a", "a", "bad"), app("a", "a", "next"), app("b", "b", "2"));
    let first = stage.merge(&[base, bad], None, &[(A, Some(&text))]);
    assert_eq!(stage.judge_from(base, first).held(), [A]);
    let on_bad = stage.edit(bad, Some(&stage.bob), "a", "next");
    let merge = stage.merge(&[first, on_bad], Some(&stage.bob), &[(A, Some(&next)), (B, Some(&b))]);
    let verdicts = stage.judge_from(base, merge);
    assert_eq!(verdicts.codes(on_bad), [Code::HeldUnderneath]);
    verdicts.assert(A, Some("1"));
}

#[test]
fn a_change_of_policy_that_is_refused_leads_nothing() {
    let stage = Stage::new();
    let revoked = user("bob", &[&stage.bob], &[]);
    let base = stage.edit(stage.root, Some(&stage.carol), "b", "2");
    let work = stage.edit(stage.root, Some(&stage.bob), "a", "2");
    let lead = stage.put(work, None, "users/x.yaml", Some(&user("x", &[], &[])));
    let revocation = stage.put(stage.root, Some(&stage.alice), "users/bob.yaml", Some(&revoked));
    let (a, x, b) = (app("a", "a", "2"), user("x", &[], &[]), app("b", "b", "2"));
    let u = ("users/bob.yaml", Some(revoked.as_str()));
    let old = stage.merge(&[lead, revocation], None, &[u]);
    let merge = stage.merge(&[base, old], None, &[(A, Some(&a)), (B, Some(&b)), ("users/x.yaml", Some(&x)), u]);
    let verdicts = stage.judge_from(base, merge);
    assert_eq!(verdicts.codes(work), [Code::NotAllowed]);
    verdicts.assert(A, Some("1"));
}

#[test]
fn what_is_in_force_at_an_undecided_path_takes_nobodys_name() {
    let stage = Stage::new();
    let base = stage.put(stage.root, Some(&stage.bob), "apps/p.yaml", Some(&app("x", "a", "bob's")));
    let ours = stage.put(base, Some(&stage.bob), "apps/p.yaml", None);
    let theirs = stage.put(base, Some(&stage.bob), "apps/p.yaml", Some(&app("y", "a", "1")));
    let merge = stage.merge(&[ours, theirs], None, &[]);
    stage.judge_from(base, merge).assert("apps/p.yaml", Some("bob's"));
    let taken = stage.put(merge, Some(&stage.carol), "apps/q.yaml", Some(&app("x", "b", "carol's")));
    let verdicts = stage.judge_from(base, taken);
    verdicts.assert("apps/q.yaml", Some("carol's"));
    verdicts.assert("apps/p.yaml", None);
}

#[test]
fn an_old_ladder_of_crossings_ends_in_time() {
    let stage = Stage::new();
    let base = stage.edit(stage.root, Some(&stage.carol), "b", "2");
    let mut level: Vec<ObjectId> =
        (0..5).map(|n| stage.edit(stage.root, None, "a", if n == 0 { "x" } else { "y" })).collect();
    for depth in 0..12 {
        let text = |n: usize| app("a", "a", if (n == 0) == (depth % 2 == 1) { "x" } else { "y" });
        level = (0..5).map(|n| stage.merge(&level, None, &[(A, Some(&text(n)))])).collect();
    }
    let top = stage.merge(&level, None, &[]);
    let (a, b) = (app("a", "a", "x"), app("b", "b", "2"));
    let merge = stage.merge(&[base, top], None, &[(A, Some(&a)), (B, Some(&b))]);
    stage.judge_from(base, merge).assert(A, Some("1"));
}

#[test]
fn refused_content_keeps_its_mark_for_every_child() {
    let stage = Stage::new();
    let base = stage.edit(stage.root, Some(&stage.carol), "b", "2");
    let bad = stage.edit(stage.root, Some(&stage.carol), "a", "bad");
    let other = stage.put(bad, Some(&stage.dave), "apps/team-a/x.yaml", Some(&app("x", "b", "1")));
    let on_bad = stage.edit(bad, Some(&stage.bob), "a", "next");
    let (a, b) = (app("a", "a", "next"), app("b", "b", "2"));
    // Whichever side is gone through first.
    for parents in [[base, other, on_bad], [base, on_bad, other]] {
        let x = app("x", "b", "1");
        let changes = [(A, Some(a.as_str())), (B, Some(b.as_str())), ("apps/team-a/x.yaml", Some(x.as_str()))];
        let verdicts = stage.judge_from(base, stage.merge(&parents, None, &changes));
        assert_eq!(verdicts.codes(on_bad), [Code::HeldUnderneath]);
        verdicts.assert(A, Some("1"));
    }
}
