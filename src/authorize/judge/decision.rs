//! What a commit decides, and what is said of it.

use super::{
    super::{Answer, ChangeVerdict, Code, ObjectId, state::Fault},
    Slot, Value,
};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// What a commit decides of a path.
#[derive(Clone, Debug)]
pub(super) struct Decision {
    pub(super) path: Arc<str>,
    /// What it takes the place of: several values where lines do not agree.
    pub(super) from: BTreeSet<Slot>,
    pub(super) to: Slot,
    /// Something that stands in the way whatever the rights of the signer are.
    pub(super) obstacle: Option<(Code, String)>,
    /// A refusal of a contested path is always called that.
    pub(super) contested: bool,
}

/// What is said of the decisions of a commit.
pub(super) struct Weighed {
    pub(super) signer: Option<String>,
    pub(super) changes: Vec<ChangeVerdict>,
}

impl Weighed {
    pub(super) fn is_accepted(&self) -> bool {
        self.changes.iter().all(|change| change.verdict == Answer::Accepted)
    }

    /// Why paths are refused.
    pub(super) fn codes(&self) -> HashMap<&str, Code> {
        self.changes.iter().rev().filter_map(|change| Some((change.path.as_str(), change.code?))).collect()
    }

    /// Adds what is wrong with the result as a whole.
    pub(super) fn add_faults(&mut self, faults: Vec<Fault>) {
        let faults: HashMap<&str, &Fault> = faults.iter().map(|fault| (&*fault.path, fault)).collect();
        for change in &mut self.changes {
            if let Some(fault) = faults.get(change.path.as_str()) {
                refuse(change, fault.code, fault.message.clone());
            }
        }
    }

    /// Calls refusals of contested paths what they are.
    pub(super) fn call_contested(&mut self, paths: &HashSet<&str>) {
        for change in self.changes.iter_mut().filter(|change| paths.contains(change.path.as_str())) {
            if let Some(code) = change.code.filter(|code| *code != Code::ContestedMerge) {
                change.code = Some(Code::ContestedMerge);
                change.message = format!(
                    "the merged sides do not agree on this file, and this merge may not decide: {} ({code})",
                    change.message
                );
            }
        }
    }

    /// A commit takes effect whole or not at all.
    pub(super) fn refuse_whole(&mut self) {
        let Some((code, path)) = self.changes.iter().find_map(|c| Some((c.code?, c.path.clone()))) else { return };
        for change in self.changes.iter_mut().filter(|change| change.verdict == Answer::Accepted) {
            let begin = ChangeVerdict::ALLOWED_BY_ITSELF;
            let message = format!("{begin}a commit takes effect whole or not at all, and {path} is refused");
            refuse(change, code, message);
        }
    }
}

pub(super) fn refuse(change: &mut ChangeVerdict, code: Code, message: String) {
    change.verdict = Answer::Refused;
    change.code = Some(code);
    change.rule = None;
    change.message = message;
}

/// `Vouch-For: ID` as advice.
pub(super) fn vouch_advice(reasons: &BTreeSet<ObjectId>) -> String {
    let trailers: Vec<String> = reasons.iter().map(|id| format!("`Vouch-For: {id}`")).collect();
    format!(
        "it builds on refused content; if you have looked at all of it, say so with {} in the last paragraph of the \
         commit's message, or restore the accepted content first",
        trailers.join(" and ")
    )
}

pub(super) fn value_set(value: &Value) -> BTreeSet<Slot> {
    value.slots().into_iter().collect()
}
