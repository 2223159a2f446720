use super::*;
use crate::{
    manifest::{Code, Position},
    resource::{GatewayIdentity, GitIdentity, Metadata, User},
};
use proptest::{collection::btree_map, prelude::*, sample::subsequence};

const START: Position = Position { line: 1, column: 1 };

/// A user with a description by which versions of it can be told apart.
fn user(path: &str, name: &str, version: &str) -> Located {
    let user = User {
        metadata: Metadata { description: Some(version.to_owned()), ..Metadata::named(name) },
        roles: Vec::new(),
        traits: BTreeMap::new(),
        git: GitIdentity::default(),
        gateway: GatewayIdentity::default(),
    };
    Located { resource: Resource::User(Arc::new(user)), path: path.into(), position: START, places: Default::default() }
}

fn id(name: &str) -> ResourceId {
    ResourceId { kind: Kind::User, name: name.to_owned() }
}

fn mistake(path: &str, severity: Severity) -> Diagnostic {
    Diagnostic {
        severity,
        code: Code::Syntax,
        message: "made up".into(),
        help: None,
        path: path.into(),
        position: Some(START),
        line_text: None,
        length: None,
        document: None,
        pointer: None,
        related: vec![],
    }
}

/// What a test writes into a file.
#[derive(Clone, Debug)]
enum File {
    /// `name=version` each, all valid.
    Valid(Vec<String>),
    /// Valid documents next to an invalid one, which is about these.
    Broken(Vec<String>, Vec<String>),
    Unreadable,
}

use File::{Broken, Unreadable, Valid};

