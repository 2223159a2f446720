//! How far a user's rights reach: paths, labels, verbs, before and after.

use super::{A, B, Stage};
use crate::support::{app, role, user};
use mcpfleet::authorize::{Answer, ChangeVerb, Code, CommitAnswer};

#[test]
fn an_unauthorized_commit_holds_what_it_touched_and_nothing_else() {
    let stage = Stage::new();
    let bad = stage.edit(stage.root, Some(&stage.carol), "a", "bad");
    let good = stage.edit(bad, Some(&stage.carol), "b", "2");
    let verdicts = stage.judge(good);
    assert_eq!((verdicts.answer(bad), verdicts.answer(good)), (CommitAnswer::Refused, CommitAnswer::Accepted));
    verdicts.assert(A, Some("1"));
    verdicts.assert(B, Some("2"));
    assert_eq!(verdicts.held(), [A]);
    let held = &verdicts.0.state.held()[0];
    assert_eq!((held.refused_commit, held.code), (bad, Some(Code::NotAllowed)));
}

#[test]
fn a_commit_takes_effect_whole_or_not_at_all() {
    let stage = Stage::new();
    let (a, b) = (app("a", "a", "2"), app("b", "b", "2"));
    let head = stage.repo.commit(&[stage.root], Some(&stage.bob), &[(A, Some(&a)), (B, Some(&b))], "Both");
    let verdicts = stage.judge(head);
    assert_eq!(verdicts.held(), [A, B]);
    verdicts.assert(A, Some("1"));
    let changes = &verdicts.0.commits[0].changes;
    assert!(changes.iter().all(|change| change.verdict == Answer::Refused));
    assert!(changes.iter().any(|change| change.message.contains("allowed by itself")), "{changes:#?}");
}

#[test]
fn what_an_update_makes_of_a_resource_must_be_allowed_like_what_it_was() {
    let stage = Stage::new();
    let refused = [
        // Into the own scope, and out of it.
        (stage.put(stage.root, Some(&stage.bob), B, Some(&app("b", "a", "1"))), "relabelled into the scope"),
        (stage.put(stage.root, Some(&stage.bob), A, Some(&app("a", "b", "1"))), "relabelled out of it"),
        (stage.put(stage.root, Some(&stage.bob), B, None), "deleted another's"),
        (stage.put(stage.root, Some(&stage.bob), "apps/c.yaml", Some(&app("c", "b", "1"))), "created for another"),
        // A file is the unit: to add one's own app to another's file is to update both.
        (
            stage.put(stage.root, Some(&stage.bob), B, Some(&(app("b", "b", "1") + "---\n" + &app("c", "a", "1")))),
            "joined",
        ),
        (stage.put(stage.root, Some(&stage.bob), B, Some(&(app("b", "b", "1") + "# comment\n"))), "commented"),
    ];
    for (head, what) in refused {
        let verdicts = stage.judge(head);
        assert_eq!(verdicts.answer(head), CommitAnswer::Refused, "{what}");
        assert_eq!(verdicts.codes(head)[0], Code::NotAllowed, "{what}");
    }
    let accepted = [
        stage.put(stage.root, Some(&stage.bob), A, None),
        stage.put(stage.root, Some(&stage.bob), "apps/c.yaml", Some(&app("c", "a", "1"))),
        stage.put(stage.root, Some(&stage.dave), "apps/team-a/x.yaml", Some(&app("x", "b", "1"))),
    ];
    for head in accepted {
        assert_eq!(stage.judge(head).answer(head), CommitAnswer::Accepted);
    }
}

#[test]
fn a_move_is_a_delete_and_a_create() {
    let stage = Stage::new();
    let moved = app("b", "b", "1");
    let changes = [(B, None), ("apps/team-a/b.yaml", Some(moved.as_str()))];
    // Dave has the folder it goes to, and not the one it comes from; carol has the app wherever it is.
    for (by, answer) in [(&stage.dave, CommitAnswer::Refused), (&stage.carol, CommitAnswer::Accepted)] {
        let head = stage.repo.commit(&[stage.root], Some(by), &changes, "Move");
        let verdicts = stage.judge(head);
        assert_eq!(verdicts.answer(head), answer, "{}", by.name());
        let verbs: Vec<_> = verdicts.0.commits[0].changes.iter().filter_map(|change| change.verb).collect();
        assert_eq!(verbs, [ChangeVerb::Delete, ChangeVerb::Create]);
    }
}

