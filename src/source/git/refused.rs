//! What was refused and still is: which changes, whose, and why. Pure.

use crate::{
    authorize::{Answer, ChangeVerb, ChangeVerdict, Code, CommitVerdict, HeldPath, ObjectId},
    resource::Kind,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// Of how many changes the details are kept; of those beyond it only what the accepted state itself knows.
pub(super) const MAX_DETAILED: usize = 500;

/// A change that takes no effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedChange {
    pub commit: ObjectId,
    /// As the commit says, `Name <mail>`; nobody vouches for it.
    pub author: String,
    /// The user to whom the commit is attributed.
    pub signer: Option<String>,
    pub path: Arc<str>,
    /// `None` for a file as a whole.
    pub kind: Option<Kind>,
    pub name: Option<String>,
    pub verb: Option<ChangeVerb>,
    pub code: Option<Code>,
    /// The rule that decided, as `role/NAME allow.rules[0]`.
    pub rule: Option<String>,
    /// Why, and what to do about it.
    pub message: String,
}

impl RefusedChange {
    /// Whether it is to blame: it is not refused only because another change of its commit is.
    pub fn is_to_blame(&self) -> bool {
        !self.message.starts_with(ChangeVerdict::ALLOWED_BY_ITSELF)
    }

    fn of(commit: &CommitVerdict, change: &ChangeVerdict, author: &str) -> Self {
        RefusedChange {
            commit: commit.id,
            author: author.to_owned(),
            signer: commit.signer.clone(),
            path: change.path.as_str().into(),
            kind: change.kind,
            name: change.name.clone(),
            verb: change.verb,
            code: change.code,
            rule: change.rule.clone(),
            message: change.message.clone(),
        }
    }

    /// All that is known of a path whose refusal was not seen, or is too long ago.
    fn unseen(path: &str, commit: ObjectId, code: Option<Code>, author: String) -> Self {
        RefusedChange {
            commit,
            author,
            signer: None,
            path: path.into(),
            kind: None,
            name: None,
            verb: None,
            code,
            rule: None,
            message: "was refused: restore the accepted content, or let somebody with the right vouch for the commit"
                .to_owned(),
        }
    }
}

/// The changes that a judgement refused, in its order.
pub(super) fn refused(verdicts: &[CommitVerdict], author: impl Fn(ObjectId) -> String) -> Vec<RefusedChange> {
    let refused = |verdict: &&CommitVerdict| verdict.changes.iter().any(|change| change.verdict == Answer::Refused);
    verdicts
        .iter()
        .filter(refused)
        .flat_map(|verdict| {
            let author = author(verdict.id);
            let changes = verdict.changes.iter().filter(|change| change.verdict == Answer::Refused);
            changes.map(move |change| RefusedChange::of(verdict, change, &author)).collect::<Vec<_>>()
        })
        .collect()
}

/// What is to be listed, newest first: of each path that is still held or undecided all that was refused there since
/// it is. `before` is the list so far, `new` what a judgement has added in its order.
pub(super) fn listed<'p>(
    before: &[RefusedChange],
    new: &[RefusedChange],
    held: &[HeldPath],
    undecided: impl Iterator<Item = (&'p Arc<str>, ObjectId)>,
    author: impl Fn(ObjectId) -> String,
) -> Vec<RefusedChange> {
    // The commits to blame, as far as they have not been met.
    let mut waiting: BTreeMap<&str, Option<(ObjectId, Option<Code>)>> =
        held.iter().map(|held| (held.path.as_str(), Some((held.refused_commit, held.code)))).collect();
    waiting.extend(undecided.map(|(path, commit)| (&**path, Some((commit, Some(Code::ContestedMerge))))));
    let all = new.iter().rev().chain(before);
    let mut list: Vec<RefusedChange> =
        all.filter(|change| waiting.contains_key(&*change.path)).take(MAX_DETAILED).cloned().collect();
    for change in &list {
        if let Some(blamed) = waiting.get_mut(&*change.path).filter(|b| b.is_some_and(|(id, _)| id == change.commit)) {
            *blamed = None;
        }
    }
    let unseen = waiting.into_iter().filter_map(|(path, blamed)| Some((path, blamed?)));
    list.extend(unseen.map(|(path, (commit, code))| RefusedChange::unseen(path, commit, code, author(commit))));
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> ObjectId {
        ObjectId::new([number; 20])
    }

    fn change(commit: u8, path: &str) -> RefusedChange {
        let unseen = RefusedChange::unseen(path, id(commit), Some(Code::NotAllowed), "A <a>".to_owned());
        RefusedChange { message: format!("refused {commit}"), ..unseen }
    }

    fn held(path: &str, commit: u8) -> HeldPath {
        let code = Some(Code::NotAllowed);
        HeldPath { path: path.to_owned(), accepted_blob: None, head_blob: None, refused_commit: id(commit), code }
    }

    fn shown(list: &[RefusedChange]) -> Vec<String> {
        list.iter().map(|change| format!("{} {}", change.path, change.message)).collect()
    }

    fn list(
        before: &[RefusedChange],
        new: &[RefusedChange],
        held: &[HeldPath],
        undecided: &[(&str, u8)],
    ) -> Vec<RefusedChange> {
        let undecided: Vec<(Arc<str>, ObjectId)> =
            undecided.iter().map(|(path, by)| ((*path).into(), id(*by))).collect();
        listed(before, new, held, undecided.iter().map(|(path, by)| (path, *by)), |_| "A <a>".to_owned())
    }

    #[test]
    fn what_waits_is_listed_newest_first_until_it_is_restored() {
        let first = list(&[], &[change(1, "a"), change(2, "b"), change(3, "gone")], &[held("a", 1), held("b", 2)], &[]);
        assert_eq!(shown(&first), ["b refused 2", "a refused 1"]);
        let second = list(&first, &[change(4, "a")], &[held("a", 4), held("b", 2)], &[]);
        assert_eq!(shown(&second), ["a refused 4", "b refused 2", "a refused 1"]);
        assert_eq!(shown(&list(&second, &[], &[held("b", 2)], &[])), ["b refused 2"]);
        assert!(list(&second, &[], &[], &[]).is_empty());
    }

    #[test]
    fn what_is_held_is_never_missing() {
        let list = list(&[change(1, "a")], &[], &[held("a", 9), held("c", 3)], &[("m", 4)]);
        let codes: Vec<_> = list.iter().map(|change| (&*change.path, change.commit, change.code)).collect();
        let not_allowed = Some(Code::NotAllowed);
        let expected = [
            ("a", id(1), not_allowed),
            ("a", id(9), not_allowed),
            ("c", id(3), not_allowed),
            ("m", id(4), Some(Code::ContestedMerge)),
        ];
        assert_eq!(codes, expected);
    }

    #[test]
    fn there_is_a_bound_on_details_and_none_on_paths() {
        let paths: Vec<String> = (0..MAX_DETAILED + 10).map(|number| format!("{number:04}")).collect();
        let new: Vec<_> = paths.iter().map(|path| change(1, path)).collect();
        let all: Vec<_> = paths.iter().map(|path| held(path, 1)).collect();
        let list = list(&[], &new, &all, &[]);
        assert_eq!(list.len(), paths.len());
        assert_eq!(list.iter().filter(|change| change.message == "refused 1").count(), MAX_DETAILED);
    }
}
