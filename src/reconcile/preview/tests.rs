use super::*;
use crate::{
    manifest::{FileState, Revision, Tree, parse_file},
    resource::Selector,
};
use proptest::prelude::*;

/// A snapshot of files, after another.
fn snapshot(files: &[(&str, String)], before: Option<&Snapshot>) -> Arc<Snapshot> {
    let parsed = |(path, text): &(&str, String)| {
        (Arc::from(*path), FileState::Parsed(Arc::new(parse_file(path, text.as_bytes()))))
    };
    let tree: Tree = files.iter().map(parsed).collect();
    Arc::new(Snapshot::build(&tree, Revision::from("r".to_owned()), before))
}

fn app(name: &str, argument: &str, label: &str) -> String {
    format!(
        "kind: app\nversion: v3\nmetadata: {{name: {name}, labels: {{l: {label}}}}}\nspec: {{mcp: {{command: c, args: [{argument}]}}}}\n"
    )
}

fn everything() -> Selection {
    Selection { enabled: true, selectors: vec![Selector::everything()], static_apps: vec![] }
}

fn look(before: &Arc<Snapshot>, after: &Arc<Snapshot>, wished: &Arc<Snapshot>, prune: &PruneSettings) -> Preview {
    let source: Arc<str> = "s".into();
    let change = Change { source: &source, before, after, wished, others: (&[], &[]) };
    preview("a".to_owned(), change, &everything(), prune, &|_| Vec::new(), Timestamp::UNIX_EPOCH)
}

#[test]
fn every_verb() {
    let before = snapshot(&[("a", app("a", "x", "l")), ("b", app("b", "x", "l")), ("c", app("c", "x", "l"))], None);
    let after =
        snapshot(&[("a", app("a", "y", "l")), ("b", app("b", "x", "m")), ("d", app("d", "x", "l"))], Some(&before));
    let seen = look(&before, &after, &after, &PruneSettings::default());
    let steps: Vec<_> = seen.actions.iter().map(|step| (step.app.as_str(), step.verb, step.changes.len())).collect();
    assert_eq!(steps, [("a", Verb::Replace, 1), ("b", Verb::Update, 1), ("c", Verb::Stop, 0), ("d", Verb::Start, 0)]);
    assert_eq!((seen.held.len(), seen.unchanged), (0, 0));
    assert!(look(&after, &after, &after, &PruneSettings::default()).is_empty());
}

#[test]
fn what_is_held_says_by_what() {
    let four = ["a", "b", "c", "d"].map(|name| (name, app(name, "x", "l")));
    let before = snapshot(&four, None);
    let broken = snapshot(&[("a", "kind: app\nmetadata: {name: a}\n".to_owned())], Some(&before));
    let wished =
        snapshot(&[("a", "kind: app\nmetadata: {name: a}\n".to_owned()), ("e", app("e", "x", "l"))], Some(&before));
    let seen = look(&before, &broken, &wished, &PruneSettings::default());
    let held: Vec<_> = seen.held.iter().map(|held| (held.app.as_str(), held.verb, held.by)).collect();
    assert_eq!(
        held,
        [
            ("a", Verb::Replace, HeldBy::Invalid),
            ("b", Verb::Stop, HeldBy::PruneGuard),
            ("c", Verb::Stop, HeldBy::PruneGuard),
            ("d", Verb::Stop, HeldBy::PruneGuard),
            ("e", Verb::Start, HeldBy::Refused),
        ]
    );
    assert!(seen.actions.is_empty());
}

#[test]
fn what_the_agent_does_not_grant_is_held() {
    let before = snapshot(&[("a", app("a", "x", "l")), ("b", app("b", "x", "l"))], None);
    let after =
        snapshot(&[("a", app("a", "no", "l")), ("b", app("b", "x", "m")), ("c", app("c", "no", "l"))], Some(&before));
    let source: Arc<str> = "s".into();
    let change = Change { source: &source, before: &before, after: &after, wished: &after, others: (&[], &[]) };
    let refuses = |app: &App| match serde_json::to_string(&written(app)) {
        Ok(text) if text.contains("\"no\"") => vec!["one reason".to_owned(), "another".to_owned()],
        _ => Vec::new(),
    };
    let prune = PruneSettings::default();
    let seen = preview("a".to_owned(), change, &everything(), &prune, &refuses, Timestamp::UNIX_EPOCH);
    let held: Vec<_> = seen.held.iter().map(|held| (held.app.as_str(), held.verb, held.by)).collect();
    assert_eq!(held, [("a", Verb::Replace, HeldBy::NotGranted), ("c", Verb::Start, HeldBy::NotGranted)]);
    assert_eq!(seen.held.first().and_then(|held| held.path.as_deref()), Some("a"));
    assert!(seen.held.iter().all(|held| held.reason.ends_with("would not start it: one reason; another")));
    // What touches no process needs nothing.
    assert_eq!(
        seen.actions.iter().map(|step| (step.app.as_str(), step.verb)).collect::<Vec<_>>(),
        [("b", Verb::Update)]
    );
}