#[test]
fn deny_rules_bite_on_either_side_and_come_first() {
    let stage = Stage::new();
    let deny = role(
        "careful",
        &["{resources: [app], verbs: [\"*\"]}"],
        &["{resources: [app], verbs: [update], labels: {team: b}}"],
    );
    let changes = [("roles/careful.yaml", Some(deny.as_str()))];
    let granted = stage.repo.commit(&[stage.root], Some(&stage.alice), &changes, "Role");
    let eve = crate::support::Key::new("eve");
    let granted = stage.put(granted, Some(&stage.alice), "users/eve.yaml", Some(&user("eve", &[&eve], &["careful"])));
    for (path, text, answer) in [
        (A, app("a", "a", "2"), CommitAnswer::Accepted),
        (A, app("a", "b", "2"), CommitAnswer::Refused),
        (B, app("b", "a", "2"), CommitAnswer::Refused),
        ("apps/c.yaml", app("c", "b", "2"), CommitAnswer::Accepted),
    ] {
        let head = stage.put(granted, Some(&eve), path, Some(&text));
        let verdicts = stage.judge(head);
        assert_eq!(verdicts.answer(head), answer, "{path} {text}");
        if answer == CommitAnswer::Refused {
            assert_eq!(verdicts.codes(head), [Code::DeniedByRule]);
            assert!(verdicts.message(head).contains("role/careful deny.rules[0]"));
        }
    }
}

#[test]
fn one_rule_must_cover_both_sides_of_an_update() {
    let stage = Stage::new();
    let both = role(
        "both",
        &[
            "{resources: [app], verbs: [update], labels: {team: a}}",
            "{resources: [app], verbs: [update], labels: {team: b}}",
        ],
        &[],
    );
    let eve = crate::support::Key::new("eve");
    let eve_file = user("eve", &[&eve], &["both"]);
    let changes = [("roles/both.yaml", Some(both.as_str())), ("users/eve.yaml", Some(eve_file.as_str()))];
    let granted = stage.repo.commit(&[stage.root], Some(&stage.alice), &changes, "Role");
    assert_eq!(stage.judge(granted).answer(granted), CommitAnswer::Accepted);
    let head = stage.put(granted, Some(&eve), A, Some(&app("a", "b", "1")));
    assert_eq!(stage.code(head), Code::NotAllowed);
}

#[test]
fn conditions_see_the_resource_and_the_user() {
    let stage = Stage::new();
    let own = role(
        "own",
        &[
            "{resources: [app], verbs: [\"*\"], where: 'contains(user.spec.traits.teams, resource.metadata.labels.team) && equals(resource.spec.mcp.command, \"server\")'}",
        ],
        &[],
    );
    let eve = crate::support::Key::new("eve");
    let eve_file = user("eve", &[&eve], &["own"]) + "  traits: {teams: [a]}\n";
    let changes = [("roles/own.yaml", Some(own.as_str())), ("users/eve.yaml", Some(eve_file.as_str()))];
    let granted = stage.repo.commit(&[stage.root], Some(&stage.alice), &changes, "Role");
    assert_eq!(
        stage.judge(granted).answer(granted),
        CommitAnswer::Accepted,
        "{}",
        stage.judge(granted).message(granted)
    );
    let head = stage.edit(granted, Some(&eve), "a", "2");
    assert_eq!(stage.judge(head).answer(head), CommitAnswer::Accepted);
    assert_eq!(stage.code(stage.edit(granted, Some(&eve), "b", "2")), Code::NotAllowed);
    let other = app("a", "a", "2").replace("command: server", "command: sh");
    assert_eq!(stage.code(stage.put(granted, Some(&eve), A, Some(&other))), Code::NotAllowed);
}

#[test]
fn a_file_without_resources_needs_somebody_known() {
    let stage = Stage::new();
    let by = |key| stage.put(stage.root, key, "apps/notes.yaml", Some("# nothing\n"));
    let (bob, nobody) = (by(Some(&stage.bob)), by(None));
    assert_eq!(stage.judge(bob).answer(bob), CommitAnswer::Accepted);
    assert_eq!(stage.code(nobody), Code::Unsigned);
}

#[test]
fn what_is_not_managed_is_nobodys_business() {
    let stage = Stage::new();
    for path in ["README.md", ".github/workflows/ci.yaml", "apps/.hidden.yaml"] {
        let head = stage.put(stage.root, None, path, Some("kind: app\n"));
        assert_eq!(stage.judge(head).answer(head), CommitAnswer::NothingToDecide, "{path}");
    }
}
