//! The judgement itself: from a trusted base to a head, one commit at a time.

mod decision;
mod linear;
mod merge;
mod old;
mod origin;
mod replay;
mod walk;

use super::{
    Code, CommitVerdict, ObjectError, ObjectId, Objects, Refusal, Rules, State,
    commit::Commit,
    content::{Cache, Content, Entry, Slot},
    graph::Graph,
    rights::Step,
    state::{Accepted, Value},
    stored::{Stored, VERSION},
    tree::Trees,
};
use decision::{Decision, Weighed, refuse, value_set, vouch_advice};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use walk::Walk;

/// Why nothing was judged. Whatever was decided before stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The history as a whole cannot be accepted.
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Object(ObjectError),
}

impl From<ObjectError> for Failure {
    fn from(error: ObjectError) -> Self {
        if error.is_about_content() {
            let message = format!("the history cannot be read: {error}; what was pushed must be taken back");
            return Failure::Refused(Refusal { code: Code::Limit, message });
        }
        Failure::Object(error)
    }
}

/// What came of a history.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The accepted state at the head.
    pub state: State,
    /// A verdict on every commit that the base does not have, parents first.
    pub commits: Vec<CommitVerdict>,
}

/// Judges history by some rules. Holds nothing but what it has read.
pub struct Judge<'a> {
    objects: &'a dyn Objects,
    rules: &'a Rules,
    cache: &'a mut Cache,
    trees: Trees<'a>,
}

impl<'a> Judge<'a> {
    pub fn new(objects: &'a dyn Objects, rules: &'a Rules, cache: &'a mut Cache) -> Self {
        Judge { objects, rules, cache, trees: Trees::new(objects, &rules.managed) }
    }

    /// The state in which everything that a commit has is accepted: the root of trust, or a source without checks.
    pub fn root(&mut self, commit: ObjectId) -> Result<State, Failure> {
        let tree = self.cache.links(self.objects, commit)?.tree;
        let found = self.trees.compare(None, Some(tree))?;
        let entries: Vec<(Arc<str>, Entry)> =
            found.into_iter().filter_map(|(path, (_, entry))| Some((path, entry?))).collect();
        self.cache.prepare(&self.trees, &entries)?;
        let mut files = BTreeMap::new();
        for (path, entry) in entries {
            if let Some(accepted) = self.accepted(&path, Some(entry))? {
                files.insert(path, accepted);
            }
        }
        Ok(State::new(commit, files, self.rules))
    }

    /// The state that was stored, checked against the objects.
    ///
    /// # Errors
    /// Also when the form is one that is not known here.
    pub fn restore(&mut self, stored: &Stored) -> Result<State, Failure> {
        if stored.version != VERSION {
            let message = format!(
                "the stored state has version {}, and this program knows version {VERSION}: use the newer program, or say \
                 what is to be trusted with `mcpfleet trust set`",
                stored.version
            );
            return Err(Refusal { code: Code::Limit, message }.into());
        }
        let mut state = self.root(stored.commit)?;
        stored.apply(&mut state, |path, slot| self.accepted(path, slot))?;
        state.renew_policies(self.rules);
        Ok(state)
    }

    /// Judges everything that `head` has over the commit of a state.
    pub fn advance(&mut self, from: &State, head: ObjectId) -> Result<Judgement, Failure> {
        let graph = Graph::new(self.objects, self.cache, from.commit, head, self.rules.max_commits)?;
        let mut walk = Walk {
            uses: HashMap::new(),
            states: HashMap::from([(from.commit, from.clone())]),
            own: HashMap::new(),
            old: HashMap::new(),
            refused: HashMap::new(),
            plain: HashMap::new(),
            bases: HashMap::new(),
            counting: HashMap::new(),
            work: 0,
            graph,
            judge: self,
        };
        let mut commits = walk.run()?;
        let old = std::mem::take(&mut walk.old);
        let mut state = match walk.states.remove(&head) {
            Some(state) => state,
            None => return Err(ObjectError::Missing(head).into()),
        };
        // Those of old lines were judged where they were merged.
        let order: HashMap<ObjectId, usize> =
            walk.graph.commits().iter().enumerate().map(|(index, id)| (*id, index)).collect();
        commits.extend(old.into_values());
        commits.sort_by_key(|commit| order.get(&commit.id).copied());
        state.keep_applied(from);
        state.settle();
        self.cache.forget_all_but(&state);
        Ok(Judgement { state, commits })
    }

    fn content(&mut self, path: &Arc<str>, slot: Slot) -> Result<Option<Arc<Content>>, Failure> {
        self.cache.content(&self.trees, path, slot)
    }

    fn accepted(&mut self, path: &Arc<str>, slot: Slot) -> Result<Option<Accepted>, Failure> {
        let content = self.content(path, slot)?;
        Ok(slot.zip(content).map(|(entry, content)| Accepted { entry, content }))
    }

    fn commit(&mut self, id: ObjectId) -> Result<Arc<Commit>, Failure> {
        self.cache.commit(self.objects, id)
    }

    fn tree(&mut self, id: ObjectId) -> Result<ObjectId, Failure> {
        Ok(self.cache.links(self.objects, id)?.tree)
    }

    fn step(&mut self, decision: &Decision) -> Result<Step, Failure> {
        let path = decision.path.clone();
        let from = decision.from.iter().map(|slot| self.content(&path, *slot)).collect::<Result<_, _>>()?;
        Ok(Step { from, to: self.content(&path, decision.to)?, path })
    }
}
