//! From 10,000 resource files to a desired state: all of them for the first time, and again after one changed.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use mcpfleet::{
    manifest::Snapshot,
    reconcile::{Desired, Selection, SourceInput, desired},
    resource::Selector,
    source::{Cache, Ignore, read_tree},
};
use std::{collections::BTreeMap, fs, hint::black_box, path::Path, sync::Arc};

const FILES: usize = 10_000;
const FOLDERS: usize = 100;

/// A resource of the usual size, about 300 bytes.
fn write(root: &Path, index: usize, version: usize) {
    let env = if index.is_multiple_of(2) { "prod" } else { "staging" };
    let text = format!(
        "kind: app\nversion: v3\nmetadata:\n  name: server-{index:05}\n  description: Looks things up in system {index}\n  \
         labels:\n    env: {env}\n    team: team-{}\n    tier: \"{}\"\nspec:\n  mcp:\n    command: /usr/bin/lookup-server\n    \
         args: [\"--system\", \"{index}\", \"--version\", \"{version}\"]\n    run_as_host_user: mcp\n    env:\n      \
         LOG_LEVEL: info\n",
        index % FOLDERS,
        index % 3,
    );
    let folder = root.join(format!("team-{:02}", index % FOLDERS));
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join(format!("server-{index:05}.yaml")), text).expect("a file");
}

fn selection() -> Selection {
    let selector = Selector::new(BTreeMap::from([("env".to_owned(), vec!["prod".to_owned(), "^stag.*$".to_owned()])]));
    Selection { enabled: true, selectors: vec![selector.expect("a valid selector")], static_apps: Vec::new() }
}

/// All the way, as the agent goes it.
fn load(root: &Path, cache: &mut Cache, previous: Option<&Snapshot>) -> (Arc<Snapshot>, Desired) {
    let read = read_tree(root, &Ignore::none(), cache).expect("the folder can be read");
    let snapshot = Arc::new(Snapshot::build(&read.tree, read.revision, previous));
    let input = SourceInput { name: "fleet".into(), snapshot: Arc::clone(&snapshot) };
    let desired = desired(&[input], &selection(), Timestamp::UNIX_EPOCH);
    (snapshot, desired)
}

fn loading(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let root = dir.path();
    (0..FILES).for_each(|index| write(root, index, 0));
    let (snapshot, desired) = load(root, &mut Cache::default(), None);
    assert_eq!(snapshot.diagnostics, []);
    assert_eq!(desired.apps.len(), FILES);

    let mut group = criterion.benchmark_group("load 10,000 files");
    group.sample_size(20);
    group.bench_function("for the first time", |bencher| {
        bencher.iter(|| black_box(load(root, &mut Cache::default(), None)));
    });
    let mut cache = Cache::default();
    let (mut previous, _) = load(root, &mut cache, None);
    let mut version = 0;
    group.bench_function("again after one changed", |bencher| {
        let mut change = || {
            version += 1;
            write(root, FILES / 2, version);
        };
        bencher.iter_batched(
            &mut change,
            |()| {
                let (next, desired) = load(root, &mut cache, Some(&previous));
                previous = next;
                black_box(desired)
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, loading);
criterion_main!(benches);