fn list(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

fn tree(files: &[(&str, File)]) -> Tree {
    let state = |path: &str, file: &File| {
        let parsed = |documents: &[String], claims: &[String], diagnostics| {
            let split = |text: &String| text.split_once('=').map(|(name, version)| user(path, name, version));
            let resources = documents.iter().filter_map(split).collect();
            let claims = claims.iter().map(|name| id(name)).collect();
            FileState::Parsed(Arc::new(ParsedFile { resources, claims, diagnostics }))
        };
        match file {
            Valid(documents) => parsed(documents, &[], vec![mistake(path, Severity::Warning)]),
            Broken(documents, claims) => parsed(documents, claims, vec![mistake(path, Severity::Error)]),
            Unreadable => FileState::Unreadable(Box::new(mistake(path, Severity::Error))),
        }
    };
    files.iter().map(|(path, file)| ((*path).into(), state(path, file))).collect()
}

/// The snapshot after a history of trees, whose revisions are `1`, `2` and so on.
fn after(trees: &[Tree]) -> Snapshot {
    let build = |previous: Option<Snapshot>, (n, tree): (usize, &Tree)| {
        Some(Snapshot::build(tree, Revision::from((n + 1).to_string()), previous.as_ref()))
    };
    trees.iter().enumerate().fold(None, build).expect("at least one tree")
}

/// `name=version@since`, with a `!` when it is stale.
fn shown(snapshot: &Snapshot) -> Vec<String> {
    let shown = |(id, entry): (&ResourceId, &Arc<Entry>)| {
        let Resource::User(user) = &entry.located.resource else { panic!("only users here") };
        let stale = if entry.is_stale() { "!" } else { "" };
        format!("{}={}@{}{stale}", id.name, user.metadata.description.clone().unwrap_or_default(), entry.since)
    };
    snapshot.resources.iter().map(shown).collect()
}

#[test]
fn last_good_wins() {
    let good = |path, documents: &[&str]| (path, Valid(list(documents)));
    let start = || tree(&[good("a.yaml", &["x=1", "y=1"]), good("d/b.yaml", &["z=1"])]);
    let d = || good("d/b.yaml", &["z=1"]);
    let cases: &[(&str, Tree, &[&str])] = &[
        ("nothing changed", start(), &["x=1@1", "y=1@1", "z=1@1"]),
        ("an update", tree(&[good("a.yaml", &["x=2", "y=1"]), d()]), &["x=2@2", "y=1@1", "z=1@1"]),
        ("a document removed", tree(&[good("a.yaml", &["x=1"]), d()]), &["x=1@1", "z=1@1"]),
        ("a file removed", tree(&[d()]), &["z=1@1"]),
        ("moved", tree(&[good("c.yaml", &["x=1", "y=1"]), d()]), &["x=1@1", "y=1@1", "z=1@1"]),
        ("emptied", tree(&[good("a.yaml", &[]), d()]), &["z=1@1"]),
        ("unreadable", tree(&[("a.yaml", Unreadable), d()]), &["x=1@1!", "y=1@1!", "z=1@1"]),
        ("an unreadable folder", tree(&[good("a.yaml", &["x=1"]), ("d", Unreadable)]), &["x=1@1", "z=1@1!"]),
        ("no such folder", tree(&[good("a.yaml", &["x=1"]), ("d/b", Unreadable)]), &["x=1@1"]),
        (
            "one bad document holds the file",
            tree(&[("a.yaml", Broken(list(&["x=2", "new=2"]), vec![])), d()]),
            &["x=1@1!", "y=1@1!", "z=1@1"],
        ),
        (
            "a broken file elsewhere claims it",
            tree(&[("e.yaml", Broken(vec![], list(&["x"]))), d()]),
            &["x=1@1!", "z=1@1"],
        ),
        ("moved to a broken file", tree(&[("e.yaml", Broken(list(&["y=2"]), vec![])), d()]), &["y=1@1!", "z=1@1"]),
        (
            "defined twice",
            tree(&[good("a.yaml", &["x=2", "y=2"]), good("e.yaml", &["x=3", "new=3"]), d()]),
            &["x=1@1!", "y=1@1!", "z=1@1"],
        ),
        (
            "defined twice but for case",
            tree(&[good("a.yaml", &["x=2", "y=1"]), good("e.yaml", &["X=3"]), d()]),
            &["x=1@1!", "y=1@1!", "z=1@1"],
        ),
        (
            "new in another case while its old file is broken",
            tree(&[("a.yaml", Unreadable), good("e.yaml", &["X=2", "new=2"]), d()]),
            &["x=1@1!", "y=1@1!", "z=1@1"],
        ),
        (
            "valid elsewhere while its old file is broken",
            tree(&[("a.yaml", Unreadable), good("e.yaml", &["x=2"]), d()]),
            &["x=2@2", "y=1@1!", "z=1@1"],
        ),
    ];
    for (what, next, expected) in cases {
        assert_eq!(shown(&after(&[start(), next.clone()])), *expected, "{what}");
        let twice = after(&[start(), next.clone(), next.clone()]);
        assert_eq!(shown(&twice), *expected, "{what}, twice");
        assert_eq!(shown(&after(&[start(), next.clone(), start()])).len(), 3, "{what}, and back");
    }
}

#[test]
fn a_first_tree_has_nothing_to_hold() {
    let broken = tree(&[("a.yaml", Broken(list(&["x=1"]), list(&["y"]))), ("b.yaml", Unreadable)]);
    let snapshot = after(&[broken]);
    assert!(snapshot.resources.is_empty());
    assert_eq!(snapshot.diagnostics.len(), 2);
    assert_eq!(snapshot.files, 2);
}

#[test]
fn narrowing_leaves_out_apps_only() {
    let tree = tree(&[("a.yaml", Valid(list(&["x=1"]))), ("team/b.yaml", Valid(list(&["y=1"])))]);
    let mut snapshot = after(&[tree]);
    for path in ["a.yaml", "team/c.yaml", "teams/d.yaml"] {
        let name = path.trim_end_matches(".yaml").replace('/', "-");
        let server = crate::resource::Server::Remote(Box::new(crate::resource::Remote {
            transport: crate::resource::RemoteTransport::StreamableHttp,
            url: "https://example.com/".into(),
            headers: vec![],
            insecure_skip_verify: false,
            care: crate::resource::Care::of_remote(),
        }));
        let spec = crate::resource::AppSpec { server, dynamic_labels: BTreeMap::new() };
        let app = Arc::new(crate::resource::App { metadata: Metadata::named(name.clone()), spec });
        let located =
            Located { resource: Resource::App(app), path: path.into(), position: START, places: Default::default() };
        let entry = Entry::new(located, Revision::from("1".to_owned()));
        snapshot.resources.insert(ResourceId { kind: Kind::App, name }, Arc::new(entry));
    }
    let names = |folder| snapshot.narrowed(folder).resources.into_keys().map(|id| id.to_string()).collect::<Vec<_>>();
    for folder in ["team", "team/", "/team"] {
        assert_eq!(names(folder), ["app/team-c", "user/x", "user/y"], "{folder}");
    }
    assert_eq!(names("").len(), 5);
    assert_eq!(names("/").len(), 5);
}

/// A file of one of the five names, whose documents are `a=1` to `d=3`.
fn any_file() -> impl Strategy<Value = File> {
    let documents = subsequence(vec!["a", "b", "c", "d"], 0..=3)
        .prop_flat_map(|names| (Just(names.clone()), proptest::collection::vec(1..4, names.len())))
        .prop_map(|(names, versions)| names.iter().zip(versions).map(|(n, v)| format!("{n}={v}")).collect());
    prop_oneof![
        3 => Just(()).prop_flat_map({ let d = documents.clone(); move |()| d.clone() }).prop_map(Valid),
        1 => (documents, subsequence(vec!["a", "b", "c", "d"], 0..=2)).prop_map(|(d, claims)| Broken(d, list(&claims))),
        1 => Just(Unreadable),
    ]
}

fn any_files() -> impl Strategy<Value = BTreeMap<&'static str, File>> {
    btree_map(prop::sample::select(vec!["1.yaml", "2.yaml", "3.yaml", "d/4.yaml", "d/5.yaml"]), any_file(), 0..5)
}

