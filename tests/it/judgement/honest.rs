//! The honest ways in which people work: nothing of it may be in anybody's way.

use super::{A, B, Stage};
use crate::support::{Draft, Key, app, user};
use mcpfleet::authorize::{CommitAnswer, signature::SigningKey};

#[test]
fn a_pull_request_merged_by_the_forge() {
    let stage = Stage::new();
    let work = stage.edit(stage.root, Some(&stage.bob), "a", "2");
    let main = stage.edit(stage.root, Some(&stage.carol), "b", "2");
    // The forge signs with a key that is no user's.
    let forge = Key::new("web-flow");
    let a = app("a", "a", "2");
    let merge = stage.merge(&[main, work], Some(&forge), &[(A, Some(&a))]);
    stage.judge(merge).assert_whole();
}

#[test]
fn a_pull_request_updated_from_main_and_merged() {
    let stage = Stage::new();
    let main = stage.edit(stage.root, Some(&stage.carol), "b", "2");
    let work = stage.edit(stage.root, Some(&stage.bob), "a", "2");
    let b = app("b", "b", "2");
    let updated = stage.merge(&[work, main], Some(&stage.bob), &[(B, Some(&b))]);
    let work = stage.edit(updated, Some(&stage.bob), "a", "3");
    let main = stage.edit(main, Some(&stage.carol), "b", "3");
    let a = app("a", "a", "3");
    let merge = stage.merge(&[main, work], None, &[(A, Some(&a))]);
    let verdicts = stage.judge(merge);
    verdicts.assert_whole();
    verdicts.assert(B, Some("3"));
    assert_eq!(verdicts.answer(updated), CommitAnswer::NothingToDecide);
    // Main being where trust is, the work is an old line.
    stage.judge_from(main, merge).assert_whole();
}

#[test]
fn a_squash_through_a_forge_key() {
    let mut stage = Stage::new();
    let forge = Key::new("web-flow");
    stage.rules.forge_keys = vec![SigningKey::parse(&forge.public()).expect("a key")];
    let a = app("a", "a", "2");
    let squash = stage.repo.commit_draft(&Draft {
        parents: &[stage.root],
        signer: Some(&forge),
        author: "Bob <bob@example.com>",
        changes: &[(A, Some(&a))],
        entries: &[],
        message: "Change a (#1)",
    });
    stage.judge(squash).assert_whole();
}

#[test]
fn a_release_branch_merged_back() {
    let stage = Stage::new();
    let release = stage.edit(stage.root, Some(&stage.bob), "a", "fix");
    let main = stage.edit(stage.root, Some(&stage.carol), "b", "2");
    let main = stage.edit(main, Some(&stage.carol), "b", "3");
    let a = app("a", "a", "fix");
    let back = stage.merge(&[main, release], None, &[(A, Some(&a))]);
    let release = stage.edit(release, Some(&stage.bob), "a", "fix 2");
    let a = app("a", "a", "fix 2");
    let again = stage.merge(&[back, release], None, &[(A, Some(&a))]);
    let verdicts = stage.judge(again);
    verdicts.assert_whole();
    verdicts.assert(A, Some("fix 2"));
    verdicts.assert(B, Some("3"));
}

#[test]
fn a_signed_revert_and_an_unsigned_restore() {
    let stage = Stage::new();
    let work = stage.edit(stage.root, Some(&stage.bob), "a", "2");
    let revert = stage.edit(work, Some(&stage.bob), "a", "1");
    stage.judge(revert).assert_whole();
    stage.judge(revert).assert(A, Some("1"));
    // What was accepted needs a right to be reverted; what was refused needs none.
    assert_eq!(stage.judge(stage.edit(work, None, "a", "1")).held(), [A]);
    let refused = stage.edit(work, Some(&stage.carol), "a", "3");
    stage.judge(stage.edit(refused, None, "a", "2")).assert_whole();
}

#[test]
fn a_bot_has_a_user_of_its_own() {
    let stage = Stage::new();
    let bot = Key::new("renovate");
    let user = user("renovate", &[&bot], &["team-a"]);
    let main = stage.put(stage.root, Some(&stage.alice), "users/renovate.yaml", Some(&user));
    let bump = stage.edit(main, Some(&bot), "a", "1.2.4");
    assert_eq!(stage.judge(bump).signer(bump), Some("renovate"));
    stage.judge(bump).assert_whole();
}

#[test]
fn grant_then_use_on_a_branch() {
    let stage = Stage::new();
    let both = user("bob", &[&stage.bob], &["team-a", "team-b"]);
    let grant = stage.put(stage.root, Some(&stage.alice), "users/bob.yaml", Some(&both));
    let using = stage.edit(grant, Some(&stage.bob), "b", "2");
    let main = stage.edit(stage.root, Some(&stage.alice), "a", "2");
    let b = app("b", "b", "2");
    let merge = stage.merge(&[main, using], None, &[(B, Some(&b)), ("users/bob.yaml", Some(&both))]);
    let verdicts = stage.judge(merge);
    verdicts.assert_whole();
    verdicts.assert(B, Some("2"));
}

#[test]
fn a_branch_forked_before_a_grant() {
    let stage = Stage::new();
    let both = user("bob", &[&stage.bob], &["team-a", "team-b"]);
    // Main grants; the branch that was forked before takes it over, and then uses it.
    let branch = stage.edit(stage.root, Some(&stage.bob), "a", "2");
    let grant = stage.put(stage.root, Some(&stage.alice), "users/bob.yaml", Some(&both));
    let updated = stage.merge(&[branch, grant], None, &[("users/bob.yaml", Some(&both))]);
    let using = stage.edit(updated, Some(&stage.bob), "b", "2");
    let (a, b) = (app("a", "a", "2"), app("b", "b", "2"));
    let merge = stage.merge(&[grant, using], None, &[(A, Some(&a)), (B, Some(&b))]);
    stage.judge(merge).assert_whole();
    stage.judge(merge).assert(B, Some("2"));
    // A grant in the base covers what was made before it, too.
    let early = stage.edit(stage.root, Some(&stage.bob), "b", "early");
    let b = app("b", "b", "early");
    let merge = stage.merge(&[grant, early], None, &[(B, Some(&b))]);
    stage.judge_from(grant, merge).assert(B, Some("early"));
    assert_eq!(stage.judge(merge).held(), [B], "without the base it was no right when it was made");
}
