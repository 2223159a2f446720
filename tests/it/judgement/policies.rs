//! Changes of roles and users.

use super::{A, B, Stage, rules};
use crate::support::{app, role, user};
use mcpfleet::{
    authorize::{Code, CommitAnswer, Policy, signature::SigningKey},
    manifest::parse_file,
};
use std::sync::Arc;

const ALL: &str = "{resources: [\"*\"], verbs: [\"*\"]}";

#[test]
fn nobody_raises_themselves() {
    let stage = Stage::new();
    let admin = user("bob", &[&stage.bob], &["admin"]);
    let raised = stage.put(stage.root, Some(&stage.bob), "users/bob.yaml", Some(&admin));
    let used = stage.edit(raised, Some(&stage.bob), "b", "2");
    let verdicts = stage.judge(used);
    assert_eq!(verdicts.codes(raised), [Code::NotAllowed]);
    assert_eq!(verdicts.codes(used), [Code::NotAllowed]);
    let widened = stage.put(stage.root, Some(&stage.bob), "roles/team-a.yaml", Some(&role("team-a", &[ALL], &[])));
    assert_eq!(stage.code(widened), Code::NotAllowed);
    let own = stage.put(
        stage.root,
        Some(&stage.mallory),
        "users/mallory.yaml",
        Some(&user("mallory", &[&stage.mallory], &["admin"])),
    );
    assert_eq!(stage.code(own), Code::UnknownKey);
}

#[test]
fn a_grant_binds_from_the_next_commit_on() {
    let stage = Stage::new();
    let grant = user("bob", &[&stage.bob], &["team-a", "team-b"]);
    // An administrator of policy alone, who grants and uses in one commit.
    let keeper = role("keeper", &["{resources: [role, user], verbs: [\"*\"]}"], &[]);
    let eve = crate::support::Key::new("eve");
    let setup = stage.put(stage.root, Some(&stage.alice), "roles/keeper.yaml", Some(&keeper));
    let setup = stage.put(setup, Some(&stage.alice), "users/eve.yaml", Some(&user("eve", &[&eve], &["keeper"])));
    let more = user("eve", &[&eve], &["keeper", "team-b"]);
    let b = app("b", "b", "2");
    let both =
        stage.repo.commit(&[setup], Some(&eve), &[("users/eve.yaml", Some(&more)), (B, Some(&b))], "Grant and use");
    let verdicts = stage.judge(both);
    assert_eq!(verdicts.answer(both), CommitAnswer::Refused);
    verdicts.assert(B, Some("1"));
    verdicts.assert("users/eve.yaml", Some("eve keeper"));

    let granted = stage.put(stage.root, Some(&stage.alice), "users/bob.yaml", Some(&grant));
    let used = stage.edit(granted, Some(&stage.bob), "b", "2");
    stage.judge(used).assert_whole();
    let revoked = stage.put(used, Some(&stage.alice), "users/bob.yaml", Some(&user("bob", &[&stage.bob], &[])));
    let late = stage.edit(revoked, Some(&stage.bob), "b", "3");
    let verdicts = stage.judge(late);
    assert_eq!(verdicts.codes(late), [Code::NotAllowed]);
    verdicts.assert(B, Some("2"));
}

#[test]
fn policy_that_would_be_invalid_is_refused() {
    let stage = Stage::new();
    let by_alice = |path: &str, text: Option<&str>| stage.put(stage.root, Some(&stage.alice), path, text);
    for (head, code) in [
        (by_alice("roles/team-a.yaml", None), Code::InvalidResource),
        (by_alice("users/bob.yaml", Some(&user("bob", &[&stage.bob], &["missing"]))), Code::InvalidResource),
        (by_alice("users/x.yaml", Some(&user("x", &[&stage.bob], &[]))), Code::InvalidResource),
        (by_alice("users/x.yaml", Some(&user("BOB", &[], &[]))), Code::DuplicateName),
        (by_alice("users/bob.yaml", Some("kind: user\n")), Code::InvalidResource),
    ] {
        assert_eq!(stage.code(head), code, "{}", stage.judge(head).message(head));
    }
}

#[test]
fn somebody_must_be_left_who_can_change_roles() {
    let stage = Stage::new();
    for (path, text) in [
        ("users/alice.yaml", None),
        ("users/alice.yaml", Some(user("alice", &[&stage.alice], &["team-a"]))),
        ("users/alice.yaml", Some(user("alice", &[], &["admin"]))),
        ("roles/admin.yaml", Some(role("admin", &["{resources: [app, user], verbs: [\"*\"]}"], &[]))),
        ("roles/admin.yaml", Some(role("admin", &[ALL], &["{resources: [role], verbs: [update]}"]))),
    ] {
        let head = stage.put(stage.root, Some(&stage.alice), path, text.as_deref());
        assert_eq!(stage.code(head), Code::PolicyLockout, "{path} {text:?}");
    }
    // A fingerprint alone proves nothing, so whoever has no more can never sign.
    let mute = user("zoe", &[], &["admin"])
        .replace("signing_keys: []", "signing_keys: [\"0123456789ABCDEF0123456789ABCDEF01234567\"]");
    let zoe = stage.put(stage.root, Some(&stage.alice), "users/zoe.yaml", Some(&mute));
    let alone = stage.put(zoe, Some(&stage.alice), "users/alice.yaml", None);
    assert_eq!(stage.judge(alone).codes(alone), [Code::PolicyLockout]);
    // Handing over works.
    let bob =
        stage.put(stage.root, Some(&stage.alice), "users/bob.yaml", Some(&user("bob", &[&stage.bob], &["admin"])));
    let head = stage.put(bob, Some(&stage.alice), "users/alice.yaml", None);
    stage.judge(head).assert_whole();
}

