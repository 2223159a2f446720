//! One commit in a repository of 10,000 resources.

use criterion::{Criterion, criterion_group, criterion_main};
use mcpfleet::manifest::{FileState, Revision, Snapshot, Tree, parse_file};
use std::{hint::black_box, sync::Arc};

const FILES: usize = 10_000;

fn app(index: usize, version: usize) -> String {
    format!(
        "kind: app\nversion: v3\nmetadata:\n  name: server-{index:05}\n  labels: {{env: prod, team: team-{}}}\nspec:\n  mcp:\n    \
         command: /usr/bin/lookup-server\n    args: [\"--system\", \"{index}\", \"--version\", \"{version}\"]\n",
        index % 100,
    )
}

fn file(index: usize, version: usize) -> (Arc<str>, FileState) {
    let path = format!("team-{:02}/server-{index:05}.yaml", index % 100);
    let parsed = parse_file(&path, app(index, version).as_bytes());
    (path.into(), FileState::Parsed(Arc::new(parsed)))
}

fn building(criterion: &mut Criterion) {
    let mut tree: Tree = (0..FILES).map(|index| file(index, 0)).collect();
    let before = Snapshot::build(&tree, Revision::from("a".to_owned()), None);
    assert_eq!(before.diagnostics, []);
    tree.extend([file(FILES / 2, 1)]);
    criterion.bench_function("snapshot", |bencher| {
        bencher
            .iter_with_large_drop(|| Snapshot::build(black_box(&tree), Revision::from("b".to_owned()), Some(&before)));
    });
    criterion.bench_function("clone of a tree", |bencher| {
        bencher.iter_with_large_drop(|| tree.clone());
    });
    criterion.bench_function("clone of a snapshot", |bencher| {
        bencher.iter_with_large_drop(|| before.clone());
    });
}

criterion_group!(benches, building);
criterion_main!(benches);
