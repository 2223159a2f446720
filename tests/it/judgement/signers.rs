//! Who a commit is by.

use super::{A, Stage};
use crate::support::{Draft, app, user};
use git2::ObjectType;
use mcpfleet::authorize::{Code, CommitAnswer, Identity, ObjectId, signature::SigningKey};

fn key(key: &crate::support::Key) -> SigningKey {
    SigningKey::parse(&key.public()).expect("a key")
}

/// A commit to app `a`, as it would be without a signature.
fn draft(stage: &Stage, author: &str, message: &str) -> Vec<u8> {
    let text = app("a", "a", "2");
    stage.repo.unsigned(&Draft {
        parents: &[stage.root],
        signer: None,
        author,
        changes: &[(A, Some(&text))],
        entries: &[],
        message,
    })
}

fn write(stage: &Stage, bytes: &[u8]) -> ObjectId {
    stage.repo.write(ObjectType::Commit, bytes)
}

#[test]
fn the_key_is_who_somebody_is() {
    let stage = Stage::new();
    let good = stage.edit(stage.root, Some(&stage.bob), "a", "2");
    let verdicts = stage.judge(good);
    assert_eq!((verdicts.answer(good), verdicts.signer(good)), (CommitAnswer::Accepted, Some("bob")));
    verdicts.assert(A, Some("2"));
    verdicts.assert_whole();

    assert_eq!(stage.code(stage.edit(stage.root, None, "a", "2")), Code::Unsigned);
    assert_eq!(stage.code(stage.edit(stage.root, Some(&stage.mallory), "a", "2")), Code::UnknownKey);
}

#[test]
fn names_and_mail_addresses_prove_nothing() {
    let stage = Stage::new();
    let alice = "alice <alice@example.com>";
    // Mallory says to be alice, and carol signs in alice's name.
    for (signer, code) in [(&stage.mallory, Code::UnknownKey), (&stage.carol, Code::NotAllowed)] {
        let bytes = signer.sign(&draft(&stage, alice, "Mine"));
        assert_eq!(stage.code(write(&stage, &bytes)), code);
    }
    // Whose name is in it does not matter either when the right one signs.
    let bytes = stage.bob.sign(&draft(&stage, "mallory <m@example.com>", "Mine"));
    let head = write(&stage, &bytes);
    assert_eq!(stage.judge(head).signer(head), Some("bob"));
}

#[test]
fn a_signature_is_for_one_commit() {
    let stage = Stage::new();
    let signed = stage.bob.sign(&draft(&stage, "bob <bob@example.com>", "Harmless"));
    let text = String::from_utf8(signed.clone()).expect("text");
    let tampered = text.replace("Harmless", "Harmful!");
    assert_eq!(stage.code(write(&stage, tampered.as_bytes())), Code::BadSignature);

    let start = text.find("gpgsig ").expect("a signature");
    let header = &text[start..text.find("\n\nHarmless").expect("a message")];
    let doubled = text.replace("\n\nHarmless", &format!("\n{header}\n\nHarmless"));
    assert_eq!(stage.code(write(&stage, doubled.as_bytes())), Code::SeveralSignatures);

    let unsigned = draft(&stage, "bob <bob@example.com>", "Harmless");
    let unsigned = String::from_utf8(unsigned).expect("text");
    let misplaced = unsigned.replace("\n\nHarmless", &format!("\n\n{header}\nHarmless"));
    assert_eq!(stage.code(write(&stage, misplaced.as_bytes())), Code::Unsigned);
}

#[test]
fn dates_mean_nothing_and_denied_keys_sign_nothing() {
    let mut stage = Stage::new();
    let back_dated = String::from_utf8(draft(&stage, "bob <bob@example.com>", "Old")).expect("text");
    let back_dated = back_dated.replace("> 17", "> 07");
    let head = write(&stage, &stage.bob.sign(back_dated.as_bytes()));
    assert_eq!(stage.judge(head).answer(head), CommitAnswer::Accepted);
    stage.rules.denied_keys = vec![key(&stage.bob)];
    assert_eq!(stage.code(head), Code::DeniedKey);
}

#[test]
fn in_the_root_alone_a_key_may_be_two_users_and_is_then_nobodys() {
    let stage = Stage::new();
    let twin = user("twin", &[&stage.bob], &["team-a"]);
    let root = stage.put(stage.root, None, "users/twin.yaml", Some(&twin));
    let head = stage.edit(root, Some(&stage.bob), "a", "2");
    let verdicts = stage.judge_from(root, head);
    assert_eq!(verdicts.codes(head), [Code::AmbiguousUser]);
    verdicts.assert(A, Some("1"));
    // Later it cannot come to that.
    let head = stage.put(stage.root, Some(&stage.alice), "users/twin.yaml", Some(&twin));
    assert_eq!(stage.code(head), Code::InvalidResource);
}

#[test]
fn a_forge_vouches_for_the_author_of_what_it_signs() {
    let mut stage = Stage::new();
    let forge = crate::support::Key::new("forge");
    let by = |author: &str| write(&stage, &forge.sign(&draft(&stage, author, "Squashed")));
    let (bob, carol, stranger) =
        (by("Bob <BOB@example.com>"), by("Carol <carol@example.com>"), by("S <s@example.com>"));
    assert_eq!(stage.code(bob), Code::UnknownKey);
    stage.rules.forge_keys = vec![key(&forge)];
    let verdicts = stage.judge(bob);
    assert_eq!((verdicts.answer(bob), verdicts.signer(bob)), (CommitAnswer::Accepted, Some("bob")));
    assert_eq!(stage.code(carol), Code::NotAllowed);
    assert_eq!(stage.code(stranger), Code::UnknownAuthor);
}

#[test]
fn authors_count_only_where_that_was_chosen() {
    let mut stage = Stage::new();
    let by = |author: &str| write(&stage, &draft(&stage, author, "Unsigned"));
    let (bob, carol, stranger) =
        (by("Bob <bob@example.com>"), by("Carol <carol@example.com>"), by("S <s@example.com>"));
    assert_eq!(stage.code(bob), Code::Unsigned);
    stage.rules.identity = Identity::Author;
    assert_eq!(stage.judge(bob).answer(bob), CommitAnswer::Accepted);
    assert_eq!(stage.code(carol), Code::NotAllowed);
    assert_eq!(stage.code(stranger), Code::UnknownAuthor);
}

/// A text of somebody else's may get into the message of what a forge signs.
#[test]
fn what_a_forge_signs_vouches_for_nothing() {
    let mut stage = Stage::new();
    let forge = crate::support::Key::new("forge");
    stage.rules.forge_keys = vec![key(&forge)];
    let bad = stage.edit(stage.root, Some(&stage.carol), "a", "bad");
    let text = app("a", "a", "bad");
    let approve = |signer| {
        let author = "alice <alice@example.com>";
        let message = format!("Merge\n\nVouch-For: {bad}");
        stage.repo.commit_draft(&Draft {
            parents: &[stage.root, bad],
            signer: Some(signer),
            author,
            changes: &[(A, Some(&text))],
            entries: &[],
            message: &message,
        })
    };
    // The root is an ancestor of the other parent: it is a commit on top of that.
    stage.judge(approve(&stage.alice)).assert(A, Some("bad"));
    stage.judge(approve(&forge)).assert(A, Some("1"));
}