#[test]
fn a_root_needs_an_administrator() {
    let stage = Stage::new();
    let without = stage.put(stage.root, None, "users/alice.yaml", None);
    let check = |root, rules: &mcpfleet::authorize::Rules| {
        let repository = mcpfleet::git::Repository::discover(stage.repo.path()).expect("a repository");
        let mut cache = Default::default();
        let state = mcpfleet::authorize::Judge::new(&repository, rules, &mut cache).root(root).expect("a root");
        state.check_root(rules).map_err(|refusal| refusal.code)
    };
    assert_eq!(check(stage.root, &stage.rules), Ok(()));
    assert_eq!(check(without, &stage.rules), Err(Code::PolicyLockout));
    let denied = SigningKey::parse(&stage.alice.public()).expect("a key");
    assert_eq!(
        check(stage.root, &mcpfleet::authorize::Rules { denied_keys: vec![denied.clone()], ..rules() }),
        Err(Code::PolicyLockout)
    );
    assert_eq!(check(without, &mcpfleet::authorize::Rules { root_keys: vec![denied], ..rules() }), Ok(()));
}

#[test]
fn root_keys_alone_change_policy() {
    let mut stage = Stage::new();
    let offline = crate::support::Key::new("offline");
    stage.rules.root_keys = vec![SigningKey::parse(&offline.public()).expect("a key")];
    let grant = user("bob", &[&stage.bob], &["team-a", "team-b"]);
    let by = |key| stage.put(stage.root, Some(key), "users/bob.yaml", Some(&grant));
    let (alice, root) = (by(&stage.alice), by(&offline));
    assert_eq!(stage.code(alice), Code::RootKeyRequired);
    stage.judge(root).assert_whole();
    let used = stage.edit(root, Some(&stage.bob), "b", "2");
    stage.judge(used).assert_whole();
    // It is no user: apps are others' business.
    assert_eq!(stage.code(stage.edit(stage.root, Some(&offline), "a", "2")), Code::UnknownKey);
}

#[test]
fn with_a_policy_of_the_host_the_repository_has_none() {
    let mut stage = Stage::new();
    let files = [("admin.yaml", role("admin", &[ALL], &[])), ("bob.yaml", user("bob", &[&stage.bob], &["admin"]))];
    let files: Vec<_> = files.iter().map(|(path, text)| Arc::new(parse_file(path, text.as_bytes()))).collect();
    stage.rules.fixed_policy = Some(Arc::new(Policy::new(&files)));
    let head = stage.edit(stage.root, Some(&stage.bob), "b", "2");
    stage.judge(head).assert_whole();
    assert_eq!(stage.code(stage.edit(stage.root, Some(&stage.alice), "a", "2")), Code::UnknownKey);
    let policy = stage.put(stage.root, Some(&stage.bob), "users/eve.yaml", Some(&user("eve", &[], &[])));
    assert_eq!(stage.code(policy), Code::NotAllowed);
}

#[test]
fn an_unparsable_policy_stays_out() {
    let stage = Stage::new();
    let broken = stage.put(stage.root, Some(&stage.alice), "roles/admin.yaml", Some("kind: role\nspec: ["));
    let verdicts = stage.judge(broken);
    assert_eq!(verdicts.codes(broken), [Code::InvalidResource]);
    let next = stage.edit(broken, Some(&stage.alice), "a", "2");
    stage.judge(next).assert(A, Some("2"));
}

#[test]
fn while_lines_do_not_agree_on_the_policy_all_must_allow() {
    let stage = Stage::new();
    let (more, less) = (user("bob", &[&stage.bob], &["team-a", "team-b"]), user("bob", &[&stage.bob], &["team-b"]));
    let ours = stage.put(stage.root, Some(&stage.alice), "users/bob.yaml", Some(&more));
    let theirs = stage.put(stage.root, Some(&stage.alice), "users/bob.yaml", Some(&less));
    for parents in [[ours, theirs], [theirs, ours]] {
        let merge = stage.merge(&parents, None, &[]);
        assert_eq!(stage.judge(merge).undecided(), ["users/bob.yaml"]);
        // Team b is bob's either way, team a on one line only.
        let (a, b) = (stage.edit(merge, Some(&stage.bob), "a", "2"), stage.edit(merge, Some(&stage.bob), "b", "2"));
        assert_eq!(stage.judge(a).codes(a), [Code::NotAllowed]);
        stage.judge(b).assert(B, Some("2"));
        // It stays so when others go on with it, and until somebody decides.
        let later = stage.edit(stage.edit(merge, Some(&stage.carol), "b", "3"), Some(&stage.bob), "a", "2");
        assert_eq!(stage.judge(later).codes(later), [Code::NotAllowed]);
        let decided =
            stage.put(merge, Some(&stage.alice), "users/bob.yaml", Some(&user("bob", &[&stage.bob], &["team-a"])));
        let a = stage.edit(decided, Some(&stage.bob), "a", "2");
        stage.judge(a).assert_whole();
    }
}
