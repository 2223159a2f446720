//! What must hold whatever the rules say in detail, of the engine alone.

use super::{
    Judged, agree_on_paths,
    history::{History, histories, honest_histories},
    objects::Memory,
    times,
    world::{PATHS, Person, Slot, Tree, has_rights, is_allowed},
};
use mcpfleet::authorize::CommitAnswer;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What the engine accepts at each head: `None` where it is undecided.
struct Accepted<'a> {
    history: &'a History,
    judged: Judged,
    heads: BTreeMap<usize, [Option<Slot>; PATHS.len()]>,
}

impl<'a> Accepted<'a> {
    fn of(history: &'a History) -> Accepted<'a> {
        let judged = Judged::of(history, false);
        let mut heads = BTreeMap::new();
        for head in judged.heads() {
            let said = judged.said(head);
            let slot = |path: usize| {
                let accepted = said.accepted.get(PATHS[path])?;
                let all = history.commits.iter().map(|commit| commit.tree[path]).chain([None]);
                all.into_iter().find(|slot| Memory::blob_of(path, *slot) == *accepted)
            };
            heads.insert(head, std::array::from_fn(slot));
        }
        Accepted { history, judged, heads }
    }

    fn tree(&self, commit: usize) -> &Tree {
        &self.history.commits[commit].tree
    }

    /// The policy after a commit, where it is clear.
    fn policy(&self, commit: usize) -> Option<Tree> {
        let slots = self.heads.get(&commit)?;
        let mut tree = *self.tree(commit);
        for (path, slot) in tree.iter_mut().enumerate() {
            *slot = slots[path]?;
        }
        Some(tree)
    }

    /// Whether a commit put something where its parents, or one of them, had something else.
    fn writes(&self, commit: usize, path: usize) -> bool {
        let made = &self.history.commits[commit];
        !made.vouches.is_empty() || made.parents.iter().any(|parent| self.tree(*parent)[path] != made.tree[path])
    }
}

proptest! {
    #![proptest_config(times(1))]

    /// Nothing is accepted that nobody wrote who had the right to, under a policy that was in force.
    #[test]
    fn authority(history in histories(8)) {
        let accepted = Accepted::of(&history);
        let in_force: Vec<Tree> = accepted.heads.keys().filter_map(|head| accepted.policy(*head)).collect();
        // What an administrator grants on an old line is in force on that line.
        let granted = history.commits.iter().filter(|c| c.author == Person::Root).map(|c| c.tree);
        let policies: Vec<Tree> = in_force.into_iter().chain(granted).collect();
        for (head, slots) in &accepted.heads {
            for (path, slot) in slots.iter().enumerate() {
                let Some(slot) = *slot else { continue };
                if slot == accepted.tree(history.base)[path] {
                    continue;
                }
                let before = history.ancestors(history.base);
                let by_right = |commit: &usize| {
                    let made = &history.commits[*commit];
                    let values = history.commits.iter().map(|c| c.tree[path]);
                    !before.contains(commit) && made.tree[path] == slot && values.into_iter().any(|from| {
                        from != slot && policies.iter().any(|policy| is_allowed(policy, made.author, path, from, slot))
                    })
                };
                prop_assert!(
                    history.ancestors(*head).iter().any(by_right),
                    "nobody may have made {} {slot:?}, which {head} accepts, in {history:?}", PATHS[path]
                );
            }
        }
    }

    /// Who has no rights moves nothing, neither by commits nor by the merge of a stranger.
    #[test]
    fn revocation_binds(history in histories(8)) {
        let accepted = Accepted::of(&history);
        for (head, slots) in &accepted.heads {
            let made = &history.commits[*head];
            for parent in &history.heads(&made.parents) {
                let Some(policy) = accepted.policy(*parent) else { continue };
                let brought: BTreeSet<usize> =
                    history.ancestors(*head).difference(history.ancestors(*parent)).copied().collect();
                if brought.iter().any(|commit| has_rights(&policy, history.commits[*commit].author)) {
                    continue;
                }
                for path in 0..PATHS.len() {
                    let moved = slots[path].is_some_and(|slot| slot != policy[path]);
                    prop_assert!(!moved, "{head} moves {} without any right in {history:?}", PATHS[path]);
                }
            }
        }
    }

    /// What was accepted once comes back only by somebody who writes it again, and not because a branch still has it.
    #[test]
    fn no_rollback(history in histories(8)) {
        let accepted = Accepted::of(&history);
        for (head, slots) in &accepted.heads {
            for parent in history.heads(&history.commits[*head].parents) {
                let Some(before) = accepted.heads.get(&parent) else { continue };
                for path in 0..PATHS.len() {
                    let (Some(before), Some(after)) = (before[path], slots[path]) else { continue };
                    let brought = history.ancestors(*head) - history.ancestors(parent);
                    let written = |commit: &usize| {
                        accepted.tree(*commit)[path] == after && accepted.writes(*commit, path)
                    };
                    prop_assert!(
                        before == after || brought.iter().any(written),
                        "{head} takes {} back to {after:?} in {history:?}", PATHS[path]
                    );
                }
            }
        }
    }

    /// A refused commit changes nothing that is accepted, and holds only what it touched.
    #[test]
    fn isolation(history in histories(8)) {
        let accepted = Accepted::of(&history);
        for head in accepted.heads.keys() {
            let [parent] = history.heads(&history.commits[*head].parents)[..] else { continue };
            if !accepted.heads.contains_key(&parent) {
                continue;
            }
            let (said, before) = (accepted.judged.said(*head), accepted.judged.said(parent));
            if !said.refused {
                continue;
            }
            prop_assert_eq!(&said.accepted, &before.accepted, "commit {} of {:?}", head, history);
            prop_assert!(said.undecided.keys().eq(before.undecided.keys()), "commit {} of {:?}", head, history);
            let touched = |path: &usize| accepted.tree(*head)[*path] != accepted.tree(parent)[*path];
            let untouched: Vec<usize> = (0..PATHS.len()).filter(|path| !touched(path)).collect();
            prop_assert!(agree_on_paths(&said.held, &before.held, &untouched), "commit {} of {:?}", head, history);
        }
    }

    /// Where everybody keeps to what is theirs, the accepted state is what git has, whoever merges.
    #[test]
    fn honest_clean_merges_give_the_union(history in honest_histories(9)) {
        let accepted = Accepted::of(&history);
        for (head, slots) in &accepted.heads {
            let tree = accepted.tree(*head).map(Some);
            prop_assert_eq!(*slots, tree, "commit {} of {:?}", head, history);
            let report = &accepted.judged.reports[head];
            prop_assert!(report.held.is_empty() && report.undecided.is_empty(), "commit {} of {:?}", head, history);
            let refused = report.commits.iter().any(|commit| commit.verdict == CommitAnswer::Refused);
            prop_assert!(!refused, "commit {} of {:?}", head, history);
        }
    }
}
