//! Apps, snapshots and selectors for the tests of this module.

use super::SourceInput;
use crate::{
    manifest::{Entry, Located, Places, Position, Revision, Snapshot},
    resource::{App, AppSpec, Care, Metadata, Remote, RemoteTransport, Resource, Selector, Server},
};
use jiff::Timestamp;
use std::{collections::BTreeMap, sync::Arc};

/// An app whose spec differs by `value`.
pub(super) fn app(name: &str, value: &str, labels: &[(&str, &str)]) -> Arc<App> {
    let labels = labels.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    Arc::new(App {
        metadata: Metadata { labels, ..Metadata::named(name) },
        spec: AppSpec {
            server: Server::Remote(Box::new(Remote {
                transport: RemoteTransport::StreamableHttp,
                url: format!("https://example.com/{value}"),
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

pub(super) fn source(name: &str, apps: impl IntoIterator<Item = Arc<App>>) -> SourceInput {
    let entry = |app: Arc<App>| {
        let resource = Resource::App(app);
        let located = Located {
            path: format!("{}.yaml", resource.metadata().name).into(),
            position: Position { line: 1, column: 1 },
            places: Places::default(),
            resource,
        };
        (located.resource.id(), Arc::new(Entry::new(located, revision())))
    };
    let snapshot = Snapshot {
        revision: revision(),
        resources: apps.into_iter().map(entry).collect(),
        diagnostics: Vec::new(),
        files: 0,
    };
    SourceInput { name: name.into(), snapshot: Arc::new(snapshot) }
}

pub(super) fn selector(key: &str, value: &str) -> Selector {
    Selector::new(BTreeMap::from([(key.to_owned(), vec![value.to_owned()])])).unwrap_or_default()
}

/// Seconds since the epoch.
pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or_default()
}
