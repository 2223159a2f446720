//! What commits lead to.

use super::objects::{Repository, oid_of};
use crate::authorize::{ObjectError, ObjectId, Objects};
use git2::{Odb, OdbLookupFlags};
use std::collections::HashSet;

/// How far back the oldest commit is that a server is told of.
const FARTHEST: u64 = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Tree,
    Parent,
}

/// What the headers of a commit lead to.
pub(super) fn links(commit: &[u8]) -> impl Iterator<Item = (Link, ObjectId)> {
    let headers = commit.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
    headers.map_while(|line| {
        let (link, id) = match line {
            [b't', b'r', b'e', b'e', b' ', id @ ..] => (Link::Tree, id),
            [b'p', b'a', b'r', b'e', b'n', b't', b' ', id @ ..] => (Link::Parent, id),
            // These two come first, and only once.
            _ => return None,
        };
        Some((link, std::str::from_utf8(id).ok()?.parse().ok()?))
    })
}

/// The parents of a commit, as it is stored.
pub fn parents(commit: &[u8]) -> impl Iterator<Item = ObjectId> {
    links(commit).filter_map(|(link, id)| (link == Link::Parent).then_some(id))
}

/// Whether a commit and all before it are there. What was `before` is complete, so the walk ends wherever it meets that,
/// and at what is there but cannot be understood: to refuse that is for the judge, and to fetch it again would not help.
///
/// # Errors
/// The first that is not.
pub(super) fn check(repository: &Repository, head: ObjectId, before: &Odb<'_>) -> Result<(), ObjectError> {
    let mut seen = HashSet::new();
    let mut pending = vec![head];
    while let Some(id) = pending.pop() {
        if seen.insert(id) && !before.exists_ext(oid_of(id), OdbLookupFlags::NO_REFRESH) {
            match repository.commit(id) {
                Ok(commit) => pending.extend(parents(&commit)),
                Err(error) if error.is_about_content() => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// A few commits to tell a server what need not be sent: the last, and some before it at growing distances, for a remote
/// whose history was rewritten.
pub(super) fn sample(repository: &Repository, last: Option<ObjectId>) -> Vec<ObjectId> {
    let mut have = Vec::new();
    let (mut next, mut distance, mut due) = (last, 0_u64, 0_u64);
    while let Some(id) = next
        && distance <= FARTHEST
    {
        let Ok(commit) = repository.commit(id) else { break };
        if distance == due {
            have.push(id);
            due = (due * 2).max(due + 1);
        }
        distance += 1;
        next = parents(&commit).next();
    }
    have
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_headers_are_links() {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let commit = format!("tree {a}\nparent {b}\nparent {a}\nauthor x\nparent {b}\n\ntree {b}\n");
        let (a, b) = (a.parse().expect("an id"), b.parse().expect("an id"));
        let expected = [(Link::Tree, a), (Link::Parent, b), (Link::Parent, a)];
        assert_eq!(links(commit.as_bytes()).collect::<Vec<_>>(), expected);
        assert_eq!(links(b"tree what?\n").count(), 0);
    }
}
