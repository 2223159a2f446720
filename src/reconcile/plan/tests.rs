use super::*;
use crate::{
    reconcile::{
        Selection, SourceInput, desired,
        fixture::{app, at, selector, source},
    },
    resource::Selector,
};
use proptest::{collection, prelude::*, sample};

const PROD: &[(&str, &str)] = &[("env", "prod")];

fn selection(selectors: Vec<Selector>) -> Selection {
    Selection { enabled: true, selectors, static_apps: Vec::new() }
}

fn everything() -> Selection {
    selection(vec![Selector::everything()])
}

fn want(sources: &[SourceInput]) -> Desired {
    desired(sources, &everything(), at(0))
}

/// Carries a plan out, as an agent does in which everything works.
fn apply(running: &BTreeMap<String, Running>, plan: &Plan) -> BTreeMap<String, Running> {
    let mut after = running.clone();
    for action in &plan.actions {
        match &action.desired {
            Some(desired) => after.insert(action.app.clone(), Running::from(desired)),
            None => after.remove(&action.app),
        };
    }
    after
}

fn run(desired: &Desired) -> BTreeMap<String, Running> {
    desired.apps.iter().map(|(name, app)| (name.clone(), Running::from(app))).collect()
}

fn actions(plan: &Plan) -> Vec<(&str, Verb, &str)> {
    plan.actions.iter().map(|a| (a.app.as_str(), a.verb, a.reason.as_str())).collect()
}

fn many(n: usize) -> Vec<Arc<App>> {
    (0..n).map(|i| app(&format!("a{i}"), "x", PROD)).collect()
}

#[test]
fn each_row_of_the_table() {
    let running = run(&want(&[source(
        "one",
        [app("changed", "1", &[]), app("gone", "1", &[]), app("labels", "1", &[]), app("same", "1", &[])],
    )]));
    let next = want(&[source(
        "one",
        [app("changed", "2", &[]), app("labels", "1", PROD), app("new", "1", &[]), app("same", "1", &[])],
    )]);
    let plan = plan(&running, &next, &PruneGuard::default(), false);
    assert_eq!(
        actions(&plan),
        [
            ("changed", Verb::Replace, "spec changed"),
            ("gone", Verb::Stop, "gone from source `one`"),
            ("labels", Verb::Update, "metadata changed"),
            ("new", Verb::Start, "new in source `one`, selected by *=*"),
        ]
    );
    assert!(plan.held.is_empty());
}

#[test]
fn other_dynamic_labels_touch_no_process() {
    let label = |command: &str| crate::resource::DynamicLabel {
        command: vec![command.to_owned()],
        period: std::time::Duration::from_secs(60),
    };
    let with = |value: &str, command: &str| {
        let mut app = App::clone(&app("a", value, PROD));
        app.spec.dynamic_labels.insert("k".to_owned(), label(command));
        Arc::new(app)
    };
    let (without, one, two) = (app("a", "1", PROD), with("1", "one"), with("1", "two"));
    assert_eq!(without.spec.digest(), one.spec.digest());
    assert_ne!(one.spec.digest(), with("2", "one").spec.digest());
    let verb = |from: &Arc<App>, to: &Arc<App>| {
        let (running, next) = (run(&want(&[source("s", [from.clone()])])), want(&[source("s", [to.clone()])]));
        plan(&running, &next, &PruneGuard::default(), false).actions.first().map(|a| (a.verb, a.reason.clone()))
    };
    let update = Some((Verb::Update, "dynamic labels changed".to_owned()));
    for (from, to, expected) in [
        (&without, &one, update.clone()),
        (&one, &two, update.clone()),
        (&one, &without, update),
        (&one, &with("1", "one"), None),
        (&one, &with("2", "two"), Some((Verb::Replace, "spec changed".to_owned()))),
    ] {
        assert_eq!(verb(from, to), expected);
    }
}

