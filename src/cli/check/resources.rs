//! What is wrong with the resources of a commit, and what of it a change has brought.

use crate::{
    authorize::State,
    manifest::{Code, Diagnostic, FileState, ParsedFile, Severity, Tree, check_file, diagnostics},
};
use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

/// The resources of a head, compared with those of where it began.
#[derive(Debug, Default)]
pub struct Resources {
    /// The files that the head has.
    pub files: Vec<Arc<str>>,
    /// How many resources they hold, valid by themselves.
    pub resources: usize,
    /// What the change is answerable for: what is wrong in a file that it touches, or was not wrong before.
    pub new: Vec<Diagnostic>,
    /// What is wrong elsewhere, and was before.
    pub old: usize,
}

impl Resources {
    /// Compares all that two commits have, accepted or not. `read` gives the bytes of a file of the later one, for what is
    /// a risk in it.
    pub fn compare(before: &State, after: &State, read: impl Fn(&str) -> Option<Vec<u8>>) -> Resources {
        let (before, after) = (before.tree(), after.tree());
        let touched = touched(&before, &after);
        let known: HashSet<_> = diagnostics(&before).into_iter().map(|d| (d.path, d.code, d.message)).collect();
        let is_new = |d: &Diagnostic| {
            touched.contains(&*d.path)
                || d.related.iter().any(|related| touched.contains(&*related.path))
                || !known.contains(&(d.path.clone(), d.code, d.message.clone()))
        };
        let (mut new, old): (Vec<_>, Vec<_>) = diagnostics(&after).into_iter().partition(is_new);
        for (path, file) in touched.iter().filter_map(|path| Some((path, after.get(*path)?))) {
            let FileState::Parsed(file) = file else { continue };
            let risks = read(path).map(|bytes| check_file(path, &bytes).diagnostics).unwrap_or_default();
            let is_risk = |d: &Diagnostic| {
                !file.diagnostics.iter().any(|known| known.code == d.code && known.position == d.position)
            };
            new.extend(risks.into_iter().filter(is_risk));
        }
        new.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        let resources = parsed(&after).map(|file| file.resources.len()).sum();
        Resources { files: after.keys().cloned().collect(), resources, new, old: old.len() }
    }

    /// The same without warnings of these codes.
    pub fn without(mut self, codes: &[Code]) -> Resources {
        self.new.retain(|d| d.severity == Severity::Error || !codes.contains(&d.code));
        self
    }
}

fn parsed(tree: &Tree) -> impl Iterator<Item = &Arc<ParsedFile>> {
    tree.values().filter_map(|state| match state {
        FileState::Parsed(file) => Some(file),
        FileState::Unreadable(_) => None,
    })
}

/// The paths that are not the same in both. A content that both have was parsed once; of what is no file, such as a symlink,
/// only what is wrong with it is known.
fn touched<'t>(before: &'t Tree, after: &'t Tree) -> BTreeSet<&'t str> {
    let same = |path: &str| match (before.get(path), after.get(path)) {
        (Some(FileState::Parsed(before)), Some(FileState::Parsed(after))) => Arc::ptr_eq(before, after),
        (Some(FileState::Unreadable(before)), Some(FileState::Unreadable(after))) => before == after,
        _ => false,
    };
    before.keys().chain(after.keys()).map(|path| &**path).filter(|path| !same(path)).collect()
}
