use super::*;
use crate::manifest::{Author, parse_file};
use proptest::{
    collection::{btree_map, vec},
    prelude::*,
    sample::select,
};
use std::collections::BTreeMap;

const PATHS: [&str; 5] = ["a.yaml", "b.yaml", "c.yaml", "d/e.yaml", "d/f.yaml"];

/// The documents of a file, or nothing that can be read.
type File = Option<Vec<&'static str>>;

fn any_file() -> impl Strategy<Value = File> {
    let app = |text| ("kind: app\nversion: v3\n", text);
    let documents = vec![
        app("metadata: {name: one}\nspec: {mcp: {command: a}}"),
        app("metadata: {name: one}\nspec: {mcp: {command: b}}"),
        app("metadata: {name: One}\nspec: {mcp: {command: a}}"),
        app("metadata: {name: two}\nspec: {mcp: {command: a}}"),
        app("metadata: {name: three}\nspec: {mcp: {command: a}}"),
        ("kind: user\nversion: v2\n", "metadata: {name: one}\nspec: {roles: [admin]}"),
        ("kind: role\nversion: v7\n", "metadata: {name: admin}\nspec: {}"),
        ("kind: app\n", "metadata: {name: two}\nspec: {mcp: {command: [1]}}"),
    ];
    let texts: Vec<&'static str> = documents.into_iter().map(|(a, b)| &*format!("{a}{b}\n").leak()).collect();
    // Mostly apps, so that most steps are what is worth the trouble.
    let apps = texts.iter().copied().take(5).collect::<Vec<_>>();
    prop_oneof![
        8 => vec(select(apps), 0..2).prop_map(Some),
        1 => vec(select(texts), 0..3).prop_map(Some),
        1 => Just(None),
    ]
}

proptest! {
    #[test]
    fn a_series_is_what_would_be_built(steps in vec(btree_map(select(PATHS.to_vec()), prop::option::weighted(0.8, any_file()), 1..3), 1..8)) {
        let (mut series, mut stepped, mut tree, mut built) = (Series::default(), Series::default(), Tree::new(), None);
        for (number, step) in steps.iter().enumerate() {
            for (path, change) in step {
                let state = change.as_ref().map(|file| match file {
                    Some(documents) => {
                        FileState::Parsed(Arc::new(parse_file(path, documents.join("---\n").as_bytes())))
                    }
                    None => FileState::Unreadable(Box::new(unreadable(path))),
                });
                match state {
                    Some(state) => drop(tree.insert((*path).into(), state)),
                    None => drop(tree.remove(*path)),
                }
            }
            let revision = Revision::from(number.to_string());
            let mut expected = Snapshot::build(&tree, revision.clone(), built.as_ref());
            let makers: BTreeMap<&str, Maker> = PATHS.iter().map(|path| (*path, maker(path))).collect();
            for entry in expected.resources.values_mut().filter(|entry| !entry.is_stale()) {
                Arc::make_mut(entry).since = makers[&*entry.located.path].revision.clone();
            }
            let next = series.next(Next::Tree(tree.clone()), revision, |path| &makers[path]);
            prop_assert_eq!(&next.resources, &expected.resources);
            prop_assert_eq!(&next.diagnostics, &expected.diagnostics);
            prop_assert_eq!((&next.revision, next.files), (&expected.revision, expected.files));
            // And when the changes are known.
            let files = step.keys().map(|path| ((*path).into(), tree.get(*path).cloned())).collect();
            let next = stepped.next(Next::Files(files), expected.revision.clone(), |path| &makers[path]);
            prop_assert_eq!(&next.resources, &expected.resources);
            prop_assert_eq!(&next.diagnostics, &expected.diagnostics);
            prop_assert_eq!((&next.revision, next.files), (&expected.revision, expected.files));
            prop_assert_eq!(stepped.tree().map(Tree::len), Some(tree.len()));
            built = Some(expected);
        }
    }
}

fn unreadable(path: &str) -> crate::manifest::Diagnostic {
    let broken = parse_file(path, b"[");
    broken.diagnostics.into_iter().next().expect("no YAML")
}

fn parsed_tree(files: &BTreeMap<&str, &str>) -> Tree {
    let parse =
        |(path, text): (&&str, &&str)| ((*path).into(), FileState::Parsed(Arc::new(parse_file(path, text.as_bytes()))));
    files.iter().map(parse).collect()
}

#[test]
fn a_change_of_one_app_leaves_the_rest_alone() {
    let app = |name: &str, command: &str| {
        format!("kind: app\nversion: v3\nmetadata: {{name: {name}}}\nspec: {{mcp: {{command: {command}}}}}\n")
    };
    let (one, two, changed) = (app("one", "a"), app("two", "a"), app("two", "b"));
    let mut series = Series::default();
    let mut tree = parsed_tree(&BTreeMap::from([("one.yaml", &*one), ("two.yaml", &*two)]));
    let (old, new) = (maker("1"), maker("2"));
    let first = series.next(Next::Tree(tree.clone()), old.revision.clone(), |_| &old);
    assert!(series.attribute(|_| Some(&old)).is_none(), "that is no news");
    let author = Arc::new(Author { name: "A <a>".to_owned(), signer: None });
    let known = Maker { author: Some(author), ..maker("0") };
    assert!(
        series
            .attribute(|path| (path == "one.yaml").then_some(&known))
            .is_some_and(|next| next.resources != first.resources)
    );

    tree.extend(parsed_tree(&BTreeMap::from([("two.yaml", &*changed)])));
    let next =
        series.next(Next::Tree(tree), new.revision.clone(), |path| if path == "one.yaml" { &known } else { &new });
    let shown: Vec<_> = next
        .resources
        .values()
        .map(|entry| format!("{} {} {:?}", entry.located.path, entry.since, entry.author.as_ref().map(|a| &*a.name)))
        .collect();
    assert_eq!(shown, ["one.yaml 0 Some(\"A <a>\")", "two.yaml 2 None"]);
    let names = series.names.as_ref().map(HashSet::len);
    assert_eq!(names, Some(2), "otherwise it was built, and that was not worth the trouble");
}

fn maker(revision: &str) -> Maker {
    Maker { revision: Revision::from(revision.to_owned()), author: None }
}