fn tree_of(files: &BTreeMap<&'static str, File>) -> Tree {
    tree(&files.iter().map(|(path, file)| (*path, file.clone())).collect::<Vec<_>>())
}

/// How many valid documents of that name there are, and whether any file that is not valid mentions it.
fn written(files: &BTreeMap<&'static str, File>, name: &str) -> (Vec<String>, bool) {
    let is = |document: &&String| document.split_once('=').is_some_and(|(n, _)| n == name);
    let mut valid = vec![];
    let mut elsewhere = false;
    for file in files.values() {
        match file {
            Valid(documents) => valid.extend(documents.iter().filter(is).cloned()),
            Broken(documents, _) => elsewhere |= documents.iter().any(|d| is(&d)),
            Unreadable => {}
        }
    }
    (valid, elsewhere)
}

proptest! {
    #[test]
    fn no_fault_removes_anything(
        history in proptest::collection::vec(any_files(), 1..4),
        faults in btree_map(prop::sample::select(vec!["1.yaml", "2.yaml", "3.yaml", "d/4.yaml", "d/5.yaml", "d"]),
            prop_oneof![Just(Unreadable), Just(Broken(vec![], vec![]))], 0..4),
    ) {
        let mut trees: Vec<Tree> = history.iter().map(tree_of).collect();
        let before = after(&trees);
        let mut last = history.last().cloned().unwrap_or_default();
        let clash = ["a", "b", "c", "d"].iter().any(|name| {
            let (valid, elsewhere) = written(&last, name);
            valid.len() + usize::from(elsewhere) > 1
        });
        last.extend(faults);
        trees.push(tree_of(&last));
        let snapshot = after(&trees);
        // Where files clash, a fault in one may make the other valid, and what that one says then holds.
        let safe = before.resources.iter().filter(|(_, entry)| !(clash && entry.is_stale()));
        prop_assert!(safe.map(|(id, _)| id).all(|id| snapshot.resources.contains_key(id)));
        for (id, entry) in snapshot.resources.iter().filter(|(_, entry)| entry.is_stale()) {
            prop_assert_eq!(&before.resources[id].located, &entry.located);
        }
    }

    #[test]
    fn what_is_valid_and_unique_takes_effect(history in proptest::collection::vec(any_files(), 1..4)) {
        let snapshot = after(&history.iter().map(tree_of).collect::<Vec<_>>());
        let last = history.last().cloned().unwrap_or_default();
        // A file takes effect only as a whole: with a duplicate in it, none of it does.
        let duplicate = |name: &str| { let (valid, elsewhere) = written(&last, name); valid.len() + usize::from(elsewhere) > 1 };
        for file in last.values() {
            let Valid(documents) = file else { continue };
            let names: Vec<_> = documents.iter().filter_map(|d| d.split_once('=')).collect();
            if names.iter().any(|(name, _)| duplicate(name)) { continue }
            for (name, version) in names {
                let entry = &snapshot.resources[&id(name)];
                prop_assert!(!entry.is_stale());
                let Resource::User(user) = &entry.located.resource else { panic!("only users here") };
                prop_assert_eq!(user.metadata.description.clone().unwrap_or_default(), version);
            }
        }
    }

    #[test]
    fn restoring_a_tree_restores_the_snapshot(good in any_files(), bad in any_files()) {
        let good: BTreeMap<_, _> = good.into_iter().filter(|(_, file)| matches!(file, Valid(_))).collect();
        let first = after(&[tree_of(&good)]);
        let back = after(&[tree_of(&good), tree_of(&bad), tree_of(&good)]);
        let unique = |name: &str| written(&good, name).0.len() == 1;
        for (id, entry) in &first.resources {
            prop_assert!(!unique(&id.name) || !back.resources[id].is_stale());
            prop_assert_eq!(&entry.located, &back.resources[id].located);
        }
        prop_assert_eq!(first.diagnostics, back.diagnostics);
    }
}
