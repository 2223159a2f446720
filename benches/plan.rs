//! Deciding what to do after one of 10,000 apps changed.

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use mcpfleet::{
    manifest::{Entry, Located, Places, Position, Revision, Snapshot},
    reconcile::{PruneGuard, Running, Selection, SourceInput, Verb, desired, plan},
    resource::{App, AppSpec, Care, Metadata, Remote, RemoteTransport, Resource, Selector, Server},
};
use std::{collections::BTreeMap, hint::black_box, sync::Arc};

const APPS: usize = 10_000;

fn app(index: usize, version: usize) -> Arc<App> {
    let labels = [("env", if index.is_multiple_of(2) { "prod" } else { "staging" }), ("team", "web")];
    Arc::new(App {
        metadata: Metadata {
            labels: labels.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
            ..Metadata::named(format!("server-{index:05}"))
        },
        spec: AppSpec {
            server: Server::Remote(Box::new(Remote {
                transport: RemoteTransport::StreamableHttp,
                url: format!("https://example.com/{index}/{version}"),
                headers: Vec::new(),
                insecure_skip_verify: false,
                care: Care::of_remote(),
            })),
            dynamic_labels: BTreeMap::new(),
        },
    })
}

fn revision() -> Revision {
    Revision::from("0123456789abcdef".to_owned())
}

fn source(apps: &[Arc<App>]) -> SourceInput {
    let entry = |app: &Arc<App>| {
        let resource = Resource::App(app.clone());
        let path = format!("apps/{}.yaml", app.metadata.name).into();
        let located = Located { resource, path, position: Position { line: 1, column: 1 }, places: Places::default() };
        (located.resource.id(), Arc::new(Entry::new(located, revision())))
    };
    let snapshot = Snapshot {
        revision: revision(),
        resources: apps.iter().map(entry).collect(),
        diagnostics: Vec::new(),
        files: apps.len(),
    };
    SourceInput { name: "fleet".into(), snapshot: Arc::new(snapshot) }
}

fn selection() -> Selection {
    let selector = |values: &[&str]| {
        let values = values.iter().map(|v| v.to_string()).collect();
        Selector::new(BTreeMap::from([("env".to_owned(), values)])).expect("the patterns are valid")
    };
    Selection {
        enabled: true,
        selectors: vec![selector(&["prod"]), selector(&["test", "^stag.*$"])],
        static_apps: Vec::new(),
    }
}

fn one_change(criterion: &mut Criterion) {
    let mut apps: Vec<_> = (0..APPS).map(|index| app(index, 1)).collect();
    let now = Timestamp::UNIX_EPOCH;
    let before = desired(&[source(&apps)], &selection(), now);
    let running: BTreeMap<_, _> = before.apps.iter().map(|(name, app)| (name.clone(), Running::from(app))).collect();
    apps[APPS / 2] = app(APPS / 2, 2);
    let sources = [source(&apps)];
    let after = desired(&sources, &selection(), now);
    // The same files read anew, as after a restart of the source: nothing is shared.
    let anew: Vec<_> = (0..APPS).map(|index| app(index, if index == APPS / 2 { 2 } else { 1 })).collect();
    let after_anew = desired(&[source(&anew)], &selection(), now);
    let guard = PruneGuard::default();

    let verbs: Vec<_> = plan(&running, &after, &guard, false).actions.iter().map(|action| action.verb).collect();
    assert_eq!(verbs, [Verb::Replace]);

    let mut group = criterion.benchmark_group("10000 apps, one change");
    group.bench_function("desired", |b| b.iter(|| desired(black_box(&sources), &selection(), now)));
    group.bench_function("plan", |b| b.iter(|| plan(black_box(&running), &after, &guard, false)));
    group.bench_function("plan, nothing shared", |b| b.iter(|| plan(black_box(&running), &after_anew, &guard, false)));
    group.finish();
}

criterion_group!(benches, one_change);
criterion_main!(benches);
