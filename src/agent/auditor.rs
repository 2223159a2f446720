//! What the audit is told of resources: each change, and what was decided of it. Pure.

use crate::{
    manifest::{Entry, Snapshot},
    resource::ResourceId,
    source::{Mode, RefusedChange, SourceView},
    status::model::audit::{Kind, Outcome, Record},
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

/// What has been told of the sources.
#[derive(Debug, Default)]
pub struct Auditor {
    seen: BTreeMap<String, Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    snapshot: Option<Arc<Snapshot>>,
    refused: Arc<[RefusedChange]>,
}

impl Auditor {
    /// What is new of a source. At the first look that is one record of what it has: what was changed while no agent
    /// looked is in the source's own history.
    pub fn look(&mut self, view: &SourceView) -> Vec<Record> {
        let seen = self.seen.entry(view.name.clone()).or_default();
        let mut news = Vec::new();
        if let Some(git) = &view.git
            && !Arc::ptr_eq(&git.refused, &seen.refused)
        {
            let before: HashSet<_> = seen.refused.iter().map(identity).collect();
            // Listed newest first, and told in the order of the history.
            let new = git.refused.iter().rev().filter(|change| !before.contains(&identity(change)));
            news.extend(new.map(|change| refused(change, git.mode)));
            seen.refused = git.refused.clone();
        }
        if let Some(snapshot) = &view.snapshot
            && seen.snapshot.as_ref().is_none_or(|before| !Arc::ptr_eq(before, snapshot))
        {
            match &seen.snapshot {
                Some(before) => news.extend(changes(before, snapshot)),
                None => news.push(first(snapshot)),
            }
            seen.snapshot = Some(snapshot.clone());
        }
        news.iter_mut().for_each(|record| record.source = Some(view.name.clone()));
        news
    }
}

fn first(snapshot: &Snapshot) -> Record {
    Record {
        method: Some("read".into()),
        reason: Some(format!("{} resources are there at the first look", snapshot.resources.len())),
        revision: Some(snapshot.revision.to_string()),
        ..Record::new(Kind::Change, Outcome::Ok)
    }
}

/// What is another resource than before, in the order of their names.
fn changes(before: &Snapshot, after: &Snapshot) -> Vec<Record> {
    let mut changes = Vec::new();
    for (id, entry) in &after.resources {
        match before.resources.get(id) {
            None => changes.push(change("create", id, entry)),
            Some(old) if !Arc::ptr_eq(old, entry) && old.since != entry.since => {
                changes.push(change("update", id, entry));
            }
            Some(_) => {}
        }
    }
    for (id, entry) in before.resources.iter().filter(|(id, _)| !after.resources.contains_key(*id)) {
        // Of the commit that removed it nothing is known here but the revision.
        let revision = Some(after.revision.to_string());
        changes.push(Record { revision, author: None, signer: None, ..change("delete", id, entry) });
    }
    changes
}

fn change(verb: &str, id: &ResourceId, entry: &Entry) -> Record {
    let author = entry.author.as_deref();
    Record {
        method: Some(verb.to_owned()),
        resource: Some(id.to_string()),
        path: Some(entry.located.path.to_string()),
        revision: Some(entry.since.to_string()),
        author: author.map(|author| author.name.clone()),
        signer: author.and_then(|author| author.signer.clone()),
        ..Record::new(Kind::Change, Outcome::Ok)
    }
}

fn refused(change: &RefusedChange, mode: Mode) -> Record {
    // In audit mode it is in force all the same.
    let outcome = if mode == Mode::Audit { Outcome::Ok } else { Outcome::Refused };
    let resource = change.kind.zip(change.name.as_ref()).map(|(kind, name)| format!("{kind}/{name}"));
    Record {
        method: change.verb.map(|verb| verb.to_string()),
        resource,
        path: Some(change.path.to_string()),
        revision: Some(change.commit.to_string()),
        author: Some(change.author.clone()),
        signer: change.signer.clone(),
        rule: change.rule.clone(),
        reason: Some(change.message.clone()),
        ..Record::new(Kind::Change, outcome)
    }
}

/// What makes a refused change another one.
fn identity(change: &RefusedChange) -> impl Eq + std::hash::Hash + use<> {
    let kind = change.kind.map(|kind| kind.to_string());
    (change.commit, change.path.clone(), kind, change.name.clone())
}
