//! How often webhooks were called.

use super::Webhook;
use crate::measure::Words;
use std::collections::BTreeMap;

/// What came of a call.
const TAKEN: &str = "taken";
const REFUSED: &str = "refused";

/// The calls of each webhook, by what came of them. A name that is no webhook's is a caller's choice, and is not kept.
#[derive(Debug, Default)]
pub struct Calls {
    by_name: BTreeMap<String, Words>,
    to_none: Words,
}

impl Calls {
    pub fn of(hooks: &[Webhook]) -> Self {
        let by_name = hooks.iter().map(|hook| (hook.name.clone(), Words::default())).collect();
        Calls { by_name, to_none: Words::default() }
    }

    /// There was a call to `name`.
    pub(super) fn add(&self, name: &str, taken: bool) {
        self.by_name.get(name).unwrap_or(&self.to_none).add(if taken { TAKEN } else { REFUSED });
    }

    /// Webhook, what came of the calls, and how many; those to no webhook have no name.
    pub fn read(&self) -> Vec<(Option<String>, &'static str, u64)> {
        let named = self.by_name.iter().map(|(name, words)| (Some(name.clone()), words));
        let each = named.chain([(None, &self.to_none)]);
        each.flat_map(|(name, words)| words.read().into_iter().map(move |(word, count)| (name.clone(), word, count)))
            .collect()
    }
}
