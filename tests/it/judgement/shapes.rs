//! Strange histories, trees and contents.

use super::{A, B, Stage};
use crate::support::app;
use git2::FileMode;
use mcpfleet::authorize::{Code, CommitAnswer, Failure, ObjectId};

fn refusal(stage: &Stage, base: ObjectId, head: ObjectId) -> Code {
    match stage.try_judge(base, head) {
        Err(Failure::Refused(refusal)) => refusal.code,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was judged"),
    }
}

#[test]
fn history_goes_on_from_the_base_or_nothing_moves() {
    let stage = Stage::new();
    let base = stage.edit(stage.root, Some(&stage.bob), "a", "2");
    let rewritten = stage.edit(stage.root, Some(&stage.alice), "a", "3");
    let unrelated = stage.repo.commit(&[], Some(&stage.alice), &[(A, Some(&app("a", "a", "4")))], "Other");
    for head in [stage.root, rewritten, unrelated] {
        assert_eq!(refusal(&stage, base, head), Code::HistoryRewritten);
    }
    stage.judge_from(base, base).assert_whole();
}

#[test]
fn an_unrelated_history_that_is_merged_is_an_old_line() {
    let stage = Stage::new();
    let new = app("new", "b", "1");
    let orphan = stage.repo.commit(&[], Some(&stage.carol), &[("apps/new.yaml", Some(&new))], "Orphan");
    let stranger = stage.repo.commit(&[], Some(&stage.mallory), &[("apps/new.yaml", Some(&new))], "Orphan");
    for (side, value) in [(orphan, Some("1")), (stranger, None)] {
        let merge = stage.merge(&[stage.root, side], None, &[("apps/new.yaml", Some(&new))]);
        stage.judge(merge).assert("apps/new.yaml", value);
    }
}

#[test]
fn there_is_a_bound_on_what_is_judged_at_a_time() {
    let mut stage = Stage::new();
    let mut head = stage.root;
    for n in 0..6 {
        head = stage.edit(head, Some(&stage.bob), "a", &n.to_string());
    }
    stage.rules.max_commits = 5;
    assert_eq!(refusal(&stage, stage.root, head), Code::Limit);
    stage.rules.max_commits = 6;
    stage.judge(head).assert(A, Some("5"));
    let parents: Vec<ObjectId> = (0..65).map(|n| stage.edit(stage.root, None, "a", &n.to_string())).collect();
    stage.rules.max_commits = 1000;
    let octopus = stage.merge(&parents, None, &[]);
    assert_eq!(refusal(&stage, stage.root, octopus), Code::Limit);
}

#[test]
fn only_plain_files_hold_resources() {
    let stage = Stage::new();
    let text = app("a", "a", "2");
    let blob = stage.repo.write(git2::ObjectType::Blob, text.as_bytes());
    let target = stage.repo.write(git2::ObjectType::Blob, b"b.yaml");
    for (mode, id, code) in [
        (FileMode::Link, target, Some(Code::ForbiddenEntry)),
        (FileMode::Commit, stage.root, Some(Code::ForbiddenEntry)),
        (FileMode::BlobExecutable, blob, None),
    ] {
        let head = stage.repo.commit_draft(&crate::support::Draft {
            parents: &[stage.root],
            signer: Some(&stage.alice),
            author: "a <a@a>",
            changes: &[],
            entries: &[(A, mode, id)],
            message: "Entry",
        });
        let verdicts = stage.judge(head);
        assert_eq!(verdicts.codes(head).first().copied(), code);
        verdicts.assert(A, Some(if code.is_some() { "1" } else { "2" }));
    }
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    assert_eq!(stage.code(stage.put(stage.root, Some(&stage.alice), A, Some(pointer))), Code::ForbiddenEntry);
}

#[test]
fn contents_that_cannot_take_effect() {
    let stage = Stage::new();
    let large = format!("# {}\n", "x".repeat(2 << 20));
    for text in ["kind: app\n", "kind: nothing\n", "a: &x 1\nb: *x\n", "\u{1b}[31m", &large] {
        let head = stage.put(stage.root, Some(&stage.alice), A, Some(text));
        assert_eq!(stage.code(head), Code::InvalidResource, "{:.20}", text);
        stage.judge(head).assert(A, Some("1"));
    }
    let twice = app("c", "a", "1") + "---\n" + &app("C", "a", "1");
    for (path, text) in [("apps/c.yaml", twice), ("apps/b2.yaml", app("B", "a", "1"))] {
        let head = stage.put(stage.root, Some(&stage.alice), path, Some(&text));
        assert_eq!(stage.code(head), Code::DuplicateName, "{path}");
    }
}

#[test]
fn a_folder_may_take_the_place_of_a_file() {
    let stage = Stage::new();
    let c = app("c", "a", "1");
    let head =
        stage.repo.commit(&[stage.root], Some(&stage.alice), &[(A, None), ("apps/a.yaml/c.yaml", Some(&c))], "Folder");
    let verdicts = stage.judge(head);
    verdicts.assert_whole();
    verdicts.assert("apps/a.yaml/c.yaml", Some("1"));
    verdicts.assert(A, None);
}

#[test]
fn nothing_at_all() {
    let stage = Stage::new();
    let empty = stage.repo.commit(&[stage.root], None, &[], "Nothing");
    let verdicts = stage.judge(empty);
    assert_eq!(verdicts.answer(empty), CommitAnswer::NothingToDecide);
    verdicts.assert(B, Some("1"));
}

#[test]
fn ten_thousand_commits() {
    let stage = Stage::new();
    let mut head = stage.root;
    for n in 0..10_000 {
        // Signing each would take longer than judging them.
        head = stage.edit(head, None, "a", &(n % 7).to_string());
    }
    let head = stage.edit(head, Some(&stage.alice), "a", "1");
    let verdicts = stage.judge(head);
    assert_eq!(verdicts.0.commits.len(), 10_001);
    verdicts.assert_whole();
}