#[test]
fn stops_say_why() {
    let mut settings = selection(vec![selector("env", "prod")]);
    let mut expiring = App::clone(&app("expired", "1", PROD));
    expiring.metadata.expires = Some(at(10));
    let expiring = Arc::new(expiring);
    let before = source("two", [app("deselected", "1", PROD), expiring.clone(), app("shadowed", "1", PROD)]);
    let running = run(&desired(&[before], &settings, at(0)));
    assert_eq!(running.len(), 3);

    settings.static_apps = vec![app("Shadowed", "1", &[])];
    let after = source("two", [app("deselected", "1", &[]), expiring, app("shadowed", "1", PROD)]);
    let plan = plan(&running, &desired(&[after], &settings, at(10)), &PruneGuard::default(), false);
    assert_eq!(
        actions(&plan),
        [
            ("Shadowed", Verb::Start, "in the agent's configuration"),
            ("deselected", Verb::Stop, "no selector matches its labels"),
            ("expired", Verb::Stop, "expired at 1970-01-01T00:00:10Z"),
            ("shadowed", Verb::Stop, "shadowed by `Shadowed` of the agent's configuration"),
        ]
    );
}

#[test]
fn another_source_takes_over() {
    let (one, two) = (source("one", [app("a", "1", &[])]), source("two", [app("a", "1", &[]), app("b", "2", &[])]));
    let running = run(&want(&[one, two.clone()]));
    let plan_without_one = plan(&running, &want(&[two]), &PruneGuard::default(), false);
    assert_eq!(actions(&plan_without_one), [("a", Verb::Update, "same definition, now from source `two`")]);
    let settings = Selection { static_apps: vec![app("b", "3", &[])], ..everything() };
    let next = desired(&[source("one", [app("a", "1", &[])])], &settings, at(0));
    let plan = plan(&running, &next, &PruneGuard::default(), false);
    assert_eq!(actions(&plan), [("b", Verb::Replace, "spec changed, now from the agent's configuration")]);
}

#[test]
fn a_mass_removal_is_held_and_the_rest_proceeds() {
    let all = many(10);
    let running = run(&want(&[source("one", all.clone()), source("two", [app("z", "1", &[])])]));
    let mut few: Vec<_> = all.iter().take(3).cloned().collect();
    few.extend([app("a3", "changed", PROD), app("new", "1", PROD)]);
    let next = want(&[source("one", few)]);
    let mut guard = PruneGuard::default();
    let first = plan(&running, &next, &guard, false);
    let verbs: Vec<_> = first.actions.iter().map(|a| (a.app.as_str(), a.verb)).collect();
    assert_eq!(verbs, [("a3", Verb::Replace), ("new", Verb::Start), ("z", Verb::Stop)]);
    assert_eq!(first.held.iter().map(|h| h.app.as_str()).collect::<Vec<_>>(), ["a4", "a5", "a6", "a7", "a8", "a9"]);
    let reason = first.held.first().map(|h| h.reason.as_str());
    assert_eq!(reason, Some("gone from source `one`; held because source `one` removes 6 of 10"));

    // It stays so, until it is released.
    guard.holds = first.holds.clone();
    let running = apply(&running, &first);
    let second = plan(&running, &next, &guard, false);
    assert!(second.is_empty());
    assert_eq!(second.held, first.held);
    let released = plan(&running, &next, &guard, true);
    assert_eq!(released.actions.iter().filter(|a| a.verb == Verb::Stop).count(), 6);
    assert!(released.holds.is_empty());
}

#[test]
fn only_removals_by_the_snapshot_count() {
    let apps = many(4);
    let settings = selection(vec![selector("env", "prod")]);
    let running = run(&desired(&[source("one", apps.clone())], &settings, at(0)));
    let stops = |sources: &[SourceInput], settings: &Selection| {
        let plan = plan(&running, &desired(sources, settings, at(5)), &PruneGuard::default(), false);
        (plan.actions.iter().filter(|a| a.verb == Verb::Stop).count(), plan.held.len())
    };
    // Changed selectors.
    let other = selection(vec![selector("env", "test")]);
    assert_eq!(stops(&[source("one", apps.clone())], &other), (4, 0));
    // Changed labels.
    let relabelled = apps.iter().map(|a| app(&a.metadata.name, "x", &[("env", "t")]));
    assert_eq!(stops(&[source("one", relabelled)], &settings), (0, 4));
    // Expiry.
    let expired = apps.iter().map(|a| {
        let mut a = App::clone(a);
        a.metadata.expires = Some(at(1));
        Arc::new(a)
    });
    assert_eq!(stops(&[source("one", expired)], &settings), (4, 0));
    // Gone.
    assert_eq!(stops(&[source("one", [])], &settings), (0, 4));
}

