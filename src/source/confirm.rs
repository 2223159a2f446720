//! What is gone must be gone twice.
//!
//! Between an editor's removal of a file and its writing of the new one, between the two halves of a `git checkout`,
//! while a volume is being mounted: at such a moment a directory lacks what it is going to have. So what a look finds
//! missing counts as removed only when the next look does not find it either, and the same goes for a directory
//! without any file.

use crate::{manifest::Snapshot, resource::ResourceId};
use std::collections::BTreeSet;

/// After so many looks that each found something else missing, the last one is believed.
const MAX_LOOKS: u32 = 5;

/// What a look found missing of what is in force.
#[derive(Debug)]
struct Missing {
    resources: BTreeSet<ResourceId>,
    /// There is no file at all.
    everything: bool,
}

/// The looks at removals that have not been believed yet.
#[derive(Debug, Default)]
pub(super) struct Confirmation {
    last: Option<Missing>,
    looks: u32,
}

impl Confirmation {
    /// Whether `found` can be believed, given what is in force. If not, another look is due.
    pub fn believes(&mut self, in_force: Option<&Snapshot>, found: &Snapshot) -> bool {
        let before = in_force.into_iter().flat_map(|snapshot| snapshot.resources.keys());
        let missing = Missing {
            resources: before.filter(|id| !found.resources.contains_key(id)).cloned().collect(),
            everything: found.files == 0 && in_force.is_none_or(|snapshot| snapshot.files > 0),
        };
        let last = self.last.take();
        let everything = !missing.everything || last.as_ref().is_some_and(|last| last.everything);
        let resources = missing.resources.is_empty()
            || self.looks >= MAX_LOOKS
            || last.is_some_and(|last| missing.resources.is_subset(&last.resources));
        if everything && resources {
            self.looks = 0;
            return true;
        }
        self.looks += 1;
        self.last = Some(missing);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        manifest::{Entry, Located, Position, Revision},
        resource::{GatewayIdentity, GitIdentity, Metadata, Resource, User},
    };
    use std::{collections::BTreeMap, sync::Arc};

    /// A snapshot with a user for each letter, all in one file.
    fn snapshot(names: &str) -> Snapshot {
        let entry = |name: char| {
            let user = User {
                metadata: Metadata::named(name),
                roles: vec![],
                traits: BTreeMap::new(),
                git: GitIdentity::default(),
                gateway: GatewayIdentity::default(),
            };
            let resource = Resource::User(Arc::new(user));
            let id = resource.id();
            let located = Located {
                resource,
                path: "users.yaml".into(),
                position: Position { line: 1, column: 1 },
                places: Default::default(),
            };
            (id, Arc::new(Entry::new(located, Revision::from(String::new()))))
        };
        Snapshot {
            revision: Revision::from(names.to_owned()),
            resources: names.chars().map(entry).collect(),
            diagnostics: vec![],
            files: usize::from(!names.is_empty()),
        }
    }

    #[test]
    fn a_removal_needs_two_looks() {
        // What is in force, then each look with whether it is believed.
        for (in_force, looks) in [
            ("ab", &[("ab", true)][..]),
            ("ab", &[("abc", true)]),
            ("ab", &[("a", false), ("a", true)]),
            ("ab", &[("a", false), ("ab", true)]),
            ("ab", &[("a", false), ("b", false), ("b", true)]),
            ("abc", &[("a", false), ("ab", true)]),
            ("ab", &[("a", false), ("ab", true), ("a", false)]),
            ("ab", &[("", false), ("", true)]),
            ("ab", &[("", false), ("a", true)]),
            ("ab", &[("a", false), ("", false), ("", true)]),
        ] {
            let mut confirmation = Confirmation::default();
            for (found, believed) in looks {
                let believes = confirmation.believes(Some(&snapshot(in_force)), &snapshot(found));
                assert_eq!(believes, *believed, "{in_force}: {looks:?} at {found}");
            }
        }
    }

    #[test]
    fn a_directory_is_empty_at_the_second_look() {
        let mut confirmation = Confirmation::default();
        assert!(!confirmation.believes(None, &snapshot("")));
        assert!(confirmation.believes(None, &snapshot("")));
        assert!(confirmation.believes(Some(&snapshot("")), &snapshot("")), "it has been empty before");
        assert!(Confirmation::default().believes(None, &snapshot("a")));
    }

    #[test]
    fn endless_removals_are_believed_in_the_end() {
        let mut confirmation = Confirmation::default();
        let looks = ["a", "b"].iter().cycle().take(6);
        let believed: Vec<_> = looks.map(|l| confirmation.believes(Some(&snapshot("abc")), &snapshot(l))).collect();
        assert_eq!(believed, [false, false, false, false, false, true]);
        let mut confirmation = Confirmation::default();
        let looks = ["a", ""].iter().cycle().take(8);
        let believed: Vec<_> = looks.map(|l| confirmation.believes(Some(&snapshot("abc")), &snapshot(l))).collect();
        assert!(!believed[7], "but never that everything is gone");
    }
}
