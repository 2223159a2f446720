//! What the status says of git sources. Pure.

use super::model::{GitStatus, RefusedStatus};
use crate::source::{GitView, Mode, RefusedChange, SourceView};
use std::{collections::HashMap, fmt::Display};

/// How many refused changes are listed.
const MAX_REFUSED: usize = 200;

pub(super) fn status(view: &GitView) -> GitStatus {
    GitStatus {
        follows: view.follows.clone(),
        mode: view.mode.to_string(),
        seen: view.seen.map(|commit| commit.to_string()),
        newest: view.newest,
        accepted: view.accepted.map(|commit| commit.to_string()),
        refused: view.refused.iter().take(MAX_REFUSED).map(refused).collect(),
        refused_total: view.refused.len(),
        warnings: view.warnings.clone(),
    }
}

fn refused(change: &RefusedChange) -> RefusedStatus {
    let text = |value: Option<&dyn Display>| value.map(ToString::to_string);
    RefusedStatus {
        commit: change.commit.to_string(),
        author: change.author.clone(),
        signer: change.signer.clone(),
        path: change.path.to_string(),
        kind: change.kind.map(|kind| kind.to_string()),
        name: change.name.clone(),
        verb: text(change.verb.as_ref().map(|verb| verb as _)),
        code: text(change.code.as_ref().map(|code| code as _)),
        rule: change.rule.clone(),
        message: change.message.clone(),
    }
}

/// Code and message of the newest refused change of each path that is held for it, by source and path.
pub(super) fn refused_by_path(views: &[SourceView]) -> HashMap<(&str, &str), (String, String)> {
    let mut held = HashMap::new();
    for view in views {
        // In audit mode nothing is held.
        let Some(git) = view.git.as_ref().filter(|git| git.mode == Mode::Enforce) else { continue };
        for change in git.refused.iter() {
            held.entry((&*view.name, &*change.path)).or_insert_with(|| told(change));
        }
    }
    held
}

/// Code and message of a refused change.
pub(super) fn told(change: &RefusedChange) -> (String, String) {
    let code = change.code.map(|code| code.to_string()).unwrap_or_default();
    let by = change.signer.as_deref().map(|signer| format!(", signed by {signer}")).unwrap_or_default();
    let commit = change.commit.short();
    (code, format!("commit {commit} of {}{by} was refused: {}", change.author, change.message))
}