#[test]
fn a_twin_in_other_case_waits_for_the_held_one() {
    let running = run(&want(&[source("one", many(4)), source("two", [app("A0", "2", &[])])]));
    let next = want(&[source("one", []), source("two", [app("A0", "2", &[])])]);
    assert!(next.apps.contains_key("A0"));
    let plan = plan(&running, &next, &PruneGuard::default(), false);
    assert!(plan.is_empty(), "{:?}", plan.actions);
    assert_eq!(plan.held.iter().map(|h| h.app.as_str()).collect::<Vec<_>>(), ["A0", "a0", "a1", "a2", "a3"]);
}

/// Definitions by name: which spec, and whether it is selected.
type Definitions = BTreeMap<String, (u8, bool)>;

fn definitions() -> impl Strategy<Value = Vec<Definitions>> {
    let one = collection::btree_map("[a-f]{1,2}|[A-C]", (0u8..3, prop::bool::weighted(0.8)), 0..12);
    collection::vec(one, 1..3)
}

fn sources(definitions: &[Definitions]) -> Vec<SourceInput> {
    let labels = |selected: bool| if selected { PROD } else { &[("env", "test")] };
    let apps = |d: &Definitions| {
        d.iter().map(|(name, (spec, selected))| app(name, &spec.to_string(), labels(*selected))).collect::<Vec<_>>()
    };
    definitions.iter().enumerate().map(|(i, d)| source(&format!("s{i}"), apps(d))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn plans_converge_and_hold_only_by_the_rule(
        before in definitions(),
        after in definitions(),
        min_apps in 0usize..6,
        max_fraction in sample::select(vec![0.0, 0.3, 0.5, 1.0]),
        release in any::<bool>(),
    ) {
        let settings = selection(vec![selector("env", "prod")]);
        let running = run(&desired(&sources(&before), &settings, at(0)));
        let next = desired(&sources(&after), &settings, at(0));
        let mut guard = PruneGuard::default();
        guard.settings.min_apps = min_apps;
        guard.settings.max_fraction = max_fraction;
        let first = plan(&running, &next, &guard, release);

        // What is held is what the rule holds, counted anew from the definitions.
        for index in 0..2 {
            let source: Arc<str> = format!("s{index}").into();
            let mine: Vec<_> = running.iter().filter(|(_, r)| r.source.as_ref() == Some(&source)).collect();
            let removed: BTreeSet<&str> = mine
                .iter()
                .filter(|(name, _)| !next.apps.contains_key(*name))
                .filter(|(name, _)| after.get(index).and_then(|d| d.get(*name)).is_none_or(|(_, selected)| {
                    // Still in the source: deselected, unless another definition has the name.
                    !selected && !next.others.get(*name).into_iter().flatten().any(|idle| {
                        idle.source() == Some(&source) && matches!(idle.why, Why::Shadowed { .. })
                    })
                }))
                .map(|(name, _)| name.as_str())
                .collect();
            let over = removed.len() as f64 > mine.len() as f64 * max_fraction && mine.len() >= min_apps;
            let held: BTreeSet<&str> = first.held.iter().map(|h| h.app.as_str()).collect();
            for name in removed {
                prop_assert_eq!(held.contains(name), over && !release, "{} of {}", name, index);
            }
        }

        // The outcome is what is desired, and what is held besides.
        let outcome = apply(&running, &first);
        let mut expected = run(&next);
        for held in &first.held {
            match running.get(&held.app) {
                Some(old) => expected.insert(held.app.clone(), old.clone()),
                None => expected.remove(&held.app),
            };
        }
        prop_assert_eq!(&outcome, &expected);

        // Then there is nothing more to do.
        guard.holds = first.holds.clone();
        let second = plan(&outcome, &next, &guard, release);
        prop_assert!(second.is_empty(), "{:?}", second.actions);
        prop_assert_eq!(&second.held, &first.held);

        // Each app once, in order.
        prop_assert!(first.actions.iter().zip(first.actions.iter().skip(1)).all(|(a, b)| a.app < b.app));

        // The order in which the actions are carried out makes no difference.
        let mut backwards = first.clone();
        backwards.actions.reverse();
        prop_assert_eq!(&apply(&running, &backwards), &outcome);
    }
}