#[test]
fn what_is_new_and_not_valid_or_over_is_held() {
    let before = snapshot(&[("a", app("a", "x", "l"))], None);
    let over = app("b", "x", "l").replace("metadata: {", "metadata: {expires: 1969-01-01T00:00:00Z, ");
    let bad = ("c", "kind: app\nmetadata: {name: c}\n".to_owned());
    let after = snapshot(&[("a", app("a", "x", "l")), ("b", over), bad], Some(&before));
    let seen = look(&before, &after, &after, &PruneSettings::default());
    let held: Vec<_> = seen.held.iter().map(|held| (held.app.as_str(), held.by)).collect();
    assert_eq!(held, [("b", HeldBy::Expired), ("c", HeldBy::Invalid)]);
}

#[test]
fn the_sources_before_and_after_it_count() {
    let source: Arc<str> = "s".into();
    let input =
        |name: &str, files: &[(&str, String)]| SourceInput { name: name.into(), snapshot: snapshot(files, None) };
    let earlier = [input("first", &[("a", app("a", "x", "l"))])];
    let later = [input("last", &[("b", app("b", "x", "l"))])];
    let before = snapshot(&[], None);
    let after = snapshot(&[("a", app("a", "y", "l")), ("b", app("b", "y", "l"))], Some(&before));
    let change = Change { source: &source, before: &before, after: &after, wished: &after, others: (&earlier, &later) };
    let seen = preview(
        "a".to_owned(),
        change,
        &everything(),
        &PruneSettings::default(),
        &|_| Vec::new(),
        Timestamp::UNIX_EPOCH,
    );
    let steps: Vec<_> = seen.actions.iter().map(|step| (step.app.as_str(), step.verb)).collect();
    assert_eq!(steps, [("b", Verb::Replace)], "what a later source has is taken over");
    let held: Vec<_> = seen.held.iter().map(|held| (held.app.as_str(), held.by)).collect();
    assert_eq!((held, seen.unchanged), (vec![], 1), "what an earlier source has runs on");
}

proptest! {
    /// What is shown is what an agent does: nothing is decided a second time.
    #[test]
    fn the_preview_is_the_plan(
        before in proptest::collection::btree_map("[a-e]", ("[xy]", "[lm]"), 0..6),
        after in proptest::collection::btree_map("[a-e]", ("[xy]", "[lm]"), 0..6),
        min_apps in 0usize..6,
    ) {
        let files = |all: &BTreeMap<String, (String, String)>| -> Vec<(String, String)> {
            all.iter().map(|(name, (argument, label))| (name.clone(), app(name, argument, label))).collect()
        };
        let named = |all: &[(String, String)]| all.iter().map(|(name, text)| (name.clone(), text.clone())).collect::<Vec<_>>();
        let (before, after) = (named(&files(&before)), named(&files(&after)));
        let borrow = |all: &[(String, String)], previous: Option<&Snapshot>| {
            let all: Vec<(&str, String)> = all.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
            snapshot(&all, previous)
        };
        let old = borrow(&before, None);
        let new = borrow(&after, Some(&old));
        let prune = PruneSettings { min_apps, ..PruneSettings::default() };
        let seen = look(&old, &new, &new, &prune);

        let input = |snapshot: &Arc<Snapshot>| [SourceInput { name: "s".into(), snapshot: snapshot.clone() }];
        let now = desired(&input(&old), &everything(), Timestamp::UNIX_EPOCH);
        let wanted = desired(&input(&new), &everything(), Timestamp::UNIX_EPOCH);
        let plan = plan(&running(&now), &wanted, &PruneGuard::new(prune), false);
        let shown: Vec<_> = seen.actions.iter().map(|step| (step.app.clone(), step.verb)).collect();
        let done: Vec<_> = plan.actions.iter().map(|action| (action.app.clone(), action.verb)).collect();
        prop_assert_eq!(shown, done);
        let shown: Vec<_> = seen.held.iter().map(|held| held.app.clone()).collect();
        let held: Vec<_> = plan.held.iter().map(|held| held.app.clone()).collect();
        prop_assert_eq!(shown, held);
        // What is replaced or updated says in what.
        for step in seen.actions.iter().filter(|step| matches!(step.verb, Verb::Replace | Verb::Update)) {
            prop_assert!(!step.changes.is_empty(), "{:?}", step);
        }
    }
}
