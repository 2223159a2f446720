//! What becomes of the resources of a file when its content does.

use super::{ChangeVerb, content::Content};
use crate::resource::{Kind, Resource, Written};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A change of one resource. It is always in one file: what moves to another is deleted here and created there.
#[derive(Clone, Debug)]
pub struct Change {
    pub kind: Kind,
    pub name: String,
    pub verb: ChangeVerb,
    pub before: Option<Resource>,
    pub after: Option<Resource>,
}

/// The changes from one content of a file to another, which differs from it. A file is the unit: whatever is edited in
/// it, every resource that it has before and after counts as updated.
///
/// Of a file that is not valid, as there may be before the first accepted one, the resources count that can be read.
pub fn changes(before: Option<&Content>, after: Option<&Content>) -> Vec<Change> {
    let (mut before, after) = (resources(before), resources(after));
    let mut changes = Vec::new();
    for ((kind, name), resource) in after {
        let old = before.remove(&(kind, name.clone()));
        let verb = if old.is_some() { ChangeVerb::Update } else { ChangeVerb::Create };
        changes.push(Change { kind, name, verb, before: old, after: Some(resource) });
    }
    changes.extend(before.into_iter().map(|((kind, name), resource)| Change {
        kind,
        name,
        verb: ChangeVerb::Delete,
        before: Some(resource),
        after: None,
    }));
    changes
}

fn resources(content: Option<&Content>) -> BTreeMap<(Kind, String), Resource> {
    let file = content.and_then(Content::file);
    let located = file.into_iter().flat_map(|file| &file.resources);
    located.map(|l| ((l.resource.kind(), l.resource.metadata().name.clone()), l.resource.clone())).collect()
}

/// What a `where` sees of a resource.
pub fn document(resource: &Resource) -> Value {
    match resource {
        Resource::App(app) => serde_json::to_value(Written::of(app)).unwrap_or_default(),
        Resource::Role(_) | Resource::User(_) => json!({ "metadata": resource.metadata() }),
    }
}
